// From a command line to a running core: settings, the opener, confinement.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/reference.h"
#include "belljar/error.h"
#include "runtime/config.h"
#include "runtime/core.h"
#include "store/paths.h"

namespace belljar::runtime {

/// What a user has set up.
struct Settings {
  store::Paths paths;
  Config config;
  std::vector<policy::Document> ceilings;
};

/// Finds the folders and reads the configuration and the ceiling that it names.
[[nodiscard]] Result<Settings> read_settings(const store::GetVariable& variable);

/// The ceiling that the configuration names, where it names one.
[[nodiscard]] Result<std::vector<policy::Document>> read_ceilings(const Config& config);
/// Reads a policy file that a person named, if nobody else can have written it
/// (`support/trusted_file.h`): what was looked at has to be what is used.
[[nodiscard]] Result<policy::Document> read_policy_file(const std::filesystem::path& path);
/// The same, as text that was checked, for keeping.
[[nodiscard]] Result<std::string> read_policy_text(const std::filesystem::path& path);

struct LaunchOptions {
  /// What the process is, for the log: `serve`, `call`.
  std::string role;
  /// Files that the person named.
  std::vector<std::filesystem::path> files;
  /// What the person gave on the command line, by component.
  std::map<std::string, ComponentGrants, std::less<>> grants;
  /// Off where no guest runs, and the process has more to do than run guests.
  bool confine = true;
  /// See CoreOptions.
  std::uint32_t calls = 0;
};

/// A core in a process that has given up what it will not need.
struct Launched {
  std::unique_ptr<Core> core;
  /// What could not be done on this machine, in a sentence; empty where all was.
  std::string warning;
};

/// Makes folders, starts the compiler's keeper and the opener, opens what the engine will need,
/// confines the process and makes the core, in this order. Call it once, before the process has
/// threads. What else is to be made that a confined process cannot make, such as a socket that
/// listens, has to be made before.
[[nodiscard]] Result<Launched> launch(const Settings& settings, LaunchOptions options);

}  // namespace belljar::runtime
