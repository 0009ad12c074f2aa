#include "host/egress.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>

#include "host/testing/network.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;
using testing::Connection;
using ::testing::ElementsAre;
using testing::Flight;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Network;
using ::testing::Not;
using testing::PolicyPrincipal;
using testing::RawServer;
using testing::Response;
using ::testing::SizeIs;

constexpr std::string_view hello =
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello";

/// A server that keeps every request it got.
class EgressTest : public ::testing::Test {
 protected:
  std::string authority(std::string_view name) const {
    return fmt::format("{}:{}", name, server_.port());
  }
  std::string origin(std::string_view name) const { return "http://" + authority(name); }
  std::shared_ptr<PolicyPrincipal> allowed(std::string_view name,
                                           std::string_view more = {}) const {
    return std::make_shared<PolicyPrincipal>(Network::policy_for(origin(name), more));
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  std::mutex mutex_;
  std::vector<std::string> requests_;
  RawServer server_{RawServer::answering(std::string(hello), &requests_, &mutex_)};
};

TEST_F(EgressTest, FetchesWhatIsGranted) {
  Network network;
  const Response response =
      network.fetch(allowed("a.test"), Network::get(authority("a.test"), "/x?y=1"));
  EXPECT_EQ(response.message, "");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.header("content-type"), "text/plain");
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_TRUE(requests().front().starts_with(
      fmt::format("GET /x?y=1 HTTP/1.1\r\nHost: {}\r\n", authority("a.test"))))
      << requests().front();
}

TEST_F(EgressTest, NothingIsResolvedOrConnectedWithoutAGrant) {
  Network network;
  const auto nobody = std::make_shared<PolicyPrincipal>("version: \"1.1\"\npermissions: {}\n");
  const Response response = network.fetch(nobody, Network::get(authority("a.test")));
  EXPECT_EQ(response.failure, HttpFailure::denied);
  EXPECT_EQ(network.names().lookups(), 0U) << "a refused name was looked up, which tells it";
  EXPECT_EQ(server_.connections(), 0U);
  EXPECT_THAT(nobody->refusals(), SizeIs(1));
}

TEST_F(EgressTest, A42RefusedAddressesOfANameAreDroppedAndTheOthersUsed) {
  Network network({}, [](const std::string&) {
    return std::vector{*policy::Address::parse("10.1.2.3"),
                       *policy::Address::parse("169.254.169.254"),
                       *policy::Address::parse("127.0.0.1")};
  });
  EXPECT_EQ(network.fetch(allowed("a.test"), Network::get(authority("a.test"))).body, "hello");
}

TEST_F(EgressTest, A42ANameWithOnlyRefusedAddressesIsRefused) {
  Network network({}, [](const std::string&) {
    return std::vector{*policy::Address::parse("10.1.2.3"),
                       *policy::Address::parse("169.254.169.254")};
  });
  const auto principal = allowed("a.test");
  const Response response = network.fetch(principal, Network::get(authority("a.test")));
  EXPECT_EQ(response.failure, HttpFailure::address_prohibited);
  EXPECT_THAT(principal->refusals(), ElementsAre(HasSubstr("no address that is allowed")));
}

TEST_F(EgressTest, A39AddressesThatEmbedAnotherAreRefused) {
  Network network({}, [](const std::string&) {
    return std::vector{*policy::Address::parse("64:ff9b::7f00:1"),
                       *policy::Address::parse("2002:7f00:1::"),
                       *policy::Address::parse("::7f00:1"), *policy::Address::parse("fe80::1")};
  });
  const Response response = network.fetch(allowed("six.test"), Network::get(authority("six.test")));
  EXPECT_EQ(response.failure, HttpFailure::address_prohibited);
}

