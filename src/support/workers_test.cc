#include "support/workers.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>

namespace belljar {
namespace {

TEST(WorkersTest, AsManyJobsRunAtOnceAsThereAreThreads) {
  // Nobody passes before all three are there. What jobs use outlives the workers.
  std::latch all(3);
  std::latch ended(3);
  const auto workers = Workers::start(3, 16);
  ASSERT_TRUE(workers) << workers.error().describe();
  for (int i = 0; i < 3; ++i) {
    Workers::Job job = [&] {
      all.arrive_and_wait();
      ended.count_down();
    };
    ASSERT_TRUE((*workers)->add(job));
  }
  ended.wait();
}

TEST(WorkersTest, AJobTooManyIsRefusedAndStaysTheCallers) {
  std::promise<void> begun;
  std::promise<void> go_on;
  const auto workers = Workers::start(1, 1);
  ASSERT_TRUE(workers) << workers.error().describe();
  Workers::Job first = [&] {
    begun.set_value();
    go_on.get_future().wait();
  };
  ASSERT_TRUE((*workers)->add(first));
  begun.get_future().wait();
  Workers::Job second = [] {};
  ASSERT_TRUE((*workers)->add(second));
  bool ran = false;
  Workers::Job third = [&] { ran = true; };
  EXPECT_FALSE((*workers)->add(third));
  ASSERT_TRUE(third);
  third();
  EXPECT_TRUE(ran);
  go_on.set_value();
}

TEST(WorkersTest, WhatWaitsIsDoneBeforeTheyEnd) {
  int done = 0;
  {
    const auto workers = Workers::start(1, 100);
    ASSERT_TRUE(workers) << workers.error().describe();
    for (int i = 0; i < 50; ++i) {
      Workers::Job job = [&] { ++done; };
      ASSERT_TRUE((*workers)->add(job));
    }
  }
  EXPECT_EQ(done, 50);
}

}  // namespace
}  // namespace belljar
