// A81: folders that never answer, helpers that are stopped or killed, readers that do not read, and
// a database that somebody else holds. None of them may cost more than who needs it.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <thread>

#include "file_attack.h"
#include "held_database.h"
#include "testing/hung_folder.h"
#include "testing/processes.h"

namespace belljar::attacks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// Prints, and uses no file, though its C library has the functions for them.
constexpr std::string_view idle_program = R"((module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\04\00\00\00idle")
  (func (export "_start")
    (drop (call $prestat (i32.const 3) (i32.const 64)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))))))";

/// Writes to standard output without end.
constexpr std::string_view flooding_program = R"((module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\20\00\00\00\00\80\00\00")
  (func (export "_start")
    (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) (br 0)))))";

class A81 : public FileAttack {
 protected:
  A81() {
    write("idle.wat", idle_program);
    write("reader.wat", HostileProgram().open("file").read_exactly("hello").text());
    write("waiter.wat", HostileProgram().open("file").text());
    std::filesystem::create_directory(folder() / "hung");
  }

  [[nodiscard]] std::string folder_of(std::string_view component, std::string_view name) const {
    return fmt::format("{}:storage={}:/data", component, (folder() / name).native());
  }

  /// The healthy component, and these: one that reads a folder that answers, one that waits for a
  /// file of another that will not, and one that has that folder and uses nothing of it.
  [[nodiscard]] std::unique_ptr<Server> serve_all() const {
    auto server =
        serve({"idle.wat", "reader.wat", "waiter.wat", "--grant", folder_of("idle", "hung"),
               "--grant", folder_of("reader", "granted"), "--grant", folder_of("waiter", "hung")});
    expect_healthy(*server);
    return server;
  }

  /// The program came to its end, and every step went well.
  static void expect_reads(Server& server) {
    EXPECT_THAT(text_of(server.call("reader_run")), HasSubstr("00")) << server.child().err();
  }
  static bool is_answered(Server& server, int request) {
    for (const Json& frame : server.frames()) {
      if (frame.value("id", Json()) == request) return true;
    }
    return false;
  }
  static std::vector<pid_t> openers(Server& server) {
    return test::descendants(server.child().pid(), "belljar-opener");
  }
  static bool all_ended(const std::vector<pid_t>& processes) {
    return std::all_of(processes.begin(), processes.end(),
                       [](pid_t number) { return test::has_ended(test::look_at(number)); });
  }
};

TEST_F(A81, AFolderThatHangsCostsWhoNeedsItAndNobodyElse) {
  const auto server = serve_all();
  const test::HungFolder hung(folder() / "hung");
  if (!hung.is_hung()) GTEST_SKIP() << "this machine mounts nothing";
  const int waiting = server->start_call("waiter_run");
  EXPECT_TRUE(server->ask("server/discover").contains("result"));
  EXPECT_FALSE(is_answered(*server, waiting)) << "a ping waited for a folder";
  expect_healthy(*server);
  expect_reads(*server);
  EXPECT_THAT(text_of(server->call("idle_run")), HasSubstr("idle")) << "it uses nothing of it";
  server->notify("notifications/cancelled", {{"requestId", waiting}});
  expect_healthy(*server);
}

TEST_F(A81, OperationsThatHangTakeNoPlacesOfOtherFolders) {
  const auto server = serve_all();
  const test::HungFolder hung(folder() / "hung");
  if (!hung.is_hung()) GTEST_SKIP() << "this machine mounts nothing";
  std::vector<int> waiting;
  for (int i = 0; i < 16; ++i) waiting.push_back(server->start_call("waiter_run"));
  expect_reads(*server);
  for (const int request : waiting) {
    // Each ends with an error of the program's, when it has waited long enough.
    EXPECT_TRUE(server->await_answer(request).contains("result"));
    expect_reads(*server);
  }
  expect_healthy(*server);
}

TEST_F(A81, AServerEndsWhileAFolderHangs) {
  for (const bool by_signal : {false, true}) {
    const auto server = serve_all();
    const test::HungFolder hung(folder() / "hung");
    if (!hung.is_hung()) GTEST_SKIP() << "this machine mounts nothing";
    for (int i = 0; i < 8; ++i) server->start_call("waiter_run");
    EXPECT_TRUE(server->ask("server/discover").contains("result"));
    if (by_signal) {
      server->child().signal(SIGTERM);
    } else {
      server->child().end_input();
    }
    // Less than an operation may take, and more than the two seconds that are promised.
    const auto code =
        server->child().wait(std::chrono::steady_clock::now() + std::chrono::seconds(8));
    ASSERT_TRUE(code.has_value()) << "the end waited for a folder";
    EXPECT_EQ(*code, 0);
  }
  expect_healthy();
}

TEST_F(A81, AnOpenerThatIsKilledIsMadeAgain) {
  const auto server = serve_all();
  for (int round = 0; round < 3; ++round) {
    expect_reads(*server);
    const auto before = openers(*server);
    ASSERT_THAT(before, SizeIs(1));
    ::kill(before.front(), SIGKILL);
    expect_reads(*server);
    EXPECT_THAT(openers(*server), Not(testing::Contains(before.front())));
  }
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A81, AnOpenerThatIsStoppedIsReplaced) {
  const auto server = serve_all();
  expect_reads(*server);
  const auto before = openers(*server);
  ASSERT_THAT(before, SizeIs(1));
  ::kill(before.front(), SIGSTOP);
  const int reading = server->start_call("reader_run");
  EXPECT_TRUE(server->ask("server/discover").contains("result"));
  EXPECT_FALSE(is_answered(*server, reading)) << "a ping waited for the opener";
  expect_healthy(*server);
  EXPECT_THAT(text_of(server->await_answer(reading)["result"]), HasSubstr("00"));
  expect_reads(*server);
  EXPECT_EQ(server->end(), 0);
  EXPECT_TRUE(all_ended(before)) << "what was replaced is still there";
}

