#include "support/task_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace belljar {
namespace {

TEST(TaskGroupTest, WaitsForAllItsTasksAndForWhatTheyHold) {
  std::atomic<int> done = 0;
  const auto held = std::make_shared<int>(7);
  std::promise<void> open;
  const auto opened = open.get_future().share();
  {
    TaskGroup tasks;
    for (int i = 0; i < 8; ++i) {
      EXPECT_TRUE(tasks.start([&done, opened, held] {
        opened.wait();
        ++done;
      }));
    }
    EXPECT_EQ(done, 0);
    open.set_value();
  }
  EXPECT_EQ(done, 8);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(TaskGroupTest, WaitsForPlacesAsWell) {
  std::promise<void> waiting;
  std::jthread other;
  std::atomic<bool> left = false;
  {
    TaskGroup tasks;
    TaskGroup::Place first(tasks);
    TaskGroup::Place moved = std::move(first);
    other = std::jthread([&left, place = std::move(moved), begin = waiting.get_future()]() mutable {
      begin.wait();
      left = true;
      place = {};
    });
    waiting.set_value();
  }
  EXPECT_TRUE(left) << "the group was gone before the work that it waits for";
}

}  // namespace
}  // namespace belljar
