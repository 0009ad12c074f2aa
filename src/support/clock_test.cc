#include "support/clock.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace belljar {
namespace {

TEST(Clock, TimesAreWrittenInUtcWithMicroseconds) {
  test::ManualClock clock;
  EXPECT_EQ(format_time(clock.now()), "2026-01-02T03:04:05.000000Z");
  clock.advance(std::chrono::microseconds(6));
  EXPECT_EQ(format_time(clock.now()), "2026-01-02T03:04:05.000006Z");
  EXPECT_EQ(format_time(WallTime{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(WallTime(std::chrono::microseconds(-1))), "1969-12-31T23:59:59.999999Z")
      << "a clock that was set back far";
}

TEST(Clock, WrittenTimesSortAsTheyPass) {
  const test::ManualClock clock;
  const WallTime now = clock.now();
  EXPECT_LT(format_time(now), format_time(now + std::chrono::microseconds(1)));
  EXPECT_LT(format_time(now), format_time(now + std::chrono::hours(24 * 400)));
}

}  // namespace
}  // namespace belljar
