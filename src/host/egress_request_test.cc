#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/egress.h"
#include "host/testing/egress_peers.h"

namespace belljar::host {
namespace {

engine::HttpRequest request_to(std::string authority, std::string target = "/") {
  engine::HttpRequest request;
  request.method = "GET";
  request.scheme = "http";
  request.authority = std::move(authority);
  request.path_and_query = std::move(target);
  return request;
}

/// Where a request with this authority would go; empty where it would go nowhere.
std::string destination(const std::string& authority) {
  const auto checked = check_request(request_to(authority));
  return checked ? fmt::format("{}:{}", checked->host.url_text(), checked->port) : std::string();
}

TEST(EgressRequestTest, A38OddSpellingsOfAnAddressAreReadAsWhatTheyAre) {
  for (const char* const spelling :
       {"127.0.0.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "0x7f000001", "017700000001",
        "127.1", "127.0.1", "127.0.0.1.", "0x7F.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "１２７.0.0.1", "127。0。0。1"}) {
    const std::string host = destination(spelling);
    EXPECT_TRUE(host == "127.0.0.1:80" || host.empty()) << spelling << " was read as " << host;
  }
  EXPECT_EQ(destination("0177.0.0.1"), "127.0.0.1:80");
  EXPECT_EQ(destination("2130706433"), "127.0.0.1:80");
}

TEST(EgressRequestTest, A38WhatParsersDisagreeAboutIsRefused) {
  for (const char* const authority : {"",
                                      "user@a.test",
                                      "user:password@a.test",
                                      "a.test@b.test",
                                      "a.test:80@b.test",
                                      "a.test\\@b.test",
                                      "a.test\\b.test",
                                      "a.test#b.test",
                                      "a.test?b.test",
                                      "a.test/b.test",
                                      "a.test b.test",
                                      " a.test",
                                      "a.test ",
                                      "a.test\r\nX-Injected: 1",
                                      "a.test\n",
                                      "a.test\t",
                                      "a.test:0",
                                      "a.test:65536",
                                      "a.test:80x",
                                      "a.test:-1",
                                      "a.test:+80",
                                      "a..test",
                                      ".a.test",
                                      "a.test:80:80",
                                      "[::1",
                                      "::1]",
                                      "[::1]x",
                                      "[fe80::1%25eth0]",
                                      "[fe80::1%eth0]",
                                      "256.1.1.1",
                                      "1.2.3.4.5",
                                      "08.1.1.1",
                                      "a%2etest",
                                      "a_b|c.test",
                                      "xn--a.test",
                                      "[]",
                                      "[v1.x]"}) {
    EXPECT_EQ(destination(authority), "") << "\"" << authority << "\" was accepted";
  }
  EXPECT_EQ(destination(std::string("a.test\0.b.test", 14)), "");
  EXPECT_EQ(destination(std::string(300, 'a') + ".test"), "");
}

TEST(EgressRequestTest, A44NamesHaveOneForm) {
  EXPECT_EQ(destination("A.TEST"), "a.test:80");
  EXPECT_EQ(destination("a.test."), "a.test:80");
  EXPECT_EQ(destination("b\xC3\xBC"
                        "cher.test"),
            "xn--bcher-kva.test:80");
  EXPECT_EQ(destination("a.test:8080"), "a.test:8080");
  EXPECT_EQ(destination("[2001:DB8::1]:443"), "[2001:db8::1]:443");
}

TEST(EgressRequestTest, A38PathsWithCharactersThatSplitRequestsAreRefused) {
  for (const char* const target :
       {"/a b", "/a\r\nHost: b.test", "/a\nX: 1", "/a\tb", "/a#b", "/a\\b", "a", "http://b.test/",
        "//b.test/", "*", "/\x7f", "/\xC3\xA9", "/<script>", "/\"x\""}) {
    const auto checked = check_request(request_to("a.test", target));
    // A second slash is a path, and stays with this host.
    if (checked) {
      EXPECT_EQ(checked->target, "//b.test/") << target;
      EXPECT_EQ(checked->host.name, "a.test");
    }
  }
  EXPECT_FALSE(check_request(request_to("a.test", "/" + std::string(9'000, 'a'))));
  EXPECT_EQ(check_request(request_to("a.test", ""))->target, "/");
  EXPECT_EQ(check_request(request_to("a.test", "?q=1"))->target, "/?q=1");
}

TEST(EgressRequestTest, OtherSchemesAndMethodsAreRefused) {
  for (const char* const scheme :
       {"file", "ftp", "gopher", "dict", "ws", "javascript", "", "HTTP "}) {
    engine::HttpRequest request = request_to("a.test");
    request.scheme = scheme;
    EXPECT_FALSE(check_request(request)) << scheme;
  }
  for (const char* const method :
       {"", "CONNECT", "TRACE", "GET /x HTTP/1.1\r\nX:", "G T", "get\r\n", "GET\xff"}) {
    engine::HttpRequest request = request_to("a.test");
    request.method = method;
    EXPECT_FALSE(check_request(request)) << method;
  }
}

TEST(EgressRequestTest, A48HeadersOfTheConnectionAreTheHostsToSet) {
  for (const char* const name : {"Host",
                                 "connection",
                                 "Keep-Alive",
                                 "Proxy-Connection",
                                 "Proxy-Authorization",
                                 "TE",
                                 "Trailer",
                                 "Transfer-Encoding",
                                 "transfer-encoding",
                                 "Upgrade",
                                 "Expect",
                                 "HTTP2-Settings",
                                 "Via",
                                 "Forwarded",
                                 "X-Forwarded-For",
                                 "X-Forwarded-Host",
                                 "X-Forwarded-Uri",
                                 "X_Forwarded_For",
                                 "x.forwarded.for",
                                 "X-Original-URI",
                                 "X-Rewrite-URL",
                                 "X-Envoy-Original-Path",
                                 "X-HTTP-Host-Override",
                                 "X-Client-IP",
                                 "Transfer_Encoding",
                                 "Content_Length",
                                 "Max-Forwards",
                                 "Metadata-Flavor",
                                 "Metadata",
                                 "X-aws-ec2-metadata-token",
                                 "X-aws-ec2-metadata-token-ttl-seconds",
                                 "Sec-WebSocket-Key",
                                 ":authority",
                                 ":path",
                                 "Transfer-Encoding ",
                                 " Host",
                                 "X\r\nHost",
                                 "X:",
                                 "",
                                 "X Y",
                                 "H\xC3\xB6st"}) {
    engine::HttpRequest request = request_to("a.test");
    request.headers.push_back({name, "value"});
    EXPECT_FALSE(check_request(request)) << "\"" << name << "\" was accepted";
  }
}

TEST(EgressRequestTest, A47MethodsThatAreNeverSentAreNotNamedEither) {
  for (const char* const method : {"TRACE", "connect"}) {
    engine::HttpRequest request = request_to("a.test");
    request.headers.push_back({"X-HTTP-Method-Override", method});
    EXPECT_FALSE(check_request(request)) << method;
    EXPECT_FALSE(check_request(request_to("a.test", fmt::format("/?_method={}", method))))
        << method;
  }
  engine::HttpRequest request = request_to("a.test", "/?_method=put");
  request.headers.push_back({"X-HTTP-Method-Override", "Delete"});
  const auto checked = check_request(request);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->overriding_methods, (std::vector<std::string>{"DELETE", "PUT"}));
  EXPECT_EQ(checked->method, "GET");
}

TEST(EgressRequestTest, A38HeaderValuesCannotEndTheirLine) {
  for (const std::string& value :
       {std::string("a\r\nInjected: 1"), std::string("a\nb"), std::string("a\rb"),
        std::string("a\0b", 3), std::string("\x7f"), std::string("\x1b[2J")}) {
    engine::HttpRequest request = request_to("a.test");
    request.headers.push_back({"X-Test", value});
    EXPECT_FALSE(check_request(request));
  }
}

TEST(EgressRequestTest, A48ContentLengthIsAPromiseAndIsNotPassedOn) {
  engine::HttpRequest request = request_to("a.test");
  request.headers.push_back({"Content-Length", "5"});
  const auto checked = check_request(request);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->content_length, 5U);
  EXPECT_TRUE(checked->headers.empty());
  for (const char* const value :
       {"5, 5", "-1", "+5", "0x5", " 5", "5 ", "", "18446744073709551616"}) {
    request.headers.front().value = value;
    EXPECT_FALSE(check_request(request)) << "\"" << value << "\"";
  }
  request.headers = {{"content-length", "5"}, {"Content-Length", "6"}};
  EXPECT_FALSE(check_request(request));
}

TEST(EgressRequestTest, HeadersHaveLimits) {
  engine::HttpRequest request = request_to("a.test");
  request.headers.push_back({"X-Large", std::string(64 * 1024, 'x')});
  EXPECT_FALSE(check_request(request));
  request.headers.assign(257, {"X-Many", "1"});
  EXPECT_FALSE(check_request(request));
}

TEST(EgressRequestTest, A53TheLoggedUrlHasNoQuery) {
  const auto checked = check_request(request_to("a.test:8080", "/path?token=secret"));
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->log_url(), "http://a.test:8080/path");
}

/// What a policy says to a request that has the right form.
bool allows(std::string_view rules, const engine::HttpRequest& request) {
  const auto checked = check_request(request);
  if (!checked) return false;
  const auto snapshot = testing::snapshot_of(
      fmt::format("version: \"1.1\"\npermissions:\n  network:\n    allow:\n{}", rules));
  if (!snapshot->decide(checked->facts())) return false;
  return !checked->host.address ||
         snapshot->decide_address(checked->facts(), *checked->host.address).allowed;
}

TEST(EgressRequestTest, A44AWildcardStandsForOneOrMoreLabelsAndNothingElse) {
  constexpr std::string_view rules = "      - host: \"http://*.x.test\"\n";
  for (const char* const inside :
       {"a.x.test", "a.b.x.test", "A.X.TEST", "a.x.test.", "xn--bcher-kva.x.test"}) {
    EXPECT_TRUE(allows(rules, request_to(inside))) << inside;
  }
  for (const char* const outside : {"x.test", "ax.test", "x.test.evil.test", "a.x.test.evil.test",
                                    "a-x.test", ".x.test", "*.x.test", "a.x.testx", "127.0.0.1"}) {
    EXPECT_FALSE(allows(rules, request_to(outside))) << outside;
  }
}

TEST(EgressRequestTest, A47PathsMethodsAndPortsOutsideTheRuleAreRefused) {
  constexpr std::string_view rules =
      "      - host: \"http://a.test\"\n        methods: [GET]\n        paths: [\"/v1/*\"]\n";
  EXPECT_TRUE(allows(rules, request_to("a.test", "/v1/x")));
  EXPECT_TRUE(allows(rules, request_to("a.test", "/v1/x?y=/../../z")));
  for (const char* const target :
       {"/v2", "/", "/v1", "/v1/../admin", "/v1/%2e%2e/admin", "/v1/%2E./admin", "/v1/..%2fadmin",
        "/v1/%2e%2e%2fadmin", "/v1/..;/admin", "/v1//../../admin", "//v1/x", "/v1/%5c..%5cadmin",
        "/V1/x", "/%76%32/x", "/v1/..%5Cadmin", "/admin;/v1/x", "/v1%2fx"}) {
    EXPECT_FALSE(allows(rules, request_to("a.test", target))) << target;
  }
  EXPECT_FALSE(allows(rules, request_to("a.test", "/%76%31/x")))
      << "some servers look for a letter that is encoded without need as it is written";
  for (const char* const target : {"/v1/%78", "/v1/x%00", "/v1/a%2fb", "/v1/a;b"}) {
    EXPECT_TRUE(allows(rules, request_to("a.test", target)))
        << target << ": whatever servers make of it lies below";
  }
  for (const char* const method : {"POST", "HEAD", "DELETE", "get", "Get"}) {
    engine::HttpRequest request = request_to("a.test", "/v1/x");
    request.method = method;
    EXPECT_FALSE(allows(rules, request)) << method;
  }
  EXPECT_FALSE(allows(rules, request_to("a.test:8080", "/v1/x")));
  engine::HttpRequest secure = request_to("a.test", "/v1/x");
  secure.scheme = "https";
  EXPECT_FALSE(allows(rules, secure));
}

TEST(EgressRequestTest, A39A40SpecialAddressesAreRefusedHoweverTheyAreWritten) {
  for (const char* const authority : {"127.0.0.1",
                                      "[::1]",
                                      "0.0.0.0",
                                      "[::]",
                                      "10.0.0.1",
                                      "172.16.0.1",
                                      "192.168.1.1",
                                      "169.254.169.254",
                                      "0xa9fea9fe",
                                      "2852039166",
                                      "[::ffff:169.254.169.254]",
                                      "[64:ff9b::a9fe:a9fe]",
                                      "[64:ff9b:1::a9fe:a9fe]",
                                      "[2002:a9fe:a9fe::1]",
                                      "[::169.254.169.254]",
                                      "[2001:0:a9fe:a9fe::1]",
                                      "[fe80::1]",
                                      "[fd00:ec2::254]",
                                      "[fc00::1]",
                                      "100.64.0.1",
                                      "100.100.100.200",
                                      "168.63.129.16",
                                      "192.0.0.192",
                                      "224.0.0.1",
                                      "255.255.255.255",
                                      "240.0.0.1",
                                      "198.18.0.1",
                                      "[ff02::1]",
                                      "[::ffff:0:7f00:1]",
                                      "[2001:db8::5efe:7f00:1]"}) {
    const std::string rules = fmt::format("      - host: \"http://{}\"\n", authority);
    EXPECT_FALSE(allows(rules, request_to(authority)))
        << authority << " was reached though no cidr allows it";
  }
}

TEST(EgressRequestTest, A40ARangeDoesNotLiftTheRefusalOfMetadata) {
  const auto rules = [](std::string_view cidr) {
    return fmt::format("      - host: \"http://169.254.169.254\"\n      - cidr: {}\n", cidr);
  };
  EXPECT_FALSE(allows(rules("169.254.0.0/16"), request_to("169.254.169.254")));
  EXPECT_TRUE(allows(rules("169.254.169.254/32"), request_to("169.254.169.254")));
}

}  // namespace
}  // namespace belljar::host
