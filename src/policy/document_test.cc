#include "policy/document.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/rules.h"

namespace belljar::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* folder = "/srv/me/policies";

Result<Document> parse(std::string_view text) { return parse_policy(text, "p.yaml", folder); }

Document read(std::string_view text) {
  auto document = parse(text);
  EXPECT_TRUE(document) << document.error().describe();
  return document ? *std::move(document) : Document{};
}

std::string problem_with(std::string_view text) {
  const auto document = parse(text);
  return document ? "" : document.error().message();
}

/// A document of version 1.1 with these lines below `permissions:`, which is line 2.
std::string ours(std::string_view permissions) {
  return "version: \"1.1\"\npermissions:\n" + std::string(permissions);
}

std::string wassettes(std::string_view permissions) {
  return "version: \"1.0\"\npermissions:\n" + std::string(permissions);
}

std::vector<std::string> described(const std::vector<NetworkRule>& rules) {
  std::vector<std::string> texts;
  for (const NetworkRule& rule : rules) texts.push_back(describe(rule));
  return texts;
}

constexpr std::string_view full = R"(version: "1.1"
description: weather tool
permissions:
  storage:
    allow: [{uri: "fs://./data", access: [read], guest: /data}]
    deny:  [{uri: "fs://./data/private"}]
  network:
    allow:
      - host: api.weather.example
      - host: "*.tiles.example:8443"
        methods: [GET]
        paths: ["/v1/*"]
      - tcp: "db.example:5432"
      - udp: "[2001:db8::1]:53"
      - cidr: 10.1.0.0/16
    deny:
      - host: admin.tiles.example
      - cidr: 10.1.9.0/24
  environment:
    allow: [{key: TZ}, {key: LANG, value: C}]
  secrets:
    allow: [{name: weather-key, host: api.weather.example, header: X-Api-Key}]
  capabilities:
    allow: [{interface: "acme:kv/store@1.0.0"}]
  resources: {memory: 64Mi, fuel: 5e9, timeout: 5s, instances: 16, output: 1Mi}
)";

