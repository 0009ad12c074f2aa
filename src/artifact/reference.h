// What people write where a component is wanted.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "belljar/error.h"

namespace belljar::artifact {

/// A component's file and the name that it goes by.
struct Reference {
  std::string name;
  /// Absolute.
  std::filesystem::path path;
};

/// Reads `PATH` or `NAME=PATH`. Without a name, the file's stem is it: lower-cased, other
/// characters turned to `-` (`Greet_rs.wasm` is `greet-rs`).
[[nodiscard]] Result<Reference> parse_reference(std::string_view text);

/// Whether `text` can be the name of something loaded: `[a-z0-9-]+`, and not `belljar`.
[[nodiscard]] bool is_component_name(std::string_view text);
/// Whether `text` looks like a file, rather than the name of something loaded.
[[nodiscard]] bool looks_like_path(std::string_view text);

}  // namespace belljar::artifact
