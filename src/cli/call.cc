// belljar call: one call of a tool, in a fresh sandbox.

#include <fmt/format.h>

#include <future>
#include <iostream>
#include <iterator>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/component_input.h"
#include "cli/outcome.h"
#include "support/result.h"
#include "support/text.h"
#include "toolbox/names.h"

namespace belljar::cli {
namespace {

class CallCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    input_.declare(app);
    app.add_option("TOOL", tool_, "The tool: its full name, or an unambiguous end of it")
        ->required();
    app.add_option("ARGUMENTS", words_,
                   "A JSON object, - to read it from standard input, or key=value …");
    app.add_option("--timeout", timeout_,
                   "Wait no longer than this (5s, 200ms); the policy's holds too")
        ->type_name("TIME");
    app.add_option("--seed", seed_, "Make clocks and randomness the same each time, for tests")
        ->type_name("NUMBER");
    app.add_flag("-v,--verbose", verbose_, "Show what the tool wrote to its own output and error");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    std::optional<std::chrono::nanoseconds> timeout;
    if (!timeout_.empty()) {
      BELLJAR_TRY(timeout, parse_duration(timeout_));
    }
    BELLJAR_TRY(LoadedComponent loaded, load_component(input_, "call", terminal));
    BELLJAR_TRY(const auto tool, find(loaded));
    BELLJAR_TRY(const std::string arguments, read_arguments(*tool));

    toolbox::ToolCall call;
    call.arguments = arguments;
    call.client = loaded.core->session();
    call.timeout = timeout;
    if (seed_) call.seed = engine::Seed{*seed_, {}};
    BELLJAR_TRY(const Outcome outcome, finish(*tool, call, loaded.interrupt->token()));
    show(*tool, outcome, loaded, terminal);
    return exit_code_of(outcome);
  }

 private:
  [[nodiscard]] Result<std::shared_ptr<toolbox::Tool>> find(const LoadedComponent& loaded) const {
    const auto set = loaded.core->toolbox().current();
    std::vector<std::string> names;
    for (const auto& tool : set->tools()) names.push_back(tool->info().name);
    BELLJAR_TRY(const std::size_t index, toolbox::find_tool(names, tool_));
    return set->tools()[index];
  }

  [[nodiscard]] Result<std::string> read_arguments(const toolbox::Tool& tool) const {
    if (words_.size() == 1 && words_.front() == "-") {
      return read_all(STDIN_FILENO, Bytes{64 << 20});
    }
    return make_arguments(words_, tool.info().input_schema);
  }

  static Result<Outcome> finish(toolbox::Tool& tool, const toolbox::ToolCall& call,
                                const std::stop_token& stop) {
    std::promise<Result<Outcome>> ended;
    auto future = ended.get_future();
    const auto running =
        tool.start(call, [&](Result<Outcome> outcome) { ended.set_value(std::move(outcome)); });
    const std::stop_callback cancel(stop, [&] { running->cancel(); });
    return future.get();
  }

  void show(const toolbox::Tool& tool, const Outcome& outcome, const LoadedComponent& loaded,
            Terminal& terminal) const {
    const std::string& name = tool.info().name;
    if (verbose_ && outcome.ok()) {
      for (const std::string* text : {&outcome.standard_output, &outcome.standard_error}) {
        if (!text->empty()) terminal.note(quoted_lines(*text, text->size()));
      }
    }
    if (terminal.json) {
      terminal.print_json(outcome_json(name, outcome));
      return;
    }
    const auto* returned = std::get_if<Returned>(&outcome.result);
    if (returned != nullptr) {
      if (!returned->json.empty()) terminal.print_json_text(returned->json);
      return;
    }
    const bool denied = std::holds_alternative<Denied>(outcome.result);
    std::filesystem::path policy;
    if (denied && input_.policy.empty()) {
      policy = policy_beside(loaded.component->artifact().path).value_or("");
    }
    explain_outcome(name, outcome, policy, terminal);
  }

  ComponentInput input_;
  std::string tool_;
  std::vector<std::string> words_;
  std::string timeout_;
  std::optional<std::uint64_t> seed_;
  bool verbose_ = false;
};

}  // namespace

std::unique_ptr<Command> make_call() { return std::make_unique<CallCommand>(); }

}  // namespace belljar::cli
