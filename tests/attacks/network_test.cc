// A guest that was granted one place in the network, and wants others. The cases of each row in
// full are in src/host/egress_test.cc, egress_request_test.cc and egress_hostile_server_test.cc.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "network_attack.h"

namespace belljar::attacks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A guest, and a server that keeps what it was asked.
class ReachAttack : public NetworkAttack {
 protected:
  std::string origin(std::string_view name) const {
    return fmt::format("http://{}:{}", name, target_.port());
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// The one thing that is granted works before and after.
  void expect_granted_works(Server& server, const std::string& url) {
    const std::size_t before = requests().size();
    const Json result = get(server, url);
    EXPECT_FALSE(is_error(result)) << url << ": " << result;
    EXPECT_EQ(requests().size(), before + 1);
  }

  /// A request to a host is refused for this reason, by a record of its own: its path is given to
  /// no other request, and what failed otherwise has none.
  void expect_refused_because(Server& server, std::string_view host, std::string_view shown,
                              std::string_view path, std::string_view reason) const {
    const std::string url = fmt::format("{}{}", origin(host), path);
    expect_refused(server, url, reason);
    const Json record = expect_record({{"kind", "refusal"},
                                       {"component", "fetch"},
                                       {"permission", "network"},
                                       {"what", fmt::format("GET {}{}", origin(shown), path)}});
    EXPECT_THAT(record.value("reason", ""), HasSubstr(std::string(reason))) << url;
  }
  void expect_refusals(std::size_t count) const {
    const std::vector<Json> records = audit_log();
    EXPECT_EQ(std::count_if(records.begin(), records.end(),
                            [](const Json& record) { return record["kind"] == "refusal"; }),
              static_cast<std::ptrdiff_t>(count));
  }

  std::mutex mutex_;
  std::vector<std::string> requests_;
  RawServer target_{RawServer::answering(std::string(hello), &requests_, &mutex_)};
};

using A38 = ReachAttack;
using A39 = ReachAttack;
using A40 = ReachAttack;
using A41 = ReachAttack;
using A42 = ReachAttack;
using A43 = ReachAttack;
using A44 = ReachAttack;
using A45 = NetworkAttack;
using A46 = NetworkAttack;
using A47 = ReachAttack;
using A48 = ReachAttack;
using A49 = ReachAttack;
using A51 = ReachAttack;

TEST_F(A38, OddUrlsAndHeadersReachNothing) {
  const auto server = serve_fetch(allow(origin("a.test")));
  const int port = target_.port();
  const std::string number = fmt::format("nothing allows requests to http://127.0.0.1:{}", port);
  for (const auto& [url, why] : std::vector<std::pair<std::string, std::string>>{
           {fmt::format("http://2130706433:{}/", port), number},
           {fmt::format("http://0177.0.0.1:{}/", port), number},
           {fmt::format("http://0x7f.1:{}/", port), number},
           {fmt::format("http://127.1:{}/", port), number},
           {fmt::format("http://a.test:{}@127.0.0.1:{}/", port, port),
            "has a user name or a password in it"},
           {fmt::format("http://user:password@a.test:{}/", port),
            "has a user name or a password in it"},
           {fmt::format("http://127.0.0.1:{}#@a.test/", port), number},
           {fmt::format("http://127.0.0.1:{}\\@a.test/", port), number},
           {fmt::format("http://b.test:{}/", port), "nothing allows requests to http://b.test"},
           {"file:///etc/passwd", "file is neither http nor https"},
           {"http:///", "empty host"},
           {"", "relative URL without a base"}}) {
    expect_refused(*server, url, why);
  }
  for (const char* const value : {"a\r\nInjected: 1", "a\nInjected: 1"}) {
    const Json result = server->call(
        "fetch_request",
        {{"request",
          {{"url", origin("a.test")}, {"headers", {{{"name", "x-test"}, {"value", value}}}}}}});
    EXPECT_TRUE(is_error(result)) << result;
  }
  EXPECT_THAT(requests(), IsEmpty());
  expect_granted_works(*server, origin("a.test"));
  expect_refusal_recorded();
  expect_unharmed(*server);
}

TEST_F(A39, AddressesThatHoldAnotherReachNothing) {
  struct Case {
    std::string_view host;
    std::string_view shown;
    std::string_view reason;
  };
  // Each is granted by name, so that what it is, is all that can be held against it.
  std::string rules;
  const std::vector<Case> cases{
      {"[::ffff:127.0.0.1]", "127.0.0.1", "127.0.0.1 is a loopback address"},
      {"[::ffff:7f00:1]", "127.0.0.1", "127.0.0.1 is a loopback address"},
      {"127.0.0.1", "127.0.0.1", "127.0.0.1 is a loopback address"},
      {"[::1]", "[::1]", "::1 is a loopback address"},
      {"[64:ff9b::7f00:1]", "[64:ff9b::7f00:1]", "is a NAT64 address, which embeds an IPv4"},
      {"[2002:7f00:1::]", "[2002:7f00:1::]", "is a 6to4 address, which embeds an IPv4"},
      {"[::127.0.0.1]", "[::127.0.0.1]", "is an IPv4-compatible address"},
      {"[::ffff:0:127.0.0.1]", "[::ffff:0:7f00:1]", "is an IPv4-translated address"},
      {"[2001:0:7f00:1::]", "[2001:0:7f00:1::]", "is a protocol assignment, Teredo among them"},
      {"[2a00::5efe:7f00:1]", "[2a00::5efe:7f00:1]", "is an ISATAP address"},
      {"[fe80::1]", "[fe80::1]", "fe80::1 is a link-local address"},
  };
  for (const Case& one : cases) rules += fmt::format("      - host: \"{}\"\n", origin(one.host));
  const auto server = serve_fetch(rules);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    expect_refused_because(*server, cases[i].host, cases[i].shown, fmt::format("/{}", i),
                           cases[i].reason);
  }
  expect_refusals(cases.size());
  // This is no URL to a guest's library already, so that Belljar has nothing to refuse.
  EXPECT_EQ(target_.connections(), 0U);
  expect_unharmed(*server);
}

