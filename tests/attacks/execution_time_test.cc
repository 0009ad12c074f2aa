// A15 to A18: guests that never come back, by looping, by waiting, and by going ever deeper.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A15 = Attack;
using A16 = Attack;
using A17 = Attack;
using A18 = Attack;

/// Short enough for a test to wait for, long enough for a healthy call on a busy machine.
constexpr std::string_view short_timeout = "limit=timeout=400ms";

std::string granted(std::string_view component, std::string_view grant) {
  return fmt::format("{}:{}", component, grant);
}

/// What the tool's result says when a limit stopped it.
void expect_stopped_by(const Json& result, std::string_view limit) {
  EXPECT_TRUE(result.value("isError", false)) << result;
  EXPECT_THAT(text_of(result), testing::HasSubstr(fmt::format("\"{}\"", limit)));
}

constexpr std::string_view spinning = R"((component
  (core module $m
    (func (export "spin") (loop $again (br $again)))
    ;; Calls instead of a branch back, and a branch table.
    (func $hop (export "hop") (param i32) (result i32)
      (loop $again (br_table $again $again $again (local.get 0)))
      unreachable)
    (func $even (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (return_call $odd (i32.sub (local.get 0) (i32.const 1))))))
    (func $odd (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
        (else (return_call $even (i32.sub (local.get 0) (i32.const 1))))))
    ;; Tail calls take no stack, so that nothing but the time can stop them.
    (func $tail (export "tail") (param i32) (result i32)
      (return_call $tail (call $even (local.get 0)))))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "hop") (param "n" u32) (result u32) (canon lift (core func $i "hop")))
  (func (export "tail") (param "n" u32) (result u32) (canon lift (core func $i "tail")))))";

TEST_F(A15, LoopsOfEveryKindEndAtTheTimeout) {
  write("spin.wat", spinning);
  const auto server = serve({"spin.wat", "--grant", granted("spin", short_timeout)});
  expect_stopped_by(server->call("spin_spin"), "timeout");
  expect_stopped_by(server->call("spin_hop", {{"n", 1}}), "timeout");
  expect_stopped_by(server->call("spin_tail", {{"n", 1'000'000}}), "timeout");
  expect_healthy(*server);
  expect_record(
      {{"kind", "call"}, {"tool", "spin_spin"}, {"outcome", "limit"}, {"limit", "timeout"}});
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A15, ALoopInAStartFunctionEndsAtTheTimeoutAndNotAtLoading) {
  write("start.wat", R"((component
    (core module $m
      (func $spin (loop $again (br $again)))
      (start $spin)
      (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f")))))");
  const auto server = serve({"start.wat", "--grant", granted("start", short_timeout)});
  expect_healthy(*server);
  expect_stopped_by(server->call("start_f"), "timeout");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "start_f"}, {"limit", "timeout"}});
}

TEST_F(A15, CallsAreAnsweredWhileMoreGuestsSpinThanThereAreProcessors) {
  write("spin.wat", spinning);
  const auto server = serve({"spin.wat", "--grant", granted("spin", "limit=timeout=5m")});
  std::vector<int> spinners;
  for (int i = 0; i < 40; ++i) spinners.push_back(server->start_call("spin_spin"));
  for (int i = 0; i < 5; ++i) expect_healthy(*server);
  // Cancelled calls end at once, and are never answered.
  for (const int id : spinners) server->notify("notifications/cancelled", {{"requestId", id}});
  expect_healthy(*server);
  std::size_t cancelled = 0;
  const Deadline deadline = soon();
  while (cancelled < spinners.size() && std::chrono::steady_clock::now() < deadline) {
    cancelled = 0;
    for (const Json& record : audit_log({"--kind", "call"})) {
      if (record["outcome"] == "cancelled") ++cancelled;
    }
  }
  EXPECT_EQ(cancelled, spinners.size()) << "cancelling did not end the guests";
  EXPECT_TRUE(server->frames().empty()) << server->frames().front();
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A15, TheEndOfTheInputEndsTheServerUnderSpinningGuests) {
  write("spin.wat", spinning);
  const auto server = serve({"spin.wat", "--grant", granted("spin", "limit=timeout=5m")});
  expect_healthy(*server);
  for (int i = 0; i < 8; ++i) server->start_call("spin_spin");
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A15, FuelStopsALoopWhereAPolicyNamesIt) {
  write("spin.wat", spinning);
  const CommandResult result =
      run({"call", "spin.wat", "spin", "--grant", "limit=fuel=1000000", "--json"});
  EXPECT_EQ(result.code, 4) << result.err;
  EXPECT_EQ(Json::parse(result.out, nullptr, false).value("limit", ""), "fuel") << result.out;
  expect_record({{"kind", "call"}, {"tool", "spin_spin"}, {"limit", "fuel"}});
  expect_healthy();
}

