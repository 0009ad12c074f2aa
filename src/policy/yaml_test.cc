#include "policy/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::policy {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// What is wrong with a text; empty where it is read.
std::string problem_with(std::string_view text) {
  const auto node = read_yaml(text, "p.yaml");
  if (node) return {};
  EXPECT_EQ(node.error().code(), ErrorCode::invalid_policy);
  return node.error().message();
}

TEST(Yaml, ATreeKnowsThePlaceOfEveryValue) {
  const auto root = read_yaml("a: 1\nb:\n  - x\n  - {c: \"y\"}\n", "p.yaml");
  ASSERT_TRUE(root) << root.error().describe();
  ASSERT_EQ(root->kind, YamlNode::Kind::map);
  EXPECT_EQ(root->keys[1].text, "b");
  EXPECT_EQ(root->keys[1].place.line, 2);
  const YamlNode& inner = root->items[1].items[1];
  ASSERT_EQ(inner.kind, YamlNode::Kind::map);
  EXPECT_EQ(inner.items[0].text, "y");
  EXPECT_TRUE(inner.items[0].quoted);
  EXPECT_EQ(inner.items[0].place.line, 4);
  EXPECT_EQ(inner.items[0].place.column, 9);
  EXPECT_FALSE(root->items[0].quoted);
}

TEST(Yaml, NothingIsToldFromTextThatSaysNull) {
  const auto root = read_yaml("a:\nb: ~\nc: null\nd: \"null\"\ne: ''\n", "p.yaml");
  ASSERT_TRUE(root) << root.error().describe();
  EXPECT_EQ(root->items[0].kind, YamlNode::Kind::null);
  EXPECT_EQ(root->items[1].kind, YamlNode::Kind::null);
  EXPECT_EQ(root->items[2].kind, YamlNode::Kind::null);
  EXPECT_EQ(root->items[3].kind, YamlNode::Kind::scalar);
  EXPECT_EQ(root->items[4].kind, YamlNode::Kind::scalar);
}

TEST(Yaml, JsonIsReadAsTheYamlThatItIs) {
  EXPECT_EQ(problem_with(R"({"version": "1.1", "permissions": {}})"), "");
}

TEST(Yaml, A68_AnAliasBombIsRefusedBeforeAnythingIsExpanded) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += (j > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(problem_with(bomb), StartsWith("p.yaml:1:"));
  EXPECT_THAT(problem_with(bomb), HasSubstr("anchors are not read"));
  EXPECT_THAT(problem_with("a: *b\n"), StartsWith("p.yaml:1:4: ")) << "also one that leads nowhere";
}

TEST(Yaml, AKeyThatIsGivenTwiceIsRefusedWithBothPlaces) {
  EXPECT_EQ(problem_with("a: 1\nb: 2\na: 3\n"),
            "p.yaml:3:1: the key \"a\" is given twice; first in line 1");
  EXPECT_THAT(problem_with("x: {a: 1, \"a\": 2}\n"), HasSubstr("given twice")) << "quotes or none";
  EXPECT_EQ(problem_with("x: {a: 1}\ny: {a: 1}\n"), "");
}

TEST(Yaml, MergeKeysAndTagsAreRefused) {
  EXPECT_THAT(problem_with("a: {b: 1}\nc:\n  <<: *a\n"), StartsWith("p.yaml:3:"));
  EXPECT_THAT(problem_with("a: !!python/object:os.system x\n"), HasSubstr("tags such as"));
  EXPECT_THAT(problem_with("a: !include secrets.yaml\n"), HasSubstr("tags such as"));
  EXPECT_THAT(problem_with("a: !!str 1\n"), StartsWith("p.yaml:1:4: "));
}

TEST(Yaml, A68_ATabForIndentationIsRefusedWithItsPlace) {
  EXPECT_THAT(problem_with("a:\n\tb: 1\n"), StartsWith("p.yaml:2:"));
  EXPECT_THAT(problem_with("a:\n  - x\n\t- y\n"), StartsWith("p.yaml:3:"));
}

TEST(Yaml, NestingAndNumberOfValuesAreBounded) {
  EXPECT_EQ(problem_with(std::string(10, '[') + std::string(10, ']')), "");
  EXPECT_THAT(problem_with(std::string(20, '[') + std::string(20, ']')),
              HasSubstr("nested deeper than 16"));
  EXPECT_THAT(problem_with(std::string(200'000, '[')), StartsWith("p.yaml:1:"))
      << "an unfinished one as well";
  std::string block;
  for (std::size_t i = 0; i < 300; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(problem_with(block), HasSubstr("nested deeper than"));
  std::string many = "[";
  for (int i = 0; i < 20'000; ++i) many += "1,";
  EXPECT_THAT(problem_with(many + "1]"), HasSubstr("more than 10000 values"));
}

TEST(Yaml, A68_AHundredMegabytesAreRefusedUnread) {
  std::string large;
  large.resize(100'000'000, '#');
  EXPECT_THAT(problem_with(large), HasSubstr("at most 256 KiB are read"));
}

TEST(Yaml, WhatIsNotOneDocumentOfUtf8IsRefused) {
  EXPECT_THAT(problem_with(""), HasSubstr("empty"));
  EXPECT_THAT(problem_with("# a comment\n"), HasSubstr("empty"));
  EXPECT_THAT(problem_with("a: 1\n---\nb: 2\n"), HasSubstr("second document"));
  EXPECT_THAT(problem_with("\xEF\xBB\xBF"
                           "a: 1\n"),
              HasSubstr("byte order mark"));
  EXPECT_THAT(problem_with("\xFF\xFE"
                           "a\0"sv),
              HasSubstr("UTF-8"));
  EXPECT_THAT(problem_with("a: \xC0\xAF\n"), HasSubstr("UTF-8"));
}

TEST(Yaml, BrokenTextIsRefusedWithThePlaceWhereItBreaks) {
  for (const std::string_view text :
       {"a: [1\n"sv, "a: 'x\n"sv, "a: {b\n"sv, "a: b: c\n"sv, "- x\na: 1\n"sv, "a: \"\\q\"\n"sv,
        "%YAML 9\n---\na: 1\n"sv, "? [a]\n: 1\n"sv, "{[a]: 1}\n"sv, "a: @x\n"sv, "a: `x\n"sv}) {
    EXPECT_THAT(problem_with(text), StartsWith("p.yaml:")) << "\"" << text << "\" was read";
  }
}

}  // namespace
}  // namespace belljar::policy
