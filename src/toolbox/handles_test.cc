#include "toolbox/handles.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace belljar::toolbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::HasSubstr;

std::string handle(int number) { return fmt::format("handle-{:032x}", number); }

std::string arguments(const std::vector<std::string>& handles) {
  return fmt::format(R"({{"list":["{}"]}})", fmt::join(handles, R"(","x",")"));
}

class HandlesTest : public testing::Test {
 protected:
  Handles handles_{{}, [](std::uint64_t) {}};
};

TEST_F(HandlesTest, LeadTheirClientToTheInstance) {
  handles_.settle(0, 7, {handle(1), handle(2)}, "ada");
  EXPECT_EQ(handles_.find(arguments({handle(1)}), "ada"), 7U);
  EXPECT_EQ(handles_.find(arguments({handle(2), handle(1)}), "ada"), 7U);
  EXPECT_EQ(handles_.find(R"({"a":{"b":[{"c":")" + handle(1) + R"("}]}})", "ada"), 7U)
      << "a handle may stand anywhere in the arguments";
}

TEST_F(HandlesTest, AreNotNeededByOtherArguments) {
  EXPECT_EQ(handles_.find(R"({"text":"handle","number":7})", "ada"), std::nullopt);
  EXPECT_EQ(handles_.find("no JSON, which the conversion will say", "ada"), std::nullopt);
}

TEST_F(HandlesTest, LeadNobodyElseAnywhere) {
  handles_.settle(0, 7, {handle(1)}, "ada");
  const auto found = handles_.find(arguments({handle(1)}), "bob");
  ASSERT_FALSE(found);
  const auto unknown = handles_.find(arguments({handle(2)}), "bob");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(found.error().message(), unknown.error().message())
      << "one must not learn that a handle exists";
}

TEST_F(HandlesTest, OfTwoInstancesDoNotMeet) {
  handles_.settle(0, 7, {handle(1)}, "ada");
  handles_.settle(0, 8, {handle(2)}, "ada");
  const auto found = handles_.find(arguments({handle(1), handle(2)}), "ada");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message(), HasSubstr("two instances"));
}

TEST_F(HandlesTest, AreForgottenWithTheirInstance) {
  handles_.settle(0, 7, {handle(1), handle(2)}, "ada");
  handles_.settle(7, 0, {}, "ada");
  EXPECT_FALSE(handles_.find(arguments({handle(1)}), "ada"));
  EXPECT_FALSE(handles_.find(arguments({handle(2)}), "ada"));
}

TEST_F(HandlesTest, StayWhereTheInstanceStays) {
  handles_.settle(0, 7, {handle(1)}, "ada");
  handles_.settle(7, 7, {handle(2)}, "ada");
  EXPECT_EQ(handles_.find(arguments({handle(1), handle(2)}), "ada"), 7U);
}

TEST_F(HandlesTest, OfOneClientAreCounted) {
  Handles few({.idle = minutes(10), .per_client = 2, .total = 3}, [](std::uint64_t) {});
  few.settle(0, 1, {handle(1)}, "ada");
  EXPECT_TRUE(few.reserve("ada"));
  few.settle(0, 2, {handle(2)}, "ada");
  few.release("ada");
  EXPECT_FALSE(few.reserve("ada"));
  EXPECT_TRUE(few.reserve("bob"));
  few.settle(0, 3, {handle(3)}, "bob");
  few.release("bob");
  EXPECT_FALSE(few.reserve("bob")) << "all together are three";
  few.settle(1, 0, {}, "ada");
  EXPECT_TRUE(few.reserve("bob"));
}

TEST_F(HandlesTest, OfCallsThatStillRunAreCountedToo) {
  Handles few({.idle = minutes(10), .per_client = 2, .total = 3}, [](std::uint64_t) {});
  EXPECT_TRUE(few.reserve("ada"));
  EXPECT_TRUE(few.reserve("ada"));
  EXPECT_FALSE(few.reserve("ada"));
  EXPECT_TRUE(few.reserve("bob"));
  EXPECT_FALSE(few.reserve("bob")) << "all together are three";
  few.release("ada");
  EXPECT_TRUE(few.reserve("bob"));
}

TEST_F(HandlesTest, ExpireWhenNobodyUsedThemForATime) {
  std::promise<std::uint64_t> ended;
  Handles brief({.idle = milliseconds(0), .per_client = 8, .total = 8},
                [&](std::uint64_t live) { ended.set_value(live); });
  brief.settle(0, 7, {handle(1)}, "ada");
  EXPECT_EQ(ended.get_future().get(), 7U);
  EXPECT_FALSE(brief.find(arguments({handle(1)}), "ada"));
  handles_.settle(0, 8, {handle(2)}, "ada");
  EXPECT_TRUE(handles_.find(arguments({handle(2)}), "ada")) << "ten minutes have not passed";
}

}  // namespace
}  // namespace belljar::toolbox
