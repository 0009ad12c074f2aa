// Core modules: what WASI 0.1 leaves alone in their memory, and what they may not ask of it.

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A16 = Attack;
using A17 = Attack;
using A21 = Attack;
using A23 = Attack;
using ModuleTest = Attack;

/// A command of WASI 0.1 that ends itself with what `body` leaves, as its exit code.
std::string command(std::string_view imports, std::string_view body) {
  return fmt::format(R"((module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  {}
  (memory (export "memory") 1)
  (func (export "_start") {})))",
                     imports, body);
}

constexpr std::string_view argument_sizes =
    R"((import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32))))";

TEST_F(ModuleTest, GrowsItsMemoryWhereItEnds) {
  write("grow.wat", command(argument_sizes, R"((local $end i32)
    (local.set $end (memory.size))
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (call $exit (i32.ne (local.get $end) (memory.grow (i32.const 1)))))"));
  EXPECT_EQ(run({"run", "grow.wat"}).code, 0);
}

TEST_F(ModuleTest, MayOverwriteAllOfItsMemoryBetweenTwoCalls) {
  write("fill.wat", command(argument_sizes, R"(
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (memory.fill (i32.const 8) (i32.const 255)
      (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)))
    (call $exit (call $sizes (i32.const 0) (i32.const 4))))"));
  const CommandResult filled = run({"run", "fill.wat"});
  EXPECT_EQ(filled.code, 0) << filled.err;
}

TEST_F(ModuleTest, FindsNothingWrittenWhereItAskedForNothing) {
  // Every function that writes is asked to write into the first page; the second is all ones before
  // and after.
  std::filesystem::create_directory(folder() / "data");
  write("data/file", "text");
  write("quiet.wat", command(
                         R"((import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir"
    (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $status (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (data (i32.const 0) "file"))",
                         R"((local $at i32)
    (drop (memory.grow (i32.const 1)))
    (memory.fill (i32.const 65536) (i32.const 255) (i32.const 65536))
    (if (call $prestat (i32.const 3) (i32.const 64)) (then (call $exit (i32.const 2))))
    (if (call $readdir (i32.const 3) (i32.const 1024) (i32.const 4096) (i64.const 0) (i32.const 64))
      (then (call $exit (i32.const 3))))
    (if (call $status (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 128))
      (then (call $exit (i32.const 4))))
    (if (call $random (i32.const 1024) (i32.const 4096)) (then (call $exit (i32.const 5))))
    (local.set $at (i32.const 65536))
    (loop $next
      (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 255)) (then (call $exit (i32.const 1))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1)))
        (i32.const 131072)))))"));
  const CommandResult quiet = run({"run", "quiet.wat", "--grant", "storage=data:/"});
  EXPECT_EQ(quiet.code, 0) << quiet.err;
}

TEST_F(ModuleTest, MakesItselfReadyBeforeItsFunctionsAreCalled) {
  write("ready.wat", R"((module
    (global $ready (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $ready (i32.const 41)))
    (func (export "answer") (param i32) (result i32)
      (i32.add (global.get $ready) (local.get 0)))))");
  const CommandResult answer = run({"call", "ready.wat", "answer", R"({"p0": 1})"});
  EXPECT_EQ(answer.out, "42\n") << answer.err;
}

TEST_F(ModuleTest, IsRefusedByTheNameOfWhatNobodyGives) {
  write("unknown.wat", command(R"((import "wasi_snapshot_preview1" "fd_teleport" (func)))", ""));
  write("other.wat", command(R"((import "env" "read" (func)))", ""));
  // The interface of a component, and memory that nobody can share.
  write("typed.wat", R"((module
    (@custom "component-type:tool" "\00")
    (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
    (memory (export "memory") 1)
    (func (export "f"))))");
  for (const auto& [file, name] :
       {std::pair{"unknown.wat", "fd_teleport"}, std::pair{"other.wat", "\"read\" from \"env\""},
        std::pair{"typed.wat", "cabi_realloc"}}) {
    SCOPED_TRACE(file);
    const CommandResult refused = run({"run", file});
    EXPECT_EQ(refused.code, 5);
    EXPECT_THAT(refused.err, testing::HasSubstr(name));
  }
}

/// What the tool's result says when a limit stopped it.
void expect_stopped_by(const Json& result, std::string_view limit) {
  EXPECT_TRUE(result.value("isError", false)) << result;
  EXPECT_THAT(text_of(result), testing::HasSubstr(fmt::format("\"{}\"", limit)));
}

