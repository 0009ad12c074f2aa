// Records without end, a full disk, and requests that push others out.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

#include "attack.h"
#include "held_database.h"

namespace belljar::attacks {
namespace {

/// The most records of one kind of permission that a call may have; docs and SPECIFICATION say so.
constexpr int records_of_call = 256;

/// Opens one file under so many names, at most 16,384, `rounds` times: each name is the file's,
/// spelled differently.
std::string opening_under_many_names(int names, std::int64_t rounds) {
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "path_open" (func $open
      (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (local $i i32) (local $bit i32) (local $left i64)
      (local.set $left (i64.const {1}))
      (loop $round
        (local.set $i (i32.const {0}))
        (loop $name
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (local.set $bit (i32.const 0))
          (loop $part
            (i32.store (i32.add (i32.const 1000) (i32.mul (local.get $bit) (i32.const 4)))
              (select (i32.const 0x2f2e2f2e) (i32.const 0x2f2f2f2e)
                (i32.and (i32.shr_u (local.get $i) (local.get $bit)) (i32.const 1))))
            (local.set $bit (i32.add (local.get $bit) (i32.const 1)))
            (br_if $part (i32.lt_u (local.get $bit) (i32.const 14))))
          (i32.store8 (i32.const 1056) (i32.const 97))
          (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 57)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 2000)))
            (then (drop (call $close (i32.load (i32.const 2000))))))
          (br_if $name (local.get $i)))
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br_if $round (i64.ne (local.get $left) (i64.const 0)))))))",
                     names, rounds);
}

class LogAttack : public Attack {
 protected:
  LogAttack() { write("granted/a", "a file"); }

  [[nodiscard]] std::string grant() const {
    return fmt::format("storage={}:/data", (folder() / "granted").native());
  }
  [[nodiscard]] static std::int64_t count(const std::vector<Json>& records, const Json& members) {
    return std::count_if(records.begin(), records.end(), [&](const Json& record) {
      return std::all_of(members.items().begin(), members.items().end(), [&](const auto& member) {
        return record.contains(member.key()) && record[member.key()] == member.value();
      });
    });
  }
  [[nodiscard]] static std::string tool_of(Server& server, std::string_view component) {
    for (const Json& tool : server.list_tools()) {
      const std::string name = tool["name"];
      if (name.starts_with(fmt::format("{}_", component))) return name;
    }
    ADD_FAILURE() << "no tool of " << component << ": " << server.child().err();
    return {};
  }
  /// Asks until an answer fits.
  static Json ask_until(const std::function<Json()>& ask,
                        const std::function<bool(const Json&)>& fits, std::string_view what) {
    const Deadline deadline = soon();
    Json answer;
    do {
      answer = ask();
      if (fits(answer)) return answer;
    } while (std::chrono::steady_clock::now() < deadline);
    ADD_FAILURE() << what << " never happens: " << answer;
    return answer;
  }
  static Json call_healthy(Server& server) {
    return server.await_answer(server.start_call("healthy_add", {{"a", 19}, {"b", 23}}));
  }
  static bool says_the_log_is_full(const Json& answer) {
    return answer.dump().find("the log cannot be written") != std::string::npos;
  }
  static bool returned(const Json& answer) {
    return answer.contains("result") && !answer["result"].value("isError", false);
  }
  /// A server with a full disk: calls are refused, and everything else goes on.
  static void expect_survives(Server& server) {
    const Json refused =
        ask_until([&] { return call_healthy(server); }, says_the_log_is_full, "a refusal");
    EXPECT_TRUE(says_the_log_is_full(refused));
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(says_the_log_is_full(call_healthy(server))) << "what it did has no record";
    }
    EXPECT_TRUE(server.ask("ping").contains("result"));
    EXPECT_FALSE(server.list_tools().empty());
    EXPECT_TRUE(server.call("belljar_list").contains("content"));
  }
  static void expect_heals(Server& server) {
    ask_until([&] { return call_healthy(server); }, returned, "an answer");
    expect_healthy(server);
  }
  /// What was refused is not in the log as done, and the log says how much that was.
  void expect_gap_recorded() const {
    const Json gap = expect_record({{"kind", "gap"}});
    EXPECT_GE(gap.value("refused", 0), 200) << gap;
    EXPECT_FALSE(gap.value("why", "").empty()) << gap;
    expect_sound_log();
  }
};

using A80 = LogAttack;

TEST_F(A80, ACallThatUsesMoreThanAnybodyReadsHasAStatedNumberOfRecords) {
  constexpr int names = 6'000;
  write("flood.wat", opening_under_many_names(names, 2));
  const CommandResult result = run({"run", "flood.wat", "--grant", grant()});
  EXPECT_EQ(result.code, 0) << result.err;
  const auto records = audit_log();
  EXPECT_EQ(count(records, {{"kind", "use"}, {"component", "flood"}}), records_of_call + 1)
      << "a guest decides how much is written";
  const Json more = expect_record(
      {{"kind", "use"}, {"permission", "storage"}, {"more", 2 * (names - records_of_call)}});
  EXPECT_FALSE(more.contains("what"));
  expect_record({{"kind", "call"}, {"component", "flood"}, {"uses", {{"storage", 2 * names}}}});
  expect_sound_log();
}