TEST_F(A81, HelpersEndWithAServerThatIsKilled) {
  const auto server = serve_all();
  expect_reads(*server);
  auto helpers = openers(*server);
  const auto keepers = test::descendants(server->child().pid(), "belljar-keeper");
  ASSERT_THAT(helpers, Not(IsEmpty()));
  ASSERT_THAT(keepers, Not(IsEmpty()));
  helpers.insert(helpers.end(), keepers.begin(), keepers.end());
  // One that is stopped reads no socket's end.
  ::kill(helpers.front(), SIGSTOP);
  server->child().signal(SIGKILL);
  ASSERT_TRUE(server->child().wait(soon()).has_value());
  const auto deadline = soon();
  while (!all_ended(helpers) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(all_ended(helpers));
  expect_healthy();
}

TEST_F(A81, APipeThatNobodyReadsKeepsNoProgramRunning) {
  write("flood.wat", flooding_program);
  const auto by_timeout = start({"run", "flood.wat", "--grant", "limit=timeout=400ms"});
  by_timeout->set_reading(false);
  const auto limited = by_timeout->wait(soon());
  ASSERT_TRUE(limited.has_value()) << "it ran on after its timeout";
  EXPECT_THAT(by_timeout->err(), HasSubstr("timeout"));

  const auto by_signal = start({"run", "flood.wat", "--grant", "limit=timeout=1h"});
  by_signal->set_reading(false);
  // Once the pipe is full, all the program does is to wait.
  ASSERT_TRUE(by_signal->wait_until_full(soon()));
  by_signal->signal(SIGINT);
  EXPECT_TRUE(by_signal->wait(soon()).has_value()) << "the first signal did not end it";
  expect_healthy();
}

TEST_F(A81, WhatAProgramWroteIsAllThereWhenItHasEnded) {
  write("much.wat", R"((module
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 4)
    (data (i32.const 0) "\20\00\00\00\00\00\03\00")
    (func (export "_start")
      (local $i i32)
      (loop
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $i) (i32.const 20)))))))");
  const CommandResult result = run({"run", "much.wat"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, SizeIs(20 * 0x30000));
}

TEST_F(A81, AThreadThatCannotBeStartedEndsNoServer) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  const auto server = serve({}, {.from_state = true});
  expect_healthy(*server);
  const pid_t process = server->child().pid();
  rlimit before{};
  ASSERT_EQ(::prlimit(process, RLIMIT_AS, nullptr, &before), 0);
  // Room for what is small, and not for the stack of a thread.
  rlimit tight = before;
  tight.rlim_cur = test::address_space(process) + (std::size_t{2} << 20);
  ASSERT_EQ(::prlimit(process, RLIMIT_AS, &tight, nullptr), 0);
  // Each command is answered on a thread of its own.
  for (int i = 0; i < 3; ++i) static_cast<void>(run({"list"}));
  EXPECT_TRUE(server->is_alive()) << server->child().err();
  EXPECT_TRUE(server->ask("server/discover").contains("result"));
  ASSERT_EQ(::prlimit(process, RLIMIT_AS, &before, nullptr), 0);
  EXPECT_EQ(run({"list"}).code, 0);
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

/// A server whose tool `reader_run` needs a grant for one call, which is used up in the state.
class A81WithACountedGrant : public A81 {
 protected:
  std::unique_ptr<Server> serve_counted() const {
    EXPECT_EQ(run({"load", "reader.wat"}).code, 0);
    const std::string grant = fmt::format("storage={}:/data", (folder() / "granted").native());
    EXPECT_EQ(run({"grant", "reader", grant, "--once"}).code, 0);
    EXPECT_EQ(run({"load", "healthy.wat"}).code, 0);
    auto server = serve({}, {.from_state = true});
    expect_healthy(*server);
    return server;
  }
  std::filesystem::path state() const { return home() / "data/state.db"; }
};

TEST_F(A81WithACountedGrant, ADatabaseThatSomebodyHoldsStopsNobodyElse) {
  const auto server = serve_counted();
  int waiting = 0;
  {
    const HeldDatabase held(state());
    waiting = server->start_call("reader_run");
    EXPECT_TRUE(server->ask("server/discover").contains("result"));
    EXPECT_FALSE(is_answered(*server, waiting)) << "a ping waited for the database";
    expect_healthy(*server);
    EXPECT_FALSE(is_answered(*server, waiting)) << "a call waited for the database of another";
  }
  EXPECT_THAT(text_of(server->await_answer(waiting)["result"]), HasSubstr("00"));
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A81WithACountedGrant, ACallThatWaitsForADatabaseCanBeCancelled) {
  const auto server = serve_counted();
  {
    const HeldDatabase held(state());
    const int waiting = server->start_call("reader_run");
    server->notify("notifications/cancelled", {{"requestId", waiting}});
    expect_record({{"kind", "call"}, {"tool", "reader_run"}, {"outcome", "cancelled"}});
  }
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

}  // namespace
}  // namespace belljar::attacks
