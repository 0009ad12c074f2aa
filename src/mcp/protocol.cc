#include "mcp/protocol.h"

namespace belljar::mcp {
namespace {

constexpr std::array levels{
    std::pair{LogLevel::debug, std::string_view{"debug"}},
    std::pair{LogLevel::info, std::string_view{"info"}},
    std::pair{LogLevel::notice, std::string_view{"notice"}},
    std::pair{LogLevel::warning, std::string_view{"warning"}},
    std::pair{LogLevel::error, std::string_view{"error"}},
    std::pair{LogLevel::critical, std::string_view{"critical"}},
    std::pair{LogLevel::alert, std::string_view{"alert"}},
    std::pair{LogLevel::emergency, std::string_view{"emergency"}},
};

template <typename Table, typename Key>
std::string_view find_name(const Table& table, Key key) {
  for (const auto& [known, name] : table) {
    if (known == key) return name;
  }
  return {};
}

template <typename Table>
auto find_key(const Table& table, std::string_view name)
    -> std::optional<decltype(table.front().first)> {
  for (const auto& [key, known] : table) {
    if (known == name) return key;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Version version) { return find_name(versions, version); }

std::optional<Version> parse_version(std::string_view name) { return find_key(versions, name); }

std::string_view name_of(LogLevel level) { return find_name(levels, level); }

std::optional<LogLevel> parse_log_level(std::string_view name) { return find_key(levels, name); }

}  // namespace belljar::mcp
