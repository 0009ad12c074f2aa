#include "support/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/text.h"

namespace belljar {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;

constexpr Bytes limit{64 * 1024};

std::string problem_with(std::string_view text) {
  const auto json = parse_json(text, limit);
  return json ? "" : json.error().message();
}

TEST(JsonText, OrdinaryTextIsReadAndKeysKeepTheirOrder) {
  const auto json = parse_json(R"({"z": 1, "a": [true, null, "é", 1.5]})", limit);
  ASSERT_TRUE(json) << json.error().describe();
  EXPECT_EQ(json->dump(), R"({"z":1,"a":[true,null,"é",1.5]})");
}

TEST(JsonText, MalformedTextIsRepairedInOneWay) {
  for (const std::string_view text :
       {"\xE5\xA8"sv, "a\xE5\xA8\0b"sv, "\xFF\xFE"sv, "\xF0\x9F\x98"sv}) {
    const auto json = parse_json(json_string(text), limit);
    ASSERT_TRUE(json) << json.error().message();
    EXPECT_EQ(json->get<std::string>(), clean_utf8(text));
  }
}

TEST(JsonText, AKeyThatIsGivenTwiceIsRefusedByName) {
  EXPECT_THAT(problem_with(R"({"a": 1, "a": 2})"), HasSubstr("\"a\" is given twice"));
  EXPECT_THAT(problem_with(R"({"x": [{"a": 1, "\u0061": 2}]})"), HasSubstr("\"a\" is given twice"))
      << "an escaped spelling is the same key";
  EXPECT_EQ(problem_with(R"({"a": {"a": 1}, "b": {"a": 1}})"), "")
      << "the same key in different objects is no repetition";
}

TEST(JsonText, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(problem_with(nested(64)), "");
  EXPECT_THAT(problem_with(nested(66)), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(problem_with(std::string(30'000, '[')), HasSubstr("nested deeper than 64"))
      << "unfinished nesting is stopped by the same bound";
  EXPECT_THAT(problem_with(std::string(60'000, '[')), HasSubstr("nested deeper than 64"));
}

TEST(JsonText, SizeIsBoundedBeforeAnythingIsParsed) {
  EXPECT_THAT(problem_with(std::string(limit.value + 1, ' ')), HasSubstr("at most 64 KiB"));
}

TEST(JsonText, WhatIsNotJsonIsRefused) {
  for (const std::string_view bad :
       {""sv, "{"sv, "{}x"sv, "NaN"sv, "[1,]"sv, "{'a':1}"sv, "\"\xFF\""sv, "\"\\ud800\""sv,
        "\xEF\xBB\xBF"sv, "[1e999]"sv, "\"a\0b\""sv, "// c\n1"sv, "01"sv}) {
    EXPECT_NE(problem_with(bad), "") << "\"" << bad << "\" was read";
  }
}

TEST(JsonText, StringsAreWrittenSoThatTheyReadBackTheSame) {
  for (const std::string_view text : {""sv, "plain"sv, "\"\\/"sv, "a\nb\rc\td\be\ff"sv,
                                      "nul\0nul"sv, "é€😀"sv, "\x1f\x7f"sv, "</script>"sv}) {
    const auto back = parse_json(json_string(text), limit);
    ASSERT_TRUE(back) << json_string(text);
    EXPECT_EQ(back->get<std::string>(), text);
    EXPECT_EQ(json_string(text).find('\n'), std::string::npos) << "a frame is one line";
  }
}

TEST(JsonText, MalformedUtf8BecomesAReplacementAndNotAnError) {
  EXPECT_EQ(json_string("a\xFF"
                        "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  std::string out = "x";
  append_json_string(out, "\xC3");
  EXPECT_EQ(out, "x\"\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace belljar