TEST_F(EgressTest, A41ANameThatChangesItsAddressIsCheckedEachTime) {
  std::atomic<int> lookups = 0;
  Network network({}, [&](const std::string&) {
    return std::vector{*policy::Address::parse(lookups++ == 0 ? "127.0.0.1" : "169.254.169.254")};
  });
  const auto principal = allowed("a.test");
  EXPECT_EQ(network.fetch(principal, Network::get(authority("a.test"))).body, "hello");
  const Response second = network.fetch(principal, Network::get(authority("a.test")));
  EXPECT_EQ(second.failure, HttpFailure::address_prohibited)
      << "the connection of the first request was used though the name has another address now";
  EXPECT_THAT(requests(), SizeIs(1));
}

TEST_F(EgressTest, A41TheConnectionGoesToTheAddressThatWasChecked) {
  // The server is at 127.0.0.1 only. A second look at the name, by whoever connects, would find
  // 127.0.0.2, where nobody listens.
  std::atomic<int> lookups = 0;
  Network network({}, [&](const std::string&) {
    return std::vector{*policy::Address::parse(lookups++ == 0 ? "127.0.0.1" : "127.0.0.2")};
  });
  EXPECT_EQ(network.fetch(allowed("a.test"), Network::get(authority("a.test"))).body, "hello");
  EXPECT_EQ(network.names().lookups(), 1U);
}

TEST_F(EgressTest, A43RedirectsAreHandedToTheGuestAndNotFollowed) {
  RawServer redirecting(RawServer::answering(
      fmt::format("HTTP/1.1 302 Found\r\nLocation: {}/\r\nContent-Length: 0\r\n\r\n",
                  origin("b.test")),
      nullptr, nullptr));
  Network network;
  const std::string from = fmt::format("a.test:{}", redirecting.port());
  const auto principal = std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + from));
  const Response response = network.fetch(principal, Network::get(from));
  EXPECT_EQ(response.status, 302);
  EXPECT_EQ(response.header("location"), origin("b.test") + "/");
  EXPECT_THAT(requests(), IsEmpty());
  // Where it leads is a decision of its own.
  EXPECT_EQ(network.fetch(principal, Network::get(authority("b.test"))).failure,
            HttpFailure::denied);
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(EgressTest, A51ProxySettingsOfTheEnvironmentAreNotUsed) {
  RawServer proxy(RawServer::answering(std::string(hello), nullptr, nullptr));
  const std::string setting = fmt::format("http://127.0.0.1:{}", proxy.port());
  const std::vector<const char*> variables{"http_proxy",  "HTTP_PROXY", "https_proxy",
                                           "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
  for (const char* const variable : variables) ::setenv(variable, setting.c_str(), 1);
  {
    Network network;
    EXPECT_EQ(network.fetch(allowed("a.test"), Network::get(authority("a.test"))).body, "hello");
  }
  for (const char* const variable : variables) ::unsetenv(variable);
  EXPECT_EQ(proxy.connections(), 0U);
  EXPECT_THAT(requests(), SizeIs(1));
}

TEST_F(EgressTest, A48TheBytesOnTheWireAreOneRequest) {
  Network network;
  engine::HttpRequest request = Network::get(authority("a.test"), "/x");
  request.headers = {{"X-One", "1"}, {"x-empty", ""}, {"Accept", "text/plain"}};
  static_cast<void>(network.fetch(allowed("a.test"), request));
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_EQ(requests().front(),
            fmt::format("GET /x HTTP/1.1\r\nHost: {}\r\nx-one: 1\r\nx-empty:\r\n"
                        "accept: text/plain\r\n\r\n",
                        authority("a.test")));
}

TEST_F(EgressTest, A48ABodyLongerThanItsContentLengthIsNotSent) {
  Network network;
  engine::HttpRequest request = Network::get(authority("a.test"), "/x");
  request.method = "POST";
  request.has_body = true;
  request.headers = {{"Content-Length", "5"}};
  const Flight flight = network.send(allowed("a.test"), request);
  static_cast<void>(
      flight.transfer->provide("hello" + std::string("GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n")));
  flight.transfer->finish();
  const Response response = flight.response();
  EXPECT_EQ(response.failure, HttpFailure::bad_request);
  for (const std::string& seen : requests()) EXPECT_THAT(seen, Not(HasSubstr("smuggled")));
}

TEST_F(EgressTest, A48ABodyThatGrowsBeyondItsContentLengthLaterIsNotSentEither) {
  Network network;
  engine::HttpRequest request = Network::get(authority("a.test"), "/x");
  request.method = "POST";
  request.has_body = true;
  request.headers = {{"Content-Length", "5"}};
  const Flight flight = network.send(allowed("a.test"), request);
  static_cast<void>(flight.transfer->provide("hel"));
  static_cast<void>(flight.transfer->provide("lo"));
  static_cast<void>(flight.transfer->provide("GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n"));
  flight.transfer->finish();
  static_cast<void>(flight.response());
  // The next request of the same connection is the one that the server would see.
  static_cast<void>(network.fetch(allowed("a.test"), Network::get(authority("a.test"), "/next")));
  for (const std::string& seen : requests()) EXPECT_THAT(seen, Not(HasSubstr("smuggled")));
}

TEST_F(EgressTest, A48ABodyShorterThanItsContentLengthEndsTheRequest) {
  Network network;
  engine::HttpRequest request = Network::get(authority("a.test"), "/x");
  request.method = "PUT";
  request.has_body = true;
  request.headers = {{"Content-Length", "500"}};
  const Flight flight = network.send(allowed("a.test"), request);
  static_cast<void>(flight.transfer->provide("hello"));
  flight.transfer->finish();
  EXPECT_EQ(flight.response().failure, HttpFailure::bad_request);
}

TEST_F(EgressTest, BodiesArriveWhole) {
  std::promise<std::string> received;
  RawServer server([&](const Connection& connection) {
    std::string text;
    connection.receive_until(text, "\r\n0\r\n\r\n");
    received.set_value(text);
    connection.send(hello);
  });
  Network network;
  const std::string to = fmt::format("a.test:{}", server.port());
  engine::HttpRequest request = Network::get(to);
  request.method = "POST";
  request.has_body = true;
  const Flight flight =
      network.send(std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to)), request);
  for (int i = 0; i < 100; ++i) static_cast<void>(flight.transfer->provide("piece"));
  flight.transfer->finish();
  EXPECT_EQ(flight.response().body, "hello");
  const std::string text = received.get_future().get();
  EXPECT_THAT(text, HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_EQ(
      std::count(text.begin(), text.end(), 'p'),
      100 + std::count(text.begin(),
                       text.begin() + static_cast<std::ptrdiff_t>(text.find("\r\n\r\n")), 'p'));
}

