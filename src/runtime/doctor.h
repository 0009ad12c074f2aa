// What is wrong with this machine or this set-up, and the command that mends it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/launch.h"

namespace belljar::runtime {

enum class FindingLevel { good, note, problem };

struct Finding {
  FindingLevel level = FindingLevel::good;
  /// `kernel`, `limits`, `compiler`, `state`, `log`, `cache`, `components`, `policies`, `clients`
  std::string area;
  std::string text;
  /// What to type or change; empty where nothing has to be.
  std::string remedy;
};

/// Looks at everything that serving tools depends on. Starts no server and changes nothing but what
/// opening the state changes. `project` is the folder whose client configurations are read too.
[[nodiscard]] std::vector<Finding> examine(const store::GetVariable& variable,
                                           const std::filesystem::path& project);

}  // namespace belljar::runtime
