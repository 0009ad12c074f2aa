// The whole command line: declared, parsed, explained.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/terminal.h"

namespace belljar::cli {

/// Every command, declared.
class CommandLine {
 public:
  CommandLine();

  /// Runs what the arguments say and gives the exit code. Nothing is thrown.
  [[nodiscard]] int run(int count, const char* const* arguments, Terminal& terminal);

  struct Declared {
    const CommandEntry* entry;
    CLI::App* app;
    std::unique_ptr<Command> command;
  };
  [[nodiscard]] std::span<const Declared> commands() const noexcept { return commands_; }

 private:
  [[nodiscard]] Result<ExitCode> dispatch(Terminal& terminal);
  [[nodiscard]] int show_usage_error(const CLI::ParseError& error, Terminal& terminal) const;

  CLI::App app_{"A WebAssembly sandbox for AI agents", "belljar"};
  std::vector<Declared> commands_;
  bool json_ = false;
  bool version_ = false;
};

/// What `belljar help` and `belljar help COMMAND` show.
[[nodiscard]] std::string overview(const Style& style);
[[nodiscard]] std::string explain(const CommandLine::Declared& command, const Style& style);

}  // namespace belljar::cli