TEST_F(A80, CallsThatUseMuchShareAStatedNumberOfRecordsAMinute) {
  write("flood.wat", opening_under_many_names(300, 1));
  const auto server = serve({"flood.wat", "--grant", "flood:" + grant()});
  const std::string tool = tool_of(*server, "flood");
  constexpr int calls = 40;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) server->call(tool);
  EXPECT_EQ(server->end(), 0);
  const auto records = audit_log();
  const auto minutes =
      std::chrono::duration_cast<std::chrono::minutes>(std::chrono::steady_clock::now() - began)
          .count() +
      1;
  // For each call sixteen of its own and the one that counts.
  EXPECT_LE(count(records, {{"kind", "use"}, {"component", "flood"}}),
            minutes * 4'096 + calls * (16 + 1));
  EXPECT_EQ(count(records, {{"kind", "call"}, {"component", "flood"}}), calls);
  expect_sound_log();
}

/// A disk on which a process cannot write: each write of a file fails, for real and at once.
class FullFor {
 public:
  explicit FullFor(pid_t process) : process_(process) {
    ::prlimit(process_, RLIMIT_FSIZE, nullptr, &before_);
    const rlimit none{0, before_.rlim_max};
    EXPECT_EQ(::prlimit(process_, RLIMIT_FSIZE, &none, nullptr), 0);
  }
  ~FullFor() { ::prlimit(process_, RLIMIT_FSIZE, &before_, nullptr); }
  FullFor(const FullFor&) = delete;
  FullFor& operator=(const FullFor&) = delete;

 private:
  pid_t process_;
  rlimit before_{};
};

TEST_F(A80, ADiskThatTakesNothingIsSurvivedAndHealsByItself) {
  const auto server = serve({}, {.era = Era::handshake});
  expect_healthy(*server);
  for (int round = 0; round < 2; ++round) {
    {
      const FullFor full(server->child().pid());
      expect_survives(*server);
    }
    expect_heals(*server);
  }
  EXPECT_EQ(server->end(), 0);
  expect_gap_recorded();
  const auto records = audit_log();
  // Two that were answered before the disk was known to be full, at most.
  EXPECT_GE(count(records, {{"kind", "call"}, {"tool", "healthy_add"}}), 5);
  EXPECT_EQ(count(records, {{"kind", "stop"}}), 1);
}

TEST_F(A80, AFullDiskKeepsNoServerFromEnding) {
  for (const bool asked : {false, true}) {
    const auto server = serve({}, {.era = Era::handshake});
    expect_healthy(*server);
    const FullFor full(server->child().pid());
    expect_survives(*server);
    if (asked) {
      server->child().signal(SIGTERM);
      EXPECT_EQ(server->child().wait(soon()), 0);
    } else {
      EXPECT_EQ(server->end(), 0);
    }
  }
  expect_sound_log();
}

