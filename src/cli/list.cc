// belljar list: what is loaded, and which servers run.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/server_answers.h"
#include "runtime/administration.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

class ListCommand final : public Command {
 public:
  void declare(CLI::App&) override {}

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    BELLJAR_TRY(const auto kept, administration->components().list());
    const auto servers = administration->ask({{"do", "list"}});
    if (terminal.json) {
      Json components = Json::array();
      for (const store::StoredComponent& component : kept) {
        components.push_back({{"name", component.name},
                              {"path", component.reference},
                              {"digest", "sha256:" + component.digest},
                              {"state", state_of(component, *administration)},
                              {"loaded_at", format_time(component.added_at)}});
      }
      terminal.print_json(
          {{"components", std::move(components)}, {"servers", server_answers_json(servers)}});
      return ExitCode::done;
    }
    print(kept, servers, *administration, terminal);
    return ExitCode::done;
  }

 private:
  /// Whether the file is still what was loaded.
  static std::string state_of(const store::StoredComponent& component,
                              const runtime::Administration& administration) {
    const auto digest = administration.loader().digest(component.reference);
    if (!digest) return "missing";
    return *digest == component.digest ? "unchanged" : "changed";
  }

  static void print(const std::vector<store::StoredComponent>& kept,
                    const std::vector<runtime::ControlAnswer>& servers,
                    const runtime::Administration& administration, Terminal& terminal) {
    const Style& style = terminal.out_style();
    if (kept.empty()) {
      terminal.print("Nothing is loaded. To load a component: belljar load FILE.wasm");
    }
    for (const store::StoredComponent& component : kept) {
      const std::string state = state_of(component, administration);
      std::string remark;
      if (state == "changed") {
        remark = style.warning(
            fmt::format("  changed since; to take it: belljar upgrade {}", component.name));
      } else if (state == "missing") {
        remark = style.bad("  the file cannot be read");
      }
      terminal.print(fmt::format("{}  {}  {}{}", style.bold(fmt::format("{:<16}", component.name)),
                                 component.digest.substr(0, 12), shown_name(component.reference),
                                 remark));
    }
    for (const runtime::ControlAnswer& server : servers) {
      std::vector<std::string> names;
      for (const Json& component : server.json.value("components", Json::array())) {
        names.push_back(one_line(component.value("name", ""), 60));
      }
      terminal.print(
          fmt::format("{} {}{}: {}", style.dim("server"), server.process,
                      server.json.value("own_set", false) ? " (its own set)" : "",
                      names.empty() ? "no components" : fmt::format("{}", fmt::join(names, ", "))));
    }
  }
};

}  // namespace

std::unique_ptr<Command> make_list() { return std::make_unique<ListCommand>(); }

}  // namespace belljar::cli
