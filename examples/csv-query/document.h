// A CSV file in memory: its column names and its cells, read by the rules of RFC 4180.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace csv_query {

// Where and why a file is not correct CSV.
struct Malformed {
  std::uint32_t line;  // counted from 1
  std::string reason;
};

// The cells of a file. Every row has as many cells as there are columns.
class Document {
 public:
  // Reads a whole file. A byte order mark is skipped, lines end in CRLF, LF or CR, blank lines are
  // skipped, and a file without any line has no columns. What RFC 4180 does not allow (a quote
  // within an unquoted cell, text after a closing quote, rows of different lengths) and what is not
  // UTF-8 is refused with its line.
  [[nodiscard]] static std::expected<Document, Malformed> parse(std::vector<char> text);

  // The names in the header line, made unique: a blank one is called "column 3" after its place,
  // a repeated one "name (2)".
  [[nodiscard]] std::span<const std::string> columns() const { return columns_; }

  [[nodiscard]] std::size_t row_count() const { return lines_.size(); }

  // The cell of a row and a column, which must both exist. The text lives as long as the document.
  [[nodiscard]] std::string_view cell(std::size_t row, std::size_t column) const {
    return cells_[row * columns_.size() + column];
  }

  // The line of the file that a row starts on, counted from 1.
  [[nodiscard]] std::uint32_t line(std::size_t row) const { return lines_[row]; }

 private:
  Document() = default;

  std::vector<char> text_;  // what the cells point into; a vector keeps its place when it is moved
  std::vector<std::string> columns_;
  std::vector<std::string_view> cells_;  // of all rows, one row after the other
  std::vector<std::uint32_t> lines_;
};

}  // namespace csv_query
