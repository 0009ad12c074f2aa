// Where Belljar keeps things.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "belljar/error.h"

namespace belljar::store {

/// The folders of one user. `BELLJAR_HOME` moves them all; otherwise the XDG base directories hold.
struct Paths {
  /// Grants, secrets, the audit log: `$XDG_DATA_HOME/belljar`.
  std::filesystem::path data;
  /// `belljar.toml`: `$XDG_CONFIG_HOME/belljar`.
  std::filesystem::path config;
  /// What can be made again: `$XDG_CACHE_HOME/belljar`.
  std::filesystem::path cache;
  /// Control sockets: `$BELLJAR_HOME/run`, else `$XDG_RUNTIME_DIR/belljar`, else the folder
  /// `run` among the data.
  std::filesystem::path run;

  [[nodiscard]] std::vector<std::filesystem::path> all() const {
    return {data, config, cache, run};
  }
};

using GetVariable = std::function<std::optional<std::string>(const char*)>;

/// Finds the folders; `variable` reads the environment.
[[nodiscard]] Result<Paths> find_paths(const GetVariable& variable);
/// The process's own environment.
[[nodiscard]] std::optional<std::string> environment_variable(const char* name);

}  // namespace belljar::store
