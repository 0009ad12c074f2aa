#include "toolbox/handles.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::toolbox {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string handle(int number) { return fmt::format("handle-{:032x}", number); }

std::string arguments(const std::vector<std::string>& handles) {
  return fmt::format(R"({{"list":["{}"]}})", fmt::join(handles, R"(","x",")"));
}

class HandlesTest : public testing::Test {
 protected:
  [[nodiscard]] Handles make(Handles::Options options) {
    return Handles(options, [this](std::uint64_t live) { ended_.push_back(live); });
  }

  std::vector<std::uint64_t> ended_;
  Handles handles_ = make({});
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
  EXPECT_THAT(ended_, IsEmpty()) << "the engine ended the instance itself";
}

TEST_F(HandlesTest, StayWhereTheInstanceStays) {
  handles_.settle(0, 7, {handle(1)}, "ada");
  handles_.settle(7, 7, {handle(2)}, "ada");
  EXPECT_EQ(handles_.find(arguments({handle(1), handle(2)}), "ada"), 7U);
}

TEST_F(HandlesTest, OfOneClientAreCounted) {
  Handles few = make({.idle = minutes(10), .per_client = 2, .total = 3});
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
  Handles few = make({.idle = minutes(10), .per_client = 2, .total = 3});
  EXPECT_TRUE(few.reserve("ada"));
  EXPECT_TRUE(few.reserve("ada"));
  EXPECT_FALSE(few.reserve("ada"));
  EXPECT_TRUE(few.reserve("bob"));
  EXPECT_FALSE(few.reserve("bob")) << "all together are three";
  few.release("ada");
  EXPECT_TRUE(few.reserve("bob"));
}

TEST_F(HandlesTest, ExpireWhenNobodyUsedThemForATime) {
  Handles brief = make({.idle = minutes(0), .per_client = 8, .total = 8});
  brief.settle(0, 7, {handle(1)}, "ada");
  // Time passes: the clock's next tick is later than the last use.
  const auto used = Handles::Clock::now();
  while (Handles::Clock::now() == used) {
  }
  brief.expire();
  EXPECT_THAT(ended_, ElementsAre(7));
  EXPECT_FALSE(brief.find(arguments({handle(1)}), "ada"));
  handles_.settle(0, 8, {handle(2)}, "ada");
  handles_.expire();
  EXPECT_THAT(ended_, ElementsAre(7)) << "ten minutes have not passed";
}

TEST_F(HandlesTest, EndWithTheirClient) {
  handles_.settle(0, 7, {handle(1)}, "ada");
  handles_.settle(0, 8, {handle(2)}, "ada");
  handles_.settle(0, 9, {handle(3)}, "bob");
  handles_.forget_client("ada");
  EXPECT_THAT(ended_, UnorderedElementsAre(7, 8));
  EXPECT_FALSE(handles_.find(arguments({handle(1)}), "ada"));
  EXPECT_EQ(handles_.find(arguments({handle(3)}), "bob"), 9U);
}

}  // namespace
}  // namespace belljar::toolbox
