#include "policy/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/rules.h"

namespace belljar::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Document document(std::string_view permissions) {
  auto parsed =
      parse_policy("version: \"1.1\"\npermissions:\n" + std::string(permissions), "p.yaml", "/p");
  EXPECT_TRUE(parsed) << parsed.error().describe();
  return parsed ? *std::move(parsed) : Document{};
}

Document granted(std::initializer_list<std::string_view> grants) {
  Document all;
  for (const std::string_view text : grants) {
    const auto grant = parse_grant(text, "/p");
    EXPECT_TRUE(grant) << grant.error().describe();
    if (grant) {
      EXPECT_TRUE(apply_grant(all, *grant));
    }
  }
  return all;
}

using SnapshotPointer = std::shared_ptr<const Snapshot>;

SnapshotPointer snapshot(Document granted_document, std::optional<Document> manifest = {},
                         std::optional<Document> ceiling = {}) {
  return Snapshot::compile({.granted = {std::move(granted_document)},
                            .manifest = std::move(manifest),
                            .ceilings = ceiling ? std::vector{*ceiling} : std::vector<Document>{},
                            .epoch = 7});
}

Decision request(const SnapshotPointer& policy, std::string_view url_host,
                 std::string_view method = "GET", std::string_view path = "/",
                 Scheme scheme = Scheme::https, std::uint16_t port = 443) {
  return policy->decide({scheme, *normalize_host(url_host), port, method, path});
}

/// About an address of a host that is asked for by https.
Decision address(const SnapshotPointer& policy, std::string_view text,
                 std::string_view host = "a.example", std::string_view path = "/") {
  return policy->decide_address({Scheme::https, *normalize_host(host), 443, "GET", path},
                                *Address::parse(text));
}

/// What one line of reason and rule a refusal gives.
std::string refusal(const Decision& decision) {
  return decision.allowed ? "allowed" : decision.rule + ": " + decision.reason;
}

const StorageRule* mount_at(const SnapshotPointer& policy, std::string_view guest) {
  for (const Mount& mount : policy->mounts()) {
    if (mount.rule.guest == guest) return &mount.rule;
  }
  return nullptr;
}

TEST(Snapshots, AnEmptyOneAllowsNothing) {
  const auto policy = Snapshot::empty();
  EXPECT_TRUE(policy->grants_nothing());
  EXPECT_FALSE(request(policy, "api.example"));
  EXPECT_FALSE(policy->decide_lookup(*normalize_host("api.example")));
  EXPECT_FALSE(policy->decide_socket(Transport::tcp, *Address::parse("8.8.8.8"), 53, {}));
  EXPECT_FALSE(policy->decide_socket(Transport::udp, *Address::parse("8.8.8.8"), 53, {}));
  EXPECT_FALSE(policy->decide_sockets(Transport::tcp));
  EXPECT_FALSE(policy->decide_sockets(Transport::udp));
  EXPECT_FALSE(policy->decide_capability("acme:kv/store@1.0.0"));
  EXPECT_FALSE(address(policy, "127.0.0.1"));
  EXPECT_THAT(policy->mounts(), IsEmpty());
  EXPECT_THAT(policy->environment(), IsEmpty());
  EXPECT_THAT(policy->secrets(), IsEmpty());
  EXPECT_FALSE(policy->has_network());
  EXPECT_FALSE(policy->has_sockets(Transport::tcp));
}

TEST(Snapshots, AManifestOrACeilingAloneGivesNothing) {
  const Document wide = document(
      "  network: {allow: [{host: api.example}]}\n"
      "  storage: {allow: [{uri: \"fs:///\", access: [read, write]}]}\n"
      "  environment: {allow: [{key: TZ}]}\n");
  const auto policy = snapshot({}, wide, wide);
  EXPECT_TRUE(policy->grants_nothing());
  EXPECT_FALSE(request(policy, "api.example"));
  EXPECT_THAT(policy->mounts(), IsEmpty());
}

TEST(Snapshots, ALimitHasADefaultThatIsSafeForAThousandTools) {
  const Limits limits = Snapshot::empty()->limits();
  EXPECT_EQ(limits.memory, Bytes{128 << 20});
  EXPECT_EQ(limits.timeout, std::chrono::seconds(30)) << "a timeout always holds";
  EXPECT_EQ(limits.fuel, Fuel{0}) << "fuel is off unless it is named";
  EXPECT_EQ(limits.instances, 16U);
  EXPECT_EQ(limits.output, Bytes{1 << 20});
  EXPECT_GT(limits.handles, 0U);
  EXPECT_GT(limits.response.value, 0U);
}

// Network.

TEST(NetworkDecisions, AGrantCoversItsSchemePortAndHostOnly) {
  const auto policy = snapshot(granted({"network=api.example"}));
  EXPECT_TRUE(request(policy, "API.example."));
  EXPECT_FALSE(request(policy, "api.example", "GET", "/", Scheme::http, 80));
  EXPECT_FALSE(request(policy, "api.example", "GET", "/", Scheme::http, 443));
  EXPECT_FALSE(request(policy, "api.example", "GET", "/", Scheme::https, 8443));
  EXPECT_FALSE(request(policy, "www.api.example"));
  EXPECT_FALSE(request(policy, "api.example.evil"));
}

TEST(NetworkDecisions, A44_WildcardsCoverNamesBelowAndNothingElse) {
  const auto policy = snapshot(granted({"network=*.x.example"}));
  EXPECT_TRUE(request(policy, "a.x.example"));
  EXPECT_TRUE(request(policy, "a.b.x.example."));
  EXPECT_FALSE(request(policy, "x.example"));
  EXPECT_FALSE(request(policy, "ax.example"));
  EXPECT_FALSE(request(policy, "a.x.example.evil"));
}

