// Servers that lie, flood, or never answer. Deadlines are short, and no test measures time.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <future>

#include "host/testing/network.h"
#include "support/crypto.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;
using testing::Connection;
using testing::Flight;
using ::testing::HasSubstr;
using testing::Network;
using ::testing::Not;
using testing::PolicyPrincipal;
using testing::RawServer;
using testing::Response;

constexpr std::string_view secret_value = "sk-Tr0ub4dor/&3+x=";

EgressOptions impatient() {
  EgressOptions options;
  options.name_timeout = std::chrono::milliseconds(100);
  options.connect_timeout = std::chrono::milliseconds(100);
  options.head_timeout = std::chrono::milliseconds(100);
  options.idle_timeout = std::chrono::milliseconds(100);
  return options;
}

std::string authority_of(const RawServer& server) {
  return fmt::format("a.test:{}", server.port());
}

std::shared_ptr<PolicyPrincipal> principal_for(const RawServer& server,
                                               std::string_view resources = {}) {
  return std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + authority_of(server)) +
                                           std::string(resources));
}

constexpr std::string_view one_mebibyte = "  resources: {response: 1Mi}\n";

Response fetch_from(const RawServer& server, EgressOptions options = {},
                    std::string_view resources = one_mebibyte) {
  Network network(std::move(options));
  return network.fetch(principal_for(server, resources), Network::get(authority_of(server)));
}

/// Says `head`, then repeats `piece` for as long as the client listens.
RawServer::Serve endless(std::string head, std::string piece) {
  return [head = std::move(head), piece = std::move(piece)](const Connection& connection) {
    static_cast<void>(connection.request());
    if (!connection.send(head)) return;
    while (connection.send(piece)) {
    }
  };
}

/// Says this, and nothing more.
RawServer::Serve stalling(std::string text) {
  return [text = std::move(text)](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send(text);
    connection.wait_for_close();
  };
}

