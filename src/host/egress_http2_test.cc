// HTTP/2 and TLS, with nghttpd as the server: it speaks nothing older.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <random>

#include "host/testing/network.h"
#include "host/testing/temporary_folder.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;
using testing::Flight;
using testing::Network;
using testing::PolicyPrincipal;
using testing::Response;

/// Runs a program; gives its process.
pid_t start(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  for (const int stream : {1, 2}) {
    ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
  }
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error(words.front() + " does not start");
  return child;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

/// A server for the name h2.test, with a certificate that nobody but the test trusts.
class Http2Server {
 public:
  Http2Server() {
    const auto key = (folder_ / "key.pem").native();
    const auto certificate = (folder_ / "certificate.pem").native();
    const pid_t maker =
        start({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=h2.test",
               "-addext", "subjectAltName=DNS:h2.test", "-keyout", key, "-out", certificate});
    int status = 0;
    ::waitpid(maker, &status, 0);
    if (status != 0) throw std::runtime_error("no certificate");
    folder_.make_folder("files");
    port_ = free_port();
    server_ = start({"nghttpd", "--address=127.0.0.1", "-d", (folder_ / "files").native(),
                     std::to_string(port_), key, certificate});
    // It listens as soon as a connection succeeds, or it has ended.
    const sockaddr_in address = loopback(port_);
    while (true) {
      const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
          0) {
        return;
      }
      if (::waitpid(server_, &status, WNOHANG) != 0) throw std::runtime_error("nghttpd has ended");
      ::sched_yield();
    }
  }
  ~Http2Server() {
    ::kill(server_, SIGTERM);
    int status = 0;
    ::waitpid(server_, &status, 0);
  }
  Http2Server(const Http2Server&) = delete;
  Http2Server& operator=(const Http2Server&) = delete;

  void serve(std::string_view name, std::string_view body) const {
    folder_.write(fmt::format("files/{}", name), body);
  }
  [[nodiscard]] std::string certificate() const { return (folder_ / "certificate.pem").native(); }
  [[nodiscard]] std::string authority(std::string_view name = "h2.test") const {
    return fmt::format("{}:{}", name, port_);
  }
  [[nodiscard]] EgressOptions options() const {
    EgressOptions options;
    options.certificates = certificate();
    // Long for a machine, short for a test that would otherwise hang.
    options.idle_timeout = std::chrono::seconds(20);
    return options;
  }
  [[nodiscard]] std::shared_ptr<PolicyPrincipal> principal(
      std::string_view name = "h2.test") const {
    return std::make_shared<PolicyPrincipal>(Network::policy_for("https://" + authority(name)) +
                                             "  resources: {response: 64Mi}\n");
  }
  [[nodiscard]] engine::HttpRequest get(std::string_view target,
                                        std::string_view name = "h2.test") const {
    engine::HttpRequest request = Network::get(authority(name), target);
    request.scheme = "https";
    return request;
  }

 private:
  testing::TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t server_ = 0;
};

std::string random_text(std::size_t size) {
  std::mt19937_64 random(size);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(EgressHttp2Test, FetchesOverHttp2) {
  Http2Server server;
  const std::string body = random_text(std::size_t{8} << 20);
  server.serve("large", body);
  Network network(server.options());
  const Response response = network.fetch(server.principal(), server.get("/large"));
  EXPECT_EQ(response.message, "");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body == body) << response.body.size() << " bytes came";
}

TEST(EgressHttp2Test, AServerThatNobodyTrustsIsRefused) {
  Http2Server server;
  Network network;
  EXPECT_EQ(network.fetch(server.principal(), server.get("/")).failure, HttpFailure::certificate);
}

TEST(EgressHttp2Test, ACertificateForAnotherNameIsRefused) {
  Http2Server server;
  Network network(server.options());
  EXPECT_EQ(network.fetch(server.principal("other.test"), server.get("/", "other.test")).failure,
            HttpFailure::certificate);
}

TEST(EgressHttp2Test, ASlowGuestGetsEverythingAPieceAtATime) {
  Http2Server server;
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

TEST(EgressHttp2Test, AGuestThatDoesNotReadHoldsUpNoOther) {
  Http2Server server;
  const std::string body = random_text(std::size_t{4} << 20);
  server.serve("large", body);
  Network network(server.options());
  const auto principal = server.principal();
  // The first makes the connection that the others share.
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

TEST(EgressHttp2Test, ManyStreamsThatPauseAllEnd) {
  Http2Server server;
  const std::string body = random_text(std::size_t{1} << 20);
  server.serve("large", body);
  Network network(server.options());
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