TEST_F(A40, MetadataIsNotReachedByNumberOrByName) {
  answer_with([](const std::string&) { return addresses({"169.254.169.254"}); });
  struct Case {
    std::string_view host;
    std::string_view shown;
  };
  // At a port where no cloud answers, so that a test that fails reads nobody's credentials.
  const std::vector<Case> cases{
      {"169.254.169.254", "169.254.169.254"},          {"2852039166", "169.254.169.254"},
      {"0xa9.254.0251.254", "169.254.169.254"},        {"metadata.test", "metadata.test"},
      {"[::ffff:169.254.169.254]", "169.254.169.254"}, {"168.63.129.16", "168.63.129.16"},
      {"100.100.100.200", "100.100.100.200"},          {"[fd00:ec2::254]", "[fd00:ec2::254]"}};
  std::string rules = "      - cidr: 169.254.0.0/16\n      - cidr: 100.64.0.0/10\n";
  for (const char* const host : {"169.254.169.254", "metadata.test", "168.63.129.16",
                                 "100.100.100.200", "[fd00:ec2::254]"}) {
    rules += fmt::format("      - host: \"{}\"\n", origin(host));
  }
  const auto server = serve_fetch(rules);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    expect_refused_because(*server, cases[i].host, cases[i].shown, fmt::format("/{}", i),
                           "is an address at which clouds serve credentials");
  }
  expect_refusals(cases.size());
  expect_unharmed(*server);
}

TEST_F(A41, ANameThatChangesItsAddressIsNotFollowed) {
  std::atomic<int> lookups = 0;
  answer_with([&](const std::string&) {
    return addresses({lookups++ == 0 ? "127.0.0.1" : "169.254.169.254"});
  });
  const auto server = serve_fetch(allow(origin("a.test")));
  expect_granted_works(*server, origin("a.test"));
  EXPECT_EQ(lookups, 1) << "the name was looked up again between the check and the connection";
  expect_refused(*server, origin("a.test"), "169.254.169.254 is an address at which clouds serve");
  EXPECT_THAT(requests(), SizeIs(1));
  expect_refusal_recorded();
  expect_unharmed(*server);
}

TEST_F(A42, PrivateAddressesBesidePublicOnesAreDropped) {
  answer_with([](const std::string& name) {
    return name == "mixed.test" ? addresses({"10.0.0.1", "169.254.169.254", "127.0.0.1"})
                                : addresses({"10.0.0.1", "192.168.0.1"});
  });
  const auto server = serve_fetch(fmt::format("      - host: \"{}\"\n", origin("private.test")) +
                                  allow(origin("mixed.test")));
  expect_granted_works(*server, origin("mixed.test"));
  expect_refused(*server, origin("private.test"), "10.0.0.1 is a private address");
  expect_refusal_recorded();
  expect_unharmed(*server);
}