TEST(PolicyDocuments, TheExampleOfTheDocumentationMeansWhatItSays) {
  const Document document = read(full);
  EXPECT_EQ(document.description, "weather tool");
  EXPECT_THAT(document.warnings, IsEmpty());
  ASSERT_EQ(document.storage.size(), 1U);
  EXPECT_EQ(document.storage[0].host, "/srv/me/policies/data");
  EXPECT_EQ(document.storage[0].guest, "/data");
  EXPECT_EQ(document.storage[0].access, (Access{true, false}));
  EXPECT_FALSE(document.storage[0].hardlinks);
  ASSERT_EQ(document.storage_denied.size(), 1U);
  EXPECT_EQ(document.storage_denied[0].host, "/srv/me/policies/data/private");
  EXPECT_EQ(document.storage_denied[0].access, (Access{true, true})) << "a deny covers all access";
  EXPECT_THAT(described(document.network),
              ElementsAre("https://api.weather.example", "https://*.tiles.example:8443 GET /v1/*"));
  ASSERT_EQ(document.sockets.size(), 2U);
  EXPECT_EQ(describe(document.sockets[0]), "tcp:db.example:5432");
  EXPECT_EQ(describe(document.sockets[1]), "udp:[2001:db8::1]:53");
  EXPECT_EQ(document.cidrs.at(0).text(), "10.1.0.0/16");
  EXPECT_THAT(described(document.network_denied), ElementsAre("admin.tiles.example"))
      << "a deny without a scheme or port covers them all";
  EXPECT_EQ(document.cidrs_denied.at(0).text(), "10.1.9.0/24");
  ASSERT_EQ(document.environment.size(), 2U);
  EXPECT_EQ(document.environment[0].value, std::nullopt);
  EXPECT_EQ(document.environment[1].value, "C");
  ASSERT_EQ(document.secrets.size(), 1U);
  EXPECT_EQ(document.secrets[0].place, SecretPlace::header);
  EXPECT_EQ(document.secrets[0].detail, "X-Api-Key");
  EXPECT_EQ(document.capabilities.at(0).interface, "acme:kv/store@1.0.0");
  EXPECT_EQ(document.limits.memory, Bytes{64 << 20});
  EXPECT_EQ(document.limits.fuel, Fuel{5'000'000'000});
  EXPECT_EQ(document.limits.timeout, std::chrono::seconds(5));
  EXPECT_EQ(document.limits.instances, 16U);
  EXPECT_EQ(document.limits.output, Bytes{1 << 20});
  EXPECT_EQ(document.limits.handles, std::nullopt) << "what is not named has the default";
}

TEST(PolicyDocuments, AnEmptySectionIsToldFromAMissingOne) {
  const Document document = read(ours("  network:\n  storage: {}\n"));
  EXPECT_TRUE(document.has_network);
  EXPECT_TRUE(document.has_storage);
  EXPECT_FALSE(document.has_environment);
  EXPECT_FALSE(document.has_secrets);
}

TEST(PolicyDocuments, TheVersionDecidesAndHasToBeKnown) {
  EXPECT_EQ(problem_with("permissions: {}\n"),
            "p.yaml:1:1: \"version\" is missing; write version: \"1.1\"");
  EXPECT_THAT(problem_with("version: \"1.2\"\npermissions: {}\n"),
              StartsWith("p.yaml:1:10: unknown version \"1.2\""));
  EXPECT_THAT(problem_with("version: 1\npermissions: {}\n"), HasSubstr("unknown version \"1\""));
  EXPECT_THAT(problem_with("version: [1.1]\npermissions: {}\n"), HasSubstr("unknown version"));
  EXPECT_EQ(problem_with("version: 1.1\npermissions: {}\n"), "") << "quotes are a matter of taste";
  EXPECT_EQ(problem_with("permissions: {}\nversion: 1.0\n"), "") << "and so is the order";
  EXPECT_THAT(problem_with("version: \"1.1\"\n"), HasSubstr("\"permissions\" is missing"));
}

TEST(PolicyDocuments, AnUnknownKeyIsAnErrorWithItsPlaceAndTheKeyThatWasMeant) {
  EXPECT_EQ(problem_with("version: \"1.1\"\nperms: {}\npermissions: {}\n").substr(0, 36),
            "p.yaml:2:1: unknown key \"perms\"; kno");
  EXPECT_EQ(problem_with(ours("  netwrok: {}\n")),
            "p.yaml:3:3: unknown key \"netwrok\"; did you mean \"network\"?");
  EXPECT_EQ(problem_with(ours("  network:\n    alow: []\n")),
            "p.yaml:4:5: unknown key \"alow\"; did you mean \"allow\"?");
  EXPECT_EQ(problem_with(
                ours("  network:\n    allow:\n      - host: a.example\n        method: [GET]\n")),
            "p.yaml:6:9: unknown key \"method\"; did you mean \"methods\"?");
  EXPECT_THAT(
      problem_with(ours("  storage: {allow: [{uri: \"fs://x\", access: [read], mode: 1}]}\n")),
      HasSubstr("unknown key \"mode\""));
  EXPECT_THAT(problem_with(ours("  secrets: {allow: [{name: a, host: b.example, cookie: c}]}\n")),
              HasSubstr("unknown key \"cookie\""));
  EXPECT_EQ(problem_with(ours("  resources: {memroy: 1Mi}\n")),
            "p.yaml:3:15: unknown limit \"memroy\"; did you mean \"memory\"?");
  EXPECT_THAT(problem_with(ours("  environment: {allow: [{key: A, values: b}]}\n")),
              HasSubstr("did you mean \"value\"?"));
  EXPECT_THAT(problem_with(ours("  capabilities: {allow: [{interfaces: a}]}\n")),
              HasSubstr("did you mean \"interface\"?"));
  EXPECT_THAT(problem_with(ours("  runtime: {}\n")), HasSubstr("unknown key"))
      << "1.0 has that one";
}

TEST(PolicyDocuments, AKeyOfTheOtherVersionIsNotOfferedAsWhatWasMeant) {
  const std::string guest = problem_with(
      wassettes("  storage: {allow: [{uri: \"fs://x\", access: [read], guest: /x}]}\n"));
  EXPECT_THAT(guest, HasSubstr("unknown key \"guest\""));
  EXPECT_THAT(guest, ::testing::Not(HasSubstr("did you mean \"guest\"")));
  const std::string methods =
      problem_with(wassettes("  network: {allow: [{host: a.example, methods: [GET]}]}\n"));
  EXPECT_THAT(methods, ::testing::Not(HasSubstr("did you mean \"methods\"")));
  EXPECT_THAT(problem_with(wassettes("  secrets: {}\n")), HasSubstr("unknown key \"secrets\""));
}

TEST(PolicyDocuments, AWrongTypeIsAnErrorWithItsPlace) {
  EXPECT_THAT(problem_with("- a\n"), StartsWith("p.yaml:1:1: a policy is a map"));
  EXPECT_THAT(problem_with("version: \"1.1\"\npermissions: []\n"), StartsWith("p.yaml:2:14: "));
  EXPECT_THAT(problem_with("version: \"1.1\"\npermissions:\n"), HasSubstr("not nothing"));
  EXPECT_THAT(problem_with("version: \"1.1\"\ndescription: [a]\npermissions: {}\n"),
              HasSubstr("description is a text"));
  EXPECT_THAT(problem_with(ours("  storage: [a]\n")), HasSubstr("storage is a map"));
  EXPECT_THAT(problem_with(ours("  storage: {allow: a}\n")), HasSubstr("allow is a list"));
  EXPECT_THAT(problem_with(ours("  storage: {allow: [a]}\n")),
              HasSubstr("a storage entry is a map"));
  EXPECT_THAT(problem_with(ours("  storage: {allow: [{uri: \"fs://x\", access: read}]}\n")),
              HasSubstr("access is a list of texts"));
  EXPECT_THAT(problem_with(ours("  storage: {allow: [{uri: \"fs://x\", access: []}]}\n")),
              HasSubstr("access is a list of texts"));
  EXPECT_THAT(problem_with(ours("  network: {allow: [api.example]}\n")),
              HasSubstr("a network entry is a map"));
  EXPECT_THAT(problem_with(ours("  network: {allow: [{host: [a]}]}\n")),
              HasSubstr("host is a text"));
  EXPECT_THAT(problem_with(ours("  network: {allow: [{host: a.example, methods: GET}]}\n")),
              HasSubstr("methods is a list"));
  EXPECT_THAT(problem_with(ours("  environment: {allow: [TZ]}\n")),
              HasSubstr("an environment entry is a map"));
  EXPECT_THAT(
      problem_with(ours("  secrets: {allow: [{name: a, host: b.example, bearer: \"true\"}]}\n")),
      HasSubstr("bearer is true or false"));
  EXPECT_THAT(problem_with(ours("  resources: {memory: [64Mi]}\n")), HasSubstr("memory is a text"));
  EXPECT_THAT(problem_with(ours("  resources: {instances: 1.5}\n")), HasSubstr("is not a count"));
}

TEST(PolicyDocuments, WhatIsMissingIsNamed) {
  EXPECT_THAT(problem_with(ours("  storage: {allow: [{access: [read]}]}\n")),
              HasSubstr("\"uri\" is missing"));
  EXPECT_THAT(problem_with(ours("  storage: {allow: [{uri: \"fs://x\"}]}\n")),
              HasSubstr("\"access\" is missing"));
  EXPECT_THAT(problem_with(ours("  environment: {allow: [{value: x}]}\n")),
              HasSubstr("\"key\" is missing"));
  EXPECT_THAT(problem_with(ours("  secrets: {allow: [{host: a.example, bearer: true}]}\n")),
              HasSubstr("\"name\" is missing"));
  EXPECT_THAT(problem_with(ours("  network: {allow: [{}]}\n")),
              HasSubstr("one of host, tcp, udp or cidr"));
  EXPECT_THAT(problem_with(ours("  network: {deny: [{host: a.example, cidr: 10.0.0.0/8}]}\n")),
              HasSubstr("one of host, tcp, udp or cidr"))
      << "a range beside a host that is denied would look as if it bounded the denial";
  EXPECT_THAT(
      problem_with(wassettes("  network: {allow: [{host: a.example, cidr: 10.0.0.0/8}]}\n")),
      HasSubstr("one of host, cidr or defaults"));
}

TEST(PolicyDocuments, ARangeBesideAHostIsThatHosts) {
  const Document document =
      read(ours("  network: {allow: [{host: a.example, methods: [GET], cidr: 10.0.0.0/8}, {tcp: "
                "\"b.example:1\", cidr: [10.1.0.0/16, fd00::/8]}, {cidr: 10.2.0.0/16}]}\n"));
  ASSERT_EQ(document.network.at(0).ranges.size(), 1U);
  EXPECT_EQ(document.network[0].ranges[0].text(), "10.0.0.0/8");
  EXPECT_EQ(document.sockets.at(0).ranges.size(), 2U);
  ASSERT_EQ(document.cidrs.size(), 1U);
  EXPECT_EQ(document.cidrs[0].text(), "10.2.0.0/16");
}

TEST(PolicyDocuments, NamesInOtherLettersComeWithAWarningAtTheirPlace) {
  const Document document =
      read(ours("  network: {allow: [{host: \"\u0430pi.github.com\"}, {host: a.example}], deny: "
                "[{host: \"b\u00FCcher.example\"}]}\n"));
  EXPECT_THAT(document.warnings,
              ElementsAre(AllOf(StartsWith("p.yaml:3:"), HasSubstr("xn--pi-6kc.github.com"),
                                HasSubstr("looks like api.github.com")),
                          HasSubstr("xn--bcher-kva.example is “bücher.example”")));
}

TEST(PolicyDocuments, AValueThatCanNeverMatchIsAnError) {
  for (const char* entry : {"host: \"*\"",
                            "host: \"a.*.example\"",
                            "host: \"*.com\"",
                            "host: \"a b\"",
                            "host: \"ftp://a.example\"",
                            "host: \"https://u@a.example\"",
                            "host: \"a.example:0\"",
                            "host: \"a.example:65536\"",
                            "host: \"a.example:x\"",
                            "host: \"a.example:\"",
                            "host: 256.1.1.1",
                            "host: \"https://\"",
                            "host: \"a.example?q\"",
                            "host: \"a.example#f\"",
                            "host: \"https://a.example/x?q\"",
                            "host: a.example, methods: [get]",
                            "host: a.example, methods: [\"*\"]",
                            "host: a.example, methods: [ALL]",
                            "host: a.example, paths: [\"/admin;x/*\"]",
                            "host: a.example, paths: [\"/%2561dmin\"]",
                            "host: a.example, cidr: [10.0.0.0/8, internal]",
                            "host: a.example, methods: [CONNECT]",
                            "host: a.example, methods: [TRACE]",
                            "host: a.example, methods: [\"G ET\"]",
                            "host: a.example, methods: []",
                            "host: a.example, paths: [v1]",
                            "host: a.example, paths: [\"/a?b\"]",
                            "host: a.example, paths: [\"/a//b\"]",
                            "host: a.example, paths: [\"/%2fx\"]",
                            "cidr: 10.0.0.1/8",
                            "cidr: 10.0.0.0/33",
                            "cidr: internal",
                            "tcp: db.example",
                            "tcp: \"db.example:0\"",
                            "tcp: \"db.example:\"",
                            "udp: \"*:53\"",
                            "tcp: \"https://db.example:443\"",
                            "defaults: true"}) {
    const std::string problem =
        problem_with(ours("  network: {allow: [{" + std::string(entry) + "}]}\n"));
    EXPECT_THAT(problem, StartsWith("p.yaml:3:")) << entry << " was read";
  }
}

TEST(PolicyDocuments, ABareHostMeansHttpsOn443AndMoreIsSaidByName) {
  const auto rules = described(read(ours("  network:\n    allow:\n"
                                         "      - host: A.Example.\n"
                                         "      - host: \"a.example:8443\"\n"
                                         "      - host: \"http://localhost:8080\"\n"
                                         "      - host: \"http://a.example\"\n"
                                         "      - host: \"https://a.example/v1/*\"\n"
                                         "      - host: \"[::1]:9\"\n"))
                                   .network);
  EXPECT_THAT(rules,
              ElementsAre("https://a.example", "https://a.example:8443", "http://localhost:8080",
                          "http://a.example", "https://a.example /v1/*", "https://[::1]:9"));
  const Document document = read(ours("  network: {allow: [{host: a.example}]}\n"));
  EXPECT_EQ(document.network[0].port, 443);
  EXPECT_THAT(document.cidrs, IsEmpty()) << "a host opens no range";
}

TEST(PolicyDocuments, StoragePathsAreRelativeToTheFile) {
  const Document document =
      read(ours("  storage:\n    allow:\n"
                "      - {uri: \"fs://data\", access: [read]}\n"
                "      - {uri: \"fs://./a/../b/\", access: [write]}\n"
                "      - {uri: \"fs:///srv/x\", access: [read, write]}\n"
                "      - {uri: \"fs://../shared/**\", access: [read], guest: \"/in//put/\"}\n"
                "      - {uri: \"fs:///logs/*\", access: [read], hardlinks: allow}\n"
                "      - {uri: \"fs:///srv/a/../b\", access: [read]}\n"));
  ASSERT_EQ(document.storage.size(), 6U);
  EXPECT_EQ(document.storage[0].host, "/srv/me/policies/data");
  EXPECT_EQ(document.storage[0].guest, "/data");
  EXPECT_EQ(document.storage[1].host.lexically_relative("/srv/me/policies/b"), ".");
  EXPECT_EQ(document.storage[1].access, (Access{false, true}));
  EXPECT_EQ(document.storage[2].host, "/srv/x");
  EXPECT_EQ(document.storage[2].guest, "/srv/x");
  EXPECT_EQ(document.storage[3].host, "/srv/me/shared");
  EXPECT_EQ(document.storage[3].guest, "/in/put");
  EXPECT_EQ(document.storage[4].host, "/logs");
  EXPECT_TRUE(document.storage[4].hardlinks);
  EXPECT_EQ(document.storage[5].host, "/srv/b");
  EXPECT_EQ(document.storage[5].guest, "/srv/b");
}

TEST(PolicyDocuments, StorageThatMeansSomethingElseThanItSaysIsRefused) {
  const auto storage = [](const std::string& entry) {
    return problem_with(ours("  storage: {allow: [{" + entry + "}]}\n"));
  };
  EXPECT_THAT(storage("uri: \"/srv\", access: [read]"), HasSubstr("starts with fs://"));
  EXPECT_THAT(storage("uri: \"s3://x\", access: [read]"), HasSubstr("starts with fs://"));
  EXPECT_THAT(storage("uri: \"fs://\", access: [read]"), HasSubstr("no folder is named"))
      << "and is not the root of the machine";
  EXPECT_THAT(storage("uri: \"fs://a/*.txt\", access: [read]"), HasSubstr("a star may only stand"));
  EXPECT_THAT(storage("uri: \"fs:///proc/self\", access: [read]"),
              HasSubstr("the kernel's inside"));
  EXPECT_THAT(storage("uri: \"fs://**/a\", access: [read]"), HasSubstr("a star may only stand"));
  EXPECT_THAT(storage("uri: \"fs://a\\0b\", access: [read]"),
              HasSubstr("control, escape or direction"));
  EXPECT_THAT(storage("uri: \"fs://a\", access: [execute]"),
              HasSubstr("read or write, not \"execute\""));
  EXPECT_THAT(storage("uri: \"fs://a\", access: [Read]"), HasSubstr("not \"Read\""));
  EXPECT_THAT(storage("uri: \"fs://a\", access: [read], guest: a"), HasSubstr("starts with \"/\""));
  EXPECT_THAT(storage("uri: \"fs://a\", access: [read], guest: /a/../b"),
              HasSubstr("without \"..\""));
  EXPECT_THAT(storage("uri: \"fs://a\", access: [read], hardlinks: yes"),
              HasSubstr("hardlinks is allow or deny"));
  EXPECT_THAT(storage("uri: \"fs://a/x\", access: [read], guest: /x}, {uri: \"fs://b/x\", access: "
                      "[read], guest: /x"),
              HasSubstr("two folders would be at \"/x\""));
}

TEST(PolicyDocuments, ADenyOfStorageTakesNoGuestPath) {
  EXPECT_THAT(problem_with(ours("  storage: {deny: [{uri: \"fs://a\", guest: /a}]}\n")),
              HasSubstr("unknown key \"guest\""));
  const Document document = read(ours("  storage: {deny: [{uri: \"fs://a\", access: [write]}]}\n"));
  EXPECT_EQ(document.storage_denied[0].access, (Access{false, true}));
}

TEST(PolicyDocuments, WhatHasNoDenySaysSo) {
  EXPECT_THAT(problem_with(ours("  environment: {deny: [{key: A}]}\n")), HasSubstr("has no deny"));
  EXPECT_THAT(problem_with(ours("  secrets: {deny: [{name: a}]}\n")), HasSubstr("has no deny"));
  EXPECT_THAT(problem_with(ours("  capabilities: {deny: [{interface: a}]}\n")),
              HasSubstr("has no deny"));
}

TEST(PolicyDocuments, ASecretIsBoundToAHostAndOnePlace) {
  const auto secret = [](const std::string& entry) {
    return problem_with(ours("  secrets: {allow: [{" + entry + "}]}\n"));
  };
  EXPECT_EQ(secret("name: k, host: a.example, bearer: true"), "");
  EXPECT_EQ(secret("name: k, host: a.example, basic: me"), "");
  EXPECT_EQ(secret("name: k, expose: true"), "");
  EXPECT_THAT(secret("name: k, header: X-Key"), HasSubstr("a secret is bound to a host"));
  EXPECT_THAT(secret("name: k, host: a.example"), HasSubstr("nothing says where the secret goes"));
  EXPECT_THAT(secret("name: k, host: a.example, header: X-Key, bearer: true"),
              HasSubstr("one place"));
  EXPECT_THAT(secret("name: k, host: a.example, query: key"), HasSubstr("never put into a URL"));
  EXPECT_THAT(secret("name: k, host: a.example, bearer: false"), HasSubstr("leave bearer out"));
  EXPECT_THAT(secret("name: K!, host: a.example, bearer: true"),
              HasSubstr("not a name for a secret"));
  EXPECT_THAT(secret("name: k, host: \"*\", bearer: true"), HasSubstr("at the front"));
  EXPECT_THAT(secret("name: k, host: a.example, basic: \"a:b\""), HasSubstr("a colon"));
  for (const char* header :
       {"Host", "Content-Length", "Transfer-Encoding", "\"X Y\"", "\"X:\"", "connection"}) {
    EXPECT_THAT(secret(std::string("name: k, host: a.example, header: ") + header),
                HasSubstr("not a header that a secret can go into"));
  }
}

TEST(PolicyDocuments, EnvironmentNamesArePlain) {
  const auto variable = [](const std::string& key) {
    return problem_with(ours("  environment: {allow: [{key: \"" + key + "\"}]}\n"));
  };
  EXPECT_EQ(variable("MY_VAR-1.x"), "");
  for (const char* key : {"A=B", "A B", "*", "A*", "É"}) {
    EXPECT_THAT(variable(key), HasSubstr("not the name of an environment variable")) << key;
  }
}

TEST(PolicyDocuments, LimitsHaveBounds) {
  const auto limit = [](const std::string& text) {
    return problem_with(ours("  resources: {" + text + "}\n"));
  };
  for (const char* good :
       {"memory: 64Ki", "memory: 1Ti", "timeout: 1ms", "timeout: 24h", "fuel: 1", "instances: 1",
        "handles: 0", "written: 0", "files: 0", "requests: 1", "response: 1Ki", "clock: 1ms"}) {
    EXPECT_EQ(limit(good), "");
  }
  for (const char* bad :
       {"memory: 0", "memory: 1Ki", "memory: 2Ti", "memory: lots", "timeout: 0s", "timeout: 25h",
        "timeout: 5", "fuel: 0", "instances: 0", "instances: 4294967297", "requests: 0",
        "output: 0", "clock: 0us", "fuel: -1", "memory: -64Mi", "memory: \"\""}) {
    EXPECT_THAT(limit(bad), StartsWith("p.yaml:3:")) << bad << " was read";
  }
}

// Version 1.0: the files of Wassette's users.

TEST(WassettePolicies, AFileAsItsDocumentationHasItRunsUnchanged) {
  const Document document = read(R"($schema: https://example.com/policy-v1.0.schema.json
version: "1.0"
description: "a tool"
permissions:
  storage:
    allow:
      - uri: "fs://work/agent/**"
        access: ["read", "write"]
      - uri: "fs:///"
        access: ["read"]
    deny:
      - uri: "fs://work/agent/private"
        access: ["write"]
  network:
    allow:
      - host: "https://api.search.example/"
      - host: "api.openai.example"
      - host: "*.internal.myapp.example"
      - cidr: "10.0.0.0/8"
  environment:
    allow:
      - key: "BRAVE_SEARCH_API_KEY"
  runtime:
    docker:
      security:
        privileged: false
        no_new_privileges: true
        capabilities:
          drop: [ALL]
          add: [NET_BIND_SERVICE]
    hyperlight: {anything: [goes]}
  resources:
    limits:
      cpu: "500m"
      memory: "512Mi"
    cpu: 50
    memory: 1024
    io: 100
  ipc:
    allow:
      - uri: "unix:///run/x.sock"
)");
  ASSERT_EQ(document.storage.size(), 2U);
  EXPECT_EQ(document.storage[0].host, "/srv/me/policies/work/agent") << "the globs mean all below";
  EXPECT_EQ(document.storage[0].guest, "work/agent") << "where its guests look for it";
  EXPECT_EQ(document.storage[1].host, "/");
  EXPECT_EQ(document.storage_denied[0].access, (Access{false, true}));
  EXPECT_THAT(
      described(document.network),
      ElementsAre("https://api.search.example", "api.openai.example", "*.internal.myapp.example"));
  EXPECT_EQ(document.limits.memory, Bytes{std::uint64_t{1} << 30}) << "the older key counts MiB";
  EXPECT_THAT(document.warnings,
              ElementsAre(HasSubstr("\"runtime\" cannot be enforced"),
                          HasSubstr("\"cpu\" cannot be"), HasSubstr("\"cpu\" cannot be enforced"),
                          HasSubstr("\"io\" cannot be"), HasSubstr("\"ipc\" cannot be enforced")));
  EXPECT_THAT(document.warnings[0], StartsWith("p.yaml:23:3: ")) << "a warning has its place, too";
}

TEST(WassettePolicies, ABareHostMeansBothSchemesOnEveryPort) {
  const Document document =
      read(wassettes("  network: {allow: [{host: a.example}, {host: \"https://b.example\"}]}\n"));
  EXPECT_THAT(document.network[0].schemes, ElementsAre(Scheme::http, Scheme::https));
  EXPECT_EQ(document.network[0].port, std::nullopt);
  EXPECT_THAT(document.network[1].schemes, ElementsAre(Scheme::https));
  EXPECT_EQ(document.network[1].port, std::nullopt);
}

TEST(WassettePolicies, ALiteralAddressOfThisMachineOpensItselfAndNoMore) {
  const Document document = read(wassettes(
      "  network: {allow: [{host: \"127.0.0.1:8080\"}, {host: a.example}, {host: 8.8.8.8}]}\n"));
  EXPECT_THAT(document.cidrs, IsEmpty());
  ASSERT_EQ(document.network[0].ranges.size(), 1U);
  EXPECT_EQ(document.network[0].ranges[0].text(), "127.0.0.1/32");
  EXPECT_THAT(document.network[1].ranges, IsEmpty()) << "it is that rule's alone";
  EXPECT_THAT(document.network[2].ranges, IsEmpty());
  const Document local = read(wassettes("  network: {allow: [{host: \"localhost:8080\"}]}\n"));
  EXPECT_THAT(described(local.network), ElementsAre("localhost:8080"));
  EXPECT_EQ(local.network[0].ranges.size(), 2U) << "both loopback ranges";
}

TEST(WassettePolicies, NamesOfTheLocalNetworkMayHaveAStar) {
  EXPECT_EQ(problem_with(wassettes("  network: {allow: [{host: \"*.local\"}]}\n")), "");
}

TEST(WassettePolicies, WhatHasNoEffectWarnsByName) {
  const Document document =
      read(wassettes("  network: {allow: [{defaults: true}, {host: \"*\"}], deny: [{host: \"*\"}, "
                     "{cidr: 0.0.0.0/0}]}\n"
                     "  storage: {allow: [{uri: \"s3://bucket\", access: [read]}, {uri: "
                     "\"fs://config/*.yaml\", access: [read]}, {uri: \"fs:///proc/self\", access: "
                     "[read]}]}\n"));
  EXPECT_THAT(document.network, IsEmpty()) << "a star alone opens nothing";
  EXPECT_THAT(document.network_denied, IsEmpty());
  EXPECT_THAT(document.cidrs_denied, IsEmpty()) << "\"nothing but what is allowed\" closes nothing";
  EXPECT_THAT(document.storage, IsEmpty());
  EXPECT_THAT(document.warnings,
              ElementsAre(HasSubstr("\"defaults\" names no host"), HasSubstr("\"*\" names no host"),
                          HasSubstr("denying every host"), HasSubstr("denying every address"),
                          HasSubstr("\"s3://bucket\" is not an fs:// address"),
                          HasSubstr("\"fs://config/*.yaml\": a star may only stand at the end"),
                          HasSubstr("/proc/self shows the kernel's inside")));
}

TEST(WassettePolicies, ADenialThatIsNotUnderstoodIsAnError) {
  for (const char* uri : {"s3://bucket", "fs://config/*.yaml"}) {
    EXPECT_THAT(problem_with(wassettes(
                    fmt::format("  storage: {{deny: [{{uri: \"{}\", access: [read]}}]}}\n", uri))),
                ::testing::AnyOf(HasSubstr("starts with fs://"), HasSubstr("a star may only")));
  }
}

TEST(WassettePolicies, MemoryHasTheUnitsOfThatFormat) {
  const auto memory = [](const std::string& text) {
    return parse(wassettes("  resources: {" + text + "}\n"));
  };
  EXPECT_EQ(memory("limits: {memory: 512Mi}")->limits.memory, Bytes{512 << 20});
  EXPECT_EQ(memory("limits: {memory: 512}")->limits.memory, Bytes{512 << 20})
      << "a bare number is MiB";
  EXPECT_EQ(memory("limits: {memory: \"1048576\"}")->limits.memory, Bytes{1 << 20})
      << "a text is bytes";
  EXPECT_EQ(memory("memory: 64")->limits.memory, Bytes{64 << 20});
  EXPECT_FALSE(memory("memory: 0"));
  EXPECT_FALSE(memory("memory: 17592186044417")) << "in MiB that overflows to one MiB";
  EXPECT_FALSE(memory("limits: {memory: []}"));
  EXPECT_FALSE(memory("limits: {disk: 1}"));
}

TEST(WassettePolicies, AreStrictWhereTheirParserWasAndWhereTyposWouldOpenNothing) {
  EXPECT_THAT(problem_with(wassettes("  storage: {deny: [{uri: \"fs://x\"}]}\n")),
              HasSubstr("\"access\" is missing"));
  EXPECT_THAT(problem_with(wassettes("  storage: {allow: [{uri: \"fs://x\", access: [exec]}]}\n")),
              HasSubstr("read or write"));
  EXPECT_THAT(problem_with(wassettes("  netwrok: {}\n")), HasSubstr("did you mean \"network\"?"));
  EXPECT_THAT(problem_with(wassettes("  network: {allow: [{hosts: a.example}]}\n")),
              HasSubstr("one of host, cidr or defaults"));
  EXPECT_THAT(problem_with(wassettes("  network: {allow: [{host: a.example, port: 1}]}\n")),
              HasSubstr("unknown key \"port\""));
  EXPECT_EQ(problem_with("version: \"1.0\"\npermissions:\n"), "")
      << "but an empty map is one there";
}

TEST(StorageDenials, A86OfNothingTellTheSpellingThatWouldMatch) {
  const auto read = [](std::string_view path, const PathExists& exists) {
    return parse_policy(
        fmt::format(
            "version: \"1.1\"\npermissions:\n  storage:\n    deny: [{{uri: \"fs://{}\"}}]\n", path),
        "p.yaml", "/p", exists);
  };
  const auto nothing = [](const std::filesystem::path&) { return false; };
  const auto everything = [](const std::filesystem::path&) { return true; };
  for (const auto& [path, meant] :
       {std::pair<std::string_view, std::string_view>{"./my%20secret/x", "\"fs://./my secret/x\""},
        {"./w/s?b/x", "\"fs://./w\""},
        {"./w/[s]ub", "\"fs://./w\""},
        {"./w/{a,b}", "\"fs://./w\""},
        {"[s]ub", "\"fs://.\""},
        {"~/x", "the whole path"},
        {"./$HOME/x", "the whole path"},
        {"./w/sub ", "\"fs://./w/sub\""},
        {"./w/ sub/x", "\"fs://./w/sub/x\""},
        {"./w\\\\sub", "\"fs://.\""}}) {
    const auto refused = read(path, nothing);
    ASSERT_FALSE(refused) << path;
    EXPECT_THAT(refused.error().message(), HasSubstr(meant)) << path;
    EXPECT_THAT(refused.error().message(), HasSubstr("p.yaml:4:")) << path;
    EXPECT_TRUE(read(path, everything)) << path << " is there, and called so";
    EXPECT_TRUE(read(path, {})) << path << ": a policy that was taken already is still read";
  }
  for (const char* const plain : {"./w/sub", "./w/50% off", "/srv/a b", "./w/**", "./.env"}) {
    EXPECT_TRUE(read(plain, nothing)) << plain;
  }
}

TEST(Documents, AnAddressThatIsDeniedAsAHostIsDeniedUnderEveryName) {
  const Document document =
      read(R"({version: "1.1", permissions: {network: {deny: [{host: "127.0.0.1"},
                                                            {host: "10.0.0.1:81"}]}}})");
  ASSERT_EQ(document.network_denied.size(), 2U);
  ASSERT_EQ(document.cidrs_denied.size(), 1U);
  EXPECT_EQ(document.cidrs_denied[0].text(), "127.0.0.1/32");
}

}  // namespace
}  // namespace belljar::policy
