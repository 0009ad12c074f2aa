// belljar help: explains a command; with --manual, all of them as a manual page.

#include <fmt/format.h>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

class HelpCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("COMMAND", command_, "The command to explain");
    app.add_flag("--manual", manual_, "Print the manual page, for man -l");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    // Declared anew, so that what is explained is what is parsed.
    const CommandLine all;
    const Style style = terminal.json ? Style(false) : terminal.out_style();
    const auto show = [&](const std::string& text) {
      if (terminal.json) {
        terminal.print_json({{"help", text}});
      } else {
        terminal.print(text);
      }
      return ExitCode::done;
    };
    if (manual_) return show(manual_page(all));
    if (command_.empty()) return show(overview(style));
    std::vector<std::string> names;
    for (const CommandLine::Declared& command : all.commands()) {
      if (command.entry->name == command_) return show(explain(command, style));
      names.emplace_back(command.entry->name);
    }
    const auto meant = closest(command_, names);
    return fail(
        ErrorCode::invalid_argument, "there is no command \"{}\"{}", one_line(command_, 60),
        meant ? fmt::format("; did you mean \"{}\"?", *meant) : "; belljar help lists them");
  }

 private:
  std::string command_;
  bool manual_ = false;
};

}  // namespace

std::unique_ptr<Command> make_help() { return std::make_unique<HelpCommand>(); }

}  // namespace belljar::cli