TEST_F(A80, AGuestThatFloodsTheLogOfAFullDiskHoldsNobodyUp) {
  write("flood.wat", opening_under_many_names(16'000, 1'000'000));
  const auto server =
      serve({"flood.wat", "--grant", "flood:" + grant(), "--grant", "flood:limit=timeout=10m"},
            {.era = Era::handshake});
  const std::string tool = tool_of(*server, "flood");
  for (int i = 0; i < 3; ++i) static_cast<void>(server->start_call(tool));
  {
    const FullFor full(server->child().pid());
    expect_survives(*server);
  }
  expect_heals(*server);
  const FullFor full(server->child().pid());
  expect_survives(*server);
  server->child().signal(SIGTERM);
  EXPECT_EQ(server->child().wait(soon()), 0);
}

TEST_F(A80, ALogThatAnotherProcessHoldsRefusesAndHeals) {
  const auto server = serve({}, {.era = Era::handshake});
  expect_healthy(*server);
  {
    const HeldDatabase held(home() / "data/audit.db");
    expect_survives(*server);
  }
  expect_heals(*server);
  EXPECT_EQ(server->end(), 0);
  expect_gap_recorded();
}

TEST_F(A80, AServerThatStartsWithoutALogHasItsToolsOnceItCanBeWritten) {
  expect_healthy();
  std::unique_ptr<Server> server;
  {
    const HeldDatabase held(home() / "data/audit.db");
    server = serve({}, {.era = Era::handshake});
    EXPECT_TRUE(server->ask("ping").contains("result"));
    ask_until([&] { return Json(server->call("belljar_list")); },
              [](const Json& list) { return list.dump().find("failed") != std::string::npos; },
              "that it cannot be loaded");
  }
  ask_until([&] { return call_healthy(*server); }, returned, "an answer");
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

/// A file system of two megabytes under the state, in a mount namespace of the server's own. Files
/// in the folder of the test fill and empty it.
constexpr std::string_view small_disk = R"(
set -e
mount -t tmpfs -o size=2m none "$BELLJAR_HOME"
touch mounted
(
  while [ ! -e fill ]; do sleep 0.02; done
  dd if=/dev/zero of="$BELLJAR_HOME/filler" bs=4k 2>/dev/null || true
  touch filled
  while [ ! -e empty ]; do sleep 0.02; done
  rm "$BELLJAR_HOME/filler"
  touch emptied
  while [ ! -e over ]; do sleep 0.02; done
  cp -r "$BELLJAR_HOME" kept || true
  touch copied
) </dev/null >/dev/null 2>&1 &
exec "$@"
)";

TEST_F(A80, AFileSystemWithoutRoomIsSurvivedAndHealsByItself) {
  std::filesystem::create_directories(home());
  const auto in_namespace = [&](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"/usr/bin/env", "unshare", "-rm", "sh", "-c", std::string(small_disk), "sh"});
    return words;
  };
  const auto there = [&](const char* file) { return std::filesystem::exists(folder() / file); };
  const auto await_file = [&](const char* file) {
    ask_until([&] { return Json(there(file)); }, [](const Json& is) { return is == true; }, file);
  };
  {
    Child probe(options_for(in_namespace({"true"})));
    static_cast<void>(probe.wait(soon()));
    if (!there("mounted")) {
      // ADiskThatTakesNothingIsSurvivedAndHealsByItself does the same without a mount.
      GTEST_SKIP() << "nothing can be mounted here: " << probe.err();
    }
    write("over", "");
    for (const char* const file : {"fill", "empty"}) write(file, "");
    await_file("copied");
  }
  for (const char* const file :
       {"mounted", "fill", "filled", "empty", "emptied", "over", "copied", "kept"}) {
    std::filesystem::remove_all(folder() / file);
  }
  Server server(options_for(in_namespace({BELLJAR_PROGRAM, "serve", "--stdio",
                                          "healthy=" + (folder() / "healthy.wat").native()})),
                Era::handshake, "2025-11-25");
  expect_healthy(server);
  write("fill", "");
  await_file("filled");
  expect_survives(server);
  write("empty", "");
  await_file("emptied");
  expect_heals(server);
  EXPECT_EQ(server.end(), 0);
  write("over", "");
  await_file("copied");
  set_variable("BELLJAR_HOME", (folder() / "kept").native());
  expect_gap_recorded();
}

using A87 = LogAttack;

/// Fails, because it was granted no file.
constexpr std::string_view wants_a_file = R"((module
  (import "wasi_snapshot_preview1" "path_open" (func $open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "data/wanted")
  (func (export "_start")
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 11) (i32.const 0)
          (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 100))
      (then (call $exit (i32.const 1)))))))";

TEST_F(A87, AComponentThatAsksForEverythingPushesOutNobodysRequest) {
  for (const char* const name : {"victim.wat", "noisy.wat"}) write(name, wants_a_file);
  const auto server = serve({"victim.wat", "noisy.wat"});
  const std::string tool = tool_of(*server, "victim");
  const auto told = [&] {
    const Json result = server->call(tool);
    const std::string text = text_of(result);
    const std::size_t at = text.find("(request r-");
    return at == std::string::npos ? "no id: " + result.dump() : text.substr(at + 9, 10);
  };
  const std::string id = told();
  ASSERT_TRUE(id.starts_with("r-")) << id;
  std::string pushed;
  int noted = 0;
  for (int i = 0; i < 1'100; ++i) {
    const Json answer = server->await_answer(server->start_call(
        "belljar_request-permission", {{"component", "noisy"},
                                       {"permission", fmt::format("network=h{}.example", i)},
                                       {"reason", "because"}}));
    const std::string text = answer.dump();
    const std::size_t at = text.find("r-");
    if (pushed.empty() && at != std::string::npos) pushed = text.substr(at, 10);
    noted += returned(answer) ? 1 : 0;
  }
  EXPECT_GE(noted, 200);
  EXPECT_EQ(told(), id) << "the server names another one now";
  const CommandResult granted = run({"grant", id, (folder() / "granted").native()});
  EXPECT_EQ(granted.code, 0) << "another component pushed it out: " << granted.err;
  const CommandResult again = run({"grant", id, (folder() / "granted").native()});
  EXPECT_NE(again.code, 0);
  EXPECT_THAT(again.err, testing::HasSubstr("was granted already")) << "it says what became of it";
  expect_healthy(*server);
}

}  // namespace
}  // namespace belljar::attacks