TEST(NetworkDecisions, MethodsAndPathsBoundARule) {
  const auto policy =
      snapshot(document("  network: {allow: [{host: api.example, methods: [GET, HEAD], paths: "
                        "[\"/v1/*\", \"/ping\"]}]}\n"));
  EXPECT_TRUE(request(policy, "api.example", "GET", "/v1/a"));
  EXPECT_TRUE(request(policy, "api.example", "HEAD", "/ping"));
  EXPECT_EQ(
      refusal(request(policy, "api.example", "POST", "/v1/a")),
      "no rule: https://api.example GET,HEAD /v1/* /ping is allowed, but not the method POST");
  EXPECT_EQ(refusal(request(policy, "api.example", "GET", "/v2")),
            "no rule: https://api.example GET,HEAD /v1/* /ping is allowed, but not the path /v2");
  EXPECT_FALSE(request(policy, "api.example", "get", "/v1/a")) << "methods have case";
}

TEST(NetworkDecisions, A47_NoSpellingOfAPathLeadsOutOfARule) {
  const auto policy =
      snapshot(document("  network: {allow: [{host: api.example, paths: [\"/v1/*\"]}]}\n"));
  for (const char* path : {"/v1/../admin", "/v1/%2e%2e/admin", "/v1/..%2fadmin", "/v1/..;/admin",
                           "/v1//../admin", "/v1\\..\\admin", "//v1/a", "/v1/%", "v1/a", ""}) {
    EXPECT_FALSE(request(policy, "api.example", "GET", path)) << path;
  }
  EXPECT_EQ(
      request(policy, "api.example", "GET", "/v1/..;/admin").reason,
      "servers read the path “/v1/..;/admin” in different ways, and as “/admin” nothing allows "
      "it");
}

TEST(NetworkDecisions, A47_InDoubtADenialHoldsAndAnAllowanceDoesNot) {
  const auto policy =
      snapshot(document("  network:\n    allow: [{host: api.example}]\n    deny: [{host: "
                        "api.example, paths: [\"/admin/*\"]}]\n"));
  EXPECT_TRUE(request(policy, "api.example", "GET", "/v1"));
  EXPECT_FALSE(request(policy, "api.example", "GET", "/admin/x"));
  EXPECT_FALSE(request(policy, "api.example", "GET", "/%61dmin/x"));
  EXPECT_FALSE(request(policy, "api.example", "GET", "/x//../admin"))
      << "cannot be read in one way";
}

TEST(NetworkDecisions, ADenialWinsWhereverItStands) {
  const auto policy =
      Snapshot::compile({.granted = {document("  network: {deny: [{host: evil.x.example}]}\n"),
                                     granted({"network=*.x.example", "network=evil.x.example",
                                              "network=http://evil.x.example"})},
                         .manifest = {},
                         .ceilings = {},
                         .epoch = 0});
  EXPECT_TRUE(request(policy, "good.x.example"));
  EXPECT_EQ(refusal(request(policy, "evil.x.example")),
            "network.deny evil.x.example: the rule \"deny evil.x.example\" closes GET "
            "https://evil.x.example");
  EXPECT_FALSE(request(policy, "evil.x.example", "GET", "/", Scheme::http, 80));
  EXPECT_EQ(request(policy, "evil.x.example").remedy, std::nullopt)
      << "no grant helps against a denial";
}

TEST(NetworkDecisions, WhatIsAllowedIsDeclaredAndGrantedAndBelowTheCeiling) {
  const Document all = granted({"network=a.example", "network=b.example", "network=c.example"});
  const Document manifest =
      document("  network: {allow: [{host: a.example}, {host: b.example}]}\n");
  const Document ceiling = document("  network: {allow: [{host: b.example}, {host: c.example}]}\n");
  const auto policy = snapshot(all, manifest, ceiling);
  EXPECT_TRUE(request(policy, "b.example"));
  EXPECT_EQ(refusal(request(policy, "a.example")),
            "the operator's ceiling: the operator's ceiling does not allow GET https://a.example");
  EXPECT_EQ(
      refusal(request(policy, "c.example")),
      "the component's manifest: the component's manifest does not allow GET https://c.example");
  EXPECT_EQ(request(policy, "a.example").remedy, std::nullopt) << "no grant goes beyond a ceiling";
  EXPECT_FALSE(request(policy, "d.example"));
}

TEST(NetworkDecisions, ABoundThatDoesNotMentionTheNetworkDoesNotLimitIt) {
  const auto policy = snapshot(granted({"network=a.example"}), document("  storage: {}\n"));
  EXPECT_TRUE(request(policy, "a.example"));
  EXPECT_FALSE(
      request(snapshot(granted({"network=a.example"}), document("  network: {}\n")), "a.example"))
      << "an empty section allows nothing";
}

TEST(NetworkDecisions, ACeilingThatOnlyDeniesLeavesTheRest) {
  Document ceiling =
      document("  network: {deny: [{host: evil.example}, {cidr: 203.0.114.0/24}]}\n");
  ceiling.has_network = false;
  const auto policy =
      snapshot(granted({"network=evil.example", "network=good.example"}), {}, ceiling);
  EXPECT_TRUE(request(policy, "good.example"));
  EXPECT_FALSE(request(policy, "evil.example"));
  EXPECT_FALSE(address(policy, "203.0.114.7"));
}

// Addresses.

TEST(AddressDecisions, A40_ARangeGrantsNothingByItselfAndLiftsOnlyItsOwn) {
  const auto policy =
      snapshot(granted({"network=a.example", "network=cidr:10.1.0.0/16", "network=cidr:fd00::/8"}));
  EXPECT_FALSE(request(policy, "10.1.0.1")) << "a range is no permission to connect";
  EXPECT_TRUE(address(policy, "10.1.2.3"));
  EXPECT_TRUE(address(policy, "::ffff:10.1.2.3")) << "the same address";
  EXPECT_TRUE(address(policy, "fd12::1"));
  EXPECT_FALSE(address(policy, "10.2.0.1"));
  EXPECT_FALSE(address(policy, "127.0.0.1"));
  EXPECT_TRUE(address(policy, "8.8.8.8"));
}

