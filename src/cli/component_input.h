// A component as a command line names it, with what the person gives it.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "policy/document.h"
#include "runtime/core.h"
#include "runtime/launch.h"

namespace belljar::cli {

/// Finds what REF means: a path, `NAME=PATH`, or the name of something that `belljar load` keeps.
/// The digest is that of what was kept, and empty for a file.
[[nodiscard]] Result<runtime::ComponentLoad> resolve_component(const std::string& text,
                                                               const runtime::Settings& settings);

/// Reads single grants, as `--grant` takes them.
[[nodiscard]] Result<std::vector<policy::Grant>> parse_grants(
    const std::vector<std::string>& texts);

/// What a policy file (empty for none) and single grants come to.
[[nodiscard]] Result<std::vector<policy::Document>> documents_of(
    const std::string& policy_file, const std::vector<policy::Grant>& grants);

/// Reads what `--policy` and `--grant` gave: a policy file (empty for none), and single grants.
[[nodiscard]] Result<std::vector<policy::Document>> read_grants(
    const std::string& policy_file, const std::vector<std::string>& grants);

/// Warns of what rules do not say as they look.
void warn_of_rules(const std::vector<policy::Document>& rules, Terminal& terminal);

/// The policy file that lies beside a component, which grants nothing until a person gives it.
[[nodiscard]] std::optional<std::filesystem::path> policy_beside(
    const std::filesystem::path& component);

/// REF, `--policy` and `--grant`.
struct ComponentInput {
  std::string reference;
  std::string policy;
  std::vector<std::string> grants;

  void declare(CLI::App& app);
};

/// A component that is loaded in this process.
struct LoadedComponent {
  std::unique_ptr<runtime::Core> core;
  std::shared_ptr<toolbox::Component> component;
  std::unique_ptr<Interrupt> interrupt;
};

/// Launches a core in this process, confined, and loads the component into it.
[[nodiscard]] Result<LoadedComponent> load_component(const ComponentInput& input,
                                                     std::string_view role, Terminal& terminal);

}  // namespace belljar::cli