TEST_F(EgressTest, A47AHeadRequestWithABodyIsAHeadRequest) {
  RawServer server(
      RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &requests_, &mutex_));
  Network network;
  const std::string to = fmt::format("a.test:{}", server.port());
  engine::HttpRequest request = Network::get(to, "/x");
  request.method = "HEAD";
  request.has_body = true;
  const auto principal = std::make_shared<PolicyPrincipal>(
      Network::policy_for("http://" + to, "        methods: [HEAD]\n"));
  const Flight flight = network.send(principal, request);
  static_cast<void>(flight.transfer->provide("what a PUT would store"));
  flight.transfer->finish();
  EXPECT_EQ(flight.response().status, 200);
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_TRUE(requests().front().starts_with("HEAD /x HTTP/1.1\r\n")) << requests().front();
  EXPECT_THAT(requests().front(), Not(HasSubstr("store")));
}

TEST_F(EgressTest, MethodsAreSentAsTheyWereDecidedAbout) {
  Network network;
  for (const char* const method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}) {
    for (const bool body : {false, true}) {
      engine::HttpRequest request = Network::get(authority("a.test"), "/x");
      request.method = method;
      request.has_body = body;
      if (body) request.headers = {{"Content-Length", "2"}};
      const Flight flight = network.send(allowed("a.test"), request);
      if (body) {
        static_cast<void>(flight.transfer->provide("ab"));
        flight.transfer->finish();
      }
      EXPECT_EQ(flight.response().body, "hello") << method;
      EXPECT_TRUE(requests().back().starts_with(fmt::format("{} /x HTTP/1.1\r\n", method)))
          << requests().back();
      EXPECT_EQ(requests().back().ends_with("\r\n\r\nab"), body) << requests().back();
    }
  }
}

