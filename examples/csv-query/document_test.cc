#include "document.h"

#include <gtest/gtest.h>

namespace csv_query {
namespace {

std::expected<Document, Malformed> parse(std::string_view text) {
  return Document::parse({text.begin(), text.end()});
}

std::uint32_t malformed_line(std::string_view text) {
  const auto document = parse(text);
  return document ? 0 : document.error().line;
}

TEST(DocumentTest, ReadsQuotesCommasAndLineEndsWithinCells) {
  const auto document =
      parse("name,note\r\n\"Washington, D.C.\",\"says \"\"hello\"\"\r\ntwice\"\r\n");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->row_count(), 1U);
  EXPECT_EQ(document->cell(0, 0), "Washington, D.C.");
  EXPECT_EQ(document->cell(0, 1), "says \"hello\"\r\ntwice");
}

TEST(DocumentTest, EndsLinesInAnyOfTheThreeWaysAndSkipsBlankOnes) {
  const auto document = parse("a\r\n\r\n1\n\n2\r3");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->row_count(), 3U);
  EXPECT_EQ(document->line(0), 3U);
  EXPECT_EQ(document->line(1), 5U);
  EXPECT_EQ(document->line(2), 6U);
}

TEST(DocumentTest, CountsTheLinesWithinQuotedCells) {
  const auto document = parse("a,b\n\"1\n2\n3\",x\n4,y\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->line(1), 5U);
}

TEST(DocumentTest, SkipsAByteOrderMarkAlsoBeforeAQuote) {
  const auto document = parse("\xEF\xBB\xBF\"a\"\n1\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->columns()[0], "a");
}

TEST(DocumentTest, KeepsEmptyCellsAtTheEndOfARow) {
  const auto document = parse("a,b,c\n,,\n");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->row_count(), 1U);
  EXPECT_EQ(document->cell(0, 2), "");
}

TEST(DocumentTest, MakesNamesUnique) {
  const auto document = parse("a,a,,a (2)\n");
  ASSERT_TRUE(document);
  const std::vector<std::string> names(document->columns().begin(), document->columns().end());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "a (2)", "column 3", "a (2) (2)"}));
}

TEST(DocumentTest, HasNoColumnsInAnEmptyFile) {
  for (const std::string_view text : {"", "\n\r\n", "\xEF\xBB\xBF"}) {
    const auto document = parse(text);
    ASSERT_TRUE(document);
    EXPECT_TRUE(document->columns().empty());
    EXPECT_EQ(document->row_count(), 0U);
  }
}

TEST(DocumentTest, NamesTheLineOfWhatIsNotCsv) {
  EXPECT_EQ(malformed_line("a,b\n1,2\n3\n"), 3U) << "a row that is too short";
  EXPECT_EQ(malformed_line("a\n1\n\"2\n\n"), 3U) << "a quote that never closes";
  EXPECT_EQ(malformed_line("a\n\"1\n\"2\n"), 3U) << "text after a closing quote";
  EXPECT_EQ(malformed_line("a\n1\"2\n"), 2U) << "a quote within an unquoted cell";
}

TEST(DocumentTest, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(malformed_line("a\n\xFF\n"), 2U) << "no lead byte";
  EXPECT_EQ(malformed_line("a\n\xC0\xAF\n"), 2U) << "an overlong form";
  EXPECT_EQ(malformed_line("a\n\xED\xA0\x80\n"), 2U) << "a surrogate";
  EXPECT_EQ(malformed_line("a\n\xF4\x90\x80\x80\n"), 2U) << "past the last code point";
  EXPECT_EQ(malformed_line("a\n\xE2\x82"), 2U) << "cut short at the end";
  EXPECT_EQ(malformed_line("a\n\xF0\x9F\x98\x80\n"), 0U) << "four bytes are fine";
}

}  // namespace
}  // namespace csv_query