TEST(AddressDecisions, A39_ARangeOfIpv4DoesNotLiftFormsThatEmbedIt) {
  const auto policy = snapshot(granted({"network=a.example cidr:0.0.0.0/0"}));
  EXPECT_TRUE(address(policy, "10.0.0.1"));
  for (const char* text : {"64:ff9b::a00:1", "2002:a00:1::", "::a00:1", "2001::a00:1", "::1"}) {
    EXPECT_FALSE(address(policy, text)) << text;
  }
}

TEST(AddressDecisions, A40_CredentialsOfACloudAreOpenedByNamingTheirAddressAlone) {
  for (const char* range : {"network=cidr:169.254.0.0/16", "network=cidr:0.0.0.0/0",
                            "network=cidr:169.254.169.254/31"}) {
    EXPECT_FALSE(address(snapshot(granted({"network=a.example", range})), "169.254.169.254"))
        << range;
  }
  const auto ranged = [](std::string_view range) {
    return snapshot(granted({"network=a.example cidr:" + std::string(range)}));
  };
  EXPECT_TRUE(address(ranged("169.254.169.254/32"), "169.254.169.254"));
  EXPECT_FALSE(address(ranged("fd00::/8"), "fd00:ec2::254"));
  EXPECT_FALSE(address(ranged("168.63.129.0/24"), "168.63.129.16"));
}

TEST(AddressDecisions, ARangeLiftsTheRefusalForTheHostOfItsOwnRuleOnly) {
  const auto policy = snapshot(document(
      "  network:\n    allow:\n      - {host: a.example, cidr: 10.0.0.0/8}\n"
      "      - {host: b.example}\n      - {host: c.example, cidr: [10.1.0.0/16, fd00::/8]}\n"
      "      - {tcp: \"db.example:5432\", cidr: 10.2.0.0/16}\n      - {tcp: "
      "\"x.example:5432\"}\n"));
  EXPECT_TRUE(address(policy, "10.9.0.1", "a.example"));
  EXPECT_FALSE(address(policy, "10.9.0.1", "b.example"));
  EXPECT_FALSE(address(policy, "10.9.0.1", "c.example"));
  EXPECT_TRUE(address(policy, "fd00::1", "c.example"));
  EXPECT_TRUE(address(policy, "8.8.8.8", "b.example")) << "a public address needs no range";
  const Address inner = *Address::parse("10.2.0.1");
  const auto socket = [&](std::string_view name) {
    const std::vector<Host> names{*normalize_host(name)};
    return policy->decide_socket(Transport::tcp, inner, 5432, names).allowed;
  };
  EXPECT_TRUE(socket("db.example"));
  EXPECT_FALSE(socket("x.example"));
  EXPECT_TRUE(policy->decide_address(*normalize_host("db.example"), inner));
  EXPECT_FALSE(policy->decide_address(*normalize_host("x.example"), inner));
  EXPECT_FALSE(policy->decide_address(*normalize_host("a.example"), inner))
      << "a request's range is none of a socket's";
}

TEST(AddressDecisions, ARangeThatStandsAloneHoldsForTheHostsOfItsDocumentOnly) {
  const auto policy = Snapshot::compile(
      {.granted = {document("  network: {allow: [{host: a.example}, {cidr: 10.0.0.0/8}]}\n"),
                   granted({"network=http://127.0.0.1:8080", "network=cidr:127.0.0.0/8",
                            "network=b.example"}),
                   document("  network: {allow: [{host: c.example}]}\n")},
       .manifest = {},
       .ceilings = {},
       .epoch = 0});
  EXPECT_TRUE(address(policy, "10.0.0.1", "a.example"));
  EXPECT_FALSE(address(policy, "127.0.0.1", "a.example"));
  EXPECT_FALSE(address(policy, "10.0.0.1", "b.example"));
  EXPECT_FALSE(address(policy, "10.0.0.1", "c.example"));
  EXPECT_FALSE(address(policy, "127.0.0.1", "c.example"));
  const Address own = *Address::parse("127.0.0.1");
  EXPECT_TRUE(
      policy->decide_address({Scheme::http, *normalize_host("127.0.0.1"), 8080, "GET", "/"}, own));
}

TEST(AddressDecisions, ARangeOfARuleHoldsForItsMethodsAndPathsOnly) {
  const auto policy = snapshot(document(
      "  network:\n    allow:\n      - {host: a.example, paths: [\"/inner/*\"], cidr: 10.0.0.0/8}\n"
      "      - {host: a.example}\n"));
  EXPECT_TRUE(address(policy, "10.0.0.1", "a.example", "/inner/x"));
  EXPECT_FALSE(address(policy, "10.0.0.1", "a.example", "/outer"));
}

TEST(AddressDecisions, ADeniedRangeClosesPublicAddressesAsWell) {
  const auto policy = snapshot(
      document("  network:\n    allow: [{host: a.example, cidr: 10.0.0.0/8}]\n    deny: [{cidr: "
               "8.8.8.0/24}, {cidr: 10.1.9.0/24}]\n"));
  EXPECT_FALSE(address(policy, "8.8.8.8"));
  EXPECT_FALSE(address(policy, "10.1.9.1"));
  EXPECT_TRUE(address(policy, "10.1.8.1"));
}

TEST(AddressDecisions, ABoundMustLiftTheRangeAsWell) {
  const Document all = granted({"network=cidr:10.0.0.0/8", "network=a.example"});
  EXPECT_FALSE(address(snapshot(all, {}, document("  network: {allow: [{host: a.example}]}\n")),
                       "10.0.0.1"));
  EXPECT_TRUE(address(
      snapshot(all, {}, document("  network: {allow: [{host: a.example}, {cidr: 10.0.0.0/9}]}\n")),
      "10.0.0.1"));
  EXPECT_FALSE(address(
      snapshot(all, {}, document("  network: {allow: [{host: a.example, cidr: 10.0.0.0/9}]}\n")),
      "10.128.0.1"));
  EXPECT_FALSE(address(snapshot(all, {},
                                document("  network: {allow: [{host: a.example}, {host: "
                                         "b.example, cidr: 10.0.0.0/9}]}\n")),
                       "10.0.0.1"))
      << "a bound's range is that of its own host, too";
  EXPECT_TRUE(
      address(snapshot(all, {}, document("  network: {allow: [{host: a.example}]}\n")), "8.8.8.8"));
}

