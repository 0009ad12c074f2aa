#include "host/keeper.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <thread>

#include "host/opener_wire.h"
#include "testing/processes.h"

namespace belljar::host {
namespace {

/// Tells its number, and then waits for the end of its socket.
void tell_number(UniqueFd socket) {
  static_cast<void>(send_packet(socket.get(), to_text(Json{{"process", ::getpid()}})));
  static_cast<void>(receive_packet(socket.get()));
}

pid_t number_of(const Helper& helper) {
  const auto packet = receive_packet(helper.socket.get());
  if (!packet || !*packet) return 0;
  return (*packet)->json.value("process", 0);
}

bool ends(pid_t number) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!test::has_ended(test::look_at(number))) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(KeeperTest, MakesHelpersAndEndsThem) {
  const auto keeper = Keeper::start(tell_number);
  ASSERT_TRUE(keeper) << keeper.error().describe();
  const auto first = (*keeper)->make();
  ASSERT_TRUE(first) << first.error().describe();
  const auto second = (*keeper)->make();
  ASSERT_TRUE(second) << second.error().describe();
  const pid_t one = number_of(*first);
  const pid_t other = number_of(*second);
  ASSERT_GT(one, 0);
  ASSERT_GT(other, 0);
  // One that reads nothing any more, too.
  ASSERT_EQ(::kill(one, SIGSTOP), 0);
  (*keeper)->end(first->number);
  EXPECT_TRUE(ends(one));
  EXPECT_FALSE(test::has_ended(test::look_at(other)));
}

TEST(KeeperTest, AHelperThatEndedMakesRoomForAnother) {
  const auto keeper = Keeper::start(tell_number);
  ASSERT_TRUE(keeper) << keeper.error().describe();
  for (int i = 0; i < 40; ++i) {
    const auto helper = (*keeper)->make();
    ASSERT_TRUE(helper) << i << ": " << helper.error().describe();
    const pid_t number = number_of(*helper);
    ASSERT_EQ(::kill(number, SIGKILL), 0);
    ASSERT_TRUE(ends(number));
  }
}

TEST(KeeperTest, HelpersThatHangAreLimitedInNumber) {
  const auto keeper = Keeper::start(tell_number);
  ASSERT_TRUE(keeper) << keeper.error().describe();
  std::vector<Helper> helpers;
  while (helpers.size() < 100) {
    auto helper = (*keeper)->make();
    if (!helper) break;
    helpers.push_back(*std::move(helper));
  }
  EXPECT_LT(helpers.size(), 100U);
  const pid_t last = number_of(helpers.back());
  helpers.pop_back();
  EXPECT_TRUE(ends(last)) << "its socket has ended";
  EXPECT_TRUE((*keeper)->make());
}

TEST(KeeperTest, HelpersEndWithTheirKeeper) {
  auto keeper = Keeper::start(tell_number);
  ASSERT_TRUE(keeper) << keeper.error().describe();
  const auto helper = (*keeper)->make();
  ASSERT_TRUE(helper) << helper.error().describe();
  const pid_t number = number_of(*helper);
  ASSERT_EQ(::kill(number, SIGSTOP), 0);
  keeper->reset();
  EXPECT_TRUE(ends(number));
}

TEST(KeeperTest, HelpersHoldNothingOpenThatTheirServerHas) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const UniqueFd read_end(pipe[0]);
  UniqueFd write_end(pipe[1]);
  const auto keeper = Keeper::start(tell_number);
  ASSERT_TRUE(keeper) << keeper.error().describe();
  const auto helper = (*keeper)->make();
  ASSERT_TRUE(helper) << helper.error().describe();
  ASSERT_GT(number_of(*helper), 0);
  write_end.reset();
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0) << "somebody else holds the pipe open";
}

}  // namespace
}  // namespace belljar::host
