// What rules over paths make of every spelling that a server could read otherwise.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>

#include "policy/snapshot.h"

namespace belljar::policy {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const Snapshot> under(const std::string& network) {
  auto parsed =
      parse_policy("version: \"1.1\"\npermissions:\n  network:\n" + network, "p.yaml", "/p");
  EXPECT_TRUE(parsed) << parsed.error().describe();
  return Snapshot::compile({.granted = {*std::move(parsed)}, .manifest = {}, .ceilings = {}});
}

Decision get(const Snapshot& policy, std::string_view path) {
  return policy.decide({Scheme::https, *normalize_host("a.example"), 443, "GET", path});
}

/// A spelling, and whether it goes out: where only `/v1/*` and `/status` are allowed, and where all
/// is allowed but `/admin/*` and `/v1/secret`.
struct Spelling {
  std::string_view path;
  bool within;
  bool around;
};

constexpr Spelling spellings[]{
    // What goes out as ever.
    Spelling{"/v1/a", true, true},
    Spelling{"/v1/", true, true},
    Spelling{"/v1/users/7", true, true},
    Spelling{"/v1/a/b/c/d", true, true},
    Spelling{"/status", true, true},
    Spelling{"/v1/caf%C3%A9", true, true},
    Spelling{"/v1/caf%c3%a9", true, true},
    Spelling{"/v1/%E6%97%A5%E6%9C%AC%E8%AA%9E", true, true},
    Spelling{"/v1/%F0%9F%98%80", true, true},
    Spelling{"/v1/a%20b", true, true},
    Spelling{"/v1/a+b", true, true},
    Spelling{"/v1/a:b", true, true},
    Spelling{"/v1/user@example.org", true, true},
    Spelling{"/v1/a%40b", true, true},
    Spelling{"/v1/a%3Ab", true, true},
    Spelling{"/v1/100%25", true, true},
    Spelling{"/v1/100%2525", true, true},
    Spelling{"/v1/a;v=1", true, true},
    Spelling{"/v1/a;v=1;w=2/b", true, true},
    Spelling{"/v1/map;lat=50;long=20", true, true},
    Spelling{"/v1/;x", true, true},
    Spelling{"/v1/group%2Fproject/issues", true, true},
    Spelling{"/v1/group%2fproject", true, true},
    Spelling{"/v1/a%5Cb", true, true},
    Spelling{"/v1//a", true, true},
    Spelling{"/v1/a//b", true, true},
    Spelling{"/v1/a/./b", true, true},
    Spelling{"/v1/a/../b", true, true},
    Spelling{"/v1/a/%2e/b", true, true},
    Spelling{"/v1/a/b/../../c", true, true},
    Spelling{"/v1/a.json", true, true},
    Spelling{"/v1/a.b.c", true, true},
    Spelling{"/v1/.hidden", true, true},
    Spelling{"/v1/..hidden", true, true},
    Spelling{"/v1/a..b", true, true},
    Spelling{"/v1/a.", true, true},
    Spelling{"/v1/a%20", true, true},
    Spelling{"/v1/~joe", true, true},
    Spelling{"/v1/%7Ejoe", true, true},
    Spelling{"/v1/a'b(c)!*", true, true},
    Spelling{"/v1/a,b=c&d$", true, true},
    Spelling{"/v1/a%2Cb%3Dc", true, true},
    Spelling{"/v1/%61%62", true, true},
    Spelling{"/v1/a%3Fb", true, true},
    Spelling{"/v1/a%23b", true, true},
    Spelling{"/v1/a%22b", true, true},
    Spelling{"/v1/%C2%BD", true, true},
    Spelling{"/v1/e%CC%81", true, true},
    Spelling{"/v1/%EF%BC%A1", true, true},
    Spelling{"/v1/a-b_c", true, true},
    Spelling{"/v1/2026-11-29T01:02:03Z", true, true},
    Spelling{"/v1/a%09b", true, true},
    Spelling{"/v1/a%0Ab", true, true},
    Spelling{"/v1/%2e%2ehidden", true, true},
    Spelling{"/v1/a%252Fb", true, true},
    Spelling{"/v1/a%2F%2Fb", true, true},
    Spelling{"/v1/secrets", true, true},
    Spelling{"/v1/secret/more", true, true},
    Spelling{"/v1/x/secret", true, true},
    Spelling{"/v1/a\\b", true, true},
    Spelling{"/v1/a%00b", true, true},
    Spelling{"/v1/admin", true, true},
    Spelling{"/v1/admin/x", true, true},
    // Out of what is allowed, into what is denied.
    Spelling{"/v1/../admin/x", false, false},
    Spelling{"/v1/%2e%2e/admin/x", false, false},
    Spelling{"/v1/%2E%2E/admin/x", false, false},
    Spelling{"/v1/.%2e/admin/x", false, false},
    Spelling{"/v1/%2e./admin/x", false, false},
    Spelling{"/v1/a/../../admin/x", false, false},
    Spelling{"/v1/a/%2e%2e/%2e%2e/admin/x", false, false},
    Spelling{"/v1/..%2fadmin/x", false, false},
    Spelling{"/v1/..%2Fadmin%2Fx", false, false},
    Spelling{"/v1/%2e%2e%2fadmin/x", false, false},
    Spelling{"/v1%2f..%2fadmin%2fx", false, false},
    Spelling{"/v1/..%5cadmin/x", false, false},
    Spelling{"/v1/%2e%2e%5cadmin%5cx", false, false},
    Spelling{"/v1/..\\admin\\x", false, false},
    Spelling{"/v1\\..\\admin/x", false, false},
    Spelling{"/v1/..;/admin/x", false, false},
    Spelling{"/v1/..;x=1/admin/x", false, false},
    Spelling{"/v1/..%3b/admin/x", false, false},
    Spelling{"/v1/%2e%2e;/admin/x", false, false},
    Spelling{"/v1/%2e%2e%3bx/admin/x", false, false},
    Spelling{"/v1/;/../admin/x", false, false},
    Spelling{"/v1/;x/..;y/admin/x", false, false},
    Spelling{"/v1/a;b/../../admin/x", false, false},
    Spelling{"/v1/.;/../admin/x", false, false},
    Spelling{"/v1/;a/;b/..;c/../../admin/x", false, false},
    Spelling{"/v1//../admin/x", false, false},
    Spelling{"/v1/.//../admin/x", false, false},
    Spelling{"/v1///..//../admin/x", false, false},
    Spelling{"/v1/%252e%252e/admin/x", false, false},
    Spelling{"/v1/%252e%252e%252fadmin/x", false, false},
    Spelling{"/v1/..%252fadmin/x", false, false},
    Spelling{"/v1/..%255cadmin/x", false, false},
    Spelling{"/v1/%25252e%25252e/admin/x", false, false},
    Spelling{"/v1/%252e%252e;/admin/x", false, false},
    Spelling{"/v1/..%253b/admin/x", false, false},
    Spelling{"/v1/%c0%ae%c0%ae/admin/x", false, false},
    Spelling{"/v1/%c0%ae%c0%ae%c0%afadmin/x", false, false},
    Spelling{"/v1/..%c0%afadmin/x", false, false},
    Spelling{"/v1/..%c1%9cadmin/x", false, false},
    Spelling{"/v1/%e0%80%ae%e0%80%ae/admin/x", false, false},
    Spelling{"/v1/..%e0%80%afadmin/x", false, false},
    Spelling{"/v1/%f0%80%80%ae%f0%80%80%ae/admin/x", false, false},
    Spelling{"/v1/%25c0%25ae%25c0%25ae/admin/x", false, false},
    Spelling{"/v1/%ef%bc%8e%ef%bc%8e/admin/x", false, false},
    Spelling{"/v1/..%ef%bc%8fadmin/x", false, false},
    Spelling{"/v1/..%ef%bc%bcadmin/x", false, false},
    Spelling{"/v1/%e2%80%a5/admin/x", false, false},
    Spelling{"/v1/..%e2%88%95admin/x", false, false},
    Spelling{"/v1/..%e2%81%84admin/x", false, false},
    Spelling{"/v1/..%e2%88%96admin/x", false, false},
    Spelling{"/v1/..%25u2215admin/x", false, false},
    Spelling{"/v1/%25u002e%25u002e/admin/x", false, false},
    Spelling{"/v1/..%00/admin/x", false, false},
    Spelling{"/v1/..%20/admin/x", false, false},
    Spelling{"/v1/%20..%20/admin/x", false, false},
    Spelling{"/v1/..%09/admin/x", false, false},
    Spelling{"/v1/..%0d%0a/admin/x", false, false},
    Spelling{"/v1/.../admin/x", false, false},
    Spelling{"/v1/..../admin/x", false, false},
    Spelling{"/v1/..%2e/admin/x", false, false},
    Spelling{"//v1/../admin/x", false, false},
    Spelling{"/%2e%2e/v1/../admin/x", false, false},
    Spelling{"/v1/../../../admin/x", false, false},
    Spelling{"/v1/../ADMIN/x", false, false},
    Spelling{"/v1/..;/%61dmin/x", false, false},
    Spelling{"/v1/..;/admin;y/x", false, false},
    Spelling{"/v1/..%2f..%2fadmin/x", false, false},
    Spelling{"/v1/x/..%2f../admin/x", false, false},
    Spelling{"/v1%2F%2E%2E%2Fadmin/x", false, false},
    Spelling{"/v1%252f%252e%252e%252fadmin/x", false, false},
    Spelling{"/v1;x/../admin/x", false, false},
    Spelling{"/v1/%2e%2e/%61%64%6d%69%6e/x", false, false},
    Spelling{"/v1/../admin", false, false},
    Spelling{"/v1/../admin/", false, false},
    Spelling{"/v1/..;/admin", false, false},
    Spelling{"/v1/..%2fadmin%2f", false, false},
    // Around the denial.
    Spelling{"/admin/users", false, false},
    Spelling{"/admin/", false, false},
    Spelling{"/admin", false, false},
    Spelling{"/ADMIN/users", false, false},
    Spelling{"/Admin/users", false, false},
    Spelling{"/admin;x/users", false, false},
    Spelling{"/admin;/users", false, false},
    Spelling{"/admin;x=1;y=2/users", false, false},
    Spelling{"/admin%3bx/users", false, false},
    Spelling{"/admin%3Bx/users", false, false},
    Spelling{"/admin%253bx/users", false, false},
    Spelling{"/%61dmin/users", false, false},
    Spelling{"/%61%64%6d%69%6e/users", false, false},
    Spelling{"/%2561dmin/users", false, false},
    Spelling{"/%252561dmin/users", false, false},
    Spelling{"/%25%36%31dmin/users", false, false},
    Spelling{"/admin%2fusers", false, false},
    Spelling{"/admin%2Fusers", false, false},
    Spelling{"/admin%252fusers", false, false},
    Spelling{"/admin%5cusers", false, false},
    Spelling{"/admin\\users", false, false},
    Spelling{"/admin%c0%afusers", false, false},
    Spelling{"/admin%ef%bc%8fusers", false, false},
    Spelling{"//admin/users", false, false},
    Spelling{"///admin/users", false, false},
    Spelling{"/./admin/users", false, false},
    Spelling{"/%2e/admin/users", false, false},
    Spelling{"/.;/admin/users", false, false},
    Spelling{"/;/admin/users", false, false},
    Spelling{"/;x/admin/users", false, false},
    Spelling{"/x/../admin/users", false, false},
    Spelling{"/x;y/../admin/users", false, false},
    Spelling{"/x%2f..%2fadmin/users", false, false},
    Spelling{"//host/admin/users", false, false},
    Spelling{"//admin//users", false, false},
    Spelling{"/\\admin/users", false, false},
    Spelling{"/admin/./users", false, false},
    Spelling{"/admin//users", false, false},
    Spelling{"/admin%20/users", false, false},
    Spelling{"/admin%20", false, false},
    Spelling{"/admin./users", false, false},
    Spelling{"/admin.../users", false, false},
    Spelling{"/admin%2e/users", false, false},
    Spelling{"/admin%09/users", false, false},
    Spelling{"/admin%00/users", false, false},
    Spelling{"/admin%00.png", false, false},
    Spelling{"/admin%3fx", false, false},
    Spelling{"/admin%3f/users", false, false},
    Spelling{"/admin%23/users", false, false},
    Spelling{"/admin::$INDEX_ALLOCATION/users", false, false},
    Spelling{"/admin%c2%a0/users", false, false},
    Spelling{"/admin%e3%80%80/users", false, false},
    Spelling{"/%ef%bd%81dmin/users", false, false},
    Spelling{"/%ef%bd%81%ef%bd%84%ef%bd%8d%ef%bd%89%ef%bd%8e/users", false, false},
    Spelling{"/adm%c4%b1n/users", false, false},
    Spelling{"/adm%c3%adn/users", false, false},
    Spelling{"/adm%e2%85%b0n/users", false, false},
    Spelling{"/%f0%9d%90%9admin/users", false, false},
    Spelling{"/a%cc%81dmin/users", false, false},
    Spelling{"/a%e2%80%8bdmin/users", false, false},
    Spelling{"/a%c2%addmin/users", false, false},
    Spelling{"/admin/../admin/users", false, false},
    Spelling{"/admin/x/../y", false, false},
    Spelling{"/admin;x/..;y/admin/z", false, false},
    Spelling{"/admin/..", false, false},
    Spelling{"/v1/../x/../admin/users", false, false},
    // Out of what is allowed, or in only for some.
    Spelling{"/v1/..%3f/../admin/x", false, true},
    Spelling{"/", false, true},
    Spelling{"/v2/a", false, true},
    Spelling{"/v1", false, true},
    Spelling{"/V1/a", false, true},
    Spelling{"/v10/a", false, true},
    Spelling{"/statuses", false, true},
    Spelling{"/status/", false, true},
    Spelling{"/status/x", false, true},
    Spelling{"/v1/../v2/a", false, true},
    Spelling{"/v1/..", false, true},
    Spelling{"/v1/%2e%2e", false, true},
    Spelling{"/v1/..;", false, true},
    Spelling{"/v1/..;/v2", false, true},
    Spelling{"/v1/..%2fv2", false, true},
    Spelling{"/v1/%252e%252e/v2", false, true},
    Spelling{"/v1;x/a", false, true},
    Spelling{"/v1%3bx/a", false, true},
    Spelling{"/v1%20/a", false, true},
    Spelling{"/%76%31/a", false, true},
    Spelling{"/%2576%2531/a", false, true},
    Spelling{"/x/../v1/a", false, true},
    Spelling{"/./v1/a", false, true},
    Spelling{"//v1/a", false, true},
    Spelling{"//host/v1/a", false, true},
    Spelling{"/v1%2fa", false, true},
    Spelling{"/v1%252fa", false, true},
    Spelling{"/v1\\a", false, true},
    Spelling{"/v1%5ca", false, true},
    Spelling{"/v1%c0%afa", false, true},
    Spelling{"/status;x", false, true},
    Spelling{"/status%20", false, true},
    Spelling{"/status%00", false, true},
    Spelling{"/status%3fx", false, true},
    Spelling{"/status.", false, true},
    Spelling{"/stat%75s", false, true},
    Spelling{"/%ef%bd%961/a", false, true},
    Spelling{"/v1/.../a", false, true},
    Spelling{"/administrators", false, true},
    Spelling{"/adminx/y", false, true},
    Spelling{"/x/admin", false, true},
    Spelling{"/%E7%AE%A1%E7%90%86/x", false, true},
    // What is denied within what is allowed.
    Spelling{"/v1/secret", true, false},
    Spelling{"/v1/SECRET", true, false},
    Spelling{"/v1/secret/", true, false},
    Spelling{"/v1/secret;x", true, false},
    Spelling{"/v1/%73ecret", true, false},
    Spelling{"/v1/%2573ecret", true, false},
    Spelling{"/v1/x/../secret", true, false},
    Spelling{"/v1/./secret", true, false},
    Spelling{"/v1//secret", true, false},
    Spelling{"/v1/;/secret", true, false},
    Spelling{"/v1/secret%20", true, false},
    Spelling{"/v1/secret.", true, false},
    Spelling{"/v1/secret%00", true, false},
    Spelling{"/v1/secret%3fa", true, false},
    Spelling{"/v1/secret%23a", true, false},
    Spelling{"/v1/x%2f..%2fsecret", true, false},
    Spelling{"/v1/s%c3%a9cret", true, false},
    Spelling{"/v1/%ef%bd%93ecret", true, false},
    Spelling{"/v1/secret::$DATA", true, false},
    Spelling{"/v1/x;y/..;z/secret", true, false},
    // No path to any rule.
    Spelling{"/v1/%", false, false},
    Spelling{"/v1/%2", false, false},
    Spelling{"/v1/%zz", false, false},
    Spelling{"/v1/%u002e", false, false},
    Spelling{"/v1/a%", false, false},
    Spelling{"v1/a", false, false},
    Spelling{"*", false, false},
    Spelling{"/v1/%252525252525252e", false, false},
};

TEST(PathRules, A83_HoldForEverySpellingThatAServerCouldReadOtherwise) {
  static_assert(std::size(spellings) >= 150);
  const auto within = under("    allow: [{host: a.example, paths: [\"/v1/*\", \"/status\"]}]\n");
  const auto around = under(
      "    allow: [{host: a.example}]\n"
      "    deny: [{host: a.example, paths: [\"/admin/*\", \"/v1/secret\"]}]\n");
  for (const Spelling& one : spellings) {
    EXPECT_EQ(get(*within, one.path).allowed, one.within)
        << one.path << " where /v1/* is allowed: " << get(*within, one.path).reason;
    EXPECT_EQ(get(*around, one.path).allowed, one.around)
        << one.path << " where /admin/* is denied: " << get(*around, one.path).reason;
  }
}

TEST(PathRules, A83_SeveralRulesTogetherMayAllowAllReadings) {
  const auto policy = under(
      "    allow: [{host: a.example, paths: [\"/a/*\"]}, {host: a.example, paths: [\"/b\"]}]\n");
  EXPECT_TRUE(get(*policy, "/a/../b").allowed);
  EXPECT_FALSE(get(*policy, "/a/../c").allowed);
}

TEST(PathRules, A83_WithoutPathsEverySpellingGoesOut) {
  const auto policy = under("    allow: [{host: a.example}]\n");
  for (const Spelling& one : spellings) EXPECT_TRUE(get(*policy, one.path)) << one.path;
}

TEST(PathRules, A83_BoundsReadPathsAsRulesDo) {
  auto ceiling = parse_policy(
      "version: \"1.1\"\npermissions:\n  network:\n    allow: [{host: a.example, paths: "
      "[\"/v1/*\"]}]\n    deny: [{host: a.example, paths: [\"/v1/secret\"]}]\n",
      "c.yaml", "/p");
  auto granted = parse_policy(
      "version: \"1.1\"\npermissions: {network: {allow: [{host: a.example}]}}\n", "p.yaml", "/p");
  const auto policy = Snapshot::compile(
      {.granted = {*std::move(granted)}, .manifest = {}, .ceilings = {*std::move(ceiling)}});
  EXPECT_TRUE(get(*policy, "/v1/a;x"));
  EXPECT_FALSE(get(*policy, "/v1/..;/admin"));
  EXPECT_FALSE(get(*policy, "/v1/secret;x"));
}

TEST(PathRules, TheReasonNamesTheOtherReading) {
  const auto policy = under("    allow: [{host: a.example, paths: [\"/v1/*\"]}]\n");
  const Decision decision = get(*policy, "/v1/;/../admin");
  EXPECT_THAT(decision.reason,
              HasSubstr("servers read the path “/v1/;/../admin” in different ways, "
                        "and as “/admin” nothing allows it"));
  EXPECT_FALSE(decision.remedy) << "no grant of one path would do";
}

}  // namespace
}  // namespace belljar::policy
