// TLS, HTTP/1.1 and HTTP/2, and guests that read slowly.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>

#include "host/testing/network.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;
using testing::Flight;
using testing::Network;
using testing::PolicyPrincipal;
using testing::RawServer;
using testing::Response;

/// A web server in Python that serves the files of a folder over TLS, each connection on a thread
/// of its own, and says its port first.
constexpr const char* server_program = R"(
import functools, http.server, ssl, sys
folder, certificate, key = sys.argv[1:]
class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(
    ("127.0.0.1", 0), functools.partial(Files, directory=folder))
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
)";

/// A program that runs, with what it writes.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    output_.reset(ends[0]);
    const UniqueFd write_end(ends[1]);
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    const int error = ::posix_spawnp(&process_, words.front().c_str(), &actions, nullptr,
                                     arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error(words.front() + " does not start");
  }
  ~Program() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      static_cast<void>(wait());
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int wait() {
    int status = 0;
    ::waitpid(std::exchange(process_, 0), &status, 0);
    return status;
  }
  [[nodiscard]] bool has_ended() {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == 0) return false;
    process_ = 0;
    return true;
  }
  std::string line() const {
    std::string text;
    char c = 0;
    while (::read(output_.get(), &c, 1) == 1 && c != '\n') text += c;
    return text;
  }

 private:
  pid_t process_ = 0;
  UniqueFd output_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// For a server that cannot choose a port and say it.
std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

bool listens(std::uint16_t port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

enum class Speaks { http1, http2 };

/// A server for the name tls.test, with a certificate that nobody but the test trusts. It speaks
/// one version of HTTP and no other.
class TlsServer {
 public:
  explicit TlsServer(Speaks version = Speaks::http1) {
    const std::string key = this->key();
    Program maker({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=tls.test",
                   "-addext", "subjectAltName=DNS:tls.test", "-keyout", key, "-out",
                   certificate()});
    if (maker.wait() != 0) throw std::runtime_error("no certificate");
    const std::string files = folder_.make_folder("files").native();
    if (version == Speaks::http1) {
      server_.emplace(
          std::vector<std::string>{"python3", "-c", server_program, files, certificate(), key});
      port_ = server_->line();
      return;
    }
    // Somebody else may have taken the port meanwhile.
    for (int attempt = 0; attempt < 5; ++attempt) {
      const std::uint16_t port = free_port();
      port_ = std::to_string(port);
      server_.emplace(std::vector<std::string>{"nghttpd", "--address=127.0.0.1", "-d", files, port_,
                                               key, certificate()});
      while (!server_->has_ended()) {
        if (listens(port)) return;
        ::sched_yield();
      }
    }
    throw std::runtime_error("nghttpd does not start");
  }

  void serve(std::string_view name, std::string_view body) const {
    folder_.write(fmt::format("files/{}", name), body);
  }
  [[nodiscard]] std::string key() const { return (folder_ / "key.pem").native(); }
  [[nodiscard]] std::string certificate() const { return (folder_ / "certificate.pem").native(); }
  [[nodiscard]] std::string authority(std::string_view name = "tls.test") const {
    return fmt::format("{}:{}", name, port_);
  }
  [[nodiscard]] EgressOptions options() const {
    EgressOptions options;
    options.certificates = certificate();
    return options;
  }
  [[nodiscard]] std::shared_ptr<PolicyPrincipal> principal(
      std::string_view name = "tls.test") const {
    return std::make_shared<PolicyPrincipal>(Network::policy_for("https://" + authority(name)) +
                                             "  resources: {response: 64Mi}\n");
  }
  [[nodiscard]] engine::HttpRequest get(std::string_view target,
                                        std::string_view name = "tls.test") const {
    engine::HttpRequest request = Network::get(authority(name), target);
    request.scheme = "https";
    return request;
  }

 private:
  test::TemporaryFolder folder_;
  std::optional<Program> server_;
  std::string port_;
};

std::string random_text(std::size_t size) {
  std::mt19937_64 random(size);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

class EgressTlsTest : public ::testing::TestWithParam<Speaks> {};
INSTANTIATE_TEST_SUITE_P(Versions, EgressTlsTest, ::testing::Values(Speaks::http1, Speaks::http2),
                         [](const auto& version) {
                           return version.param == Speaks::http1 ? "Http1" : "Http2";
                         });

/// Speaks HTTP/2 as far as its settings, and then sends frames that are no part of any answer for
/// as long as somebody listens. Says its port first.
constexpr const char* flooding_program = R"(
import socket, ssl, sys
kind, certificate, key = sys.argv[1:]
def frame(number, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([number, flags]) + stream.to_bytes(4, "big") + payload
floods = {
    "unknown": frame(0x42, 0, 0, b"x" * 16384),
    "unknown-of-stream": frame(0x42, 0, 1, b"x" * 16384),
    "pings": frame(6, 1, 0, b"12345678") * 1000,
    "windows": frame(8, 0, 0, b"\0\0\0\1") * 1000,
}
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["h2"])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        connection = context.wrap_socket(connection, server_side=True)
        connection.sendall(frame(4, 0, 0, b""))
        while True:
            connection.sendall(floods[kind])
    except OSError:
        connection.close()
)";

TEST(EgressProtocolTest, A45FramesThatAreNoAnswerAreCountedAsWell) {
  const TlsServer other;
  for (const char* const kind : {"unknown", "unknown-of-stream", "pings", "windows"}) {
    const Program server(
        {"python3", "-c", flooding_program, kind, other.certificate(), other.key()});
    const std::string to = fmt::format("tls.test:{}", server.line());
    Network network(other.options());
    engine::HttpRequest request = Network::get(to);
    request.scheme = "https";
    const Response response =
        network.fetch(std::make_shared<PolicyPrincipal>(Network::policy_for("https://" + to) +
                                                        "  resources: {response: 1Mi}\n"),
                      request);
    EXPECT_TRUE(response.failure == HttpFailure::response_too_large ||
                response.failure == HttpFailure::protocol)
        << kind << ": " << response.message;
  }
}

/// Answers without a length, and ends the connection as TLS wants it or below it. Says its port
/// first.
constexpr const char* closing_program = R"(
import socket, ssl, sys
how, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection = context.wrap_socket(connection, server_side=True)
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe whole of it")
    connection.unwrap() if how == "properly" else connection.shutdown(socket.SHUT_RDWR)
    connection.close()
)";

