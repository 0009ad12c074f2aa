// How a call ended, for people and for scripts.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "belljar/outcome.h"
#include "cli/terminal.h"
#include "support/error_table.h"
#include "support/json.h"

namespace belljar::cli {

/// The whole outcome as one JSON document.
[[nodiscard]] Json outcome_json(std::string_view tool, const Outcome& outcome);

/// What went wrong, if anything did: what, where, what to do about it. `policy_beside` is a policy
/// file that could be given, if there is one.
void explain_outcome(std::string_view tool, const Outcome& outcome,
                     const std::filesystem::path& policy_beside, Terminal& terminal);

[[nodiscard]] ExitCode exit_code_of(const Outcome& outcome);

}  // namespace belljar::cli
