// A19, A20, A26: guests that take all the memory there is, or look at what others left in it.

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A19 = Attack;
using A20 = Attack;
using A26 = Attack;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

void expect_stopped_by(const Json& result, std::string_view limit) {
  EXPECT_TRUE(result.value("isError", false)) << result;
  EXPECT_THAT(text_of(result), testing::HasSubstr(fmt::format("\"{}\"", limit)));
}

/// `text` as often, with `{}` in it replaced by the number.
std::string numbered(int count, std::string_view text) {
  std::string whole;
  for (int i = 0; i < count; ++i) whole += fmt::format(fmt::runtime(text), i);
  return whole;
}

/// Grows until it is refused and tells how far it came, or gives up with a trap.
constexpr std::string_view growing = R"((component
  (core module $m
    (memory 1)
    (memory $wide i64 1)
    (func (export "grow") (param $step i32) (result i32)
      (loop $again (br_if $again (i32.ne (memory.grow 0 (local.get $step)) (i32.const -1))))
      (memory.size 0))
    (func (export "grow-wide") (param $step i64) (result i64)
      (loop $again (br_if $again (i64.ne (memory.grow $wide (local.get $step)) (i64.const -1))))
      (memory.size $wide))
    (func (export "give-up")
      (loop $again (br_if $again (i32.ne (memory.grow 0 (i32.const 16)) (i32.const -1))))
      unreachable)
    ;; Keeps all that it wants in use for ever, or gives up where it does not get it.
    (func (export "hold") (param $pages i32)
      (if (i32.eq (memory.grow 0 (local.get $pages)) (i32.const -1)) (then unreachable))
      (loop $again
        (memory.fill 0 (i32.const 0) (i32.const 255) (i32.mul (memory.size 0) (i32.const 65536)))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "grow") (param "step" u32) (result u32) (canon lift (core func $i "grow")))
  (func (export "grow-wide") (param "step" u64) (result u64) (canon lift (core func $i "grow-wide")))
  (func (export "give-up") (canon lift (core func $i "give-up")))
  (func (export "hold") (param "pages" u32) (canon lift (core func $i "hold")))))";

TEST_F(A19, GrowthEndsAtTheLimitInAMemoryOfEitherWidth) {
  write("grow.wat", growing);
  const auto server = serve({"grow.wat", "--grant", "grow:limit=memory=16Mi"});
  // What the step is, and how far a guest comes at least that may have 256 pages of 64 KiB.
  for (const auto& [step, least] :
       {std::pair{1, 250U}, std::pair{7, 240U}, std::pair{100, 101U}, std::pair{65'536, 1U}}) {
    SCOPED_TRACE(step);
    const std::string pages = text_of(server->call("grow_grow", {{"step", step}}));
    EXPECT_LE(std::stoul(pages), 256U);
    EXPECT_GE(std::stoul(pages), least);
  }
  for (const auto& [step, least] :
       {std::pair{"1", 250U}, std::pair{"100", 101U}, std::pair{"65536", 1U},
        std::pair{"281474976710656", 1U}, std::pair{"18446744073709551615", 1U}}) {
    SCOPED_TRACE(step);
    const std::string pages = text_of(server->call("grow_grow-wide", {{"step", step}}));
    EXPECT_LE(std::stoul(pages), 256U);
    EXPECT_GE(std::stoul(pages), least);
  }
  expect_stopped_by(server->call("grow_give-up"), "memory");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "grow_give-up"}, {"limit", "memory"}});
}

TEST_F(A19, ManyMemoriesCountTogether) {
  constexpr int memories = 64;
  std::string module = numbered(memories, "(memory $m{0} 1)\n");
  module += "(func (export \"grow\") (result i32) (local $sum i32)\n";
  for (int i = 0; i < memories; ++i) {
    module += fmt::format(
        "(loop $l{0} (br_if $l{0} (i32.ne (memory.grow $m{0} (i32.const 8)) (i32.const -1))))"
        "(local.set $sum (i32.add (local.get $sum) (memory.size $m{0})))\n",
        i);
  }
  write("many.wat", fmt::format(R"((component
    (core module $m {} (local.get $sum)))
    (core instance $i (instantiate $m))
    (func (export "grow") (result u32) (canon lift (core func $i "grow")))))",
                                module));
  const auto server = serve({"many.wat", "--grant", "many:limit=memory=16Mi"});
  const Json result = server->call("many_grow");
  ASSERT_FALSE(result.value("isError", false)) << result;
  EXPECT_LE(std::stoul(text_of(result)), 256U) << "the limit holds for each memory by itself";
  EXPECT_GE(std::stoul(text_of(result)), 200U) << "the memories were not given what is allowed";
  expect_healthy(*server);
}