TEST_F(EgressTest, A47AMethodThatARequestNamesBesidesItsOwnIsDecidedAboutAsWell) {
  Network network;
  const auto restricted = allowed("a.test", "        methods: [GET, POST]\n");
  const auto fetch = [&](const std::shared_ptr<PolicyPrincipal>& principal, std::string target,
                         std::vector<engine::HttpHeader> headers) {
    engine::HttpRequest request = Network::get(authority("a.test"), target);
    request.headers = std::move(headers);
    return network.fetch(principal, request);
  };
  for (const auto& [target, header] :
       std::vector<std::pair<std::string, std::string>>{{"/x", "X-HTTP-Method"},
                                                        {"/x", "X-HTTP-Method-Override"},
                                                        {"/x", "X_Method_Override"},
                                                        {"/x?_method=DELETE", ""},
                                                        {"/x?a=b;%5fmethod=delete", ""}}) {
    std::vector<engine::HttpHeader> headers;
    if (!header.empty()) headers.push_back({header, "DELETE"});
    const Response response = fetch(restricted, target, headers);
    EXPECT_EQ(response.failure, HttpFailure::denied) << target << header;
    EXPECT_THAT(response.message, HasSubstr("besides its own method the request names DELETE"));
    EXPECT_THAT(restricted->refusals().back(), HasSubstr("names DELETE")) << target << header;
  }
  EXPECT_THAT(requests(), IsEmpty());
  // One that is allowed may be named, and any where methods are not restricted.
  EXPECT_EQ(fetch(restricted, "/x", {{"X-HTTP-Method", "POST"}}).body, "hello");
  EXPECT_EQ(fetch(allowed("a.test"), "/x", {{"X-HTTP-Method", "MERGE"}}).body, "hello");
  EXPECT_THAT(requests(), SizeIs(2));
}

TEST_F(EgressTest, A47AFormThatNamesAMethodDoesNotArrive) {
  std::mutex mutex;
  std::string arrived;
  RawServer server([&](const Connection& connection) {
    std::string text;
    while (connection.receive_some(text)) {
      const std::lock_guard lock(mutex);
      arrived = text;
      if (text.ends_with("0\r\n\r\n")) connection.send(hello);
    }
  });
  Network network;
  const std::string to = fmt::format("a.test:{}", server.port());
  const auto send = [&](std::string_view rule, const std::vector<std::string>& pieces) {
    engine::HttpRequest request = Network::get(to);
    request.method = "POST";
    request.has_body = true;
    const Flight flight = network.send(
        std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to, rule)), request);
    for (const std::string& piece : pieces) static_cast<void>(flight.transfer->provide(piece));
    flight.transfer->finish();
    return flight.response();
  };
  constexpr std::string_view restricted = "        methods: [GET, POST]\n";
  const Response response = send(restricted, {"a=b&_met", "hod=DELE", "TE&c=d"});
  EXPECT_EQ(response.failure, HttpFailure::bad_request);
  EXPECT_THAT(response.message, HasSubstr("names a method of its own"));
  {
    const std::lock_guard lock(mutex);
    EXPECT_THAT(arrived, Not(HasSubstr("0\r\n\r\n"))) << "the server got a whole request";
  }
  EXPECT_EQ(send(restricted, {"a=b&method=POST"}).body, "hello");
  EXPECT_EQ(send("", {"_method=DELETE"}).body, "hello") << "all methods are allowed";
}

