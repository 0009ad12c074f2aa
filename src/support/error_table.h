// The one table from error codes to what each way out of the program calls them.
#pragma once

#include <array>

#include "belljar/error.h"

namespace belljar {

/// Exit codes of the command line. A stable promise (SPECIFICATION.md).
enum class ExitCode : int {
  done = 0,
  tool_error = 1,
  usage = 2,
  denied = 3,
  /// The guest trapped or went over a limit.
  stopped = 4,
  load_failed = 5,
  host_fault = 6,
};

struct ErrorRow {
  ErrorCode code;
  ExitCode exit;
  /// JSON-RPC 2.0, section 5.1, and the MCP specification.
  int json_rpc;
  int http_status;
};

inline constexpr std::array error_table{
    ErrorRow{ErrorCode::invalid_argument, ExitCode::usage, -32602, 400},
    ErrorRow{ErrorCode::not_found, ExitCode::usage, -32602, 404},
    ErrorRow{ErrorCode::conflict, ExitCode::usage, -32602, 409},
    ErrorRow{ErrorCode::invalid_policy, ExitCode::load_failed, -32603, 500},
    ErrorRow{ErrorCode::load_failed, ExitCode::load_failed, -32603, 500},
    ErrorRow{ErrorCode::denied, ExitCode::denied, -32603, 403},
    ErrorRow{ErrorCode::unavailable, ExitCode::host_fault, -32603, 503},
    ErrorRow{ErrorCode::storage, ExitCode::host_fault, -32603, 500},
    ErrorRow{ErrorCode::internal, ExitCode::host_fault, -32603, 500},
};

[[nodiscard]] constexpr const ErrorRow& error_row(ErrorCode code) noexcept {
  for (const ErrorRow& row : error_table) {
    if (row.code == code) return row;
  }
  return error_table.back();
}

}  // namespace belljar