// Sockets and lookups.

TEST(SocketDecisions, ASocketNeedsItsTransportHostAndPort) {
  const auto policy = snapshot(granted({"network=tcp:db.example:5432", "network=db.example"}));
  const std::vector<Host> names{*normalize_host("db.example")};
  const Address public_address = *Address::parse("8.8.4.4");
  EXPECT_TRUE(policy->decide_socket(Transport::tcp, public_address, 5432, names));
  EXPECT_FALSE(policy->decide_socket(Transport::udp, public_address, 5432, names));
  EXPECT_FALSE(policy->decide_socket(Transport::tcp, public_address, 443, names))
      << "an HTTP grant opens no raw socket";
  EXPECT_FALSE(policy->decide_socket(Transport::tcp, public_address, 5432, {}))
      << "an address that no granted name led to";
  EXPECT_TRUE(policy->has_sockets(Transport::tcp));
  EXPECT_FALSE(policy->has_sockets(Transport::udp));
}

TEST(SocketDecisions, ASocketIsMadeOnlyWhereOneOfItsKindCouldLeadSomewhere) {
  const Document tcp = granted({"network=tcp:db.example:5432", "network=db.example"});
  EXPECT_TRUE(snapshot(tcp)->decide_sockets(Transport::tcp));
  EXPECT_EQ(refusal(snapshot(tcp)->decide_sockets(Transport::udp)),
            "no rule: nothing allows sockets; a grant names where one may lead, as "
            "network=udp:HOST:PORT does");
  const auto closed = document("  network: {allow: [{udp: \"db.example:5432\"}]}\n");
  EXPECT_FALSE(snapshot(tcp, {}, closed)->decide_sockets(Transport::tcp));
  EXPECT_FALSE(snapshot(tcp, {}, closed)->decide_sockets(Transport::udp));
}

TEST(SocketDecisions, A41_ANameThatLeadsIntoThePrivateNetworkIsRefusedAtTheAddress) {
  const auto policy = snapshot(granted({"network=tcp:db.example:5432"}));
  const std::vector<Host> names{*normalize_host("db.example")};
  const Decision decision =
      policy->decide_socket(Transport::tcp, *Address::parse("127.0.0.1"), 5432, names);
  EXPECT_EQ(refusal(decision), "no rule: 127.0.0.1 is a loopback address");
  ASSERT_TRUE(decision.remedy);
  EXPECT_EQ(decision.remedy->text(), "network=tcp:db.example:5432 cidr:127.0.0.1/32");
}

TEST(SocketDecisions, A50_OnlyNamesOfSocketGrantsAreLookedUp) {
  const auto policy = snapshot(granted({"network=tcp:*.db.example:5432", "network=api.example"}));
  EXPECT_TRUE(policy->decide_lookup(*normalize_host("one.db.example")));
  EXPECT_FALSE(policy->decide_lookup(*normalize_host("db.example")));
  EXPECT_FALSE(policy->decide_lookup(*normalize_host("api.example")))
      << "HTTP needs no lookup by a guest";
  EXPECT_FALSE(policy->decide_lookup(*normalize_host("secret-data.evil.example")));
}

TEST(SocketDecisions, BoundsHoldForSocketsAndLookups) {
  const Document all = granted({"network=tcp:db.example:5432"});
  const std::vector<Host> names{*normalize_host("db.example")};
  const auto closed = snapshot(all, {}, document("  network: {allow: [{host: db.example}]}\n"));
  EXPECT_FALSE(closed->decide_socket(Transport::tcp, *Address::parse("8.8.8.8"), 5432, names));
  EXPECT_FALSE(closed->decide_lookup(names[0]));
  const auto open =
      snapshot(all, {}, document("  network: {allow: [{tcp: \"db.example:5432\"}]}\n"));
  EXPECT_TRUE(open->decide_socket(Transport::tcp, *Address::parse("8.8.8.8"), 5432, names));
  EXPECT_TRUE(open->decide_lookup(names[0]));
  const Document denying =
      document("  network: {allow: [{tcp: \"db.example:1\"}], deny: [{tcp: \"db.example:1\"}]}\n");
  const auto denied = snapshot(denying);
  EXPECT_FALSE(denied->decide_socket(Transport::tcp, *Address::parse("8.8.8.8"), 1, names));
  EXPECT_FALSE(denied->decide_lookup(names[0])) << "a name that no connection can go to";
  EXPECT_FALSE(
      snapshot(granted({"network=tcp:db.example:1"}), {}, denying)->decide_lookup(names[0]));
}

TEST(SocketDecisions, AHostThatIsDeniedAsAWholeIsDeniedToSocketsToo) {
  const std::vector<Host> names{*normalize_host("bad.svc.example")};
  const auto socket = [&](const char* deny) {
    const auto policy = snapshot(
        document(std::string("  network: {allow: [{tcp: \"*.svc.example:443\"}], deny: [{") + deny +
                 "}]}\n"));
    const bool open(policy->decide_socket(Transport::tcp, *Address::parse("8.8.8.8"), 443, names));
    EXPECT_EQ(bool(policy->decide_lookup(names[0])), open) << deny;
    return open;
  };
  EXPECT_FALSE(socket("host: bad.svc.example"));
  EXPECT_FALSE(socket("host: \"*.svc.example\""));
  EXPECT_FALSE(socket("host: \"bad.svc.example:443\""));
  EXPECT_TRUE(socket("host: \"bad.svc.example:80\""));
  EXPECT_TRUE(socket("host: bad.svc.example, methods: [POST]")) << "a rule over HTTP alone";
  EXPECT_TRUE(socket("host: \"https://bad.svc.example\"")) << "a rule over HTTP alone";
  EXPECT_TRUE(socket("host: good.svc.example"));
}

// Remedies.

/// The remedy of a refusal as `belljar grant` takes it.
std::string remedy(const Decision& decision) {
  return decision.remedy ? decision.remedy->text() : "none";
}

