// belljar load: makes a component part of what servers serve.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/component_input.h"
#include "cli/hindrances.h"
#include "cli/progress.h"
#include "cli/server_answers.h"
#include "policy/summary.h"
#include "runtime/administration.h"
#include "runtime/bounds.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

class LoadCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("REF", reference_, "A component's file, or NAME=FILE")->required();
    app.add_option("--policy", policy_, "Approve this policy file for it, as the file is now")
        ->type_name("[NAME=]FILE");
    app.add_option("--grant", grants_, "Grant it one thing; may be repeated (see help grant)")
        ->type_name("KIND=VALUE")
        ->allow_extra_args(false);
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const artifact::Reference reference, artifact::parse_reference(reference_));
    // Everything is read before anything is changed.
    BELLJAR_TRY(const std::string policy, policy_file(reference.name));
    BELLJAR_TRY(const auto grants, parse_grants(grants_));
    BELLJAR_TRY(const auto rules, documents_of(policy, grants));

    BELLJAR_TRY(const Checked checked, check(settings, reference, terminal));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    const store::ComponentKey key{reference.name, checked.digest};
    warn_of_rules(rules, terminal);
    BELLJAR_CHECK(warn_of_hindrances(rules, key, *administration, terminal));
    if (!policy.empty()) BELLJAR_CHECK(administration->approve_policy(key, policy));
    for (const policy::Grant& grant : grants) {
      BELLJAR_CHECK(administration->grant(key, grant, {}));
    }
    BELLJAR_CHECK(
        administration->keep(reference, checked.digest, runtime::Administration::CarryOver::no));
    const auto answers = administration->ask({{"do", "load"}, {"name", reference.name}});
    BELLJAR_TRY(const auto effective, administration->grants().effective(key, ""));
    BELLJAR_TRY(runtime::Bounds bounds,
                runtime::bounds_of(key, settings, administration->loader()));
    bounds.sources.granted = effective.documents;
    show(reference, checked, policy::Snapshot(std::move(bounds.sources)), answers, terminal);
    return ExitCode::done;
  }

 private:
  struct Checked {
    std::string digest;
    std::vector<std::string> tools;
  };

  /// The file of `--policy [NAME=]FILE`.
  [[nodiscard]] Result<std::string> policy_file(const std::string& name) const {
    const std::size_t equals = policy_.find('=');
    if (equals == std::string::npos || !artifact::is_component_name(policy_.substr(0, equals))) {
      return policy_;
    }
    if (policy_.substr(0, equals) != name) {
      return fail(ErrorCode::invalid_argument, "--policy {}: the component goes by the name {}",
                  policy_, name);
    }
    return policy_.substr(equals + 1);
  }

  /// Loads it here first: what does not work is not kept.
  static Result<Checked> check(const runtime::Settings& settings,
                               const artifact::Reference& reference, Terminal& terminal) {
    const BlockedSignals blocked;
    BELLJAR_TRY(
        const runtime::Launched launched,
        runtime::launch(settings,
                        {.role = "load", .files = {}, .grants = {}, .confine = false, .calls = 1}));
    const Interrupt interrupt(blocked);
    std::error_code error;
    const auto size = std::filesystem::file_size(reference.path, error);
    BELLJAR_TRY(const auto component,
                launched.core->load({reference, {}, {}}, interrupt.token(),
                                    compile_progress(terminal, reference.path.filename().native(),
                                                     Bytes{error ? 0 : size})));
    terminal.clear_progress();
    return Checked{component->artifact().digest, component->tool_names()};
  }

  static void show(const artifact::Reference& reference, const Checked& checked,
                   const policy::Snapshot& permissions,
                   const std::vector<runtime::ControlAnswer>& answers, Terminal& terminal) {
    const auto may = policy::sentences(policy::summarize(permissions));
    if (terminal.json) {
      terminal.print_json({{"name", reference.name},
                           {"path", reference.path.native()},
                           {"digest", "sha256:" + checked.digest},
                           {"tools", checked.tools},
                           {"may", may},
                           {"servers", server_answers_json(answers)}});
      return;
    }
    terminal.print(fmt::format("{} is loaded: {}", terminal.out_style().bold(reference.name),
                               fmt::join(checked.tools, ", ")));
    show_server_answers(answers, terminal);
    if (!permissions.grants_nothing()) {
      terminal.print("It may:");
      for (const std::string& sentence : may) terminal.print("  " + sentence);
      return;
    }
    terminal.print("It may compute, and nothing else. To allow more: belljar grant " +
                   reference.name + " KIND=VALUE");
    if (const auto policy = policy_beside(reference.path)) {
      terminal.print(
          fmt::format("A policy lies beside it. Read it, and to approve it: belljar grant "
                      "{} --policy {}",
                      reference.name, shell_word(one_line(policy->native(), 4'096))));
    }
  }

  std::string reference_;
  std::string policy_;
  std::vector<std::string> grants_;
};

}  // namespace

std::unique_ptr<Command> make_load() { return std::make_unique<LoadCommand>(); }

}  // namespace belljar::cli
