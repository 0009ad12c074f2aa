#include "policy/path_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "policy/path_readings.h"

namespace belljar::policy {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;

std::string canonical(std::string_view path) {
  const auto result = canonical_path(path);
  return result ? *result : "refused";
}

/// Whether a request for `path` falls under the pattern, the way a rule asks.
bool covers(std::string_view pattern, std::string_view path) {
  const auto parsed = PathPattern::parse(pattern);
  EXPECT_TRUE(parsed) << parsed.error().describe();
  const auto readings = PathReadings::of(path);
  return parsed && readings &&
         std::all_of(readings->all().begin(), readings->all().end(),
                     [&](const std::string& reading) { return parsed->matches(reading); });
}

/// Whether a denial of the pattern closes the path.
bool closes(std::string_view pattern, std::string_view path) {
  const auto parsed = PathPattern::parse(pattern);
  EXPECT_TRUE(parsed) << parsed.error().describe();
  const auto readings = PathReadings::of(path);
  return parsed && (!readings || std::any_of(readings->all().begin(), readings->all().end(),
                                             [&](const std::string& reading) {
                                               return parsed->may_match(reading);
                                             }));
}

TEST(Paths, AreBroughtIntoOneForm) {
  EXPECT_EQ(canonical(""), "/");
  EXPECT_EQ(canonical("/"), "/");
  EXPECT_EQ(canonical("/a/b"), "/a/b");
  EXPECT_EQ(canonical("/a/"), "/a/");
  EXPECT_EQ(canonical("/%61%2Db%5F%7e"), "/a-b_~");
  EXPECT_EQ(canonical("/a/./b"), "/a/b");
  EXPECT_EQ(canonical("/a/../b"), "/b");
  EXPECT_EQ(canonical("/a/b/.."), "/a/");
  EXPECT_EQ(canonical("/a/."), "/a/");
  EXPECT_EQ(canonical("/../../a"), "/a") << "nothing is above the root";
  EXPECT_EQ(canonical("/..."), "/...");
}

TEST(Paths, A47_EncodedDotSegmentsAreDotSegments) {
  EXPECT_EQ(canonical("/v1/%2e%2e/admin"), "/admin");
  EXPECT_EQ(canonical("/v1/.%2E/admin"), "/admin");
  EXPECT_EQ(canonical("/v1/%2e/x"), "/v1/x");
}

TEST(Paths, A47_OneEncodingIsDecodedAndNotTwo) {
  EXPECT_EQ(canonical("/%252e%252e/x"), "/%252e%252e/x");
  EXPECT_EQ(canonical("/a%25b"), "/a%25b");
}

TEST(Paths, EncodingsThatMeanTheSameAreTheSame) {
  EXPECT_EQ(canonical("/caf%c3%a9"), "/caf%C3%A9") << "the case of the digits means nothing";
  EXPECT_EQ(canonical("/a%3Ab%40c%21"), "/a:b@c!");
  EXPECT_EQ(canonical("/a%2ab"), "/a%2Ab") << "a star stays encoded: patterns have their own";
  EXPECT_EQ(canonical("/a%20b"), "/a%20b");
  EXPECT_EQ(canonical("/a%3fb%23c"), "/a%3Fb%23c")
      << "a query or fragment is not begun by decoding";
}

TEST(Paths, A47_WhatServersReadInDifferentWaysIsRefused) {
  for (const std::string_view path :
       {"/a%2fb"sv,      "/a%2Fb"sv,   "/a%5cb"sv,       "/a\\b"sv,        "/a%00"sv,
        "//"sv,          "/a//b"sv,    "//evil"sv,       "/a/%2e%2e//b"sv, "/a/..;/b"sv,
        "/a/..;x=1/b"sv, "/a/.;/b"sv,  "/a/%2e%2e;/b"sv, "/a/..%3b/b"sv,   "/%"sv,
        "/%2"sv,         "/%zz"sv,     "/a%2"sv,         "/%u002f"sv,      "a/b"sv,
        "*"sv,           "http://x/"sv}) {
    EXPECT_EQ(canonical(path), "refused") << path;
  }
  EXPECT_THAT(canonical_path("/a%2fb").error().message(), HasSubstr("\"%2f\""));
}

TEST(PathPatterns, AnExactPathMatchesItselfOnly) {
  EXPECT_TRUE(covers("/v1/users", "/v1/users"));
  EXPECT_FALSE(covers("/v1/users", "/v1/users/"));
  EXPECT_FALSE(covers("/v1/users", "/v1/users/7"));
  EXPECT_FALSE(covers("/v1/users", "/v1/user"));
  EXPECT_FALSE(covers("/v1/users", "/V1/users")) << "paths have case";
}

TEST(PathPatterns, AStarAtTheEndCoversAllBelow) {
  EXPECT_TRUE(covers("/v1/*", "/v1/a"));
  EXPECT_TRUE(covers("/v1/*", "/v1/a/b/c"));
  EXPECT_TRUE(covers("/v1/*", "/v1/"));
  EXPECT_FALSE(covers("/v1/*", "/v1"));
  EXPECT_FALSE(covers("/v1/*", "/v10/a"));
  EXPECT_FALSE(covers("/v1/*", "/"));
  EXPECT_TRUE(covers("/*", "/"));
  EXPECT_TRUE(covers("/*", "/anything/at/all"));
}

TEST(PathPatterns, AStarWithinAPathStaysWithinItsSegment) {
  EXPECT_TRUE(covers("/users/*/posts", "/users/7/posts"));
  EXPECT_FALSE(covers("/users/*/posts", "/users/7/8/posts"));
  EXPECT_TRUE(covers("/files/*.png", "/files/a.b.png"));
  EXPECT_FALSE(covers("/files/*.png", "/files/a/b.png"));
  EXPECT_FALSE(covers("/files/*.png", "/files/a.png/x"));
  EXPECT_TRUE(covers("/a*b*c", "/aXbYbZc"));
  EXPECT_FALSE(covers("/a*b*c", "/aXbYbZ"));
}

TEST(PathPatterns, A47_NoSpellingLeadsOutOfAPattern) {
  EXPECT_FALSE(covers("/v1/*", "/v1/../admin"));
  EXPECT_FALSE(covers("/v1/*", "/v1/%2e%2e/admin"));
  EXPECT_FALSE(covers("/v1/*", "/v1/a/../../admin"));
  EXPECT_FALSE(covers("/v1/*", "/v1/..%2fadmin"));
  EXPECT_FALSE(covers("/v1/*", "/v1/..;/admin"));
  EXPECT_FALSE(covers("/v1/*", "/v1//../admin"));
  EXPECT_FALSE(covers("/v1/*", "/x/../v1/a")) << "some servers look at the first name";
  // What NFKC, and decoders that take too much, make of a path.
  for (const char* path :
       {"/v1/%EF%B8%B0/admin", "/v1/%EF%B9%AA2e%EF%B9%AA2e/admin", "/v1/..%EF%B9%AA2fadmin",
        "/v1/..%EF%B8%94/admin", "/v1/..%EF%B9%94/admin", "/v1/..%EF%B8%96/admin",
        "/v1/..%E2%81%87", "/v1/..%f8%80%80%80%afadmin", "/v1/..%fc%80%80%80%80%afadmin",
        "/v1/%f8%80%80%80%ae%f8%80%80%80%ae/admin", "/v1/..%c1%1cadmin",
        "/v1/%c0%2e%c0%2e/admin"}) {
    EXPECT_FALSE(covers("/v1/*", path)) << path;
  }
}

TEST(PathPatterns, A47_NoSpellingLeadsAroundADenial) {
  for (const char* path : {"/admin", "/%61dmin", "/x/../admin", "/./admin", "/%2e/admin", "/ADMIN",
                           "/admin/", "/admin;x", "/%2561dmin", "//admin", "/%EF%BD%81dmin",
                           "/admin%20", "/admin.", "/admin%00.png", "/adm%C3%AFn",
                           "/%f8%80%80%81%a1dmin", "/%fc%80%80%80%81%a1dmin", "/%c1%21dmin"}) {
    EXPECT_TRUE(closes("/admin", path)) << path;
  }
  for (const char* path : {"/admins", "/v1/admin", "/a/admin", "/admi", "/%E7%AE%A1%E7%90%86"}) {
    EXPECT_FALSE(closes("/admin", path)) << path;
  }
  EXPECT_TRUE(closes("/admin/*", "/admin")) << "with or without the slash it is one place to many";
  EXPECT_FALSE(closes("/admin/*", "/admins"));
  EXPECT_TRUE(covers("/a:b", "/a%3Ab"));
  EXPECT_TRUE(covers("/a%3ab", "/a:b"));
  EXPECT_TRUE(covers("/caf%C3%A9", "/caf%c3%a9"));
}

TEST(PathPatterns, ADenialHoldsForOtherCompositionsOfItsLetters) {
  for (const char* path : {"/caf%C3%A9", "/cafe%CC%81", "/CAF%C3%89", "/caf%E9"}) {
    EXPECT_TRUE(closes("/café", path)) << path;
  }
  EXPECT_TRUE(closes("/админ/*", "/%D0%90%D0%94%D0%9C%D0%98%D0%9D/x"));
  EXPECT_FALSE(closes("/café", "/coffee"));
  EXPECT_FALSE(closes("/админ/*", "/admin/x"));
}

TEST(PathPatterns, ThatServersReadOtherwiseAreRefusedWithTheSpellingToWrite) {
  for (const auto& [text, advice] :
       std::vector<std::pair<const char*, const char*>>{{"/admin;x/*", "write /admin/*"},
                                                        {"/%2561dmin/*", "write /admin/*"},
                                                        {"/admin.", "write /admin"},
                                                        {"/admin%20/*", "write /admin/*"},
                                                        {"/%EF%BD%81dmin", "write /admin"},
                                                        {"/a;b;c", "write /a"},
                                                        {"/a%3b/b", "write /a/b"}}) {
    const auto pattern = PathPattern::parse(text);
    ASSERT_FALSE(pattern) << text;
    EXPECT_THAT(pattern.error().message(), ::testing::EndsWith(advice)) << text;
  }
  for (const char* text : {"/v1/a%20b", "/caf%C3%A9/*", "/.well-known/*", "/a@b:c/*", "/100%25",
                           "/files/*.png", "/a+b", "/v1.2/*"}) {
    EXPECT_TRUE(PathPattern::parse(text)) << text;
  }
}

TEST(PathPatterns, AnEncodedStarIsNoWildcard) {
  EXPECT_FALSE(covers("/a%2Ab", "/aXb"));
  EXPECT_TRUE(covers("/a%2Ab", "/a%2ab"));
}

TEST(PathPatterns, AreMatchedInTimeThatDoesNotExplode) {
  std::string stars = "/";
  for (int i = 0; i < 100; ++i) stars += "*a";
  EXPECT_FALSE(covers(stars + "b", "/" + std::string(2'000, 'a')));
}

TEST(PathPatterns, ThatCouldNeverMatchAreRefused) {
  for (const char* text : {"", "v1/*", "*", "/admin/**", "/**", "/a**b", "/a?b", "/a#b", "/a b",
                           "/a//b", "/a%2fb", "/a\\b", "/%"}) {
    EXPECT_FALSE(PathPattern::parse(text)) << "\"" << text << "\"";
  }
}

}  // namespace
}  // namespace belljar::policy
