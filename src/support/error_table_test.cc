#include "support/error_table.h"

#include <gtest/gtest.h>

#include "support/result.h"

namespace belljar {
namespace {

TEST(ErrorTable, EveryCodeHasItsOwnRow) {
  for (const ErrorCode code :
       {ErrorCode::invalid_argument, ErrorCode::not_found, ErrorCode::conflict,
        ErrorCode::invalid_policy, ErrorCode::load_failed, ErrorCode::denied,
        ErrorCode::unavailable, ErrorCode::storage, ErrorCode::internal}) {
    EXPECT_EQ(error_row(code).code, code) << static_cast<int>(code);
  }
}

TEST(ErrorTable, ExitCodesAreThoseThatWerePromised) {
  EXPECT_EQ(static_cast<int>(error_row(ErrorCode::invalid_argument).exit), 2);
  EXPECT_EQ(static_cast<int>(error_row(ErrorCode::denied).exit), 3);
  EXPECT_EQ(static_cast<int>(error_row(ErrorCode::invalid_policy).exit), 5) << "a refused policy";
  EXPECT_EQ(static_cast<int>(error_row(ErrorCode::load_failed).exit), 5);
  EXPECT_EQ(static_cast<int>(error_row(ErrorCode::storage).exit), 6);
  EXPECT_EQ(static_cast<int>(error_row(ErrorCode::internal).exit), 6);
}

TEST(Errors, GainContextOnTheWayUpOutermostFirst) {
  const auto inner = []() -> Result<int> { return fail(ErrorCode::storage, "disk {}", 7); };
  const auto middle = [&]() -> Result<int> {
    BELLJAR_TRY(const int value, in_context(inner(), "reading"));
    return value;
  };
  const auto outer = in_context(middle(), "starting");
  ASSERT_FALSE(outer);
  EXPECT_EQ(outer.error().describe(), "starting: reading: disk 7");
  EXPECT_EQ(outer.error().message(), "disk 7");
  EXPECT_EQ(outer.error().code(), ErrorCode::storage);
}

}  // namespace
}  // namespace belljar
