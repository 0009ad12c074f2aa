#include "toolbox/waiting_room.h"

#include <gtest/gtest.h>

#include <utility>

namespace belljar::toolbox {
namespace {

TEST(WaitingRoomTest, HoldsOnlySoMuchAndMakesRoomAgain) {
  WaitingRoom room(Bytes{10});
  std::optional<WaitingRoom::Kept> first = room.keep("123456");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->text(), "123456");
  EXPECT_TRUE(room.keep("1234")) << "dropped at once";
  EXPECT_FALSE(room.keep("12345"));
  std::optional<WaitingRoom::Kept> moved = std::move(first);
  EXPECT_EQ(moved->text(), "123456");
  EXPECT_FALSE(room.keep("12345")) << "what was moved is still there";
  moved.reset();
  EXPECT_TRUE(room.keep("1234567890"));
}

TEST(WaitingRoomTest, AloneACallMayKeepAsMuchAsAMessageBrings) {
  WaitingRoom room(Bytes{4});
  std::optional<WaitingRoom::Kept> large = room.keep("12345678");
  ASSERT_TRUE(large);
  EXPECT_FALSE(room.keep("1"));
  large.reset();
  EXPECT_TRUE(room.keep("1"));
}

TEST(WaitingRoomTest, WhatIsKeptMayOutliveTheRoom) {
  std::optional<WaitingRoom::Kept> kept;
  {
    WaitingRoom room;
    kept = room.keep("text");
  }
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->text(), "text");
}

}  // namespace
}  // namespace belljar::toolbox
