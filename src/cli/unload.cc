// belljar unload: takes a component out of what servers serve.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/server_answers.h"
#include "runtime/administration.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

class UnloadCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("NAME", name_, "The component's name")->required();
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    BELLJAR_TRY(const bool kept, administration->forget(name_));
    const auto answers = administration->ask({{"do", "unload"}, {"name", name_}});
    bool running = false;
    for (const auto& answer : answers) running |= answer.json.value("unloaded", false);
    if (!kept && !running) {
      return fail(ErrorCode::not_found, "no component \"{}\" is loaded; belljar list shows what is",
                  one_line(name_, 60));
    }
    if (terminal.json) {
      terminal.print_json(
          {{"name", name_}, {"kept", false}, {"servers", server_answers_json(answers)}});
      return ExitCode::done;
    }
    terminal.print(
        fmt::format("{} is unloaded. What it was granted stays as it is; to take it back: "
                    "belljar revoke {}",
                    terminal.out_style().bold(name_), name_));
    show_server_answers(answers, terminal);
    return ExitCode::done;
  }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Command> make_unload() { return std::make_unique<UnloadCommand>(); }

}  // namespace belljar::cli