TEST_F(A42, ARangeOfOneHostOpensNoOthersAddresses) {
  const auto policy =
      write("policy.yaml",
            "version: \"1.1\"\npermissions:\n  network:\n    allow:\n" + allow(origin("a.test")));
  std::filesystem::permissions(
      policy, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto server =
      serve({std::string("fetch=") + BELLJAR_EXAMPLES + "/fetch.wasm", "--policy",
             "fetch=" + policy.native(), "--grant", "fetch:network=" + origin("b.test"), "--grant",
             "fetch:network=" + origin("c.test") + " cidr:127.0.0.1/32"});
  expect_granted_works(*server, origin("a.test"));
  expect_granted_works(*server, origin("c.test"));
  expect_refused_because(*server, "b.test", "b.test", "/b", "127.0.0.1 is a loopback address");
  EXPECT_THAT(requests(), SizeIs(2));
  expect_unharmed(*server);
}

TEST_F(A43, ARedirectIsADecisionOfItsOwn) {
  std::atomic<int> asked = 0;
  const std::string elsewhere = origin("b.test");
  RawServer redirecting([&](const Connection& connection) {
    while (!connection.request().empty()) {
      ++asked;
      connection.send(fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
                                  elsewhere));
    }
  });
  const std::string start = fmt::format("http://a.test:{}", redirecting.port());
  const auto server = serve_fetch(allow(start));
  const Json result = get(*server, start);
  EXPECT_FALSE(is_error(result)) << result;
  EXPECT_THAT(text_of(result), HasSubstr("302"));
  EXPECT_EQ(asked, 1);
  expect_refused(*server, elsewhere, "nothing allows requests to " + elsewhere);
  const std::string other_scheme = fmt::format("https://a.test:{}", redirecting.port());
  expect_refused(*server, other_scheme, "nothing allows requests to " + other_scheme);
  EXPECT_THAT(requests(), IsEmpty());
  expect_refusal_recorded();
  expect_unharmed(*server);
}

TEST_F(A44, AWildcardIsOneOrMoreLabelsBelowItsName) {
  const auto server = serve_fetch(allow(origin("*.x.test")));
  for (const char* const host :
       {"a.x.test", "a.b.x.test", "A.X.TEST", "a.x.test.", "bücher.x.test"}) {
    expect_granted_works(*server, origin(host));
  }
  const std::size_t before = requests().size();
  for (const char* const host :
       {"x.test", "ax.test", "x.test.evil.test", "a.x.test.evil.test", "a-x.test"}) {
    expect_refused(*server, origin(host), "nothing allows requests to " + origin(host));
  }
  EXPECT_EQ(requests().size(), before);
  expect_refusal_recorded();
  expect_unharmed(*server);
}

