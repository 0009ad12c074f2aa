#include "query.h"

#include <algorithm>
#include <compare>
#include <map>
#include <ranges>
#include <utility>

#include "number.h"

namespace csv_query {
namespace {

using RowIndex = std::size_t;
using ColumnIndex = std::size_t;

Answer<ColumnIndex> find_column(const Document& document, std::string_view name) {
  const auto names = document.columns();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    return std::unexpected(UnknownColumn{std::string(name), {names.begin(), names.end()}});
  }
  return static_cast<ColumnIndex>(found - names.begin());
}

Answer<std::vector<ColumnIndex>> find_columns(const Document& document,
                                              const std::vector<std::string>& names) {
  std::vector<ColumnIndex> found;
  found.reserve(names.size());
  for (const std::string& name : names) {
    auto column = find_column(document, name);
    if (!column) return std::unexpected(std::move(column).error());
    found.push_back(*column);
  }
  return found;
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

// Whether text has the form 2026-01-31 with a month and a day that exist in some year.
bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (const char c : text.substr(at, length)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (number(0, 4) < 0 || month < 1 || month > 12 || day < 1) return false;
  if (month == 2) return day <= 29;
  return day <= (month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31);
}

ColumnType type_of(std::string_view cell) {
  if (const auto number = parse_number(cell)) {
    return std::holds_alternative<std::int64_t>(*number) ? ColumnType::kInteger
                                                         : ColumnType::kNumber;
  }
  if (equal_ignoring_case(cell, "true") || equal_ignoring_case(cell, "false")) {
    return ColumnType::kBoolean;
  }
  return is_date(cell) ? ColumnType::kDate : ColumnType::kText;
}

// The type of a column that holds cells of both types.
ColumnType join(ColumnType left, ColumnType right) {
  if (left == right || right == ColumnType::kEmpty) return left;
  if (left == ColumnType::kEmpty) return right;
  const auto is_numeric = [](ColumnType type) {
    return type == ColumnType::kInteger || type == ColumnType::kNumber;
  };
  return is_numeric(left) && is_numeric(right) ? ColumnType::kNumber : ColumnType::kText;
}

// A cell or a value with its number read once, for filters and for sorting.
struct Operand {
  std::string_view text;
  std::optional<Number> number;

  explicit Operand(std::string_view cell) : text(cell), number(parse_number(cell)) {}
};

std::weak_ordering compare(const Operand& left, const Operand& right) {
  if (left.number && right.number) return compare_numbers(*left.number, *right.number);
  return left.text <=> right.text;
}

// The order of rows and of min and max: numbers before text. Empty cells are the caller's matter.
std::weak_ordering compare_ranked(const Operand& left, const Operand& right) {
  if (left.number.has_value() != right.number.has_value()) {
    return left.number ? std::weak_ordering::less : std::weak_ordering::greater;
  }
  return compare(left, right);
}

bool matches(std::string_view cell, Comparison comparison, const Operand& value) {
  switch (comparison) {
    case Comparison::kEqual: return compare(Operand(cell), value) == 0;
    case Comparison::kNotEqual: return compare(Operand(cell), value) != 0;
    case Comparison::kContains: return cell.contains(value.text);
    case Comparison::kStartsWith: return cell.starts_with(value.text);
    case Comparison::kEndsWith: return cell.ends_with(value.text);
    default: break;
  }
  if (cell.empty()) return false;
  const std::weak_ordering order = compare(Operand(cell), value);
  switch (comparison) {
    case Comparison::kLess: return order < 0;
    case Comparison::kLessOrEqual: return order <= 0;
    case Comparison::kGreater: return order > 0;
    default: return order >= 0;
  }
}

Answer<std::vector<RowIndex>> matching_rows(const Document& document,
                                            const std::vector<Filter>& filters) {
  struct Condition {
    ColumnIndex column;
    Comparison comparison;
    Operand value;
  };
  std::vector<Condition> conditions;
  for (const Filter& filter : filters) {
    auto column = find_column(document, filter.column);
    if (!column) return std::unexpected(std::move(column).error());
    conditions.push_back({*column, filter.comparison, Operand(filter.value)});
  }
  std::vector<RowIndex> rows;
  for (RowIndex row = 0; row < document.row_count(); ++row) {
    const bool all_hold = std::ranges::all_of(conditions, [&](const Condition& condition) {
      return matches(document.cell(row, condition.column), condition.comparison, condition.value);
    });
    if (all_hold) rows.push_back(row);
  }
  return rows;
}

Answer<void> sort_rows(const Document& document, const std::vector<Ordering>& order_by,
                       std::vector<RowIndex>& rows) {
  // Sorted by the least important column first: each sort is stable, so that the order of the
  // earlier ones remains where the later ones see no difference.
  for (const Ordering& ordering : order_by | std::views::reverse) {
    const auto column = find_column(document, ordering.column);
    if (!column) return std::unexpected(column.error());
    struct Key {
      RowIndex row;
      Operand cell;
    };
    std::vector<Key> keys;
    keys.reserve(rows.size());
    for (const RowIndex row : rows) keys.push_back({row, Operand(document.cell(row, *column))});
    std::ranges::stable_sort(keys, [&](const Key& left, const Key& right) {
      if (left.cell.text.empty() || right.cell.text.empty()) {
        return !left.cell.text.empty() && right.cell.text.empty();
      }
      const std::weak_ordering order = compare_ranked(left.cell, right.cell);
      return ordering.direction == Direction::kAscending ? order < 0 : order > 0;
    });
    std::ranges::transform(keys, rows.begin(), &Key::row);
  }
  return {};
}

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::kCount: return "count";
    case Operation::kSum: return "sum";
    case Operation::kMin: return "min";
    case Operation::kMax: return "max";
    case Operation::kMean: return "mean";
  }
  std::unreachable();
}

