// belljar upgrade: takes a component's new content, and shows what is new about it.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/commands.h"
#include "cli/component_input.h"
#include "cli/progress.h"
#include "cli/server_answers.h"
#include "runtime/administration.h"
#include "support/result.h"
#include "support/text.h"
#include "toolbox/names.h"
#include "toolbox/schema.h"

namespace belljar::cli {
namespace {

/// What somebody who approved the old content should look at in the new.
struct Interface {
  std::vector<std::string> imports;
  /// Descriptions and schemas, by tool.
  std::map<std::string, std::string> tools;
};

class UpgradeCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("NAME", name_, "The component's name")->required();
    app.add_option("REF", reference_, "Another file to take it from");
    app.add_flag("--dry-run", dry_run_, "Show what is new, and change nothing");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    BELLJAR_TRY(const auto stored, administration->components().find(name_));
    if (!stored) {
      return fail(ErrorCode::not_found, "no component \"{}\" is loaded; belljar list shows what is",
                  one_line(name_, 60));
    }
    artifact::Reference reference{stored->name, stored->reference};
    if (!reference_.empty()) {
      BELLJAR_TRY(reference, artifact::parse_reference(name_ + "=" + reference_));
    }
    BELLJAR_TRY(const auto fresh, read(settings, reference, terminal));
    const auto before = administration->loader().find_description(stored->digest);
    const Json changes = compare(before, fresh.description);
    std::vector<runtime::ControlAnswer> answers;
    if (!dry_run_) {
      BELLJAR_CHECK(
          administration->keep(reference, fresh.digest, runtime::Administration::CarryOver::yes));
      answers = administration->ask({{"do", "load"}, {"name", name_}});
      if (stored->digest != fresh.digest) {
        BELLJAR_TRY(const bool retired, administration->retire({name_, stored->digest}));
        if (!retired) {
          terminal.warn(fmt::format(
              "a server goes on with the old content of {} and what it may do, until it ends",
              name_));
        }
      }
    }
    show(stored->digest, fresh.digest, changes, before.has_value(), answers, terminal);
    return ExitCode::done;
  }

 private:
  static Result<artifact::Artifact> read(const runtime::Settings& settings,
                                         const artifact::Reference& reference, Terminal& terminal) {
    const BlockedSignals blocked;
    BELLJAR_TRY(const runtime::Launched launched,
                runtime::launch(
                    settings,
                    {.role = "upgrade", .files = {}, .grants = {}, .confine = false, .calls = 1}));
    const Interrupt interrupt(blocked);
    std::error_code error;
    const auto size = std::filesystem::file_size(reference.path, error);
    // Loaded for real: what does not work is not taken.
    BELLJAR_CHECK(launched.core->load(
        {reference, {}, {}}, interrupt.token(),
        compile_progress(terminal, reference.path.filename().native(), Bytes{error ? 0 : size})));
    terminal.clear_progress();
    return launched.core->inspect(reference);
  }

  [[nodiscard]] Interface interface_of(const engine::Description& description) const {
    Interface interface{description.imports, {}};
    const auto named = toolbox::name_functions(name_, description);
    if (!named) return interface;
    for (const toolbox::NamedFunction& one : *named) {
      const engine::Function& function = description.functions[one.function];
      const auto schemas = toolbox::make_schemas(description, function);
      interface.tools[one.tool] =
          function.docs + (schemas ? schemas->input + schemas->output : std::string());
    }
    return interface;
  }

  /// What is new, gone or different among imports and tools.
  [[nodiscard]] Json compare(const std::optional<engine::Description>& before,
                             const engine::Description& after) const {
    Json changes = {{"imports_added", Json::array()}, {"imports_removed", Json::array()},
                    {"tools_added", Json::array()},   {"tools_removed", Json::array()},
                    {"tools_changed", Json::array()}, {"manifest_changed", false}};
    if (!before) return changes;
    changes["manifest_changed"] = before->manifest != after.manifest;
    const Interface was = interface_of(*before);
    const Interface is = interface_of(after);
    const auto missing = [](const std::vector<std::string>& from,
                            const std::vector<std::string>& in, Json& out) {
      for (const std::string& one : from) {
        if (std::find(in.begin(), in.end(), one) == in.end()) out.push_back(one);
      }
    };
    missing(is.imports, was.imports, changes["imports_added"]);
    missing(was.imports, is.imports, changes["imports_removed"]);
    for (const auto& [name, text] : is.tools) {
      const auto old = was.tools.find(name);
      if (old == was.tools.end()) {
        changes["tools_added"].push_back(name);
      } else if (old->second != text) {
        changes["tools_changed"].push_back(name);
      }
    }
    for (const auto& [name, text] : was.tools) {
      if (!is.tools.contains(name)) changes["tools_removed"].push_back(name);
    }
    return changes;
  }

  void show(const std::string& from, const std::string& to, const Json& changes, bool compared,
            const std::vector<runtime::ControlAnswer>& answers, Terminal& terminal) const {
    if (terminal.json) {
      terminal.print_json({{"name", name_},
                           {"from", "sha256:" + from},
                           {"to", "sha256:" + to},
                           {"taken", !dry_run_},
                           {"compared", compared},
                           {"changes", changes},
                           {"servers", server_answers_json(answers)}});
      return;
    }
    const Style& style = terminal.out_style();
    if (from == to) {
      terminal.print(fmt::format("{} is the same as before", style.bold(name_)));
      return;
    }
    terminal.print(fmt::format("{} {} {} → {}", style.bold(name_),
                               dry_run_ ? "would go from" : "went from", from.substr(0, 12),
                               to.substr(0, 12)));
    if (!compared) {
      terminal.print("  what it was before is not known any more, so nothing can be compared");
    }
    const auto lines = [&](const char* key, const std::string& what) {
      for (const Json& one : changes[key]) {
        terminal.print(fmt::format("  {} {}", what, one_line(one.get<std::string>(), 160)));
      }
    };
    lines("imports_added", style.warning("now imports"));
    lines("imports_removed", "imports no more");
    lines("tools_added", style.good("+"));
    lines("tools_removed", style.bad("-"));
    lines("tools_changed", style.warning("~"));
    if (changes["manifest_changed"].get<bool>()) {
      terminal.print(
          fmt::format("  {}, so more or less of what it was granted holds; see belljar inspect",
                      style.warning("the manifest that it carries is another")));
    }
    if (!dry_run_) terminal.print("  what it was granted holds for the new content");
    show_server_answers(answers, terminal);
  }

  std::string name_;
  std::string reference_;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_upgrade() { return std::make_unique<UpgradeCommand>(); }

}  // namespace belljar::cli
