#include "policy/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Document document(std::string_view permissions) {
  auto parsed =
      parse_policy("version: \"1.1\"\npermissions:\n" + std::string(permissions), "p.yaml", "/p");
  EXPECT_TRUE(parsed) << parsed.error().describe();
  return parsed ? *std::move(parsed) : Document{};
}

TEST(Summaries, SayEveryRuleOfADocumentInTheOrderOfItsKinds) {
  const Document all = document(
      "  resources: {memory: 1Mi}\n"
      "  capabilities: {allow: [{interface: \"a:b/c@1.0.0\"}]}\n"
      "  secrets: {allow: [{name: k, host: a.example, header: X-Key}]}\n"
      "  environment: {allow: [{key: TZ}, {key: TOKEN, value: hunter2hunter2}]}\n"
      "  network: {allow: [{host: a.example, methods: [GET]}, {tcp: \"d.example:1\"}, {cidr: "
      "10.0.0.0/8}], "
      "deny: [{host: b.example}, {udp: \"d.example:2\"}, {cidr: 10.9.0.0/16}]}\n"
      "  storage: {allow: [{uri: \"fs:///srv\", access: [read, write], guest: /in}], deny: [{uri: "
      "\"fs:///srv/x\"}]}\n");
  EXPECT_THAT(sentences(summarize(all)),
              ElementsAre("storage /srv at /in (read, write)", "deny storage /srv/x",
                          "network https://a.example GET", "network tcp:d.example:1",
                          "network addresses in 10.0.0.0/8", "deny network b.example",
                          "deny network udp:d.example:2", "deny network addresses in 10.9.0.0/16",
                          "environment TZ", "environment TOKEN (a fixed value)",
                          "secret k for a.example in the header X-Key", "capability a:b/c@1.0.0"));
}

TEST(Summaries, NeverShowTheValueOfAVariable) {
  const auto lines = sentences(
      summarize(document("  environment: {allow: [{key: TOKEN, value: hunter2hunter2}]}\n")));
  for (const std::string& line : lines) EXPECT_THAT(line, Not(HasSubstr("hunter2")));
}

TEST(Summaries, OfASnapshotSayWhatHoldsInTheEndAndNotWhatWasGranted) {
  const Document granted = document(
      "  storage: {allow: [{uri: \"fs:///srv\", access: [read, write]}, {uri: \"fs:///home\", "
      "access: [read]}]}\n"
      "  environment: {allow: [{key: A}, {key: B}]}\n"
      "  network: {allow: [{host: a.example}]}\n");
  const Document ceiling = document(
      "  storage: {allow: [{uri: \"fs:///srv\", access: [read]}]}\n"
      "  environment: {allow: [{key: B}]}\n  network: {}\n");
  const auto snapshot =
      Snapshot::compile({.granted = {granted}, .manifest = {}, .ceilings = {ceiling}, .epoch = 0});
  EXPECT_THAT(
      sentences(summarize(*snapshot)),
      ElementsAre("storage /srv at /srv (read)", "network https://a.example", "environment B",
                  "network only as far as the operator's ceiling allows it"));
}

TEST(Summaries, OfASnapshotSayWhichHostMayHaveWhichAddresses) {
  const auto snapshot = Snapshot::compile(
      {.granted = {document("  network: {allow: [{host: a.example, cidr: 10.0.0.0/8}, {host: "
                            "b.example}]}\n"),
                   document("  network: {allow: [{tcp: \"c.example:1\"}, {cidr: fd00::/8}]}\n")},
       .manifest = {},
       .ceilings = {},
       .epoch = 0});
  EXPECT_THAT(
      sentences(summarize(*snapshot)),
      ElementsAre("network https://a.example, also at 10.0.0.0/8", "network https://b.example",
                  "network tcp:c.example:1, also at fd00::/8"));
}

TEST(Summaries, SayWhatIsInOtherLetters) {
  EXPECT_THAT(
      sentences(summarize(document("  network: {allow: [{host: \"\u0430pi.github.com\"}]}\n"))),
      ElementsAre(AllOf(HasSubstr("https://xn--pi-6kc.github.com (“аpi.github.com”"),
                        HasSubstr("looks like api.github.com"))));
}

TEST(Summaries, OfNothingAreEmpty) {
  const Document bound = document("  network: {allow: [{host: a.example}]}\n  capabilities: {}\n");
  EXPECT_THAT(sentences(summarize(*Snapshot::compile(
                  {.granted = {}, .manifest = bound, .ceilings = {bound}, .epoch = 0}))),
              IsEmpty())
      << "a bound gives nothing";
  EXPECT_THAT(sentences(summarize(Document{})), IsEmpty());
  EXPECT_THAT(sentences(summarize(*Snapshot::empty())), IsEmpty());
}

TEST(Summaries, OfLimitsUseTheNamesAndUnitsOfAPolicy) {
  EXPECT_THAT(
      sentences(summarize(Limits{})),
      ElementsAre("limit memory=128Mi", "limit fuel=off", "limit timeout=30s", "limit instances=16",
                  "limit output=1Mi", "limit handles=64", "limit written=64Mi", "limit files=1000",
                  "limit response=16Mi", "limit requests=16"));
}

}  // namespace
}  // namespace belljar::policy
