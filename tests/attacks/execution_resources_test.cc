// A21, A27: guests and clients that hoard what they are given, and guests that crash where the host
// is in the middle of something.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A21 = Attack;
using A27 = Attack;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

void expect_stopped_by(const Json& result, std::string_view limit) {
  EXPECT_TRUE(result.value("isError", false)) << result;
  EXPECT_THAT(text_of(result), testing::HasSubstr(fmt::format("\"{}\"", limit)));
}

void expect_trapped(const Json& result) {
  EXPECT_TRUE(result.value("isError", false)) << result.dump().substr(0, 400);
  EXPECT_THAT(text_of(result), testing::HasSubstr("crashed"));
}

/// A resource that a client makes, uses and drops; its constructor and destructor misbehave on
/// request.
constexpr std::string_view resources = R"((component
  (core module $destructor
    (func (export "drop") (param i32)
      (if (i32.eq (local.get 0) (i32.const 666)) (then unreachable))
      (if (i32.eq (local.get 0) (i32.const 667)) (then (loop $again (br $again))))))
  (core instance $d (instantiate $destructor))
  (type $thing (resource (rep i32) (dtor (func $d "drop"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $m
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (memory (export "memory") 20)
    (func (export "make") (param $rep i32) (param $work i32) (result i32) (local $i i32)
      (loop $again
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $work))))
      (call $new (local.get $rep)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "hoard") (param $count i32) (result i32) (local $i i32)
      (loop $again
        (drop (call $new (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $count))))
      (local.get $i))
    (func (export "many") (param $count i32) (result i32) (local $i i32)
      (loop $again
        (i32.store (i32.add (i32.const 64) (i32.mul (local.get $i) (i32.const 4)))
                   (call $new (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $count))))
      (i32.store (i32.const 8) (i32.const 64))
      (i32.store (i32.const 12) (local.get $count))
      (i32.const 8))
    (func (export "twice") (param i32) (local $h i32)
      (local.set $h (call $new (local.get 0)))
      (call $drop (local.get $h))
      (call $drop (local.get $h))))
  (core instance $i (instantiate $m (with "r" (instance
    (export "new" (func $new)) (export "drop" (func $drop))))))
  (func $make (param "rep" u32) (param "work" u32) (result (own $thing))
    (canon lift (core func $i "make")))
  (func $read (param "self" (borrow $thing)) (result u32) (canon lift (core func $i "same")))
  (func $hoard (param "count" u32) (result u32) (canon lift (core func $i "hoard")))
  (func $many (param "count" u32) (result (list (own $thing)))
    (canon lift (core func $i "many") (memory $i "memory")))
  ;; A handle that was never given, and one that is dropped twice.
  (func $forge (param "handle" u32) (result (own $thing)) (canon lift (core func $i "same")))
  (func $twice (param "rep" u32) (canon lift (core func $i "twice")))
  (component $named
    (import "thing" (type $t (sub resource)))
    (import "make" (func $make (param "rep" u32) (param "work" u32) (result (own $t))))
    (import "read" (func $read (param "self" (borrow $t)) (result u32)))
    (import "hoard" (func $hoard (param "count" u32) (result u32)))
    (import "many" (func $many (param "count" u32) (result (list (own $t)))))
    (import "forge" (func $forge (param "handle" u32) (result (own $t))))
    (import "twice" (func $twice (param "rep" u32)))
    (export $e "thing" (type $t))
    (export "[constructor]thing" (func $make)
      (func (param "rep" u32) (param "work" u32) (result (own $e))))
    (export "[method]thing.read" (func $read) (func (param "self" (borrow $e)) (result u32)))
    (export "hoard" (func $hoard))
    (export "many" (func $many) (func (param "count" u32) (result (list (own $e)))))
    (export "forge" (func $forge) (func (param "handle" u32) (result (own $e))))
    (export "twice" (func $twice)))
  (instance $api (instantiate $named (with "thing" (type $thing)) (with "make" (func $make))
    (with "read" (func $read)) (with "hoard" (func $hoard)) (with "many" (func $many))
    (with "forge" (func $forge)) (with "twice" (func $twice))))
  (export "test:hold/api" (instance $api))))";

Json make(int rep, int work = 0) { return {{"rep", rep}, {"work", work}}; }

