// How MCP clients on this machine are set up to start Belljar. Read only.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/doctor.h"
#include "store/paths.h"

namespace belljar::runtime {

/// Reads the configurations of Claude Code, Claude Desktop, Codex, Gemini CLI, VS Code and Cursor,
/// of this user and of `project`, and says what will not work with their Belljar entries.
/// `program` is the belljar that runs.
[[nodiscard]] std::vector<Finding> examine_clients(const store::GetVariable& variable,
                                                   const std::filesystem::path& project,
                                                   const std::filesystem::path& program);

}  // namespace belljar::runtime