TEST_F(A19, WhatAModuleDeclaresIsCountedBeforeItIsGiven) {
  write("declared.wat", R"((component
    (core module $m (memory 16384) (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f")))))");
  write("terabytes.wat", R"((component
    (core module $m (memory i64 16777216) (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f")))))");
  // A thousand instances of one module, each with a memory.
  write("instances.wat", fmt::format(R"((component
    (core module $m (memory 16) (func (export "f")))
    {}
    (func (export "f") (canon lift (core func $i0 "f")))))",
                                     numbered(200, "(core instance $i{0} (instantiate $m))\n")));
  const auto server = serve({"declared.wat", "terabytes.wat", "instances.wat"});
  const std::size_t before = server->child().peak_memory();
  for (const std::string_view tool : {"declared_f", "terabytes_f", "instances_f"}) {
    SCOPED_TRACE(tool);
    const Json result = server->call(tool);
    expect_stopped_by(result, "memory");
    expect_healthy(*server);
  }
  EXPECT_LT(server->child().peak_memory(), before + 300 * mebibyte);
  expect_record({{"kind", "call"}, {"tool", "declared_f"}, {"limit", "memory"}});
}

TEST_F(A19, AllGuestsTogetherStayWithinTheHostsBudget) {
  write("home/config/belljar.toml", "[limits]\nmemory = \"64Mi\"\n");
  write("grow.wat", growing);
  const auto server = serve(
      {"grow.wat", "--grant", "grow:limit=memory=1Gi", "--grant", "grow:limit=timeout=500ms"});
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  // Each wants 32 MiB and a page, so that there is room for one at a time.
  std::vector<int> calls;
  for (int i = 0; i < 8; ++i) calls.push_back(server->start_call("grow_hold", {{"pages", 512}}));
  std::size_t held = 0;
  std::size_t refused = 0;
  for (const int id : calls) {
    const Json answer = server->await_answer(id);
    ASSERT_TRUE(answer.contains("result")) << answer;
    const std::string text = text_of(answer["result"]);
    held += text.find("\"timeout\"") != std::string::npos ? 1 : 0;
    refused += text.find("\"host-memory\"") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(held + refused, calls.size());
  EXPECT_GT(held, 0U) << "nobody got what there is room for";
  EXPECT_GT(refused, 0U) << "two had together what there is room for once";
  EXPECT_LT(server->child().peak_memory(), before + (64 + 32) * mebibyte);
  expect_record({{"kind", "call"}, {"tool", "grow_hold"}, {"limit", "host-memory"}});
  const std::string pages = text_of(server->call("grow_grow", {{"step", 1}}));
  EXPECT_LE(std::stoul(pages), 1'024U) << "the budget of the host is 64 MiB";
  EXPECT_GE(std::stoul(pages), 900U) << "what the others had was not given back";
  expect_stopped_by(server->call("grow_give-up"), "host-memory");
  expect_healthy(*server);
}

TEST_F(A20, TablesGrowOnlySoFarHoweverManyThereAre) {
  write("table.wat", fmt::format(R"((component
    (core module $m
      (table $t 1 funcref)
      {}
      (func (export "grow") (param $step i32) (result i32)
        (loop $again (br_if $again
          (i32.ne (table.grow $t (ref.null func) (local.get $step)) (i32.const -1))))
        (table.size $t))
      (func (export "all") (result i32) (local $sum i32)
        {}
        (local.get $sum))
      (func (export "give-up")
        (loop $again (br_if $again
          (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
        unreachable))
    (core instance $i (instantiate $m))
    (func (export "grow") (param "step" u32) (result u32) (canon lift (core func $i "grow")))
    (func (export "all") (result u32) (canon lift (core func $i "all")))
    (func (export "give-up") (canon lift (core func $i "give-up")))))",
                                 numbered(60, "(table $t{0} 0 funcref)\n"), numbered(60, R"(
        (loop $l{0} (br_if $l{0}
          (i32.ne (table.grow $t{0} (ref.null func) (i32.const 5000)) (i32.const -1))))
        (local.set $sum (i32.add (local.get $sum) (table.size $t{0})))
        )")));
  write("declared.wat", R"((component
    (core module $m (table 100000000 funcref) (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f")))))");
  const auto server = serve({"table.wat", "declared.wat"});
  const std::size_t before = server->child().peak_memory();
  for (const auto& [step, least] : {std::pair{1L, 1'000'000U}, std::pair{1'000L, 1'000'000U},
                                    std::pair{2'147'483'647L, 1U}, std::pair{4'294'967'295L, 1U}}) {
    SCOPED_TRACE(step);
    const Json result = server->call("table_grow", {{"step", step}});
    ASSERT_FALSE(result.value("isError", false)) << result;
    EXPECT_LE(std::stoul(text_of(result)), 1U << 20);
    EXPECT_GE(std::stoul(text_of(result)), least);
  }
  const unsigned long all = std::stoul(text_of(server->call("table_all")));
  EXPECT_LE(all, 1U << 20) << "the limit holds for each table by itself";
  EXPECT_GE(all, 1'000'000U) << "the tables were not given what is allowed";
  expect_stopped_by(server->call("table_give-up"), "tables");
  expect_stopped_by(server->call("declared_f"), "tables");
  EXPECT_LT(server->child().peak_memory(), before + 128 * mebibyte);
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "declared_f"}, {"limit", "tables"}});
}

/// Writes all over its memory, its globals and its table, or tells what it finds there.
std::string slot_user(int pages) {
  return fmt::format(R"((component
  (core module $m
    (memory {})
    (global $g (mut i64) (i64.const 0))
    (table $functions 64 funcref)
    (elem declare func $f)
    (func $f)
    (func $leave (export "leave")
      (drop (memory.grow (i32.const 16)))
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.mul (memory.size) (i32.const 65536)))
      (global.set $g (i64.const -1))
      (table.fill $functions (i32.const 0) (ref.func $f) (i32.const 64)))
    (func $find (export "find") (result i32) (local $at i32) (local $found i32)
      (drop (memory.grow (i32.const 32)))
      (local.set $at (i32.mul (memory.size) (i32.const 65536)))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 8)))
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
          (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (br_if $next (local.get $at)))
      (if (i64.ne (global.get $g) (i64.const 0))
        (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
      (local.set $at (i32.const 64))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (if (i32.eqz (ref.is_null (table.get $functions (local.get $at))))
          (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (br_if $next (local.get $at)))
      (local.get $found))
    (func (export "both") (result i32) (call $leave) (call $find)))
  (core instance $i (instantiate $m))
  (func (export "leave") (canon lift (core func $i "leave")))
  (func (export "find") (result u32) (canon lift (core func $i "find")))
  (func (export "both") (result u32) (canon lift (core func $i "both")))))",
                     pages);
}

TEST_F(A26, NothingOfTheLastUserOfASlotIsLeft) {
  // Few slots, so that everyone gets one that was used before.
  write("home/config/belljar.toml", "[limits]\nsandboxes = 4\n");
  write("writer.wat", slot_user(1));
  write("reader.wat", slot_user(8));
  const auto server = serve({"writer.wat", "reader.wat"});
  // A guest does find what it left itself: 8,192 words a page, its global, and its 64 functions.
  EXPECT_EQ(text_of(server->call("writer_both")), std::to_string(17 * 8'192 + 1 + 64));
  EXPECT_EQ(text_of(server->call("reader_both")), std::to_string(24 * 8'192 + 1 + 64));
  for (int round = 0; round < 30; ++round) {
    ASSERT_FALSE(server->call("writer_leave").value("isError", false));
    // Another component, the same one, and one with another layout of memory.
    ASSERT_EQ(text_of(server->call("reader_find")), "0") << "another component's data was found";
    ASSERT_EQ(text_of(server->call("writer_find")), "0") << "the last call's data was found";
    ASSERT_FALSE(server->call("reader_leave").value("isError", false));
    ASSERT_EQ(text_of(server->call("writer_find")), "0") << "another component's data was found";
  }
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A26, NothingIsLeftByAGuestThatCrashed) {
  write("home/config/belljar.toml", "[limits]\nsandboxes = 2\n");
  write("crash.wat", R"((component
    (core module $m
      (memory 4)
      (func (export "crash")
        (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 262144))
        unreachable)
      (func (export "spin")
        (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 262144))
        (loop $again (br $again))))
    (core instance $i (instantiate $m))
    (func (export "crash") (canon lift (core func $i "crash")))
    (func (export "spin") (canon lift (core func $i "spin")))))");
  write("reader.wat", slot_user(8));
  const auto server = serve({"crash.wat", "reader.wat", "--grant", "crash:limit=timeout=20ms"});
  for (int round = 0; round < 15; ++round) {
    EXPECT_TRUE(server->call("crash_crash").value("isError", false));
    ASSERT_EQ(text_of(server->call("reader_find")), "0");
    EXPECT_TRUE(server->call("crash_spin").value("isError", false));
    ASSERT_EQ(text_of(server->call("reader_find")), "0");
  }
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "crash_crash"}, {"outcome", "trapped"}});
}

}  // namespace
}  // namespace belljar::attacks
