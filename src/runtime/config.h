// The configuration file: belljar.toml.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "belljar/error.h"
#include "engine/compiler.h"
#include "host/egress.h"
#include "store/secrets.h"
#include "support/units.h"

namespace belljar::runtime {

/// A named set of tools for `belljar serve --profile NAME`.
struct Profile {
  /// References, as `serve` takes them.
  std::vector<std::string> tools;
  /// Policy files, by component.
  std::map<std::string, std::string> policies;
  /// Publishes tools without their component's name in front, where none collide.
  bool bare_names = false;
};

/// What can be configured. Everything has a default, so the file may be missing.
struct Config {
  std::uint32_t sandboxes = 1'000;
  std::uint32_t workers = 0;
  Bytes memory;
  Bytes frame{4 << 20};
  host::EgressOptions egress;
  engine::CompilerLimits compiler;
  store::SecretKeyPlace secret_key = store::SecretKeyPlace::file;
  /// A policy file that nothing may go beyond.
  std::optional<std::filesystem::path> ceiling;
  std::map<std::string, Profile> profiles;
};

/// Reads the file; a missing one gives the defaults. An unknown key is an error, with its place.
[[nodiscard]] Result<Config> read_config(const std::filesystem::path& path);

}  // namespace belljar::runtime
