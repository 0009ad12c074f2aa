#include "toolbox/docs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::toolbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

FunctionDocs read(std::string docs, const std::vector<std::string>& parameters) {
  engine::Function function;
  function.docs = std::move(docs);
  for (const std::string& name : parameters) function.parameters.push_back({name, {}, {}});
  return read_docs(function);
}

TEST(DocsTest, GiveEachParameterItsLine) {
  const FunctionDocs docs =
      read("Looks up the weather.\n\n- `city`: its name\n- `days`: how many", {"city", "days"});
  EXPECT_EQ(docs.description, "Looks up the weather.");
  EXPECT_THAT(docs.parameters, ElementsAre(Pair("city", "its name"), Pair("days", "how many")));
}

TEST(DocsTest, JoinTheLinesOfOneItem) {
  const FunctionDocs docs = read(
      "Looks up.\n- `city`: its name,\n  in any language,\nalso an old one\n- `days`:\n  how "
      "many\n",
      {"city", "days"});
  EXPECT_EQ(docs.description, "Looks up.");
  EXPECT_THAT(docs.parameters,
              ElementsAre(Pair("city", "its name, in any language, also an old one"),
                          Pair("days", "how many")));
}

TEST(DocsTest, KeepWhatFollowsAfterAnEmptyLine) {
  const FunctionDocs docs =
      read("Looks up.\n\n- `city`: its name\n\nIs slow at night.\n\nAnd on Sundays.", {"city"});
  EXPECT_EQ(docs.description, "Looks up.\n\nIs slow at night.\n\nAnd on Sundays.");
  EXPECT_THAT(docs.parameters, ElementsAre(Pair("city", "its name")));
}

TEST(DocsTest, LeaveOtherListsWhereTheyAre) {
  const std::string text =
      "Gives one of:\n\n- `rain`: it rains\n- plain words\n- `city` is a name\n* `city`: a star";
  const FunctionDocs docs = read(text, {"city"});
  EXPECT_EQ(docs.description, text);
  EXPECT_THAT(docs.parameters, IsEmpty());
}

TEST(DocsTest, TakeOnlyTheFirstItemAboutAParameter) {
  const FunctionDocs docs = read("- `city`: its name\n- `city`: again", {"city"});
  EXPECT_EQ(docs.description, "- `city`: again");
  EXPECT_THAT(docs.parameters, ElementsAre(Pair("city", "its name")));
}

TEST(DocsTest, EndAnItemWhereSomethingElseBegins) {
  const FunctionDocs docs =
      read("- `city`: its name\n# Notes\n- `days`: how many\n```\ncode\n```", {"city", "days"});
  EXPECT_EQ(docs.description, "# Notes\n```\ncode\n```");
  EXPECT_THAT(docs.parameters, ElementsAre(Pair("city", "its name"), Pair("days", "how many")));
}

TEST(DocsTest, AreEmptyForAFunctionWithoutAny) {
  const FunctionDocs docs = read("", {"city"});
  EXPECT_THAT(docs.description, IsEmpty());
  EXPECT_THAT(docs.parameters, IsEmpty());
}

}  // namespace
}  // namespace belljar::toolbox