TEST_F(EgressTest, EmptyPiecesOfABodyAreNothing) {
  Network network;
  engine::HttpRequest request = Network::get(authority("a.test"), "/x");
  request.method = "POST";
  request.has_body = true;
  request.headers = {{"Content-Length", "2"}};
  const Flight flight = network.send(allowed("a.test"), request);
  for (int i = 0; i < 100'000; ++i) EXPECT_TRUE(flight.transfer->provide(""));
  static_cast<void>(flight.transfer->provide("ab"));
  flight.transfer->finish();
  EXPECT_EQ(flight.response().body, "hello");
  EXPECT_TRUE(requests().back().ends_with("\r\n\r\nab")) << requests().back();
}

TEST_F(EgressTest, ARevokedGrantStopsTheTransfer) {
  std::promise<void> revoked;
  auto waits = revoked.get_future().share();
  RawServer server([&](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    waits.wait();
    connection.send("world");
    connection.wait_for_close();
  });
  Network network;
  const std::string to = fmt::format("a.test:{}", server.port());
  const auto principal = std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to));
  const Flight flight = network.send(principal, Network::get(to));
  EXPECT_EQ(flight.inbox->wait_for_bytes(5), 5U);
  principal->replace_policy("version: \"1.1\"\npermissions: {}\n");
  revoked.set_value();
  const Response response = flight.response();
  EXPECT_EQ(response.failure, HttpFailure::denied);
  EXPECT_EQ(response.body, "hello");
}

TEST_F(EgressTest, A49TenThousandRequestsAtOnceAreBoundedAndOthersAreServed) {
  std::atomic<int> under_way = 0;
  std::atomic<int> most = 0;
  RawServer server([&](const Connection& connection) {
    while (!connection.request().empty()) {
      const int now = ++under_way;
      int known = most;
      while (known < now && !most.compare_exchange_weak(known, now)) {
      }
      --under_way;
      if (!connection.send(hello)) return;
    }
  });
  Network network;
  const std::string to = fmt::format("a.test:{}", server.port());
  const auto greedy =
      std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to), "greedy");
  const auto modest =
      std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to), "modest");
  std::vector<Flight> flights;
  for (int i = 0; i < 10'000; ++i) flights.push_back(network.send(greedy, Network::get(to)));
  EXPECT_EQ(network.fetch(modest, Network::get(to)).body, "hello")
      << "another tool is not served while one asks for everything";
  std::size_t served = 0;
  std::size_t refused = 0;
  for (const Flight& flight : flights) {
    const Response response = flight.response();
    if (response.body == "hello") ++served;
    if (response.failure) {
      ++refused;
      EXPECT_EQ(response.message, "too many requests are waiting; try again later");
    }
  }
  EXPECT_EQ(served + refused, flights.size());
  EXPECT_GE(served, 512U);
  EXPECT_LE(most, static_cast<int>(greedy->limits().requests) + 1);
  EXPECT_EQ(network.fetch(greedy, Network::get(to)).body, "hello");
}

TEST_F(EgressTest, ManyRequestsThatAreGivenUpLeaveNothingBehind) {
  // 300 lookups on a busy machine can take longer than a guest would wait.
  EgressOptions options;
  options.name_timeout = std::chrono::minutes(1);
  Network network(options);
  const auto principal = allowed("a.test");
  for (int i = 0; i < 300; ++i) {
    static_cast<void>(network.send(principal, Network::get(authority("a.test"))));
  }
  EXPECT_EQ(network.fetch(principal, Network::get(authority("a.test"))).body, "hello");
}

TEST_F(EgressTest, LookupsForSocketsGiveEveryAddress) {
  Network network({}, [](const std::string& name) {
    return name == "a.test" ? std::vector{*policy::Address::parse("127.0.0.1"),
                                          *policy::Address::parse("10.0.0.1")}
                            : std::vector<policy::Address>();
  });
  const auto look_up = [&](std::string_view name) {
    std::promise<Result<std::vector<policy::Address>>> done;
    const auto pending = network.egress().lookup(
        *policy::normalize_host(name),
        [&](Result<std::vector<policy::Address>> found) { done.set_value(std::move(found)); });
    return done.get_future().get();
  };
  const auto found = look_up("a.test");
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, SizeIs(2));
  EXPECT_TRUE(!look_up("none.test") || look_up("none.test")->empty());
}

}  // namespace
}  // namespace belljar::host
