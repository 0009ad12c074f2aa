#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace belljar::cli {
namespace {

constexpr std::size_t longest_warning = 4'000;

bool wants_colours(std::FILE* stream, const store::GetVariable& variable) {
  const auto refusal = variable("NO_COLOR");
  if ((refusal && !refusal->empty()) || variable("TERM") == "dumb") return false;
  return ::isatty(::fileno(stream)) == 1;
}

void write(std::FILE* stream, std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stream));
}

}  // namespace

std::string Style::wrap(std::string_view code, std::string_view text) const {
  if (!colours_) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

Terminal::Terminal(std::FILE* out, std::FILE* error, const store::GetVariable& variable)
    : out_(out),
      error_(error),
      variable_(variable),
      error_is_terminal_(::isatty(::fileno(error)) == 1),
      out_style_(wants_colours(out, variable)),
      error_style_(wants_colours(error, variable)) {}

void Terminal::print(std::string_view text) {
  clear_progress();
  write(out_, for_terminal(text, out_style_.kept()));
  if (!text.ends_with('\n')) write(out_, "\n");
}

void Terminal::print_json(const Json& document) {
  print_json_text(document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void Terminal::print_json_text(std::string_view document) {
  clear_progress();
  write(out_, visible_json(document));
  write(out_, "\n");
}

void Terminal::note(std::string_view text) {
  clear_progress();
  write(error_, for_terminal(text, error_style_.kept()));
  if (!text.ends_with('\n')) write(error_, "\n");
}

void Terminal::warn(std::string_view text) {
  note(fmt::format("{} {}", error_style_.bold("belljar:"),
                   with_quoted_lines(text, longest_warning)));
}

void Terminal::show_progress(std::string_view line) {
  if (!error_is_terminal_) return;
  write(error_, "\r\x1b[2K");
  write(error_, one_line(line, 400));
  std::fflush(error_);
  progress_shown_ = true;
}

void Terminal::clear_progress() {
  if (!std::exchange(progress_shown_, false)) return;
  write(error_, "\r\x1b[2K");
  std::fflush(error_);
}

void Terminal::flush() {
  std::fflush(out_);
  std::fflush(error_);
}

}  // namespace belljar::cli
