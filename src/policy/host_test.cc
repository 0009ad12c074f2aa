#include "policy/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::policy {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;

/// The canonical form, or "refused".
std::string canonical(std::string_view text) {
  const auto host = normalize_host(text);
  return host ? host->url_text() : "refused";
}

bool matches(std::string_view pattern, std::string_view host) {
  const auto parsed = HostPattern::parse(pattern);
  EXPECT_TRUE(parsed) << parsed.error().describe();
  const auto normal = normalize_host(host);
  EXPECT_TRUE(normal) << host << " is refused";
  return parsed && normal && parsed->matches(*normal);
}

std::string problem_with_pattern(std::string_view text) {
  const auto pattern = HostPattern::parse(text);
  return pattern ? "" : pattern.error().message();
}

TEST(Hosts, HaveOneCanonicalForm) {
  EXPECT_EQ(canonical("API.Example"), "api.example");
  EXPECT_EQ(canonical("api.example."), "api.example") << "one dot at the end is the root";
  EXPECT_EQ(canonical("my_host.example"), "my_host.example");
  EXPECT_EQ(canonical("localhost"), "localhost");
}

TEST(Hosts, InternationalNamesAreMappedBeforeAnythingIsCompared) {
  EXPECT_EQ(canonical("bücher.example"), "xn--bcher-kva.example");
  EXPECT_EQ(canonical("BÜCHER.example"), "xn--bcher-kva.example");
  EXPECT_EQ(canonical("xn--bcher-kva.example"), "xn--bcher-kva.example");
  EXPECT_EQ(canonical("XN--BCHER-KVA.EXAMPLE"), "xn--bcher-kva.example");
  EXPECT_EQ(canonical("faß.example"), "xn--fa-hia.example") << "UTS 46, non-transitional";
  EXPECT_EQ(canonical("ａｐｉ.example"), "api.example") << "full-width letters";
  EXPECT_EQ(canonical("api。example"), "api.example") << "an ideographic full stop";
  EXPECT_EQ(canonical("a\u00ADb.example"), "ab.example") << "a soft hyphen is nothing";
}

TEST(Hosts, A38_AnAddressIsAnAddressHoweverItIsSpelled) {
  for (const char* text : {"127.0.0.1", "127.1", "0177.1", "0x7f000001", "0X7F.1", "2130706433",
                           "127.0.0.1.", "１２７.0.0.1", "①②⑦.1", "127。0。0。1", "1\u00AD27.0.0.1",
                           "::ffff:127.0.0.1", "[::ffff:7f00:1]"}) {
    const auto host = normalize_host(text);
    ASSERT_TRUE(host) << text << ": " << host.error().describe();
    EXPECT_EQ(host->name, "127.0.0.1") << text;
    ASSERT_TRUE(host->address) << text;
    EXPECT_TRUE(special_purpose(*host->address)) << text;
  }
  EXPECT_EQ(canonical("[2001:DB8::1]"), "[2001:db8::1]");
  EXPECT_EQ(canonical("2001:db8::1"), "[2001:db8::1]");
}

TEST(Hosts, A38_WhatParsersDisagreeAboutIsRefused) {
  for (const std::string_view text : {""sv,
                                      "."sv,
                                      ".."sv,
                                      ".a.example"sv,
                                      "a..example"sv,
                                      "a.example.."sv,
                                      "256.1.1.1"sv,
                                      "08.1.1.1"sv,
                                      "1.2.3.4.5"sv,
                                      "foo.1"sv,
                                      "foo.0x1g"sv,
                                      "foo.0xff"sv,
                                      "a b"sv,
                                      "a\tb"sv,
                                      "a\rb"sv,
                                      "a\nb"sv,
                                      "a\0b"sv,
                                      "a.example\0.evil"sv,
                                      "bücher.example\0.evil"sv,
                                      "[::1\0]"sv,
                                      "a@b"sv,
                                      "a\\b"sv,
                                      "a/b"sv,
                                      "a?b"sv,
                                      "a#b"sv,
                                      "a%2eb"sv,
                                      "%31"sv,
                                      "[::1"sv,
                                      "[::1]x"sv,
                                      "[127.0.0.1.5]"sv,
                                      "[]"sv,
                                      "::1%eth0"sv,
                                      "[fe80::1%25eth0]"sv,
                                      "a:b"sv,
                                      "a|b"sv,
                                      "a'b"sv,
                                      "a;b"sv,
                                      "a,b"sv,
                                      "a!b"sv,
                                      "a*b"sv,
                                      "a^b"sv,
                                      "a`b"sv,
                                      "a~b"sv,
                                      "xn--a.example"sv,
                                      "a\u2215b.example"sv,
                                      "a\uFF0Fb.example"sv,
                                      "a\uFF20b.example"sv,
                                      "\xFF.example"sv,
                                      "a\u200Db.example"sv}) {
    EXPECT_EQ(canonical(text), "refused") << "\"" << text << "\"";
  }
}

