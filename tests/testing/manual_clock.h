// A clock that stands still until a test moves it.
#pragma once

#include <atomic>

#include "support/clock.h"

namespace belljar::test {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return WallTime(std::chrono::microseconds(microseconds_.load()));
  }
  void advance(std::chrono::microseconds by) { microseconds_ += by.count(); }

 private:
  // 2026-01-02T03:04:05Z
  std::atomic<std::int64_t> microseconds_{1'767'323'045'000'000};
};

}  // namespace belljar::test
