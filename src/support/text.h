// Text that comes from outside and is shown to people or models.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belljar {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view text);

/// The text with U+FFFD where it is not well-formed UTF-8.
[[nodiscard]] std::string clean_utf8(std::string_view text);

/// Text with what could fool its reader taken out.
struct CleanText {
  std::string text;
  /// Whether anything was taken out.
  bool changed = false;
};

/// Removes control characters (but newline and tab), ANSI sequences, bidirectional overrides,
/// invisible and private-use characters, and malformed UTF-8; cuts at `limit` bytes.
[[nodiscard]] CleanText clean_text(std::string_view text, std::size_t limit);

/// One line for a terminal or a log: clean, without newlines, cut with an ellipsis.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t limit = 200);

/// The text as one word for a shell: in single quotes where it needs any.
[[nodiscard]] std::string shell_word(std::string_view text);

/// The candidate that `text` was most likely meant to be, if one is close.
[[nodiscard]] std::optional<std::string> closest(std::string_view text,
                                                 std::span<const std::string> candidates);

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view trim(std::string_view text);

}  // namespace belljar
