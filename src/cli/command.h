// What a command is. Each is a file of its own; commands.cc lists them.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string_view>

#include "belljar/error.h"
#include "cli/terminal.h"
#include "support/error_table.h"

namespace belljar::cli {

/// One command: what it takes, and what it does.
class Command {
 public:
  virtual ~Command() = default;
  /// Declares options and arguments, or commands below this one.
  virtual void declare(CLI::App& app) = 0;
  /// Runs with what was declared. An error is shown, and its code gives the exit code.
  [[nodiscard]] virtual Result<ExitCode> run(Terminal& terminal) = 0;
};

/// A command in the table: how it is called, one line about it, how it is made.
struct CommandEntry {
  std::string_view name;
  /// For the list of commands.
  std::string_view summary;
  /// For `belljar help NAME` and the manual: what it is good for, with examples.
  std::string_view help;
  std::unique_ptr<Command> (*make)();
};

}  // namespace belljar::cli