TEST(Remedies, AreTheExactGrantThatIsMissing) {
  const auto policy = Snapshot::empty();
  EXPECT_EQ(remedy(request(policy, "API.example")), "network=GET api.example");
  EXPECT_EQ(remedy(request(policy, "api.example", "POST", "/x", Scheme::https, 8443)),
            "network=POST https://api.example:8443");
  EXPECT_EQ(remedy(request(policy, "localhost", "GET", "/", Scheme::http, 8080)),
            "network=GET http://localhost:8080");
  EXPECT_EQ(remedy(request(policy, "a.example", "GET", "/", Scheme::http, 80)),
            "network=GET http://a.example");
  EXPECT_EQ(remedy(request(policy, "::1", "GET", "/", Scheme::https, 443)), "network=GET [::1]");
  EXPECT_EQ(remedy(address(policy, "10.1.2.3")), "network=GET a.example cidr:10.1.2.3/32");
  EXPECT_EQ(remedy(address(policy, "169.254.169.254")),
            "network=GET a.example cidr:169.254.169.254/32");
  EXPECT_EQ(remedy(address(snapshot(granted({"network=a.example/v1/*"})), "10.1.2.3", "a.example",
                           "/v1/x")),
            "network=GET a.example/v1/x cidr:10.1.2.3/32");
  const std::vector<Host> names{*normalize_host("db.example")};
  EXPECT_EQ(remedy(policy->decide_socket(Transport::udp, *Address::parse("8.8.8.8"), 53, names)),
            "network=udp:db.example:53");
  EXPECT_EQ(remedy(policy->decide_socket(Transport::tcp, *Address::parse("fd00::1"), 53, {})),
            "network=tcp:[fd00::1]:53");
  EXPECT_EQ(remedy(policy->decide_capability("acme:kv/store@1.0.0")),
            "capability=acme:kv/store@1.0.0");
  EXPECT_EQ(storage_grant("/srv/x", "/in", true).text(), "storage=/srv/x:/in:rw");
  EXPECT_EQ(storage_grant("/srv/x", "/in", false).text(), "storage=/srv/x:/in:ro");
}

TEST(Remedies, AreNoWiderThanWhatWasAskedFor) {
  const auto reads = snapshot(granted({"network=GET api.example"}));
  EXPECT_EQ(remedy(request(reads, "api.example", "POST")), "network=POST api.example");
  const auto some = snapshot(granted({"network=GET api.example/v1/*"}));
  EXPECT_EQ(remedy(request(some, "api.example", "GET", "/v2/x")), "network=GET api.example/v2/x");
  EXPECT_EQ(remedy(request(some, "api.example", "GET", "/v2/./x")), "none")
      << "servers that do not take the dot away would not be asked for what was granted";
  const Decision lookup = some->decide_lookup(*normalize_host("api.example"));
  EXPECT_EQ(remedy(lookup), "none") << "nobody knows the port yet";
  EXPECT_THAT(lookup.reason, HasSubstr("network=tcp:api.example:443"));
}