/// Host calls with sizes that no host should believe: 64-bit lengths.
constexpr std::string_view greedy = R"((component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $io-error (type $outer-error))
    (export "error" (type $e (eq $outer-error)))
    (type $failure (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "[method]output-stream.write-zeroes"
      (func (param "self" (borrow $out)) (param "len" u64) (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-write-zeroes-and-flush"
      (func (param "self" (borrow $out)) (param "len" u64) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $outer-stream))
    (export "output-stream" (type $s (eq $outer-stream)))
    (export "get-stdout" (func (result (own $s))))))
  (core module $memory
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32) (local $short i32)
      (local.set $at (global.get $free))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.set $short (i32.sub (i32.shr_u (i32.add (global.get $free) (i32.const 65535)) (i32.const 16))
                                 (memory.size)))
      (if (i32.gt_s (local.get $short) (i32.const 0))
        (then (drop (memory.grow (local.get $short)))))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (core func $bytes (canon lower (func $random "get-random-bytes")
    (memory $mem "memory") (realloc (func $mem "realloc"))))
  (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes")
    (memory $mem "memory")))
  (core func $flush (canon lower
    (func $streams "[method]output-stream.blocking-write-zeroes-and-flush") (memory $mem "memory")))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core module $m
    (import "host" "bytes" (func $bytes (param i64 i32)))
    (import "host" "zeroes" (func $zeroes (param i32 i64 i32)))
    (import "host" "flush" (func $flush (param i32 i64 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (func (export "bytes") (param i64) (call $bytes (local.get 0) (i32.const 8)))
    (func (export "zeroes") (param i64)
      (call $zeroes (call $stdout) (local.get 0) (i32.const 8)))
    (func (export "flush") (param i64)
      (call $flush (call $stdout) (local.get 0) (i32.const 8))))
  (core instance $i (instantiate $m (with "host" (instance
    (export "bytes" (func $bytes)) (export "zeroes" (func $zeroes))
    (export "flush" (func $flush)) (export "stdout" (func $stdout))))))
  (func (export "bytes") (param "n" u64) (canon lift (core func $i "bytes")))
  (func (export "zeroes") (param "n" u64) (canon lift (core func $i "zeroes")))
  (func (export "flush") (param "n" u64) (canon lift (core func $i "flush")))))";