TEST_F(A45, ResponsesWithoutEndAreCutOff) {
  const std::string piece(16'384, 'x');
  for (const auto& [head, body] : std::vector<std::pair<std::string, std::string>>{
           {"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", piece},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4000\r\n" + piece + "\r\n"},
           {"HTTP/1.1 200 OK\r\n", "X-Header: " + std::string(1'000, 'x') + "\r\n"},
           {"HTTP/1.1 200 OK\r\nX-Header: ", piece},
           {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}}) {
    RawServer flood([&](const Connection& connection) {
      static_cast<void>(connection.request());
      if (!connection.send(head)) return;
      while (connection.send(body)) {
      }
    });
    const std::string url = fmt::format("http://a.test:{}", flood.port());
    const auto server = serve_fetch(allow(url), "  resources: {response: 256Ki, memory: 64Mi}\n");
    // More than the limit is asked for, so that the guest reads to the end.
    const Json result =
        server->call("fetch_request", {{"request", {{"url", url}, {"max-bytes", 100'000'000}}}});
    EXPECT_TRUE(is_error(result)) << head;
    EXPECT_LT(server->child().peak_memory(), std::size_t{512} << 20);
    expect_unharmed(*server);
  }
}

TEST_F(A45, WhatArrivesWithoutBeingABodyIsCountedAsWell) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [begin, more] : std::vector<std::pair<std::string, std::string>>{
           {head + "5\r\nhello\r\n0\r\n", "X-Trailer: " + std::string(4'000, 'x') + "\r\n"},
           {head + "5\r\nhello\r\n0\r\n", "a:\r\n"},
           {head + "5;extension=", std::string(16'384, 'x')}}) {
    std::atomic<std::size_t> sent = 0;
    RawServer flood([&](const Connection& connection) {
      static_cast<void>(connection.request());
      if (!connection.send(begin)) return;
      std::string lines;
      while (lines.size() < 16'384) lines += more;
      while (connection.send(lines)) sent += lines.size();
    });
    const std::string url = fmt::format("http://a.test:{}", flood.port());
    const auto server = serve_fetch(allow(url), "  resources: {response: 256Ki}\n");
    const Json result = get(*server, url);
    EXPECT_TRUE(is_error(result)) << result;
    // What may arrive is 1.5 MiB; the rest is what the kernel takes of it meanwhile.
    EXPECT_LT(sent, std::size_t{24} << 20) << more.substr(0, 12);
    expect_unharmed(*server);
  }
}

TEST_F(A46, AnAnswerWithoutAHeadIsAnErrorAtOnce) {
  for (const char* const text :
       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nHTTP/1.1 100 x: y\r\n\r\nhello"}) {
    RawServer headless([&](const Connection& connection) {
      static_cast<void>(connection.request());
      connection.send(text);
    });
    const std::string url = fmt::format("http://a.test:{}", headless.port());
    const auto server = serve_fetch(allow(url));
    const Json result = get(*server, url);
    EXPECT_TRUE(is_error(result)) << result;
    EXPECT_THAT(text_of(result), Not(HasSubstr("timeout"))) << "the guest waited to its end";
    expect_unharmed(*server);
  }
}

TEST_F(A46, ServersThatNeverAnswerAreGivenUp) {
  for (const char* const text :
       {"", "HTTP/1.1 200 OK\r\nX-Slow: ", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"}) {
    RawServer slow([&](const Connection& connection) {
      static_cast<void>(connection.request());
      connection.send(text);
      connection.wait_for_close();
    });
    const std::string url = fmt::format("http://a.test:{}", slow.port());
    const auto server = serve_fetch(allow(url));
    EXPECT_TRUE(is_error(get(*server, url))) << text;
    expect_unharmed(*server);
  }
}

TEST_F(A47, MethodsPathsAndPortsOutsideTheRuleAreRefused) {
  const auto server =
      serve_fetch(allow(origin("a.test"), "        methods: [GET]\n        paths: [\"/v1/*\"]\n"));
  const std::string no_such_path = "GET /v1/* is allowed, but not the path ";
  const std::string riddle = "in different ways, and as ";
  // The example's library takes plain dot segments away by itself.
  for (const auto& [path, why] : std::vector<std::pair<std::string, std::string>>{
           {"/v2", no_such_path + "/v2"},
           {"/", no_such_path + "/"},
           {"/v1/../admin", no_such_path + "/admin"},
           {"/v1/%2e%2e/admin", no_such_path + "/admin"},
           {"/v1/..%2fadmin", riddle},
           {"/v1/..;/admin", riddle},
           {"/v1//../../admin", no_such_path + "/admin"},
           {"/v1/%5c..%5cadmin", riddle},
           {"/v1/..%00/x", riddle}}) {
    expect_refused(*server, origin("a.test") + path, why);
  }
  for (const char* const method : {"post", "put", "patch", "delete", "options", "head"}) {
    const Json result = server->call(
        "fetch_request", {{"request", {{"url", origin("a.test") + "/v1/x"}, {"method", method}}}});
    EXPECT_TRUE(is_error(result)) << method;
  }
  expect_refused(*server, "http://a.test/v1/x", "nothing allows requests to http://a.test");
  expect_refused(*server, fmt::format("https://a.test:{}/v1/x", target_.port()),
                 fmt::format("nothing allows requests to https://a.test:{}", target_.port()));
  EXPECT_THAT(requests(), IsEmpty());
  expect_granted_works(*server, origin("a.test") + "/v1/x");
  expect_refusal_recorded();
  expect_unharmed(*server);
}

TEST_F(A47, AMethodThatIsNamedAnywhereElseIsDecidedAboutAsWell) {
  const auto server = serve_fetch(allow(origin("a.test"), "        methods: [GET, POST]\n"));
  const auto ask = [&](Json request) {
    return server->call("fetch_request", {{"request", std::move(request)}});
  };
  for (const char* const name :
       {"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X_HTTP_Method_Override"}) {
    const Json result =
        ask({{"url", origin("a.test")}, {"headers", {{{"name", name}, {"value", "DELETE"}}}}});
    EXPECT_TRUE(is_error(result)) << name << ": " << result;
  }
  for (const char* const query : {"_method=DELETE", "a=b&%5Fmethod=delete", "method=DELETE"}) {
    EXPECT_TRUE(is_error(ask({{"url", origin("a.test") + "/?" + query}}))) << query;
  }
  const Json record = expect_record({{"kind", "refusal"}, {"component", "fetch"}});
  EXPECT_THAT(record.value("reason", ""), HasSubstr("the request names DELETE"));
  EXPECT_THAT(requests(), IsEmpty());
  const Json form = ask({{"url", origin("a.test")},
                         {"method", "post"},
                         {"body", {{"tag", "text"}, {"val", "a=b&_method=DELETE"}}}});
  EXPECT_TRUE(is_error(form)) << form;
  for (const std::string& seen : requests()) EXPECT_FALSE(seen.ends_with("DELETE")) << seen;
  const Json named = ask(
      {{"url", origin("a.test")}, {"headers", {{{"name", "X-HTTP-Method"}, {"value", "POST"}}}}});
  EXPECT_FALSE(is_error(named)) << "a method that is allowed may be named: " << named;
  expect_unharmed(*server);
}

TEST_F(A48, HeadersOfTheConnectionAreNotTheGuestsToSet) {
  const auto server = serve_fetch(allow(origin("a.test"), "        methods: [GET, POST]\n"));
  const auto post = [&](std::string_view name) {
    return server->call(
        "fetch_request",
        {{"request",
          {{"url", origin("a.test")},
           {"method", "post"},
           {"headers", {{{"name", name}, {"value", "100"}}}},
           {"body", {{"tag", "text"}, {"val", "GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n"}}}}}});
  };
  // The interface itself takes some of them from no guest; the example's library knows the first
  // two, which src/host/egress_request_test.cc gives to Belljar.
  for (const auto& [name, why] : std::vector<std::pair<std::string_view, std::string>>{
           {"Host", "follows from the url"},
           {"Content-Length", "follows from the url and the body"},
           {"Connection", "the sandbox alone sets it"},
           {"Transfer-Encoding", "the sandbox alone sets it"},
           {"Upgrade", "the sandbox alone sets it"},
           {"Keep-Alive", "the sandbox alone sets it"},
           {"Proxy-Authorization", "the sandbox alone sets it"},
           {":authority", "has characters that HTTP forbids"},
           {"TE", "the header te is set by the host only"},
           {"Expect", "the header expect is set by the host only"},
           {"X-Forwarded-For", "the header x-forwarded-for is set by the host only"},
           {"Metadata-Flavor", "the header metadata-flavor is set by the host only"}}) {
    const Json result = post(name);
    EXPECT_TRUE(is_error(result)) << name << ": " << result;
    EXPECT_THAT(text_of(result), HasSubstr(why)) << name;
  }
  EXPECT_THAT(requests(), IsEmpty());
  expect_record({{"kind", "refusal"}, {"component", "fetch"}, {"rule", "form"}});
  // One that is the guest's goes out, and what the body says stays in the body.
  const Json result = post("X-Own");
  EXPECT_FALSE(is_error(result)) << result;
  const std::vector<std::string> seen = requests();
  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_TRUE(seen[0].starts_with("POST / HTTP/1.1\r\n")) << seen[0];
  const std::string head = seen[0].substr(0, seen[0].find("\r\n\r\n") + 2);
  EXPECT_THAT(head, HasSubstr(fmt::format("\r\nHost: a.test:{}\r\n", target_.port())));
  EXPECT_THAT(head, HasSubstr("\r\nx-own: 100\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nContent-Length: 35\r\n"));
  expect_granted_works(*server, origin("a.test"));
  expect_unharmed(*server);
}

TEST_F(A49, TenThousandRequestsAtOnceAreBoundedAndTheServerLives) {
  const auto server = serve_fetch(allow(origin("a.test")));
  constexpr int calls = 10'000;
  std::vector<int> ids;
  ids.reserve(calls);
  for (int i = 0; i < calls; ++i) {
    ids.push_back(server->start_call("fetch_get", {{"url", origin("a.test")}}));
  }
  std::size_t served = 0;
  std::size_t refused = 0;
  for (int i = 0; i < calls; ++i) {
    const Json answer = server->await([](const Json& frame) { return frame.contains("id"); },
                                      "an answer to each request");
    if (answer.contains("result") && !is_error(answer["result"])) {
      ++served;
    } else {
      ++refused;
    }
  }
  EXPECT_EQ(served + refused, static_cast<std::size_t>(calls));
  EXPECT_EQ(requests().size(), served);
  EXPECT_GT(served, 0U);
  expect_granted_works(*server, origin("a.test"));
  expect_unharmed(*server);
}

TEST_F(A51, ProxySettingsOfTheEnvironmentAreIgnored) {
  RawServer proxy(RawServer::answering(std::string(hello), nullptr, nullptr));
  for (const char* const variable :
       {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    set_variable(variable, fmt::format("http://127.0.0.1:{}", proxy.port()));
  }
  const auto server = serve_fetch(allow(origin("a.test")));
  expect_granted_works(*server, origin("a.test"));
  EXPECT_EQ(proxy.connections(), 0U);
  expect_unharmed(*server);
}

}  // namespace
}  // namespace belljar::attacks