TEST_F(A23, AddressesOutsideOfMemoryEndAModule) {
  constexpr std::string_view imports = R"((import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (data (i32.const 0) "\00\00\00\00\ff\ff\ff\ff" "\ff\ff\ff\ff\01\00\00\00"))";
  const std::pair<std::string_view, std::string_view> lies[] = {
      {"a part that is longer than memory",
       "(call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))"},
      {"a part that begins behind it",
       "(call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 64))"},
      {"parts behind it",
       "(call $write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 64))"},
      {"parts at the end of all addresses",
       "(call $write (i32.const 1) (i32.const -8) (i32.const 8) (i32.const 64))"},
      {"parts that are not aligned",
       "(call $write (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 64))"},
      {"bytes behind it", "(call $random (i32.const 65535) (i32.const 2))"},
      {"more bytes than there are addresses", "(call $random (i32.const 8) (i32.const -1))"},
      {"a result that is not aligned", "(call $time (i32.const 0) (i64.const 0) (i32.const 12))"},
      {"a result behind it", "(call $time (i32.const 0) (i64.const 0) (i32.const 65536))"},
      {"subscriptions behind it",
       "(call $poll (i32.const 65528) (i32.const 0) (i32.const 1) (i32.const 64))"},
      {"events behind it",
       "(call $poll (i32.const 1024) (i32.const 65520) (i32.const 1) (i32.const 64))"},
  };
  for (const auto& [lie, call] : lies) {
    SCOPED_TRACE(lie);
    write("liar.wat", command(imports, fmt::format("(call $exit {})", call)));
    const CommandResult ended = run({"run", "liar.wat"});
    EXPECT_EQ(ended.code, 4);
    EXPECT_THAT(ended.err, testing::HasSubstr("WASI 0.1 was given"));
  }
}

TEST_F(A16, AModuleCannotMakeTheHostCountFarOrFillForLong) {
  // Errors of WASI 0.1 are the exit codes here: 28 is inval.
  write("parts.wat", command(R"((import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32))))",
                             "(call $exit (call $write (i32.const 1) (i32.const 0) (i32.const "
                             "1025) (i32.const 16)))"));
  EXPECT_EQ(run({"run", "parts.wat"}).code, 28);
  write("subscriptions.wat", command(R"((import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32))))",
                                     "(call $exit (call $poll (i32.const 0) (i32.const 0) "
                                     "(i32.const 4097) (i32.const 16)))"));
  EXPECT_EQ(run({"run", "subscriptions.wat"}).code, 28);
  write("fill.wat", R"((module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1024)
    (func (export "_start")
      (loop $again (drop (call $random (i32.const 0) (i32.const 67108864))) (br $again)))))");
  const auto server = serve({"fill.wat", "--grant", "fill:limit=timeout=400ms"});
  expect_stopped_by(server->call("fill_run"), "timeout");
  expect_healthy(*server);
}

TEST_F(A17, AModuleThatWaitsEndsAtTheTimeout) {
  // A subscription of a clock that comes in a hundred years.
  write("wait.wat", command(R"((import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32))))",
                            R"((i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3153600000000000000))
    (call $exit (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"));
  const auto server = serve({"wait.wat", "--grant", "wait:limit=timeout=400ms"});
  expect_stopped_by(server->call("wait_run"), "timeout");
  expect_healthy(*server);
}

TEST_F(A21, AModuleHasAsManyDescriptorsAsItsLimitSays) {
  std::filesystem::create_directory(folder() / "data");
  write("data/file", "text");
  // Opens the file, or the folder itself, until it is refused: how often it could, as exit code.
  constexpr std::string_view opening = R"((local $count i32)
    (loop $again
      (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const {}) (i32.const {})
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)))
        (then (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $count) (i32.const 200))))))
    (call $exit (local.get $count)))";
  constexpr std::string_view imports = R"((import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (data (i32.const 0) "file."))";
  for (const auto& [at, length] : {std::pair{0, 4}, std::pair{4, 1}}) {
    SCOPED_TRACE(at == 0 ? "a file" : "a folder");
    write("open.wat", command(imports, fmt::format(fmt::runtime(opening), at, length)));
    const CommandResult opened =
        run({"run", "open.wat", "--grant", "storage=data:/", "--grant", "limit=handles=20"});
    EXPECT_EQ(opened.code, 20) << opened.err;
  }
}

}  // namespace
}  // namespace belljar::attacks
