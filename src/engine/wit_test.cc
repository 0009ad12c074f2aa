#include "engine/wit.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::engine {
namespace {

using testing::HasSubstr;

/// A description with these types and one function of these parameters.
std::string description(std::string_view types, std::string_view parameters) {
  return fmt::format(
      R"({{"kind":"component","imports":[],"types":[{}],"functions":[{{"interface":"","name":"f",)"
      R"("kind":"function","async":false,"params":[{}]}}]}})",
      types, parameters);
}

std::string problem_with(std::string_view types, std::string_view parameters = "") {
  const auto read = parse_description(description(types, parameters));
  return read ? "" : read.error().describe();
}

TEST(DescriptionTest, TypesReferToThoseBeforeThem) {
  constexpr std::string_view list = R"({"kind":"list","element":"u8"})";
  EXPECT_EQ(problem_with(list, R"({"name":"a","type":0})"), "");
  for (const char* const wrong : {"1", "-1", "0.5", "1e30", "4294967296", "true", "[]"}) {
    EXPECT_NE(problem_with(list, fmt::format(R"({{"name":"a","type":{}}})", wrong)), "") << wrong;
  }
  EXPECT_NE(problem_with(R"({"kind":"list","element":0})"), "") << "a type within itself";
}

// What reads descriptions takes their types out without asking.
TEST(DescriptionTest, FieldsAndParametersHaveTypes) {
  EXPECT_THAT(problem_with(R"({"kind":"record","fields":[{"name":"a"}]})"), HasSubstr("no type"));
  EXPECT_THAT(problem_with("", R"({"name":"a"})"), HasSubstr("no type"));
  EXPECT_THAT(problem_with("", R"({"name":"a","type":null})"), HasSubstr("no type"));
  EXPECT_EQ(problem_with(R"({"kind":"variant","cases":[{"name":"a"}]})"), "");
}

TEST(DescriptionTest, WhatIsMissingOrUnknownIsAnError) {
  for (const char* const text :
       {"", "[]", "{}", R"({"kind":"component"})",
        R"({"kind":"component","imports":[1],"types":[],"functions":[]})",
        R"({"kind":"component","imports":[],"types":[{"kind":"frob"}],"functions":[]})"}) {
    EXPECT_FALSE(parse_description(text)) << text;
  }
}

}  // namespace
}  // namespace belljar::engine