TEST_F(A16, AHostCallIsNotMadeToDoAnyAmountOfWork) {
  write("greedy.wat", greedy);
  const auto server = serve({"greedy.wat", "--grant", granted("greedy", "limit=timeout=5s")});
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  for (const std::string_view tool : {"greedy_bytes", "greedy_zeroes", "greedy_flush"}) {
    for (const std::string_view size :
         {"18446744073709551615", "9223372036854775808", "4294967296", "1073741824"}) {
      SCOPED_TRACE(fmt::format("{} {}", tool, size));
      const int id = server->start_call(tool, {{"n", std::string(size)}});
      // However the guest ends, others are served meanwhile.
      expect_healthy(*server);
      const Json answer = server->await_answer(id);
      ASSERT_TRUE(answer.contains("result")) << answer;
      if (tool == "greedy_bytes") {
        EXPECT_TRUE(answer["result"].value("isError", false)) << answer;
      }
    }
  }
  EXPECT_LT(server->child().peak_memory(), before + (std::size_t{512} << 20))
      << "the host made room for what a guest asked for";
  expect_record({{"kind", "call"}, {"tool", "greedy_bytes"}});
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A16, BulkInstructionsEndAtTheTimeout) {
  write("bulk.wat", R"((component
    (core module $m
      (memory 1600)
      (func (export "fill") (loop $again
        (memory.fill (i32.const 0) (i32.const 7) (i32.const 104857600)) (br $again)))
      (func (export "copy") (loop $again
        (memory.copy (i32.const 0) (i32.const 1) (i32.const 104857599)) (br $again))))
    (core instance $i (instantiate $m))
    (func (export "fill") (canon lift (core func $i "fill")))
    (func (export "copy") (canon lift (core func $i "copy")))))");
  const auto server = serve({"bulk.wat", "--grant", granted("bulk", short_timeout)});
  for (const std::string_view tool : {"bulk_fill", "bulk_copy"}) {
    const int id = server->start_call(tool);
    expect_healthy(*server);
    expect_stopped_by(server->await_answer(id)["result"], "timeout");
  }
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "bulk_copy"}, {"limit", "timeout"}});
}

/// Waits for a pollable that is never ready, in three ways.
constexpr std::string_view sleeping = R"((component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))
    (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $p (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core module $memory
    (memory (export "memory") 8)
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get 3)))))
  (core instance $mem (instantiate $memory))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $poll-all (canon lower (func $poll "poll")
    (memory $mem "memory") (realloc (func $mem "realloc"))))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "host" "block" (func $block (param i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "sleep") (param i64) (call $block (call $subscribe (local.get 0))))
    ;; Ten thousand things to wait for at once, then once more and again.
    (func (export "poll") (param $count i32) (local $i i32)
      (loop $fill
        (i32.store (i32.mul (local.get $i) (i32.const 4)) (call $subscribe (i64.const -1)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $fill (i32.lt_u (local.get $i) (local.get $count))))
      (call $poll (i32.const 0) (local.get $count) (i32.const 262144)))
    ;; Never waits for long, and never stops.
    (func (export "doze") (local $p i32)
      (loop $again
        (local.set $p (call $subscribe (i64.const 1000)))
        (call $block (local.get $p))
        (call $drop (local.get $p))
        (br $again)))
    (func (export "hoard") (loop $again (drop (call $subscribe (i64.const -1))) (br $again))))
  (core instance $i (instantiate $m
    (with "memory" (instance $mem))
    (with "host" (instance
      (export "block" (func $block)) (export "poll" (func $poll-all))
      (export "subscribe" (func $subscribe)) (export "drop" (func $drop))))))
  (func (export "sleep") (param "time" u64) (canon lift (core func $i "sleep")))
  (func (export "poll") (param "count" u32) (canon lift (core func $i "poll")))
  (func (export "doze") (canon lift (core func $i "doze")))
  (func (export "hoard") (canon lift (core func $i "hoard")))))";

TEST_F(A17, SleepingAndPollingForEverEndAtTheTimeout) {
  write("sleep.wat", sleeping);
  const auto server = serve({"sleep.wat", "--grant", granted("sleep", short_timeout)});
  for (const std::string_view time :
       {"18446744073709551615", "9223372036854775807", "3600000000000"}) {
    const int id = server->start_call("sleep_sleep", {{"time", std::string(time)}});
    expect_healthy(*server);
    expect_stopped_by(server->await_answer(id)["result"], "timeout");
  }
  expect_stopped_by(server->call("sleep_poll", {{"count", 300}}), "timeout");
  expect_stopped_by(server->call("sleep_doze"), "timeout");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "sleep_poll"}, {"limit", "timeout"}});
}