std::string name_of(const Measure& measure) {
  std::string name(name_of(measure.operation));
  if (measure.column) name += "(" + *measure.column + ")";
  return name;
}

// Computes one measure of one group.
Answer<std::string> compute(const Document& document, Operation operation,
                            std::optional<ColumnIndex> column, const std::vector<RowIndex>& rows) {
  if (!column) return std::to_string(rows.size());
  std::uint32_t count = 0;
  Sum sum;
  std::optional<Operand> extreme;
  for (const RowIndex row : rows) {
    const std::string_view text = document.cell(row, *column);
    if (text.empty()) continue;
    ++count;
    if (operation == Operation::kCount) continue;
    const Operand cell(text);
    if (operation == Operation::kMin || operation == Operation::kMax) {
      const bool is_new =
          !extreme || (operation == Operation::kMin ? compare_ranked(cell, *extreme) < 0
                                                    : compare_ranked(cell, *extreme) > 0);
      if (is_new) extreme = cell;
    } else if (cell.number) {
      sum.add(*cell.number);
    } else {
      return std::unexpected(NotANumber{std::string(document.columns()[*column]),
                                        document.line(row), std::string(text)});
    }
  }
  if (operation == Operation::kCount) return std::to_string(count);
  if (count == 0) return std::string();
  if (extreme) return std::string(extreme->text);
  return operation == Operation::kSum ? sum.total() : sum.divided_by(count);
}

}  // namespace

std::vector<Column> describe_columns(const Document& document) {
  std::vector<Column> columns;
  for (ColumnIndex column = 0; column < document.columns().size(); ++column) {
    Column description{document.columns()[column], ColumnType::kEmpty, std::nullopt};
    for (RowIndex row = 0; row < document.row_count(); ++row) {
      const std::string_view cell = document.cell(row, column);
      if (cell.empty()) continue;
      if (!description.example) description.example = cell;
      description.type = join(description.type, type_of(cell));
      if (description.type == ColumnType::kText) break;
    }
    columns.push_back(std::move(description));
  }
  return columns;
}

Answer<Table> select(const Document& document, const std::vector<std::string>& columns,
                     const std::vector<Filter>& filters, const std::vector<Ordering>& order_by,
                     std::uint32_t limit) {
  const auto names = document.columns();
  Table table;
  table.columns = columns.empty() ? std::vector<std::string>(names.begin(), names.end()) : columns;
  const auto wanted = find_columns(document, table.columns);
  if (!wanted) return std::unexpected(wanted.error());
  auto rows = matching_rows(document, filters);
  if (!rows) return std::unexpected(std::move(rows).error());
  if (auto sorted = sort_rows(document, order_by, *rows); !sorted) {
    return std::unexpected(std::move(sorted).error());
  }
  table.matched = static_cast<std::uint32_t>(rows->size());
  for (const RowIndex row : *rows | std::views::take(limit)) {
    auto& cells = table.rows.emplace_back();
    cells.reserve(wanted->size());
    for (const ColumnIndex column : *wanted) cells.emplace_back(document.cell(row, column));
  }
  return table;
}

Answer<Table> aggregate(const Document& document, const std::vector<std::string>& group_by,
                        const std::vector<Measure>& measures, const std::vector<Filter>& filters) {
  if (group_by.empty() && measures.empty()) {
    return std::unexpected(
        InvalidQuestion{"there is nothing to compute: name a measure or a column to group by"});
  }
  const auto group_columns = find_columns(document, group_by);
  if (!group_columns) return std::unexpected(group_columns.error());
  Table table;
  table.columns = group_by;
  std::vector<std::optional<ColumnIndex>> measured;
  for (const Measure& measure : measures) {
    if (!measure.column && measure.operation != Operation::kCount) {
      return std::unexpected(InvalidQuestion{"the measure " +
                                             std::string(name_of(measure.operation)) +
                                             " needs a column; only count works without one"});
    }
    table.columns.push_back(name_of(measure));
    if (!measure.column) {
      measured.emplace_back(std::nullopt);
      continue;
    }
    const auto column = find_column(document, *measure.column);
    if (!column) return std::unexpected(column.error());
    measured.emplace_back(*column);
  }
  const auto rows = matching_rows(document, filters);
  if (!rows) return std::unexpected(rows.error());

  using GroupKey = std::vector<std::string_view>;
  std::map<GroupKey, std::size_t> places;
  std::vector<std::pair<GroupKey, std::vector<RowIndex>>> groups;
  // One group of all rows is there even where no row is: a count of nothing is 0.
  if (group_by.empty()) groups.emplace_back(GroupKey{}, *rows);
  for (const RowIndex row : group_by.empty() ? std::vector<RowIndex>{} : *rows) {
    GroupKey key;
    for (const ColumnIndex column : *group_columns) key.push_back(document.cell(row, column));
    const auto [place, is_new] = places.try_emplace(key, groups.size());
    if (is_new) groups.emplace_back(std::move(key), std::vector<RowIndex>{});
    groups[place->second].second.push_back(row);
  }

  for (const auto& [key, members] : groups) {
    auto& cells = table.rows.emplace_back(key.begin(), key.end());
    for (std::size_t i = 0; i < measures.size(); ++i) {
      auto value = compute(document, measures[i].operation, measured[i], members);
      if (!value) return std::unexpected(std::move(value).error());
      cells.push_back(*std::move(value));
    }
  }
  table.matched = static_cast<std::uint32_t>(table.rows.size());
  return table;
}

}  // namespace csv_query
