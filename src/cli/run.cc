// belljar run: a program that is a component, with this terminal's standard streams.

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <future>

#include "cli/commands.h"
#include "cli/component_input.h"
#include "cli/outcome.h"
#include "support/file.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

/// Whether somebody reads what is written to a stream, or does so soon.
bool is_heard(int stream) {
  constexpr int patience_milliseconds = 1'000;
  pollfd entry{.fd = stream, .events = POLLOUT, .revents = 0};
  return ::poll(&entry, 1, patience_milliseconds) > 0;
}

class RunCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    input_.declare(app);
    app.add_option("ARGS", arguments_, "Arguments of the program, behind --");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(LoadedComponent loaded, load_component(input_, "run", terminal));
    const auto tool = loaded.core->toolbox().current()->find(loaded.component->name() + "_run");
    if (!tool || !loaded.component->is_command()) {
      return fail(ErrorCode::invalid_argument,
                  "{} is no program: it exports tools; call one of them: belljar call {} TOOL",
                  loaded.component->artifact().path.native(), input_.reference);
    }
    toolbox::ToolCall call;
    std::string captured = "{}";
    if (terminal.json) {
      // The document is all that standard output gets, so what the program writes is a part of it.
      Json inputs{{"args", arguments_}};
      if (::isatty(STDIN_FILENO) == 0) {
        BELLJAR_TRY(const std::string input, read_all(STDIN_FILENO, Bytes{64 << 20}));
        inputs["stdin"] = clean_utf8(input);
      }
      captured = inputs.dump();
    } else {
      call.inherit_stdio = true;
      call.command_arguments = arguments_;
    }
    call.arguments = captured;
    std::promise<Result<Outcome>> ended;
    auto future = ended.get_future();
    const auto running =
        tool->start(call, [&](Result<Outcome> outcome) { ended.set_value(std::move(outcome)); });
    const std::stop_callback cancel(loaded.interrupt->token(), [&] { running->cancel(); });
    BELLJAR_TRY(const Outcome outcome, future.get());
    return end(tool->info().name, outcome, loaded, terminal);
  }

 private:
  /// The program's own exit code, where it came to one.
  Result<ExitCode> end(const std::string& name, const Outcome& outcome,
                       const LoadedComponent& loaded, Terminal& terminal) const {
    const bool ended_itself =
        std::holds_alternative<Returned>(outcome.result) ||
        std::holds_alternative<ToolError>(outcome.result) ||
        (std::holds_alternative<Denied>(outcome.result) && outcome.exit_code != 0);
    const ExitCode code =
        ended_itself ? static_cast<ExitCode>(outcome.exit_code) : exit_code_of(outcome);
    if (terminal.json) {
      terminal.print_json(outcome_json(name, outcome));
      return code;
    }
    std::filesystem::path policy;
    if (std::holds_alternative<Denied>(outcome.result)) {
      if (input_.policy.empty()) {
        policy = policy_beside(loaded.component->artifact().path).value_or("");
      }
    }
    // A program that was stopped because nobody reads what it says is not explained to nobody.
    if (!ended_itself && !is_heard(STDERR_FILENO)) return code;
    // What the program said about its own end is on the screen already.
    if (!std::holds_alternative<ToolError>(outcome.result)) {
      Outcome shown = outcome;
      if (auto* denied = std::get_if<Denied>(&shown.result); denied != nullptr && ended_itself) {
        denied->json.clear();
      }
      explain_outcome(name, shown, policy, terminal);
    }
    return code;
  }

  ComponentInput input_;
  std::vector<std::string> arguments_;
};

}  // namespace

std::unique_ptr<Command> make_run() { return std::make_unique<RunCommand>(); }

}  // namespace belljar::cli