TEST(EgressProtocolTest, A77AnAnswerThatSomebodyOnTheWayCutsOffIsNotAWholeOne) {
  const TlsServer other;
  for (const bool properly : {true, false}) {
    const Program server({"python3", "-c", closing_program, properly ? "properly" : "cut",
                          other.certificate(), other.key()});
    const std::string to = fmt::format("tls.test:{}", server.line());
    Network network(other.options());
    engine::HttpRequest request = Network::get(to);
    request.scheme = "https";
    const auto principal = std::make_shared<PolicyPrincipal>(Network::policy_for("https://" + to));
    principal->bind({"key", policy::SecretPlace::bearer, {}, "a-long-secret", {}});
    const Response response = network.fetch(principal, request);
    EXPECT_EQ(response.ended, properly) << response.message;
    EXPECT_EQ(response.body, properly ? "the whole of it" : "");
    EXPECT_EQ(response.failure.has_value(), !properly);
  }
}

TEST_P(EgressTlsTest, FetchesOverTls) {
  const TlsServer server(GetParam());
  const std::string body = random_text(std::size_t{8} << 20);
  server.serve("large", body);
  Network network(server.options());
  const Response response = network.fetch(server.principal(), server.get("/large"));
  EXPECT_EQ(response.message, "");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body == body) << response.body.size() << " bytes came";
}

/// A server that never answers, and what its clients say first.
class SilentServer {
 public:
  SilentServer()
      : server_([this](const testing::Connection& connection) {
          std::string hello;
          connection.receive_some(hello);
          {
            const std::lock_guard lock(mutex_);
            hellos_.push_back(std::move(hello));
          }
          changed_.notify_all();
          connection.wait_for_close();
        }) {}

  [[nodiscard]] std::string authority() const { return fmt::format("tls.test:{}", server_.port()); }
  /// The hellos of so many connections, once they are there.
  std::vector<std::string> hellos(std::size_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return hellos_.size() >= number; });
    return hellos_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> hellos_;
  RawServer server_;
};

bool offers_http2(const std::string& hello) {
  return hello.find(std::string("\x02h2", 3)) != std::string::npos;
}

TEST(EgressProtocolTest, AFewRequestsAtATimeMaySpeakHttp2) {
  SilentServer server;
  Network network;
  const auto principal = std::make_shared<PolicyPrincipal>(
      Network::policy_for("https://" + server.authority()) + "  resources: {requests: 16}\n");
  engine::HttpRequest request = Network::get(server.authority());
  request.scheme = "https";
  const std::size_t few = EgressOptions().http2_exchanges;
  std::vector<Flight> flights;
  for (std::size_t i = 0; i < few + 3; ++i) flights.push_back(network.send(principal, request));
  const auto hellos = server.hellos(few + 3);
  EXPECT_EQ(std::count_if(hellos.begin(), hellos.end(), offers_http2), few)
      << "each may take 32 MiB that its guest does not read";
  EXPECT_NE(hellos.front().find("tls.test"), std::string::npos) << "no name for the certificate";

  flights.clear();
  const Flight later = network.send(principal, request);
  EXPECT_TRUE(offers_http2(server.hellos(few + 4).back())) << "their places were not given back";
}

TEST(EgressProtocolTest, ARequestWithABodySpeaksHttp11) {
  SilentServer server;
  Network network;
  const auto principal =
      std::make_shared<PolicyPrincipal>(Network::policy_for("https://" + server.authority()));
  engine::HttpRequest request = Network::get(server.authority());
  request.scheme = "https";
  request.method = "POST";
  request.has_body = true;
  const Flight flight = network.send(principal, request);
  EXPECT_FALSE(offers_http2(server.hellos(1).front()));
}