TEST_F(A17, ASleepingGuestCanBeCancelled) {
  write("sleep.wat", sleeping);
  const auto server = serve({"sleep.wat", "--grant", granted("sleep", "limit=timeout=1h")});
  const int id = server->start_call("sleep_sleep", {{"time", "18446744073709551615"}});
  expect_healthy(*server);
  server->notify("notifications/cancelled", {{"requestId", id}});
  expect_record({{"kind", "call"}, {"tool", "sleep_sleep"}, {"outcome", "cancelled"}});
  server->start_call("sleep_poll", {{"count", 10'000}});
  EXPECT_EQ(server->end(), 0) << "a sleeping guest keeps the server";
}

TEST_F(A17, HostObjectsThatAGuestHoardsAreCounted) {
  write("sleep.wat", sleeping);
  const auto server = serve({"sleep.wat", "--grant", granted("sleep", "limit=timeout=20s")});
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  const int id = server->start_call("sleep_hoard");
  expect_healthy(*server);
  expect_stopped_by(server->await_answer(id)["result"], "handles");
  EXPECT_LT(server->child().peak_memory(), before + (std::size_t{32} << 20));
  expect_healthy(*server);
}

constexpr std::string_view recursive = R"((component
  (core module $m
    (type $f (func (param i32) (result i32)))
    (table 2 funcref)
    (elem (i32.const 0) $direct $indirect)
    (func $direct (export "direct") (param i32) (result i32)
      (i32.add (i32.const 1) (call $direct (local.get 0))))
    (func $indirect (export "indirect") (param i32) (result i32)
      (i32.add (i32.const 1)
        (call_indirect (type $f) (local.get 0) (i32.const 1))))
    ;; A large frame: every local is live across the call.
    (func $wide (export "wide") (param i32) (result i32)
      (local f64 f64 f64 f64 f64 f64 f64 f64 v128 v128 v128 v128 v128 v128 v128 v128)
      (local.set 9 (i32x4.splat (call $wide (i32.add (local.get 0) (i32.const 1)))))
      (i32x4.extract_lane 0 (i32x4.add (local.get 9) (local.get 10)))))
  (core instance $i (instantiate $m))
  (func (export "direct") (param "n" u32) (result u32) (canon lift (core func $i "direct")))
  (func (export "indirect") (param "n" u32) (result u32) (canon lift (core func $i "indirect")))
  (func (export "wide") (param "n" u32) (result u32) (canon lift (core func $i "wide")))))";

TEST_F(A18, UnboundedRecursionIsALimitAndNotACrash) {
  write("deep.wat", recursive);
  const auto server = serve({"deep.wat"});
  for (const std::string_view tool : {"deep_direct", "deep_indirect", "deep_wide"}) {
    SCOPED_TRACE(tool);
    expect_stopped_by(server->call(tool, {{"n", 0}}), "stack");
    expect_healthy(*server);
  }
  expect_record({{"kind", "call"}, {"tool", "deep_wide"}, {"limit", "stack"}});
}

TEST_F(A18, ManyDeepStacksAtOnceAreServed) {
  write("deep.wat", recursive);
  const auto server = serve({"deep.wat"});
  std::vector<int> calls;
  for (int i = 0; i < 200; ++i) calls.push_back(server->start_call("deep_direct", {{"n", i}}));
  for (const int id : calls) expect_stopped_by(server->await_answer(id)["result"], "stack");
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

/// A host function that is entered at the very end of the stack still has its own room.
TEST_F(A18, AHostCallAtTheEndOfTheStackIsSafe) {
  write("edge.wat", R"((component
    (import "wasi:random/random@0.2.0" (instance $random
      (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
    (core module $memory
      (memory (export "memory") 2)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
    (core instance $mem (instantiate $memory))
    (core func $bytes (canon lower (func $random "get-random-bytes")
      (memory $mem "memory") (realloc (func $mem "realloc"))))
    (core module $m
      (import "host" "bytes" (func $bytes (param i64 i32)))
      (func $down (export "down") (param i32) (result i32)
        (call $bytes (i64.const 16) (i32.const 8))
        (i32.add (i32.const 1) (call $down (local.get 0)))))
    (core instance $i (instantiate $m (with "host" (instance (export "bytes" (func $bytes))))))
    (func (export "down") (param "n" u32) (result u32) (canon lift (core func $i "down")))))");
  const auto server = serve({"edge.wat"});
  expect_stopped_by(server->call("edge_down", {{"n", 0}}), "stack");
  expect_healthy(*server);
}

}  // namespace
}  // namespace belljar::attacks