TEST(HostileServerTest, A45ABodyBeyondTheLimitEndsThere) {
  const std::string piece(16'384, 'x');
  for (const auto& [head, chunk] : std::vector<std::pair<std::string, std::string>>{
           {"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", piece},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4000\r\n" + piece + "\r\n"},
           {"HTTP/1.1 200 OK\r\n\r\n", piece}}) {
    RawServer server(endless(head, chunk));
    const Response response = fetch_from(server);
    EXPECT_EQ(response.failure, HttpFailure::response_too_large) << head;
    EXPECT_LE(response.body.size(), std::size_t{1} << 20) << head;
    EXPECT_THAT(response.message, HasSubstr("limit response"));
  }
}

/// The bytes of a gzip file that inflates to `size` zeros.
std::string gzip_of_zeros(std::size_t size) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(size / 100 + 1'024, '\0');
  std::string zeros(1 << 16, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  for (std::size_t left = size; left > 0;) {
    const std::size_t part = std::min(left, zeros.size());
    left -= part;
    stream.next_in = reinterpret_cast<Bytef*>(zeros.data());
    stream.avail_in = static_cast<uInt>(part);
    deflate(&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH);
  }
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(HostileServerTest, A45ACompressedBombIsNotInflated) {
  const std::string bomb = gzip_of_zeros(std::size_t{64} << 20);
  ASSERT_LT(bomb.size(), std::size_t{1} << 20);
  RawServer plain(RawServer::answering(
      fmt::format("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{}",
                  bomb.size(), bomb),
      nullptr, nullptr));
  const Response response = fetch_from(plain);
  EXPECT_EQ(response.body, bomb) << "it is the guest's to inflate, in its own memory";
}

TEST(HostileServerTest, A55OtherCodingsOfTheTransferAreNotLetThrough) {
  // Nothing undoes them, so nothing would see what is in them.
  for (const char* const coding : {"gzip", "gzip, chunked", "deflate", "identity, gzip", "br"}) {
    RawServer server(stalling(
        fmt::format("HTTP/1.1 200 OK\r\nTransfer-Encoding: {}\r\n\r\n5\r\nhello\r\n", coding)));
    const Response response = fetch_from(server, impatient());
    EXPECT_EQ(response.failure, HttpFailure::protocol) << coding;
    EXPECT_EQ(response.body, "") << coding;
  }
}

TEST(HostileServerTest, A45HeadersWithoutEndAreCutOff) {
  const std::string line = "X-Header: " + std::string(1'000, 'x') + "\r\n";
  for (const auto& [head, piece] : std::vector<std::pair<std::string, std::string>>{
           {"HTTP/1.1 200 OK\r\n", line},
           {"HTTP/1.1 200 OK\r\n", "X: 1\r\n"},
           {"HTTP/1.1 200 OK\r\nX-Long: ", std::string(10'000, 'x')},
           {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"},
           {"HTTP/1.1 103 Early Hints\r\n", "Link: x\r\n\r\nHTTP/1.1 103 Early Hints\r\n"},
           {"HTTP/1.1 200 ", std::string(10'000, 'x')},
           {"", std::string(10'000, 'x')}}) {
    RawServer server(endless(head, piece));
    const Response response = fetch_from(server);
    EXPECT_TRUE(response.failure) << head << piece.substr(0, 40);
    EXPECT_FALSE(response.ended);
  }
}

TEST(HostileServerTest, A45TrailersAreCountedWithTheHeaders) {
  for (const std::string& line :
       {"X-Trailer: " + std::string(1'000, 'x') + "\r\n", std::string("a:\r\n")}) {
    RawServer server(endless(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\n",
        line));
    const Response response = fetch_from(server);
    EXPECT_EQ(response.failure, HttpFailure::headers_too_large) << response.message;
    EXPECT_THAT(response.message, HasSubstr("headers and trailers"));
    EXPECT_EQ(response.body, "hello");
  }
}

TEST(HostileServerTest, A45WhatArrivesWithoutBeingABodyIsCountedAsWell) {
  const std::string piece(16'384, 'x');
  for (const auto& [head, more] : std::vector<std::pair<std::string, std::string>>{
           // An extension of a chunk (RFC 9112, 7.1.1) that never ends, and chunks of one byte that
           // each have one.
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=", piece},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1;a=" + piece + "\r\nx\r\n"}}) {
    RawServer server(endless(head, more));
    const Response response = fetch_from(server);
    EXPECT_EQ(response.failure, HttpFailure::response_too_large) << response.message;
    EXPECT_THAT(response.message, HasSubstr("more arrived"));
    EXPECT_LT(response.body.size(), std::size_t{1} << 20);
  }
}

TEST(HostileServerTest, A45WhatArrivedForEarlierResponsesOfAConnectionDoesNotCount) {
  const std::string body(1'000, 'x');
  const std::string answer =
      fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  RawServer server(RawServer::answering(answer, nullptr, nullptr));
  Network network;
  const auto principal = principal_for(server, "  resources: {response: 1Ki}\n");
  // One and a half times what may arrive for one.
  for (std::size_t sum = 0; sum < (std::size_t{3} << 19); sum += answer.size()) {
    ASSERT_EQ(network.fetch(principal, Network::get(authority_of(server))).body, body);
  }
  EXPECT_EQ(server.connections(), 1U);
}

TEST(HostileServerTest, A46AnAnswerWithoutAHeadIsAnErrorAtOnce) {
  for (const char* const text :
       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nHTTP/1.1 100 x: y\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nHTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nHTTP/1.1 200 OK\r\n\r\n"}) {
    // With the deadlines of every day: what waits for one fails otherwise.
    RawServer waiting(stalling(text));
    const Response response = fetch_from(waiting);
    EXPECT_EQ(response.failure, HttpFailure::protocol) << text << response.message;
    EXPECT_EQ(response.body, "") << text;
    EXPECT_EQ(response.status, 0) << text;
    RawServer ending([&](const Connection& connection) {
      static_cast<void>(connection.request());
      connection.send(text);
    });
    EXPECT_TRUE(fetch_from(ending).failure) << text;
  }
  for (const char* const text :
       {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n"}) {
    RawServer ending([&](const Connection& connection) {
      static_cast<void>(connection.request());
      connection.send(text);
    });
    const Response response = fetch_from(ending);
    EXPECT_TRUE(response.failure) << text << " ended well";
    EXPECT_FALSE(response.ended) << text;
  }
}

TEST(HostileServerTest, A46AServerThatNeverAnswersIsGivenUp) {
  for (const char* const text :
       {"", "HTTP/1.1 200 OK\r\nX-Slow: ", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 "}) {
    RawServer server(stalling(text));
    const Response response = fetch_from(server, impatient());
    EXPECT_EQ(response.failure, HttpFailure::response_timeout) << text;
  }
}

TEST(HostileServerTest, A46AHeadThatDripsIsGivenUpAsAWhole) {
  // A byte whenever the client has taken the last one: each wait is short, all together are not.
  RawServer server([](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send("HTTP/1.1 200 OK\r\nX-Drip: ");
    std::promise<void> never;
    while (connection.send("x") && never.get_future().wait_for(std::chrono::milliseconds(20)) ==
                                       std::future_status::timeout) {
      never = {};
    }
  });
  EXPECT_EQ(fetch_from(server, impatient()).failure, HttpFailure::response_timeout);
}

TEST(HostileServerTest, A46ABodyThatStopsComingIsGivenUp) {
  for (const char* const text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello"}) {
    RawServer server(stalling(text));
    const Response response = fetch_from(server, impatient());
    EXPECT_EQ(response.failure, HttpFailure::connection_terminated) << text;
    EXPECT_EQ(response.body, "hello");
  }
}

TEST(HostileServerTest, A46AServerThatDoesNotAcceptIsGivenUp) {
  // A queue of one that is full: the kernel answers no more handshakes.
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<UniqueFd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&address), size);
  }
  const std::string to = fmt::format("a.test:{}", ntohs(address.sin_port));
  Network network(impatient());
  const Response response = network.fetch(
      std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to)), Network::get(to));
  EXPECT_EQ(response.failure, HttpFailure::connection_timeout) << response.message;
}

TEST(HostileServerTest, A46ANameServerThatNeverAnswersIsGivenUp) {
  const UniqueFd deaf(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(deaf.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  EgressOptions options = impatient();
  options.name_servers = {fmt::format("127.0.0.1:{}", ntohs(address.sin_port))};
  Network network(options);
  const Response response =
      network.fetch(std::make_shared<PolicyPrincipal>(Network::policy_for("http://a.test:80")),
                    Network::get("a.test"));
  EXPECT_EQ(response.failure, HttpFailure::name_unresolvable);
}

TEST(HostileServerTest, ANameServerThatTalksNonsenseIsGivenUp) {
  std::atomic<int> asked = 0;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::thread nonsense([&] {
    std::array<char, 2'048> buffer{};
    while (true) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const ssize_t count = ::recvfrom(socket.get(), buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &length);
      if (count == 0) return;
      ++asked;
      // The right id and question, and then a name that points to itself for ever.
      std::string reply(buffer.data(), static_cast<std::size_t>(count));
      reply[2] = '\x81';
      reply[3] = '\x80';
      reply[7] = '\xff';
      reply += "\xC0" + std::string(1, static_cast<char>(reply.size()));
      ::sendto(socket.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
               length);
    }
  });
  EgressOptions options = impatient();
  options.name_servers = {fmt::format("127.0.0.1:{}", ntohs(address.sin_port))};
  {
    Network network(options);
    const Response response =
        network.fetch(std::make_shared<PolicyPrincipal>(Network::policy_for("http://a.test:80")),
                      Network::get("a.test"));
    EXPECT_EQ(response.failure, HttpFailure::name_unresolvable) << response.message;
  }
  ::sendto(socket.get(), "", 0, 0, reinterpret_cast<sockaddr*>(&address), size);
  nonsense.join();
  EXPECT_GT(asked, 0);
}

TEST(HostileServerTest, AGuestThatReadsSlowlyIsNotAServerThatIsSlow) {
  const std::string body(std::size_t{4} << 20, 'x');
  RawServer server(RawServer::answering(
      fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body), nullptr,
      nullptr));
  Network network(impatient());
  const Flight flight =
      network.send(principal_for(server), Network::get(authority_of(server)), true);
  // Two deadlines pass while the guest does nothing: told by another request that runs into them.
  RawServer deaf(stalling(""));
  for (int i = 0; i < 2; ++i) {
    static_cast<void>(network.fetch(principal_for(deaf), Network::get(authority_of(deaf))));
  }
  EXPECT_LE(flight.inbox->chunks(), 2U) << "the guest was given more than it had room for";
  std::size_t seen = 0;
  while (seen < body.size()) {
    flight.transfer->resume();
    seen = flight.inbox->wait_for_bytes(seen + 1);
  }
  EXPECT_EQ(flight.response().body, body);
}

TEST(HostileServerTest, MalformedResponsesEndInAnError) {
  for (const char* const text :
       {"", "\r\n\r\n", "HELLO\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "SSH-2.0-OpenSSH\r\n"}) {
    RawServer server([&](const Connection& connection) {
      static_cast<void>(connection.request());
      connection.send(text);
    });
    const Response response = fetch_from(server, impatient());
    EXPECT_TRUE(response.failure) << text << " was taken for a response of status "
                                  << response.status;
  }
}

TEST(HostileServerTest, OddStatusCodesDoNoHarm) {
  for (const char* const status : {"0", "1", "99", "600", "999", "1000", "65736", "-1"}) {
    RawServer server(stalling(fmt::format("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", status)));
    const Response response = fetch_from(server, impatient());
    EXPECT_TRUE(response.failure || (response.status >= 100 && response.status <= 999))
        << status << " was told as " << response.status;
  }
}

/// A principal whose secret goes out as a bearer token.
std::shared_ptr<PolicyPrincipal> with_secret(const RawServer& server) {
  auto principal = principal_for(server);
  principal->bind({"key", policy::SecretPlace::bearer, {}, std::string(secret_value), {}});
  return principal;
}

TEST(HostileServerTest, A52AReflectedCredentialDoesNotComeBack) {
  RawServer server([](const Connection& connection) {
    const std::string request = connection.request();
    const std::string hexadecimal =
        to_hex({reinterpret_cast<const std::uint8_t*>(request.data()), request.size()});
    const std::string body = request + hexadecimal + to_base64(request) + to_base64("x" + request) +
                             to_base64("xx" + request);
    connection.send(
        fmt::format("HTTP/1.1 200 {0}\r\nX-Reflected: {0}\r\nLocation: https://a.test/?{0}\r\n"
                    "Content-Length: {1}\r\n\r\n",
                    secret_value, body.size()));
    for (const char c : body) connection.send({&c, 1});
  });
  Network network;
  const Response response = network.fetch(with_secret(server), Network::get(authority_of(server)));
  ASSERT_EQ(response.status, 200) << response.message;
  std::string all = response.body + response.message;
  for (const engine::HttpHeader& header : response.headers) all += header.name + header.value;
  EXPECT_THAT(response.body, HasSubstr("Bearer ******"));
  EXPECT_THAT(all, Not(HasSubstr(std::string(secret_value))));
  EXPECT_THAT(all, Not(HasSubstr("Tr0ub4dor")));
  EXPECT_THAT(all, Not(HasSubstr("547230756234646f72")));
  for (const std::size_t before : {0U, 1U, 2U}) {
    const std::string encoded = to_base64(std::string(before, 'x') + std::string(secret_value));
    EXPECT_THAT(all, Not(HasSubstr(encoded.substr(4, 16)))) << before;
  }
}

TEST(HostileServerTest, A52ACredentialDoesNotComeBackAsAHeadersName) {
  constexpr std::string_view name = "Sk-Tr0ub4dor-3x";
  RawServer server([&](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send(fmt::format("HTTP/1.1 200 OK\r\n{}: 1\r\nContent-Length: 0\r\n\r\n", name));
  });
  Network network;
  auto principal = principal_for(server);
  principal->bind({"key", policy::SecretPlace::bearer, {}, std::string(name), {}});
  const Response response = network.fetch(principal, Network::get(authority_of(server)));
  EXPECT_EQ(response.header(std::string(name.size(), '*')), "1") << response.message;
}

TEST(HostileServerTest, A55ACompressedAnswerIsNotAskedForAndNotLetThrough) {
  std::promise<std::string> asked;
  RawServer server([&](const Connection& connection) {
    asked.set_value(connection.request());
    connection.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello");
  });
  Network network;
  engine::HttpRequest request = Network::get(authority_of(server));
  request.headers = {{"Accept-Encoding", "gzip, br"}};
  const Response response = network.fetch(with_secret(server), request);
  EXPECT_EQ(response.failure, HttpFailure::protocol);
  EXPECT_EQ(response.body, "");
  const std::string sent = asked.get_future().get();
  EXPECT_THAT(sent, HasSubstr("accept-encoding: identity\r\n"));
  EXPECT_THAT(sent, Not(HasSubstr("gzip")));
}

TEST(HostileServerTest, A52TheGuestsOwnHeaderDoesNotReplaceTheSecret) {
  std::promise<std::string> asked;
  RawServer server([&](const Connection& connection) {
    asked.set_value(connection.request());
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  Network network;
  engine::HttpRequest request = Network::get(authority_of(server));
  request.headers = {{"Authorization", "Bearer belljar-secret:key"}};
  static_cast<void>(network.fetch(with_secret(server), request));
  const std::string sent = asked.get_future().get();
  EXPECT_THAT(sent, HasSubstr(fmt::format("authorization: Bearer {}\r\n", secret_value)));
  EXPECT_THAT(sent, Not(HasSubstr("belljar-secret")));
}

TEST(HostileServerTest, A53AFailureDoesNotTellTheSecret) {
  RawServer server([](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send(fmt::format("{0} {0}\r\n\r\n", secret_value));
  });
  Network network(impatient());
  const auto principal = with_secret(server);
  const Response response = network.fetch(principal, Network::get(authority_of(server)));
  EXPECT_TRUE(response.failure);
  EXPECT_THAT(response.message, Not(HasSubstr("Tr0ub")));
  for (const std::string& line : principal->sent()) EXPECT_THAT(line, Not(HasSubstr("Tr0ub")));
}

}  // namespace
}  // namespace belljar::host
