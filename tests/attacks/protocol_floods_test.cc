// A67: tools that never stop talking.

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A67 = Attack;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// A program that writes lines to its standard output (1) or error (2) for ever, or to a number.
std::string flooding(int stream, int writes) {
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "\40\00\00\00\00\80\00\00")
    (func (export "_start") (local $left i32)
      (memory.fill (i32.const 64) (i32.const 10) (i32.const 32768))
      (memory.fill (i32.const 64) (i32.const 65) (i32.const 99))
      (local.set $left (i32.const {1}))
      (loop $again
        (drop (call $write (i32.const {0}) (i32.const 0) (i32.const 1) (i32.const 40000)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left))))))",
                     stream, writes);
}

std::string tool_of(Server& server, std::string_view component) {
  for (const Json& tool : server.list_tools()) {
    const std::string name = tool["name"];
    if (name.starts_with(fmt::format("{}_", component))) return name;
  }
  ADD_FAILURE() << "no tool of " << component << ": " << server.child().err();
  return {};
}

TEST_F(A67, AFloodOfOutputIsALimitAndNotMemory) {
  // 32 KiB a write: a gigabyte each.
  write("out.wat", flooding(1, 32'768));
  write("err.wat", flooding(2, 32'768));
  const auto server = serve({"out.wat", "err.wat"});
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  const Json out = server->call(tool_of(*server, "out"));
  EXPECT_TRUE(out.value("isError", false)) << out.dump().substr(0, 400);
  EXPECT_THAT(text_of(out), testing::HasSubstr("\"output\""));
  const Json err = server->call(tool_of(*server, "err"));
  EXPECT_LT(err.dump().size(), 4 * mebibyte);
  EXPECT_LT(server->child().peak_memory(), before + 128 * mebibyte);
  // Nothing of it is on the server's own output, which carries frames only.
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"component", "out"}, {"limit", "output"}});
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A67, AFloodOfLogMessagesIsCutAndSaysSo) {
  write("err.wat", flooding(2, 1'000));
  for (const Era era : {Era::stateless, Era::handshake}) {
    const auto server = serve({"err.wat"}, {.era = era});
    const std::string tool = tool_of(*server, "err");
    Json params = {{"name", tool}, {"arguments", Json::object()}};
    if (era == Era::stateless) {
      params["_meta"] = {{"io.modelcontextprotocol/logLevel", "debug"}};
    } else {
      server->ask("logging/setLevel", {{"level", "debug"}});
    }
    server->await_answer(server->request("tools/call", params));
    std::size_t messages = 0;
    bool says_so = false;
    for (const Json& frame : server->frames()) {
      if (frame.value("method", "") != "notifications/message") continue;
      ++messages;
      says_so = says_so || frame.dump().find("left out") != std::string::npos;
    }
    EXPECT_LE(messages, 600U) << "33 million lines were written";
    EXPECT_GE(messages, 1U);
    EXPECT_TRUE(says_so);
    expect_healthy(*server);
  }
}

/// Gives a stream without an end, an item at a time.
constexpr std::string_view endless = R"((component
  (type $s (stream u8))
  (core module $libc (memory (export "memory") 2))
  (core instance $libc (instantiate $libc))
  (core func $new (canon stream.new $s))
  (core func $write (canon stream.write $s async (memory $libc "memory")))
  (core func $return (canon task.return (result $s)))
  (core func $set (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core module $m
    (import "h" "new" (func $new (result i64)))
    (import "h" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "h" "return" (func $return (param i32)))
    (import "h" "set" (func $set (result i32)))
    (import "h" "join" (func $join (param i32 i32)))
    (global $writer (mut i32) (i32.const 0))
    (global $waiting (mut i32) (i32.const 0))
    ;; One item at a time, for ever.
    (func $go (result i32)
      (loop $again
        (br_if $again (i32.ne (call $write (global.get $writer) (i32.const 0) (i32.const 1)) (i32.const -1))))
      (i32.or (i32.const 2) (i32.shl (global.get $waiting) (i32.const 4))))
    (func (export "flood") (result i32) (local $both i64)
      (local.set $both (call $new))
      (global.set $writer (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
      (global.set $waiting (call $set))
      (call $join (global.get $writer) (global.get $waiting))
      (call $return (i32.wrap_i64 (local.get $both)))
      (call $go))
    (func (export "more") (param i32 i32 i32) (result i32) (call $go)))
  (core instance $i (instantiate $m (with "h" (instance
    (export "new" (func $new)) (export "write" (func $write)) (export "return" (func $return))
    (export "set" (func $set)) (export "join" (func $join))))))
  (func (export "flood") async (result (stream u8))
    (canon lift (core func $i "flood") async (callback (func $i "more"))))))";

TEST_F(A67, AFloodOfProgressIsThinnedOutAndEndsWithTheCall) {
  write("flood.wat", endless);
  const auto server = serve(
      {"flood.wat", "--grant", "flood:limit=output=64Mi", "--grant", "flood:limit=timeout=2s"});
  const int id = server->request("tools/call", {{"name", "flood_flood"},
                                                {"arguments", Json::object()},
                                                {"_meta", {{"progressToken", "p"}}}});
  expect_healthy(*server);
  const Json answer = server->await_answer(id);
  EXPECT_TRUE(answer["result"].value("isError", false)) << answer.dump().substr(0, 400);
  std::size_t notices = 0;
  std::int64_t last = 0;
  for (const Json& frame : server->frames()) {
    if (frame.value("method", "") != "notifications/progress") continue;
    ++notices;
    EXPECT_EQ(frame["params"]["progressToken"], "p");
    EXPECT_GT(frame["params"]["progress"].get<std::int64_t>(), last) << "progress went back";
    last = frame["params"]["progress"];
  }
  EXPECT_GE(notices, 1U);
  EXPECT_LE(notices, 1'000U) << last << " items came one by one";
  expect_healthy(*server);
  EXPECT_TRUE(std::none_of(
      server->frames().begin() + static_cast<std::ptrdiff_t>(notices), server->frames().end(),
      [](const Json& frame) { return frame.value("method", "") == "notifications/progress"; }))
      << "progress of a call that has ended";
  expect_record({{"kind", "call"}, {"tool", "flood_flood"}, {"outcome", "limit"}});
}

TEST_F(A67, AStreamWithoutAnEndIsALimitOfOutput) {
  write("flood.wat", endless);
  const auto server = serve({"flood.wat"});
  const Json result = server->call("flood_flood");
  EXPECT_TRUE(result.value("isError", false)) << result.dump().substr(0, 400);
  EXPECT_THAT(text_of(result), testing::HasSubstr("\"output\""));
  expect_healthy(*server);
}

TEST_F(A67, AClientThatReadsNothingUnderAFloodDoesNotStopTheServer) {
  write("err.wat", flooding(2, 1'000));
  const auto server = serve({"err.wat"});
  const std::string tool = tool_of(*server, "err");
  const std::size_t before = server->child().peak_memory();
  server->child().set_reading(false);
  for (int i = 0; i < 100; ++i) {
    server->request("tools/call", {{"name", tool},
                                   {"arguments", Json::object()},
                                   {"_meta", {{"io.modelcontextprotocol/logLevel", "debug"}}}});
  }
  server->flush();
  server->child().set_reading(true);
  expect_healthy(*server);
  EXPECT_LT(server->child().peak_memory(), before + 400 * mebibyte);
  EXPECT_EQ(server->end(), 0);
}

}  // namespace
}  // namespace belljar::attacks