TEST(Hosts, KeepWithinTheBoundsOfDns) {
  const std::string label(63, 'a');
  EXPECT_EQ(canonical(label + ".example"), label + ".example");
  EXPECT_EQ(canonical(label + "a.example"), "refused");
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_EQ(canonical(longest), longest);
  EXPECT_EQ(canonical(longest + "b"), "refused");
  EXPECT_EQ(canonical(std::string(100'000, 'a')), "refused");
  EXPECT_THAT(normalize_host(std::string(100'000, 'a')).error().message().size(),
              ::testing::Lt(300U))
      << "a message does not repeat all of it";
}

TEST(HostPatterns, AnExactNameMatchesItselfInEverySpelling) {
  EXPECT_TRUE(matches("api.example", "api.example"));
  EXPECT_TRUE(matches("API.example.", "api.EXAMPLE"));
  EXPECT_TRUE(matches("bücher.example", "xn--bcher-kva.example"));
  EXPECT_TRUE(matches("127.1", "127.0.0.1"));
  EXPECT_TRUE(matches("[::1]", "::1"));
  EXPECT_FALSE(matches("api.example", "x.api.example"));
  EXPECT_FALSE(matches("api.example", "api.example.evil"));
  EXPECT_FALSE(matches("127.0.0.1", "localhost")) << "a name is not the address it has";
}

TEST(HostPatterns, A44_AStarStandsForOneOrMoreLabelsBelow) {
  EXPECT_TRUE(matches("*.x.example", "a.x.example"));
  EXPECT_TRUE(matches("*.x.example", "a.b.x.example"));
  EXPECT_TRUE(matches("*.x.example", "A.X.Example."));
  EXPECT_FALSE(matches("*.x.example", "x.example")) << "the name itself is not below itself";
  EXPECT_FALSE(matches("*.x.example", "x.example."));
  EXPECT_FALSE(matches("*.x.example", "ax.example")) << "a label is whole or not there";
  EXPECT_FALSE(matches("*.x.example", "a.x.example.evil"));
  EXPECT_FALSE(matches("*.x.example", "evil-x.example"));
  EXPECT_TRUE(matches("*.bücher.example", "a.xn--bcher-kva.example"));
  EXPECT_FALSE(matches("*.bücher.example", "a.bucher.example"));
}

TEST(HostPatterns, A44_AStarAnywhereElseIsRefusedAndNotReadAsText) {
  for (const char* text : {"*", "**.x.example", "a.*.example", "a*.example", "*a.example", "x.*",
                           "*.*.example", "*.", "*.x.*"}) {
    EXPECT_NE(problem_with_pattern(text), "") << text;
  }
  EXPECT_THAT(problem_with_pattern("a.*.example"), HasSubstr("at the front"));
}

TEST(HostPatterns, AWholeTopLevelDomainIsTooMuch) {
  EXPECT_THAT(problem_with_pattern("*.com"), HasSubstr("top-level domain"));
  EXPECT_THAT(problem_with_pattern("*.com."), HasSubstr("top-level domain"));
  for (const char* local : {"*.localhost", "*.local", "*.internal", "*.test"}) {
    EXPECT_EQ(problem_with_pattern(local), "") << "nobody can register a name below it";
  }
}

TEST(HostPatterns, AnAddressHasNothingBelowIt) {
  EXPECT_THAT(problem_with_pattern("*.127.0.0.1"), HasSubstr("no names below"));
  EXPECT_THAT(problem_with_pattern("*.0x7f.1"), HasSubstr("no names below"));
}

TEST(HostPatterns, AreShownInCanonicalForm) {
  EXPECT_EQ(HostPattern::parse("*.BÜCHER.example.")->text(), "*.xn--bcher-kva.example");
  EXPECT_EQ(HostPattern::parse("0x7f.1")->text(), "127.0.0.1");
  EXPECT_EQ(HostPattern::parse("::1")->text(), "[::1]");
  EXPECT_EQ(HostPattern::parse("*.a.example")->exact(), std::nullopt);
  EXPECT_EQ(HostPattern::parse("A.example")->exact()->name, "a.example");
}

TEST(HostNames, A84_InOtherLettersAreExplained) {
  const auto note = [](std::string_view text) {
    const auto host = normalize_host(text);
    EXPECT_TRUE(host) << text;
    return name_note(host->name).value_or("nothing");
  };
  EXPECT_EQ(note("api.github.com"), "nothing");
  EXPECT_EQ(note("bücher.example"),
            "“bücher.example”, in letters beyond a to z: it looks like bucher.example and is "
            "another host");
  EXPECT_EQ(
      note("\u0430pi.github.com"),
      "“\u0430pi.github.com”, in letters beyond a to z and of more than one alphabet: it looks "
      "like api.github.com and is another host");
  EXPECT_EQ(note("\u0430\u0440\u0440\u04CF\u0435.com"),
            "“\u0430\u0440\u0440\u04CF\u0435.com”, in letters beyond a to z: it looks like "
            "apple.com and is another host")
      << "one alphabet alone can look like another";
  EXPECT_EQ(note("пример.example"), "“пример.example”, in letters beyond a to z");
  EXPECT_THAT(note("g\u03BF\u03BFgle.com"), HasSubstr("looks like google.com"));
  EXPECT_EQ(note("日本語.example"), "“日本語.example”, in letters beyond a to z");
  EXPECT_EQ(note("東京tower.example"), "“東京tower.example”, in letters beyond a to z")
      << "which belong together";
  EXPECT_THAT(note("日本\u0430.example"), HasSubstr("of more than one alphabet"));
}

TEST(HostNames, A84_AreExplainedWhereverTheyStandInAText) {
  EXPECT_EQ(with_name_notes("GET https://api.example/x"), "GET https://api.example/x");
  const std::string shown =
      with_name_notes("network=tcp:xn--bcher-kva.example:443 and *.xn--bcher-kva.example.");
  EXPECT_THAT(shown, HasSubstr("tcp:xn--bcher-kva.example (“bücher.example”, in letters"));
  EXPECT_THAT(shown, HasSubstr("*.xn--bcher-kva.example. (“"));
  EXPECT_EQ(with_name_notes("xn--"), "xn-- (a name in letters that cannot be shown)");
}

}  // namespace
}  // namespace belljar::policy
