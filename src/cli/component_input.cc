#include "cli/component_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "artifact/reference.h"
#include "cli/progress.h"
#include "policy/grant.h"
#include "store/components.h"
#include "store/pinned_places.h"
#include "store/state.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {

Result<runtime::ComponentLoad> resolve_component(const std::string& text,
                                                 const runtime::Settings& settings) {
  runtime::ComponentLoad load;
  std::error_code error;
  if (artifact::is_component_name(text) && !std::filesystem::exists(settings.paths.data, error)) {
    return fail(ErrorCode::not_found,
                "\"{}\" is not the name of something loaded; give a path, such as ./{}.wasm", text,
                text);
  }
  if (artifact::is_component_name(text)) {
    const SystemClock clock;
    BELLJAR_TRY(const auto state, store::State::open(settings.paths, clock));
    BELLJAR_TRY(const auto stored, store::Components(*state).find(text));
    if (stored) {
      load.reference = {stored->name, stored->reference};
      load.digest = stored->digest;
      return load;
    }
    BELLJAR_TRY(const auto all, store::Components(*state).list());
    std::vector<std::string> names;
    for (const store::StoredComponent& component : all) names.push_back(component.name);
    const auto meant = closest(text, names);
    return fail(ErrorCode::not_found,
                "{} is not the name of something loaded{}; give a path, such as ./{}.wasm",
                quoted(text, 60), meant ? fmt::format(" (did you mean \"{}\"?)", *meant) : "",
                one_line(text, 60));
  }
  BELLJAR_TRY(load.reference, artifact::parse_reference(text));
  return load;
}

Result<std::vector<policy::Grant>> parse_grants(const std::vector<std::string>& texts) {
  std::error_code error;
  const auto folder = std::filesystem::current_path(error);
  std::vector<policy::Grant> grants;
  for (const std::string& text : texts) {
    BELLJAR_TRY(policy::Grant grant, policy::parse_grant(text, folder));
    BELLJAR_TRY(grants.emplace_back(), store::pin(std::move(grant)));
  }
  return grants;
}

Result<std::vector<policy::Document>> documents_of(const std::string& policy_file,
                                                   const std::vector<policy::Grant>& grants) {
  std::vector<policy::Document> documents;
  if (!policy_file.empty()) {
    BELLJAR_TRY(documents.emplace_back(), runtime::read_policy_file(policy_file));
  }
  if (grants.empty()) return documents;
  policy::Document& single = documents.emplace_back();
  for (const policy::Grant& grant : grants) {
    BELLJAR_CHECK(policy::apply_grant(single, grant));
  }
  return documents;
}

Result<std::vector<policy::Document>> read_grants(const std::string& policy_file,
                                                  const std::vector<std::string>& grants) {
  BELLJAR_TRY(const auto parsed, parse_grants(grants));
  return documents_of(policy_file, parsed);
}

void warn_of_rules(const std::vector<policy::Document>& rules, Terminal& terminal) {
  for (const policy::Document& document : rules) {
    for (const std::string& warning : document.warnings) terminal.warn(warning);
  }
}

std::optional<std::filesystem::path> policy_beside(const std::filesystem::path& component) {
  std::error_code error;
  auto own = component;
  own.replace_extension(".policy.yaml");
  for (const auto& candidate : {own, component.parent_path() / "policy.yaml"}) {
    if (std::filesystem::is_regular_file(candidate, error)) return candidate;
  }
  return std::nullopt;
}

void ComponentInput::declare(CLI::App& app) {
  app.add_option("REF", reference, "A component's file, NAME=FILE, or the name of something loaded")
      ->required();
  app.add_option("--policy", policy, "Allow what this policy file allows, in this process only")
      ->type_name("FILE");
  app.add_option("--grant", grants,
                 "Allow one thing more, in this process only; may be repeated (see help grant)")
      ->type_name("KIND=VALUE")
      ->allow_extra_args(false);
}

Result<LoadedComponent> load_component(const ComponentInput& input, std::string_view role,
                                       Terminal& terminal) {
  BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
  BELLJAR_TRY(runtime::ComponentLoad load, resolve_component(input.reference, settings));
  BELLJAR_TRY(load.grants.documents, read_grants(input.policy, input.grants));
  warn_of_rules(load.grants.documents, terminal);
  std::error_code error;
  const auto size = std::filesystem::file_size(load.reference.path, error);

  const BlockedSignals blocked;
  LoadedComponent loaded;
  BELLJAR_TRY(runtime::Launched launched,
              runtime::launch(settings, {.role = std::string(role),
                                         .files = {load.reference.path},
                                         .grants = {{load.reference.name, load.grants}},
                                         .calls = 1}));
  if (!launched.warning.empty()) terminal.warn(launched.warning);
  loaded.core = std::move(launched.core);
  loaded.interrupt = std::make_unique<Interrupt>(blocked);
  BELLJAR_TRY(loaded.component,
              loaded.core->load(load, loaded.interrupt->token(),
                                compile_progress(terminal, load.reference.path.filename().native(),
                                                 Bytes{error ? 0 : size})));
  terminal.clear_progress();
  return loaded;
}

}  // namespace belljar::cli
