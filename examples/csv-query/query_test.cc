#include "query.h"

#include <gtest/gtest.h>

namespace csv_query {
namespace {

using Cells = std::vector<std::vector<std::string>>;

Document document_of(std::string_view text) {
  auto document = Document::parse({text.begin(), text.end()});
  EXPECT_TRUE(document);
  return *std::move(document);
}

Document cities() {
  return document_of(
      "city,country,population,founded\n"
      "Oslo,Norway,709000,1040-01-01\n"
      "Bergen,Norway,292000,1070-01-01\n"
      "Lima,Peru,10092000,1535-01-18\n"
      "Atlantis,,,\n");
}

Table expect_table(const Answer<Table>& answer) {
  EXPECT_TRUE(answer);
  return answer ? *answer : Table{};
}

TEST(QueryTest, InfersTypes) {
  const auto columns =
      describe_columns(document_of("whole,number,code,flag,day,mixed,none\n"
                                   "1,1,007,true,2024-02-29,1,\n"
                                   "-2,2.5e3,010,FALSE,2023-12-31,x,\n"));
  std::vector<ColumnType> types;
  for (const Column& column : columns) types.push_back(column.type);
  EXPECT_EQ(types, (std::vector{ColumnType::kInteger, ColumnType::kNumber, ColumnType::kText,
                                ColumnType::kBoolean, ColumnType::kDate, ColumnType::kText,
                                ColumnType::kEmpty}));
  EXPECT_EQ(columns[0].example, "1");
  EXPECT_EQ(columns[6].example, std::nullopt);
}

TEST(QueryTest, SelectsOrdersAndLimits) {
  const Table table =
      expect_table(select(cities(), {"city"}, {}, {{"population", Direction::kDescending}}, 2));
  EXPECT_EQ(table.rows, (Cells{{"Lima"}, {"Oslo"}}));
  EXPECT_EQ(table.matched, 4U);
}

TEST(QueryTest, PutsEmptyCellsLastEitherWay) {
  for (const Direction direction : {Direction::kAscending, Direction::kDescending}) {
    const Table table =
        expect_table(select(cities(), {"city"}, {}, {{"population", direction}}, 9));
    EXPECT_EQ(table.rows.back().front(), "Atlantis");
  }
}

TEST(QueryTest, OrdersByTheFirstColumnFirst) {
  const Table table = expect_table(
      select(cities(), {"city"}, {},
             {{"country", Direction::kAscending}, {"city", Direction::kAscending}}, 9));
  EXPECT_EQ(table.rows, (Cells{{"Bergen"}, {"Oslo"}, {"Lima"}, {"Atlantis"}}));
}

TEST(QueryTest, ComparesNumbersAsNumbersAndTextAsText) {
  const auto names = [](Filter filter) {
    return expect_table(select(cities(), {"city"}, {std::move(filter)}, {}, 9)).rows;
  };
  EXPECT_EQ(names({"population", Comparison::kGreater, "1e6"}), (Cells{{"Lima"}}));
  EXPECT_EQ(names({"population", Comparison::kLess, "300000"}), (Cells{{"Bergen"}}));
  EXPECT_EQ(names({"founded", Comparison::kLess, "1050"}), (Cells{{"Oslo"}}));
  EXPECT_EQ(names({"city", Comparison::kContains, "lant"}), (Cells{{"Atlantis"}}));
  EXPECT_EQ(names({"country", Comparison::kEqual, ""}), (Cells{{"Atlantis"}}));
}

TEST(QueryTest, DoesNotConfuseLargeWholeNumbers) {
  const Document document = document_of("id\n9007199254740993\n9007199254740992\n");
  const Table table =
      expect_table(select(document, {}, {{"id", Comparison::kEqual, "9007199254740993"}}, {}, 9));
  EXPECT_EQ(table.matched, 1U);
  EXPECT_EQ(expect_table(aggregate(document, {}, {{Operation::kSum, "id"}}, {})).rows,
            (Cells{{"18014398509481985"}}));
}

TEST(QueryTest, AggregatesGroupsInTheOrderOfTheFile) {
  const Table table = expect_table(aggregate(cities(), {"country"},
                                             {{Operation::kCount, std::nullopt},
                                              {Operation::kSum, "population"},
                                              {Operation::kMean, "population"},
                                              {Operation::kMax, "city"}},
                                             {}));
  EXPECT_EQ(table.columns, (std::vector<std::string>{"country", "count", "sum(population)",
                                                     "mean(population)", "max(city)"}));
  EXPECT_EQ(table.rows, (Cells{{"Norway", "2", "1001000", "500500", "Oslo"},
                               {"Peru", "1", "10092000", "10092000", "Lima"},
                               {"", "1", "", "", "Atlantis"}}));
}

TEST(QueryTest, CountsNothingAsOneGroup) {
  const Table table =
      expect_table(aggregate(document_of(""), {}, {{Operation::kCount, std::nullopt}}, {}));
  EXPECT_EQ(table.rows, (Cells{{"0"}}));
}

TEST(QueryTest, SaysWhichColumnsThereAre) {
  const auto answer = select(document_of("a,b\n"), {"c"}, {}, {}, 9);
  ASSERT_FALSE(answer);
  const auto& unknown = std::get<UnknownColumn>(answer.error());
  EXPECT_EQ(unknown.name, "c");
  EXPECT_EQ(unknown.available, (std::vector<std::string>{"a", "b"}));
}

TEST(QueryTest, SaysWhichCellIsNoNumber) {
  const auto answer = aggregate(document_of("a\n1\nx\n"), {}, {{Operation::kSum, "a"}}, {});
  ASSERT_FALSE(answer);
  const auto& cell = std::get<NotANumber>(answer.error());
  EXPECT_EQ(cell.column, "a");
  EXPECT_EQ(cell.line, 3U);
  EXPECT_EQ(cell.value, "x");
}

TEST(QueryTest, RefusesAMeasureWithoutItsColumn) {
  EXPECT_FALSE(aggregate(cities(), {}, {{Operation::kMean, std::nullopt}}, {}));
  EXPECT_FALSE(aggregate(cities(), {}, {}, {}));
}

}  // namespace
}  // namespace csv_query