TEST_P(EgressTlsTest, AServerThatNobodyTrustsIsRefused) {
  const TlsServer server(GetParam());
  Network network;
  EXPECT_EQ(network.fetch(server.principal(), server.get("/")).failure, HttpFailure::certificate);
}

TEST_P(EgressTlsTest, ACertificateForAnotherNameIsRefused) {
  const TlsServer server(GetParam());
  Network network(server.options());
  EXPECT_EQ(network.fetch(server.principal("other.test"), server.get("/", "other.test")).failure,
            HttpFailure::certificate);
}

TEST_P(EgressTlsTest, ASlowGuestGetsEverythingAPieceAtATime) {
  const TlsServer server(GetParam());
  const std::string body = random_text(std::size_t{4} << 20);
  server.serve("large", body);
  Network network(server.options());
  const Flight flight = network.send(server.principal(), server.get("/large"), true);
  std::size_t seen = flight.inbox->wait_for_bytes(1);
  while (seen < body.size() && !flight.inbox->over()) {
    flight.transfer->resume();
    seen = flight.inbox->wait_for_bytes(seen + 1);
  }
  const Response response = flight.response();
  EXPECT_EQ(response.message, "");
  EXPECT_TRUE(response.body == body) << response.body.size() << " bytes came";
}

TEST_P(EgressTlsTest, AGuestThatDoesNotReadHoldsUpNoOther) {
  const TlsServer server(GetParam());
  const std::string body = random_text(std::size_t{4} << 20);
  server.serve("large", body);
  Network network(server.options());
  const auto principal = server.principal();
  EXPECT_EQ(network.fetch(principal, server.get("/none")).status, 404);
  const Flight stalled = network.send(principal, server.get("/large"), true);
  EXPECT_GT(stalled.inbox->wait_for_bytes(1), 0U);
  for (int i = 0; i < 3; ++i) {
    const Response response = network.fetch(principal, server.get("/large"));
    EXPECT_EQ(response.message, "");
    ASSERT_TRUE(response.body == body) << response.body.size() << " bytes came";
  }
  EXPECT_LT(stalled.inbox->wait_for_bytes(1), body.size() / 2)
      << "a guest that did not read was given all the same";
  stalled.inbox->pause_never();
  stalled.transfer->resume();
  const Response response = stalled.response();
  EXPECT_EQ(response.message, "");
  EXPECT_TRUE(response.body == body) << response.body.size() << " bytes came";
}

/// Memory of this process that is in use, in bytes.
std::size_t memory_in_use() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_P(EgressTlsTest, GuestsThatDoNotReadTakeLittleMemory) {
  const TlsServer server(GetParam());
  server.serve("large", std::string(std::size_t{60} << 20, 'x'));
  server.serve("small", "small");
  Network network(server.options());
  const auto principal = server.principal();
  EXPECT_EQ(network.fetch(principal, server.get("/small")).body, "small");
  const std::size_t before = memory_in_use();
  // One place is left for the small ones.
  const std::size_t number = GetParam() == Speaks::http1 ? 12 : EgressOptions().http2_exchanges - 1;
  std::vector<Flight> stalled;
  for (std::size_t i = 0; i < number; ++i) {
    stalled.push_back(network.send(principal, server.get("/large"), true));
    EXPECT_GT(stalled.back().inbox->wait_for_bytes(1), 0U);
  }
  // What the server still sends comes before this answer, or beside it.
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(network.fetch(principal, server.get("/small")).body, "small");
  }
  // What libcurl keeps of an HTTP/2 stream, and what does not belong to any.
  std::size_t allowed = std::size_t{GetParam() == Speaks::http1 ? 32U : 48U} << 20;
#ifdef BELLJAR_SANITIZED
  // AddressSanitizer keeps what was freed for a while.
  allowed *= 3;
#endif
  EXPECT_LT(memory_in_use(), before + allowed);
}

TEST_P(EgressTlsTest, ManyResponsesThatPauseAllEnd) {
  const TlsServer server(GetParam());
  const std::string body = random_text(std::size_t{1} << 20);
  server.serve("large", body);
  EgressOptions options = server.options();
  options.http2_exchanges = 12;
  Network network(options);
  const auto principal = server.principal();
  EXPECT_EQ(network.fetch(principal, server.get("/none")).status, 404);
  std::vector<Flight> flights;
  for (int i = 0; i < 12; ++i)
    flights.push_back(network.send(principal, server.get("/large"), true));
  // One after the other: each runs while the rest stand still.
  for (const Flight& flight : flights) {
    std::size_t seen = flight.inbox->wait_for_bytes(1);
    while (seen < body.size() && !flight.inbox->over()) {
      flight.transfer->resume();
      seen = flight.inbox->wait_for_bytes(seen + 1);
    }
    const Response response = flight.response();
    EXPECT_EQ(response.message, "");
    EXPECT_TRUE(response.body == body) << response.body.size() << " bytes came";
  }
}

}  // namespace
}  // namespace belljar::host
