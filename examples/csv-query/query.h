// The questions that can be asked of a document, in the terms of C++; wit/world.wit says what each
// of them means.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "document.h"

namespace csv_query {

// The order of the enumerators below is that of the WIT file: the numbers cross the border.

enum class ColumnType : std::uint8_t { kInteger, kNumber, kBoolean, kDate, kText, kEmpty };

struct Column {
  std::string name;
  ColumnType type;
  std::optional<std::string> example;
};

enum class Comparison : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kContains,
  kStartsWith,
  kEndsWith,
};

struct Filter {
  std::string column;
  Comparison comparison;
  std::string value;
};

enum class Direction : std::uint8_t { kAscending, kDescending };

struct Ordering {
  std::string column;
  Direction direction;
};

enum class Operation : std::uint8_t { kCount, kSum, kMin, kMax, kMean };

struct Measure {
  Operation operation;
  std::optional<std::string> column;
};

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::uint32_t matched = 0;
};

struct UnknownColumn {
  std::string name;
  std::vector<std::string> available;
};

struct NotANumber {
  std::string column;
  std::uint32_t line;
  std::string value;
};

struct InvalidQuestion {
  std::string reason;
};

// Why a question of a document has no answer.
using QueryError = std::variant<UnknownColumn, NotANumber, InvalidQuestion>;

template <typename T>
using Answer = std::expected<T, QueryError>;

// How many rows select() gives where the caller names no limit.
constexpr std::uint32_t kDefaultLimit = 100;

[[nodiscard]] std::vector<Column> describe_columns(const Document& document);

[[nodiscard]] Answer<Table> select(const Document& document,
                                   const std::vector<std::string>& columns,
                                   const std::vector<Filter>& filters,
                                   const std::vector<Ordering>& order_by, std::uint32_t limit);

[[nodiscard]] Answer<Table> aggregate(const Document& document,
                                      const std::vector<std::string>& group_by,
                                      const std::vector<Measure>& measures,
                                      const std::vector<Filter>& filters);

}  // namespace csv_query