TEST(Remedies, ReallyHelp) {
  const std::vector<HttpFacts> wanted{
      {Scheme::https, *normalize_host("api.example"), 443, "POST", "/x"},
      {Scheme::https, *normalize_host("api.example"), 8443, "GET", "/"},
      {Scheme::http, *normalize_host("api.example"), 80, "GET", "/"},
      {Scheme::http, *normalize_host("127.0.0.1"), 8080, "GET", "/"},
      {Scheme::https, *normalize_host("[2001:db8::1]"), 443, "GET", "/"},
      {Scheme::http, *normalize_host("[::1]"), 9, "GET", "/"},
      {Scheme::https, *normalize_host("bücher.example"), 443, "GET", "/"}};
  for (const HttpFacts& facts : wanted) {
    const Decision refused = Snapshot::empty()->decide(facts);
    ASSERT_TRUE(refused.remedy) << facts.host.name;
    const auto typed = parse_grant(refused.remedy->text(), "/p");
    ASSERT_TRUE(typed) << refused.remedy->text() << ": " << typed.error().describe();
    Document after;
    ASSERT_TRUE(apply_grant(after, *typed));
    EXPECT_TRUE(snapshot(after)->decide(facts)) << refused.remedy->text() << " does not help";
  }
  for (const char* text : {"10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "64:ff9b::1"}) {
    const Decision refused = address(Snapshot::empty(), text);
    ASSERT_TRUE(refused.remedy) << text;
    EXPECT_TRUE(address(snapshot(granted({refused.remedy->text()})), text))
        << refused.remedy->text();
  }
}

// Storage.

TEST(Mounts, SayWhereAGuestFindsAFolder) {
  const auto policy = snapshot(granted({"storage=/srv/data:/data:rw", "storage=/etc/app"}));
  ASSERT_NE(mount_at(policy, "/data"), nullptr);
  EXPECT_EQ(mount_at(policy, "/data")->host, "/srv/data");
  EXPECT_EQ(mount_at(policy, "/data")->access, (Access{true, true}));
  EXPECT_EQ(mount_at(policy, "/etc/app")->access, (Access{true, false}));
}

TEST(Mounts, TwoGrantsOfOneFolderAddUpAndTheLaterOfTwoFoldersTakesThePlace) {
  const auto policy = snapshot(granted({"storage=/a:/x:ro", "storage=/a:/x:rw"}));
  ASSERT_EQ(policy->mounts().size(), 1U);
  EXPECT_EQ(policy->mounts()[0].rule.access, (Access{true, true}));
  const auto replaced = snapshot(granted({"storage=/a:/x:rw", "storage=/b:/x:ro"}));
  ASSERT_EQ(replaced->mounts().size(), 1U);
  EXPECT_EQ(replaced->mounts()[0].rule.host, "/b");
  EXPECT_EQ(replaced->mounts()[0].rule.access, (Access{true, false})) << "and inherits nothing";
}

TEST(Mounts, ADenialAboveClosesAndOneBelowIsCarriedAlong) {
  const Document rules = document(
      "  storage:\n    allow: [{uri: \"fs:///srv/a\", access: [read, write]}, {uri: "
      "\"fs:///srv/b\", "
      "access: [read]}, {uri: \"fs:///srv/bb\", access: [read]}]\n"
      "    deny: [{uri: \"fs:///srv/b\"}, {uri: \"fs:///srv/a/private\"}, {uri: \"fs:///srv/a\", "
      "access: [write]}]\n");
  const auto policy = snapshot(rules);
  EXPECT_EQ(mount_at(policy, "/srv/b"), nullptr);
  EXPECT_NE(mount_at(policy, "/srv/bb"), nullptr) << "a name that only begins the same";
  ASSERT_NE(mount_at(policy, "/srv/a"), nullptr);
  EXPECT_EQ(mount_at(policy, "/srv/a")->access, (Access{true, false}));
  for (const Mount& mount : policy->mounts()) {
    if (mount.rule.guest != "/srv/a") continue;
    ASSERT_EQ(mount.denied.size(), 1U);
    EXPECT_EQ(mount.denied[0].host, "/srv/a/private");
  }
}

TEST(Mounts, ADenialHoldsHoweverItsSlashesAreWritten) {
  for (const char* denial :
       {"fs:///srv/a/", "fs:///srv/a/**", "fs:///srv/./a", "fs:///srv/x/../a", "fs:///srv"}) {
    const auto policy =
        snapshot(document("  storage:\n    allow: [{uri: \"fs:///srv/a\", access: [read]}, {uri: "
                          "\"fs:///srv/a/b/\", access: [read], "
                          "guest: /b}]\n    deny: [{uri: \"" +
                          std::string(denial) + "\"}]\n"));
    EXPECT_THAT(policy->mounts(), IsEmpty()) << denial;
  }
}

TEST(Mounts, OfTwoDocumentsOneMayDenyWhatTheOtherAllows) {
  const auto policy =
      Snapshot::compile({.granted = {granted({"storage=/srv/a"}),
                                     document("  storage: {deny: [{uri: \"fs:///srv/a\"}]}\n")},
                         .manifest = {},
                         .ceilings = {},
                         .epoch = 0});
  EXPECT_THAT(policy->mounts(), IsEmpty());
}

TEST(Mounts, ACeilingBoundsFoldersOfTheHost) {
  const Document ceiling = document(
      "  storage:\n    allow: [{uri: \"fs:///srv\", access: [read]}, {uri: \"fs:///srv/out\", "
      "access: [write]}]\n"
      "    deny: [{uri: \"fs:///srv/secret\"}]\n");
  const auto policy =
      snapshot(granted({"storage=/srv/in:/in:rw", "storage=/srv/out:/out:rw",
                        "storage=/home:/home:ro", "storage=/srv/secret/x:/s", "storage=/srv:/all"}),
               {}, ceiling);
  EXPECT_EQ(mount_at(policy, "/in")->access, (Access{true, false}));
  EXPECT_EQ(mount_at(policy, "/out")->access, (Access{true, true}));
  EXPECT_EQ(mount_at(policy, "/home"), nullptr);
  EXPECT_EQ(mount_at(policy, "/s"), nullptr);
  for (const Mount& mount : policy->mounts()) {
    if (mount.rule.guest == "/all") {
      EXPECT_EQ(mount.denied.size(), 1U);
    }
  }
  ASSERT_EQ(policy->closed_mounts().size(), 1U) << "nobody would know why nothing is there";
  EXPECT_EQ(policy->closed_mounts()[0].guest, "/home");
  EXPECT_EQ(policy->closed_mounts()[0].by, "the operator's ceiling");
}

TEST(Mounts, OfAFolderAboveTheCeilingsWhatTheCeilingAllowsIsLeft) {
  const Document ceiling =
      document("  storage: {allow: [{uri: \"fs:///srv/a/b\", access: [read]}]}\n");
  const auto policy = snapshot(granted({"storage=/srv:/data:rw"}), {}, ceiling);
  ASSERT_EQ(policy->mounts().size(), 1U);
  EXPECT_EQ(policy->mounts()[0].rule.host, "/srv/a/b");
  EXPECT_EQ(policy->mounts()[0].rule.guest, "/data/a/b");
  EXPECT_EQ(policy->mounts()[0].rule.access, (Access{true, false}));
  EXPECT_EQ(policy->closed_mounts().size(), 1U) << "/data itself is closed";
}

TEST(Mounts, NoGrantOpensBelljarsOwnFolders) {
  Sources sources;
  sources.granted.push_back(
      granted({"storage=/home/me:/home:rw", "storage=/home/me/.belljar/data:/state:rw",
               "storage=/other:/other"}));
  sources.own_folders = {"/home/me/.belljar"};
  const auto policy = Snapshot::compile(std::move(sources));
  EXPECT_EQ(mount_at(policy, "/state"), nullptr);
  ASSERT_EQ(policy->closed_mounts().size(), 1U);
  EXPECT_EQ(policy->closed_mounts()[0].guest, "/state");
  ASSERT_NE(mount_at(policy, "/home"), nullptr);
  for (const Mount& mount : policy->mounts()) {
    const bool around = mount.rule.guest == "/home";
    EXPECT_EQ(mount.denied.size(), around ? 1U : 0U) << mount.rule.guest;
    EXPECT_EQ(mount.denied_elsewhere.size(), around ? 0U : 1U)
        << "a link may lead there all the same";
  }
}

TEST(Mounts, AFolderThatIsGrantedWithinAnotherIsHeldThere) {
  Document rules = granted({"storage=/w:/w:rw", "storage=/w/reports:/reports:rw",
                            "storage=/w/sub/conf.json:/conf.json", "storage=/other:/other"});
  rules.storage[2].identity = "file in somewhere";
  const auto policy = snapshot(rules);
  for (const Mount& mount : policy->mounts()) {
    if (mount.rule.guest != "/w") {
      EXPECT_THAT(mount.denied_elsewhere, IsEmpty()) << mount.rule.guest;
      continue;
    }
    ASSERT_EQ(mount.denied_elsewhere.size(), 2U);
    EXPECT_EQ(mount.denied_elsewhere[0].host, "/w/reports");
    EXPECT_EQ(mount.denied_elsewhere[0].access, Access{}) << "held, and not denied";
    EXPECT_EQ(mount.denied_elsewhere[1].host, "/w/sub") << "another file may take its name";
    EXPECT_EQ(mount.denied_elsewhere[1].identity, "somewhere");
  }
}

TEST(Mounts, OfOnePlaceTwoIdentitiesAreTwoFolders) {
  Document rules = granted({"storage=/w:/w:rw", "storage=/w:/w:ro"});
  rules.storage[0].identity = "before";
  rules.storage[1].identity = "after";
  const auto policy = snapshot(rules);
  ASSERT_EQ(policy->mounts().size(), 1U);
  EXPECT_EQ(policy->mounts()[0].rule.identity, "after");
  EXPECT_EQ(policy->mounts()[0].rule.access, (Access{true, false}));
}

TEST(Mounts, ACallGoesOnWithWhatBothItsSnapshotAndANewerOneAllow) {
  const auto before = snapshot(
      document("  storage:\n    allow:\n"
               "      - {uri: \"fs:///a\", access: [read, write], guest: /a, hardlinks: allow}\n"
               "      - {uri: \"fs:///b\", access: [read], guest: /b}\n"
               "    deny: [{uri: \"fs:///a/old\"}]\n"));
  const auto after =
      snapshot(document("  storage:\n    allow:\n"
                        "      - {uri: \"fs:///a\", access: [read], guest: /a}\n"
                        "      - {uri: \"fs:///c\", access: [read], guest: /c}\n"
                        "    deny: [{uri: \"fs:///a/new\"}]\n"));
  EXPECT_TRUE(before->has_storage_of(*before));
  EXPECT_FALSE(before->has_storage_of(*after));
  const auto both = before->narrowed_by(*after);
  ASSERT_EQ(both->mounts().size(), 1U) << "nothing is gained, and what is gone is gone";
  EXPECT_EQ(both->mounts()[0].rule.access, (Access{true, false}));
  EXPECT_FALSE(both->mounts()[0].rule.hardlinks);
  ASSERT_EQ(both->mounts()[0].denied.size(), 2U);
  EXPECT_EQ(both->mounts()[0].denied[0].host, "/a/old");
  EXPECT_EQ(both->mounts()[0].denied[1].host, "/a/new");
}

TEST(NetworkDecisions, ARefusalNamesTheRuleThatRefuses) {
  const auto policy = snapshot(document(
      "  network:\n    allow: [{host: \"*.x.example\"}]\n    deny: [{host: evil.x.example}, {cidr: "
      "203.0.113.0/24}]\n"));
  EXPECT_THAT(request(policy, "evil.x.example").reason,
              HasSubstr("the rule \"deny evil.x.example"));
  EXPECT_THAT(address(policy, "203.0.113.7").reason, HasSubstr("203.0.113.0/24"));
}

TEST(Mounts, AManifestBoundsPlacesInTheGuest) {
  const Document manifest = document(
      "  storage:\n    allow: [{uri: \"fs:///data\", access: [read]}]\n    deny: [{uri: "
      "\"fs:///data/keys\"}]\n");
  const auto policy = snapshot(granted({"storage=/home/me/stuff:/data:rw", "storage=/x:/other",
                                        "storage=/k:/data/keys/mine"}),
                               manifest);
  ASSERT_EQ(policy->mounts().size(), 1U);
  EXPECT_EQ(policy->mounts()[0].rule.host, "/home/me/stuff");
  EXPECT_EQ(policy->mounts()[0].rule.access, (Access{true, false}));
  ASSERT_EQ(policy->mounts()[0].denied.size(), 1U)
      << "deny wins at every level, the manifest's too";
  EXPECT_EQ(policy->mounts()[0].denied[0].host, "/home/me/stuff/keys");
}

TEST(Mounts, HardLinksAreOpenedOnlyWhereEveryLevelSaysSo) {
  const auto allowing = [](std::string_view links) {
    return document("  storage: {allow: [{uri: \"fs:///srv\", access: [read], hardlinks: " +
                    std::string(links) + "}]}\n");
  };
  EXPECT_TRUE(snapshot(allowing("allow"))->mounts()[0].rule.hardlinks);
  EXPECT_FALSE(snapshot(allowing("allow"), {}, allowing("deny"))->mounts()[0].rule.hardlinks);
  EXPECT_TRUE(snapshot(allowing("allow"), {}, allowing("allow"))->mounts()[0].rule.hardlinks);
  EXPECT_FALSE(snapshot(allowing("deny"), {}, allowing("allow"))->mounts()[0].rule.hardlinks);
}

// Variables, secrets, capabilities, limits.

TEST(Snapshots, VariablesAndSecretsAreBoundedByNameAtEveryLevel) {
  const Document all =
      granted({"environment=TZ", "environment=LANG=C", "secret=key@a.example:bearer",
               "secret=other@a.example:bearer", "secret=shown:expose"});
  const Document ceiling = document(
      "  environment: {allow: [{key: TZ}]}\n"
      "  secrets: {allow: [{name: key, host: a.example, bearer: true}, {name: shown, host: "
      "a.example, bearer: true}]}\n");
  const auto policy = snapshot(all, {}, ceiling);
  ASSERT_EQ(policy->environment().size(), 1U);
  EXPECT_EQ(policy->environment()[0].key, "TZ");
  ASSERT_EQ(policy->secrets().size(), 1U) << "the ceiling does not let a guest see a secret";
  EXPECT_EQ(policy->secrets()[0].name, "key");
  EXPECT_EQ(snapshot(all)->environment().size(), 2U);
  EXPECT_EQ(snapshot(all)->secrets().size(), 3U);
}

TEST(Snapshots, OfSeveralCeilingsAllHold) {
  const auto policy = Snapshot::compile(
      {.granted = {granted({"network=a.example", "network=b.example", "limit=memory=256Mi"})},
       .manifest = {},
       .ceilings = {document("  network: {allow: [{host: a.example}, {host: b.example}]}\n"
                             "  resources: {memory: 200Mi}\n"),
                    document("  network: {allow: [{host: b.example}]}\n"
                             "  resources: {memory: 220Mi}\n")},
       .epoch = 0});
  EXPECT_FALSE(request(policy, "a.example"));
  EXPECT_TRUE(request(policy, "b.example"));
  EXPECT_EQ(policy->limits().memory, Bytes{200 << 20});
}

TEST(Snapshots, ABoundOnASecretHoldsForItsHostAsWell) {
  const auto kept = [](const char* grant, const std::string& host) {
    const Document bound =
        document("  secrets: {allow: [{name: key, host: \"" + host + "\", bearer: true}]}\n");
    const auto by_ceiling = snapshot(granted({grant}), {}, bound)->secrets().size();
    EXPECT_EQ(snapshot(granted({grant}), bound)->secrets().size(), by_ceiling);
    return by_ceiling == 1;
  };
  EXPECT_TRUE(kept("secret=key@a.example:bearer", "a.example"));
  EXPECT_TRUE(kept("secret=key@one.a.example:bearer", "*.a.example"));
  EXPECT_TRUE(kept("secret=key@*.one.a.example:bearer", "*.a.example"));
  EXPECT_FALSE(kept("secret=key@evil.example:bearer", "a.example"));
  EXPECT_FALSE(kept("secret=key@*.a.example:bearer", "one.a.example"));
  EXPECT_FALSE(kept("secret=key@a.example:bearer", "*.a.example"));
}

TEST(Snapshots, CapabilitiesAreNamedInFull) {
  const auto policy = snapshot(granted({"capability=acme:kv/store@1.0.0"}));
  EXPECT_TRUE(policy->decide_capability("acme:kv/store@1.0.0"));
  EXPECT_FALSE(policy->decide_capability("acme:kv/store@1.0.1"));
  EXPECT_FALSE(policy->decide_capability("acme:kv/store"));
  EXPECT_FALSE(snapshot(granted({"capability=a:b/c"}), {}, document("  capabilities: {}\n"))
                   ->decide_capability("a:b/c"));
}

TEST(Snapshots, AManifestBoundsLimitsAsACeilingDoes) {
  const Document manifest =
      document("  resources: {memory: 64Mi, timeout: 10m, fuel: 1e6, clock: 1ms}\n");
  const Document ceiling = document("  resources: {memory: 32Mi, fuel: 1e9}\n");
  const auto asked = snapshot(granted({"limit=memory=1Gi", "limit=timeout=5m", "limit=clock=1us"}),
                              manifest, ceiling);
  EXPECT_EQ(asked->limits().memory, Bytes{32 << 20}) << "the least of all bounds";
  EXPECT_EQ(asked->limits().timeout, std::chrono::minutes(5));
  EXPECT_EQ(asked->limits().fuel, Fuel{1'000'000});
  EXPECT_EQ(asked->limits().clock, std::chrono::milliseconds(1));
  EXPECT_EQ(snapshot({}, manifest)->limits().timeout, std::chrono::seconds(30)) << "gives nothing";
}

TEST(Snapshots, RaiseALimitAsFarAsTheBoundsAllow) {
  const auto raised = [](const SnapshotPointer& policy, std::string_view name,
                         std::string_view amount) {
    const auto grant = policy->raise_limit(name, amount);
    return grant ? grant->text() : std::string("no grant helps");
  };
  const auto open = snapshot({});
  EXPECT_EQ(raised(open, "timeout", "1m"), "limit=timeout=1m");
  EXPECT_EQ(raised(open, "timeout", "30s"), "no grant helps") << "that much holds already";
  EXPECT_EQ(raised(open, "memory", "9999999Gi"), "no grant helps") << "no policy takes that";
  const auto bounded = snapshot({}, document("  resources: {timeout: 45s, instances: 4}\n"));
  EXPECT_EQ(raised(bounded, "timeout", "1m"), "limit=timeout=45s");
  EXPECT_EQ(raised(bounded, "instances", "8"), "no grant helps");
}

TEST(Snapshots, ACeilingLowersLimitsAndNeverRaisesThem) {
  const Document ceiling =
      document("  resources: {memory: 64Mi, timeout: 10s, fuel: 1e6, clock: 1ms}\n");
  const auto low = snapshot({}, {}, ceiling);
  EXPECT_EQ(low->limits().memory, Bytes{64 << 20}) << "below the default";
  EXPECT_EQ(low->limits().fuel, Fuel{1'000'000}) << "no fuel would mean no count";
  EXPECT_EQ(low->limits().clock, std::chrono::milliseconds(1)) << "a coarser clock gives less away";
  const auto asked = snapshot(
      granted({"limit=memory=1Gi", "limit=timeout=1s", "limit=fuel=5e9", "limit=clock=1us"}), {},
      ceiling);
  EXPECT_EQ(asked->limits().memory, Bytes{64 << 20});
  EXPECT_EQ(asked->limits().timeout, std::chrono::seconds(1));
  EXPECT_EQ(asked->limits().fuel, Fuel{1'000'000});
  EXPECT_EQ(asked->limits().clock, std::chrono::milliseconds(1));
  EXPECT_EQ(asked->limits().output, Bytes{1 << 20}) << "what nobody names keeps its default";
}

TEST(Snapshots, OnlyRequestsThatChangeNothingAreCalledReading) {
  EXPECT_TRUE(snapshot(granted({"network=GET,HEAD a.example"}))->network_only_reads());
  EXPECT_FALSE(snapshot(granted({"network=a.example"}))->network_only_reads());
  EXPECT_FALSE(
      snapshot(granted({"network=GET a.example", "network=POST b.example"}))->network_only_reads());
  EXPECT_FALSE(snapshot(granted({"network=tcp:a.example:1"}))->network_only_reads());
}

TEST(Snapshots, RememberTheEpochTheyWereMadeAt) { EXPECT_EQ(snapshot({})->epoch(), 7U); }

}  // namespace
}  // namespace belljar::policy
