#include "toolbox/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace belljar::toolbox {
namespace {

using std::chrono::hours;
using Clock = Admission::Clock;

class AdmissionTest : public testing::Test {
 protected:
  /// Waits in the queue; the future tells whether the call may start.
  std::future<bool> wait(const std::shared_ptr<Lane>& lane, std::uint32_t most,
                         Clock::time_point deadline, std::optional<std::uint64_t>& number) {
    std::promise<bool> told;
    auto future = told.get_future();
    number = admission_.wait(lane, most, deadline,
                             [told = std::move(told)](bool may) mutable { told.set_value(may); });
    return future;
  }

  const Clock::time_point later_ = Clock::now() + hours(1);
  std::shared_ptr<Lane> lane_ = std::make_shared<Lane>();
  std::shared_ptr<Lane> other_ = std::make_shared<Lane>();
  std::optional<std::uint64_t> number_;
  Admission admission_{2, 2};
};

TEST_F(AdmissionTest, LetsInWhatALaneAndAllOfThemHaveRoomFor) {
  EXPECT_TRUE(admission_.try_enter(*lane_, 1));
  EXPECT_FALSE(admission_.try_enter(*lane_, 1)) << "the lane has room for one";
  EXPECT_TRUE(admission_.try_enter(*other_, 5));
  EXPECT_FALSE(admission_.try_enter(*other_, 5)) << "all lanes together have room for two";
  admission_.leave(*lane_);
  EXPECT_TRUE(admission_.try_enter(*other_, 5));
}

TEST_F(AdmissionTest, StartsAWaitingCallWhenAnotherLeaves) {
  ASSERT_TRUE(admission_.try_enter(*lane_, 1));
  auto told = wait(lane_, 1, later_, number_);
  ASSERT_TRUE(number_);
  EXPECT_FALSE(admission_.try_enter(*lane_, 5)) << "those who wait go first";
  EXPECT_TRUE(admission_.try_enter(*other_, 1)) << "but for their own lane only";
  admission_.leave(*lane_);
  EXPECT_TRUE(told.get());
  EXPECT_FALSE(admission_.withdraw(*number_)) << "it has started";
}

TEST_F(AdmissionTest, TellsACallWhoseTimeRanOut) {
  ASSERT_TRUE(admission_.try_enter(*lane_, 1));
  EXPECT_FALSE(wait(lane_, 1, Clock::now(), number_).get());
}

TEST_F(AdmissionTest, HoldsOnlySoManyWaitingCalls) {
  ASSERT_TRUE(admission_.try_enter(*lane_, 1));
  for (int i = 0; i < 2; ++i) {
    static_cast<void>(wait(lane_, 1, later_, number_));
    EXPECT_TRUE(number_);
  }
  static_cast<void>(wait(lane_, 1, later_, number_));
  EXPECT_FALSE(number_);
}

TEST_F(AdmissionTest, ForgetsWhatWasWithdrawnAndMakesRoomForAnother) {
  ASSERT_TRUE(admission_.try_enter(*lane_, 1));
  auto withdrawn = wait(lane_, 1, later_, number_);
  ASSERT_TRUE(number_);
  EXPECT_TRUE(admission_.withdraw(*number_));
  EXPECT_THROW(withdrawn.get(), std::future_error) << "its start is dropped without being told";
  EXPECT_FALSE(admission_.withdraw(*number_));
  auto next = wait(lane_, 1, later_, number_);
  admission_.leave(*lane_);
  EXPECT_TRUE(next.get());
}

}  // namespace
}  // namespace belljar::toolbox
