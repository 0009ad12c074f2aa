#include "support/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "support/result.h"

namespace belljar {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array byte_units{
    Unit{"", 1},          Unit{"Ki", 1024},        Unit{"Mi", 1024.0 * 1024},
    Unit{"k", 1000},      Unit{"K", 1000},         Unit{"Gi", 1024.0 * 1024 * 1024},
    Unit{"M", 1000000.0}, Unit{"G", 1000000000.0}, Unit{"Ti", 1024.0 * 1024 * 1024 * 1024},
};
constexpr std::array time_units{
    Unit{"us", 1e3}, Unit{"ms", 1e6}, Unit{"s", 1e9}, Unit{"m", 60e9}, Unit{"h", 3600e9},
};

/// Splits `1.5s` into a number and a unit, and multiplies.
Result<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                     std::string_view what, std::string_view examples) {
  double number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [rest, error] = std::from_chars(begin, end, number);
  if (error == std::errc{} && number >= 0 && std::isfinite(number)) {
    const std::string_view name(rest, static_cast<std::size_t>(end - rest));
    for (const Unit& unit : units) {
      if (unit.name != name) continue;
      const double value = number * unit.factor;
      // A part of the smallest unit is a mistake; a part of a larger one is rounded to it.
      if (value >= 9.2e18 || (unit.factor == 1 && std::floor(value) != value)) break;
      return static_cast<std::uint64_t>(std::llround(value));
    }
  }
  return fail(ErrorCode::invalid_argument, "\"{}\" is not {}; write it like {}", text, what,
              examples);
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  BELLJAR_TRY(const auto value,
              parse_quantity(text, byte_units, "a size", "512, 64Ki, 64Mi or 1Gi"));
  return Bytes{value};
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  BELLJAR_TRY(const auto value,
              parse_quantity(text, time_units, "a duration", "250us, 20ms, 5s, 2m or 1h"));
  // What is written back is in microseconds at the finest.
  return std::chrono::round<std::chrono::microseconds>(std::chrono::nanoseconds(value));
}

Result<std::uint64_t> parse_count(std::string_view text) {
  // Plain digits are read as they are: a double holds 53 bits.
  std::uint64_t exact = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), exact);
  if (error == std::errc{} && rest == text.data() + text.size()) return exact;
  constexpr std::array plain{Unit{"", 1}};
  return parse_quantity(text, plain, "a count", "5000000 or 5e9");
}

std::string format_bytes(Bytes bytes) {
  constexpr std::array names{"KiB", "MiB", "GiB", "TiB"};
  if (bytes.value < 1024) return fmt::format("{} bytes", bytes.value);
  double value = static_cast<double>(bytes.value);
  std::size_t index = 0;
  for (value /= 1024; value >= 1024 && index + 1 < names.size(); value /= 1024) ++index;
  return std::floor(value) == value ? fmt::format("{:.0f} {}", value, names[index])
                                    : fmt::format("{:.1f} {}", value, names[index]);
}

std::string policy_bytes(Bytes bytes) {
  constexpr std::array units{std::pair{"Gi", 30}, std::pair{"Mi", 20}, std::pair{"Ki", 10}};
  for (const auto& [name, shift] : units) {
    const std::uint64_t unit = std::uint64_t{1} << shift;
    if (bytes.value >= unit && bytes.value % unit == 0) {
      return fmt::format("{}{}", bytes.value / unit, name);
    }
  }
  return fmt::format("{}", bytes.value);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  const double nanoseconds = static_cast<double>(duration.count());
  if (nanoseconds < 1e3) return fmt::format("{:.0f} ns", nanoseconds);
  if (nanoseconds < 1e6) return fmt::format("{:.3g} µs", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return fmt::format("{:.3g} ms", nanoseconds / 1e6);
  if (nanoseconds < 120e9) return fmt::format("{:.3g} s", nanoseconds / 1e9);
  return fmt::format("{:.3g} min", nanoseconds / 60e9);
}

std::string policy_duration(std::chrono::nanoseconds duration) {
  constexpr std::array units{
      std::pair{"h", std::int64_t{3600'000'000'000}}, std::pair{"m", std::int64_t{60'000'000'000}},
      std::pair{"s", std::int64_t{1'000'000'000}},    std::pair{"ms", std::int64_t{1'000'000}},
      std::pair{"us", std::int64_t{1'000}},
  };
  for (const auto& [name, unit] : units) {
    if (duration.count() >= unit && duration.count() % unit == 0) {
      return fmt::format("{}{}", duration.count() / unit, name);
    }
  }
  return fmt::format("{}us", duration.count() / 1'000);
}

}  // namespace belljar
