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

/// Words of an agent, a tool, a file or another machine, as a person is shown them: “…”, clean, on
/// one line, cut, and with nothing in them that could end the quotation. Say in front whose they
/// are.
[[nodiscard]] std::string quoted(std::string_view words, std::size_t limit = 200);
/// The same for what has lines: each is clean and stands behind `  | `, so that none can be taken
/// for a line of Belljar's.
[[nodiscard]] std::string quoted_lines(std::string_view words, std::size_t limit);
/// A message whose first line is Belljar's own: what follows it is shown as `quoted_lines` shows
/// it.
[[nodiscard]] std::string with_quoted_lines(std::string_view message, std::size_t limit);

/// A path that somebody else has named, within a sentence of ours: as it is if it has nothing but
/// letters of ASCII, digits and the marks of a path; quoted otherwise, for words could be taken for
/// ours.
[[nodiscard]] std::string path_in_sentence(std::string_view path, std::size_t limit);
/// The name of a file as a person is shown it: as it is where that is all there is to see, quoted
/// where characters were taken out or lines joined.
[[nodiscard]] std::string shown_name(std::string_view name);

/// JSON with every character that a terminal would act upon, or would not show, as an escape. It
/// stands for the same value.
[[nodiscard]] std::string visible_json(std::string_view json);
/// What may leave for a terminal: without the characters that `clean_text` takes out. The colours
/// that `cli::Style` uses stay where `colours` says so.
enum class Colours { keep, take_out };
[[nodiscard]] std::string for_terminal(std::string_view text, Colours colours);

/// The code points of a text; each byte that is not part of one counts as U+FFFD.
[[nodiscard]] std::u32string code_points(std::string_view text);

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
