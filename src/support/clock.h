// The one clock, and what a test puts in its place.
#pragma once

#include <chrono>
#include <string>

namespace belljar {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Tells the time. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};

/// RFC 3339 in UTC with microseconds: `2026-01-02T03:04:05.000006Z`.
[[nodiscard]] std::string format_time(WallTime time);

}  // namespace belljar
