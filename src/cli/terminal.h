// Where a command's words go: results to standard output, everything else to standard error.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "store/paths.h"
#include "support/json.h"
#include "support/text.h"

namespace belljar::cli {

/// Which words stand out. Words stay as they are where colours are not wanted.
class Style {
 public:
  explicit Style(bool colours) : colours_(colours) {}
  [[nodiscard]] std::string bold(std::string_view text) const { return wrap("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return wrap("2", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return wrap("32", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return wrap("31", text); }
  [[nodiscard]] std::string warning(std::string_view text) const { return wrap("33", text); }
  [[nodiscard]] std::string name(std::string_view text) const { return wrap("36", text); }
  [[nodiscard]] bool colours() const noexcept { return colours_; }
  [[nodiscard]] Colours kept() const noexcept {
    return colours_ ? Colours::keep : Colours::take_out;
  }

 private:
  [[nodiscard]] std::string wrap(std::string_view code, std::string_view text) const;
  bool colours_;
};

/// The two streams of a command, whether they are terminals, and whether JSON is wanted.
///
/// Whatever is written here, nothing leaves that a terminal would act upon but line breaks and the
/// colours of `Style`, and nothing that it would not show. Words of others are quoted by whoever
/// shows them (`quoted`, `quoted_lines`).
class Terminal {
 public:
  /// Colours are used on terminals, unless NO_COLOR is set or TERM is `dumb`.
  Terminal(std::FILE* out, std::FILE* error, const store::GetVariable& variable);

  /// `--json`: one JSON document on standard output, whatever happens.
  bool json = false;

  [[nodiscard]] const Style& out_style() const noexcept { return out_style_; }
  [[nodiscard]] const Style& error_style() const noexcept { return error_style_; }
  [[nodiscard]] bool error_is_terminal() const noexcept { return error_is_terminal_; }
  [[nodiscard]] const store::GetVariable& variable() const noexcept { return variable_; }

  /// Writes to standard output, with a line break.
  void print(std::string_view text);
  void print_json(const Json& document);
  /// JSON that is written already, as a tool's result is.
  void print_json_text(std::string_view document);
  /// Writes to standard error, with a line break.
  void note(std::string_view text);
  /// `belljar: …` on standard error. Further lines are shown as words of others.
  void warn(std::string_view text);
  /// For progress: overwrites the line that was shown last on a terminal.
  void show_progress(std::string_view line);
  void clear_progress();
  void flush();

 private:
  std::FILE* out_;
  std::FILE* error_;
  store::GetVariable variable_;
  bool error_is_terminal_;
  Style out_style_;
  Style error_style_;
  bool progress_shown_ = false;
};

}  // namespace belljar::cli
