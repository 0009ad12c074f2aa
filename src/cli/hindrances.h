// Says of what is granted what keeps it from being of use.
#pragma once

#include <vector>

#include "belljar/error.h"
#include "cli/terminal.h"
#include "policy/document.h"
#include "runtime/administration.h"

namespace belljar::cli {

/// Warns of folders that are not there, secrets that are not set and bounds that allow less. Called
/// before anything is granted: an error leaves everything as it was.
[[nodiscard]] Result<void> warn_of_hindrances(const std::vector<policy::Document>& granted,
                                              const store::ComponentKey& component,
                                              runtime::Administration& administration,
                                              Terminal& terminal);

}  // namespace belljar::cli
