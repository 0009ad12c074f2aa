#include "document.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace csv_query {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// The length of the well-formed UTF-8 sequence that text starts with, or 0 where there is none:
// table 3-7 of the Unicode standard, so no overlong forms, no surrogates, nothing past U+10FFFF.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// Takes a file apart, cell by cell. Quoted cells are unescaped in place: they only get shorter.
class Reader {
 public:
  explicit Reader(std::span<char> text) : text_(text) {
    if (view().starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] std::uint32_t line() const { return line_; }

  // The line of the first byte that is not UTF-8, where there is one. The host would end a guest
  // that hands it such a string, so this is asked before anything else.
  [[nodiscard]] std::optional<Malformed> not_utf8() const {
    std::uint32_t line = 1;
    for (std::size_t i = 0; i < text_.size();) {
      const std::size_t length = sequence_length(view().substr(i));
      if (length == 0) return Malformed{line, "the file is not UTF-8 text"};
      if (text_[i] == '\n' || (text_[i] == '\r' && !is_byte(i + 1, '\n'))) ++line;
      i += length;
    }
    return std::nullopt;
  }

  void skip_blank_lines() {
    while (!at_end() && is_line_end(text_[at_])) end_line();
  }

  // Reads one row into cells; at_end() must not hold.
  [[nodiscard]] std::expected<void, Malformed> read_row(std::vector<std::string_view>& cells) {
    while (true) {
      auto cell = is_byte(at_, '"') ? quoted_cell() : plain_cell();
      if (!cell) return std::unexpected(std::move(cell).error());
      cells.push_back(*cell);
      if (is_byte(at_, ',')) {
        ++at_;
        continue;
      }
      if (!at_end()) end_line();
      return {};
    }
  }

 private:
  [[nodiscard]] std::string_view view() const { return {text_.data(), text_.size()}; }
  [[nodiscard]] bool is_byte(std::size_t i, char c) const {
    return i < text_.size() && text_[i] == c;
  }

  void end_line() {
    at_ += is_byte(at_, '\r') && is_byte(at_ + 1, '\n') ? 2 : 1;
    ++line_;
  }

  [[nodiscard]] std::expected<std::string_view, Malformed> plain_cell() {
    const std::size_t start = at_;
    while (!at_end() && text_[at_] != ',' && !is_line_end(text_[at_])) {
      if (text_[at_] == '"') {
        return std::unexpected(Malformed{
            line_,
            "a quote within a cell that does not start with one; quote the whole cell and "
            "double the quotes in it"});
      }
      ++at_;
    }
    return view().substr(start, at_ - start);
  }

  [[nodiscard]] std::expected<std::string_view, Malformed> quoted_cell() {
    const std::uint32_t first_line = line_;
    const std::size_t start = ++at_;
    std::size_t end = start;  // where the unescaped text ends
    while (!at_end()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!is_byte(at_ + 1, '"')) break;
        ++at_;
      } else if (c == '\n' || (c == '\r' && !is_byte(at_ + 1, '\n'))) {
        ++line_;
      }
      text_[end++] = c;
      ++at_;
    }
    if (at_end()) {
      return std::unexpected(
          Malformed{first_line, "a quoted cell starts on this line and never ends"});
    }
    ++at_;
    if (!at_end() && text_[at_] != ',' && !is_line_end(text_[at_])) {
      return std::unexpected(Malformed{line_, "text follows the closing quote of a cell"});
    }
    return view().substr(start, end - start);
  }

  std::span<char> text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
};

std::vector<std::string> unique_names(const std::vector<std::string_view>& header) {
  std::vector<std::string> names;
  names.reserve(header.size());
  for (const std::string_view cell : header) {
    const std::string wanted =
        cell.empty() ? "column " + std::to_string(names.size() + 1) : std::string(cell);
    std::string name = wanted;
    for (int i = 2; std::ranges::find(names, name) != names.end(); ++i) {
      name = wanted + " (" + std::to_string(i) + ")";
    }
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

std::expected<Document, Malformed> Document::parse(std::vector<char> text) {
  Document document;
  document.text_ = std::move(text);
  Reader reader(document.text_);
  if (auto malformed = reader.not_utf8()) return std::unexpected(*std::move(malformed));

  reader.skip_blank_lines();
  if (reader.at_end()) return document;
  std::vector<std::string_view> header;
  if (auto read = reader.read_row(header); !read) return std::unexpected(std::move(read).error());
  document.columns_ = unique_names(header);

  for (reader.skip_blank_lines(); !reader.at_end(); reader.skip_blank_lines()) {
    const std::uint32_t line = reader.line();
    const std::size_t before = document.cells_.size();
    if (auto read = reader.read_row(document.cells_); !read) {
      return std::unexpected(std::move(read).error());
    }
    const std::size_t count = document.cells_.size() - before;
    if (count != document.columns_.size()) {
      return std::unexpected(
          Malformed{line, "cells in the row: " + std::to_string(count) +
                              ", in the header: " + std::to_string(document.columns_.size())});
    }
    document.lines_.push_back(line);
  }
  return document;
}

}  // namespace csv_query