TEST_F(A21, AHundredThousandHandlesAreBounded) {
  write("hold.wat", resources);
  const auto server = serve({"hold.wat", "--grant", "hold:limit=output=256Ki"});
  const std::size_t before = server->child().peak_memory();
  // Inside the guest, where each costs the host a little.
  EXPECT_EQ(text_of(server->call("hold_api_hoard", {{"count", 1'000}})), "1000");
  for (const std::uint32_t count : {100'000U, 4'294'967'295U}) {
    expect_stopped_by(server->call("hold_api_hoard", {{"count", count}}), "handles");
  }
  // Handed to the client, each as a text of its own.
  expect_stopped_by(server->call("hold_api_many", {{"count", 100'000}}), "handles");
  expect_stopped_by(server->call("hold_api_many", {{"count", 15'000}}), "output");
  EXPECT_LT(server->child().peak_memory(), before + 64 * mebibyte);
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "hold_api_hoard"}, {"limit", "handles"}});
}

TEST_F(A21, AClientThatHoardsInstancesLeavesRoomForOthers) {
  write("home/config/belljar.toml", "[limits]\nsandboxes = 48\n");
  write("hold.wat", resources);
  const auto server = serve({"hold.wat"});
  std::vector<int> calls;
  std::vector<std::string> handles;
  for (int i = 0; i < 2'000; ++i)
    calls.push_back(server->start_call("hold_api_thing-new", make(i)));
  for (const int id : calls) {
    const Json answer = server->await_answer(id);
    ASSERT_TRUE(answer.contains("result")) << answer;
    if (!answer["result"].value("isError", false)) handles.push_back(text_of(answer["result"]));
  }
  EXPECT_FALSE(handles.empty());
  EXPECT_LE(handles.size(), 32U) << "as many live instances as a client may hold";
  expect_healthy(*server);
  for (const std::string& handle : handles) {
    EXPECT_FALSE(server->call("hold_api_thing-drop", {{"self", handle}}).value("isError", false));
  }
  EXPECT_FALSE(server->call("hold_api_thing-new", make(1)).value("isError", false))
      << "what was given back is not free";
}

TEST_F(A21, ConstructorsThatRunAtTheSameTimeCountBeforeTheyEnd) {
  write("home/config/belljar.toml", "[limits]\nsandboxes = 64\n");
  write("hold.wat", resources);
  const auto server =
      serve({"hold.wat", "--grant", "hold:limit=instances=64", "--grant", "hold:limit=timeout=2m"});
  std::vector<int> calls;
  for (int i = 0; i < 60; ++i) {
    calls.push_back(server->start_call("hold_api_thing-new", make(i, 40'000'000)));
  }
  std::size_t made = 0;
  for (const int id : calls) {
    const Json answer = server->await_answer(id);
    ASSERT_TRUE(answer.contains("result")) << answer;
    if (!answer["result"].value("isError", false)) ++made;
  }
  EXPECT_LE(made, 32U) << "a client holds more instances than it may, by asking for them at once";
  EXPECT_GE(made, 1U);
  expect_healthy(*server);
}

TEST_F(A21, HandlesCannotBeForgedOrUsedTwice) {
  write("hold.wat", resources);
  const auto server = serve({"hold.wat"});
  const std::string handle = text_of(server->call("hold_api_thing-new", make(7)));
  EXPECT_EQ(text_of(server->call("hold_api_thing-read", {{"self", handle}})), "7");
  for (const std::string& forged :
       {std::string("handle-00000000000000000000000000000000"), std::string("1"), std::string(),
        handle + " ", handle.substr(1), "H" + handle.substr(1), std::string(1 << 20, 'x')}) {
    EXPECT_TRUE(server->call("hold_api_thing-read", {{"self", forged}}).value("isError", false));
  }
  EXPECT_TRUE(server->call("hold_api_thing-read", {{"self", Json::array({handle})}})
                  .value("isError", false));
  // A handle that the guest makes up does not lead anywhere either.
  for (const std::uint32_t number : {0U, 1U, 2U, 1'000'000U, 4'294'967'295U}) {
    EXPECT_TRUE(server->call("hold_api_forge", {{"handle", number}}).value("isError", false));
  }
  expect_trapped(server->call("hold_api_twice", {{"rep", 1}}));
  EXPECT_EQ(text_of(server->call("hold_api_thing-read", {{"self", handle}})), "7");
  EXPECT_FALSE(server->call("hold_api_thing-drop", {{"self", handle}}).value("isError", false));
  EXPECT_TRUE(server->call("hold_api_thing-read", {{"self", handle}}).value("isError", false));
  EXPECT_TRUE(server->call("hold_api_thing-drop", {{"self", handle}}).value("isError", false));
  expect_healthy(*server);
}

TEST_F(A27, ATrapWhileTheHostWritesItsAnswerEndsOnlyTheCall) {
  // The allocator that the host asks for room crashes, never returns, or calls the host again.
  const auto guest = [](std::string_view allocator) {
    return fmt::format(R"((component
      (import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
      (core module $table (table (export "t") 1 funcref))
      (core instance $t (instantiate $table))
      (core module $memory
        (import "t" "t" (table 1 funcref))
        (type $host (func (param i64 i32)))
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) {} (i32.const 4096)))
      (core instance $mem (instantiate $memory (with "t" (instance $t))))
      (core func $bytes (canon lower (func $random "get-random-bytes")
        (memory $mem "memory") (realloc (func $mem "realloc"))))
      (core module $m
        (import "t" "t" (table 1 funcref))
        (import "host" "bytes" (func $bytes (param i64 i32)))
        (elem (i32.const 0) $bytes)
        (func (export "f") (call $bytes (i64.const 16) (i32.const 8))))
      (core instance $i (instantiate $m (with "t" (instance $t))
        (with "host" (instance (export "bytes" (func $bytes))))))
      (func (export "f") (canon lift (core func $i "f")))))",
                       allocator);
  };
  write("crash.wat", guest("unreachable"));
  write("spin.wat", guest("(loop $again (br $again))"));
  write("again.wat",
        guest("(call_indirect (type $host) (i64.const 16) (i32.const 8) (i32.const 0))"));
  write("deep.wat",
        guest("(drop (call 0 (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1)))"));
  const auto server = serve(
      {"crash.wat", "spin.wat", "again.wat", "deep.wat", "--grant", "spin:limit=timeout=300ms"});
  expect_trapped(server->call("crash_f"));
  expect_healthy(*server);
  expect_stopped_by(server->call("spin_f"), "timeout");
  expect_healthy(*server);
  EXPECT_TRUE(server->call("again_f").value("isError", false));
  expect_healthy(*server);
  expect_stopped_by(server->call("deep_f"), "stack");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "crash_f"}, {"outcome", "trapped"}});
}

TEST_F(A27, ATrapInCleaningUpEndsOnlyTheInstance) {
  write("hold.wat", resources);
  const auto server = serve({"hold.wat", "--grant", "hold:limit=timeout=500ms"});
  const std::string good = text_of(server->call("hold_api_thing-new", make(7)));
  for (int i = 0; i < 40; ++i) {
    const std::string bad = text_of(server->call("hold_api_thing-new", make(666)));
    ASSERT_THAT(bad, testing::StartsWith("handle-")) << "crashed instances are still counted";
    expect_trapped(server->call("hold_api_thing-drop", {{"self", bad}}));
    EXPECT_TRUE(server->call("hold_api_thing-read", {{"self", bad}}).value("isError", false));
  }
  const std::string slow = text_of(server->call("hold_api_thing-new", make(667)));
  expect_stopped_by(server->call("hold_api_thing-drop", {{"self", slow}}), "timeout");
  // Given up with the server, its destructor is never run.
  const Json kept = server->call("hold_api_thing-new", make(667));
  EXPECT_FALSE(kept.value("isError", false)) << kept;
  EXPECT_EQ(text_of(server->call("hold_api_thing-read", {{"self", good}})), "7");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "hold_api_thing-drop"}, {"outcome", "trapped"}});
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A27, ATrapAfterTheResultIsStillATrap) {
  write("after.wat", R"((component
    (core module $m
      (memory (export "memory") 1)
      (data (i32.const 64) "secret")
      (func (export "text") (result i32)
        (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 6))
        (i32.const 16))
      (func (export "crash") (param i32) unreachable)
      (func (export "spin") (param i32) (loop $again (br $again))))
    (core instance $i (instantiate $m))
    (func (export "crash") (result string) (canon lift (core func $i "text")
      (memory $i "memory") (post-return (func $i "crash"))))
    (func (export "spin") (result string) (canon lift (core func $i "text")
      (memory $i "memory") (post-return (func $i "spin"))))))");
  const auto server = serve({"after.wat", "--grant", "after:limit=timeout=300ms"});
  expect_trapped(server->call("after_crash"));
  expect_stopped_by(server->call("after_spin"), "timeout");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "after_spin"}, {"limit", "timeout"}});
}

}  // namespace
}  // namespace belljar::attacks
