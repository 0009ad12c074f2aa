// The protocol in types: what handlers take and give, whatever the version looks like on the wire.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belljar/outcome.h"
#include "mcp/json_rpc.h"
#include "toolbox/tool.h"

namespace belljar::mcp {

/// The versions that are spoken, oldest first.
enum class Version { v2025_03_26, v2025_06_18, v2025_11_25, v2026_07_28 };

inline constexpr std::array versions{
    std::pair{Version::v2025_03_26, std::string_view{"2025-03-26"}},
    std::pair{Version::v2025_06_18, std::string_view{"2025-06-18"}},
    std::pair{Version::v2025_11_25, std::string_view{"2025-11-25"}},
    std::pair{Version::v2026_07_28, std::string_view{"2026-07-28"}},
};
inline constexpr Version newest_with_handshake = Version::v2025_11_25;

/// Whether every request stands by itself, without `initialize`.
[[nodiscard]] constexpr bool is_stateless(Version version) {
  return version == Version::v2026_07_28;
}
[[nodiscard]] std::string_view name_of(Version version);
[[nodiscard]] std::optional<Version> parse_version(std::string_view name);

/// Severities of RFC 5424, lowest first.
enum class LogLevel { debug, info, notice, warning, error, critical, alert, emergency };
[[nodiscard]] std::string_view name_of(LogLevel level);
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view name);

/// What comes with every request.
struct RequestContext {
  RpcId id;
  Version version = newest_with_handshake;
  /// As it was written.
  std::optional<std::string> progress_token;
  /// The lowest level of messages that are wanted for this request.
  std::optional<LogLevel> log_level;
};

/// A page of tools.
struct ToolPage {
  std::vector<std::shared_ptr<toolbox::Tool>> tools;
  std::optional<std::string> next_cursor;
};

/// Who the server is, for clients.
struct ServerIdentity {
  std::string name = "belljar";
  std::string title = "Belljar";
  std::string version;
  std::string instructions;
};

}  // namespace belljar::mcp
