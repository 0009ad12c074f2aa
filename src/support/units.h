// Quantities with their units in the type, and the units that people write.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "belljar/error.h"

namespace belljar {

/// An amount of memory or data.
struct Bytes {
  std::uint64_t value = 0;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;
};

/// An amount of executed instructions, as the engine counts them.
struct Fuel {
  std::uint64_t value = 0;
  friend auto operator<=>(const Fuel&, const Fuel&) = default;
};

/// Reads `512`, `64Ki`, `64Mi`, `1Gi`. Also takes the decimal `k`, `M`, `G`.
[[nodiscard]] Result<Bytes> parse_bytes(std::string_view text);
/// Reads `250us`, `20ms`, `5s`, `1.5s`, `2m`, `1h`.
[[nodiscard]] Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// Reads `5000000`, `5e9`.
[[nodiscard]] Result<std::uint64_t> parse_count(std::string_view text);

/// `64 MiB`, `1.5 GiB`, `17 bytes`.
[[nodiscard]] std::string format_bytes(Bytes bytes);
/// As a policy takes it: the largest unit that divides evenly, `64Mi`, `1000`.
[[nodiscard]] std::string policy_bytes(Bytes bytes);
/// `3.2 ms`, `5 s`.
[[nodiscard]] std::string format_duration(std::chrono::nanoseconds duration);
/// As a policy takes it: the largest unit that divides evenly, `5s`, `1500ms`.
[[nodiscard]] std::string policy_duration(std::chrono::nanoseconds duration);

}  // namespace belljar
