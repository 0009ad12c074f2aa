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
    if (manual_) {
      terminal.print(manual_page(all));
      return ExitCode::done;
    }
    if (command_.empty()) {
      terminal.print(overview(terminal.out_style()));
      return ExitCode::done;
    }
    std::vector<std::string> names;
    for (const CommandLine::Declared& command : all.commands()) {
      if (command.entry->name == command_) {
        terminal.print(explain(command, terminal.out_style()));
        return ExitCode::done;
      }
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
