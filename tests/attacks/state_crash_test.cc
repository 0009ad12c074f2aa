// kill -9 at each write of every command that changes the state.

#include <fmt/format.h>
#include <sys/stat.h>

#include <set>

#include "attack.h"
#include "traced.h"

namespace belljar::attacks {
namespace {

/// More writes than any command has; a command that never ends by itself is a failure.
constexpr int endless = 1'000;

class StateCrash : public Attack {
 protected:
  /// Runs a command on the state as it is now, killed at its first write; on the same state again,
  /// killed at its second; and so on, until it ends by itself. `check` looks at what each left.
  void kill_at_each_write(const std::vector<std::string>& words, std::string_view input,
                          const std::function<void(bool killed)>& check) {
    std::vector<std::string> all = words;
    all.insert(all.begin(), BELLJAR_PROGRAM);
    const auto before = folder() / "template";
    if (std::filesystem::exists(home())) std::filesystem::rename(home(), before);
    for (int write = 1; write < endless; ++write) {
      SCOPED_TRACE(fmt::format("{}, killed at write {}", fmt::join(words, " "), write));
      std::filesystem::remove_all(home());
      for (const char* const part : {"data", "cache"}) {
        if (!std::filesystem::exists(before / part)) continue;
        std::filesystem::create_directories(home());
        std::filesystem::copy(before / part, home() / part,
                              std::filesystem::copy_options::recursive);
      }
      const TracedEnd end = kill_at_write(
          all, {{"BELLJAR_HOME", home().native()}, {"HOME", folder().native()}, {"NO_COLOR", "1"}},
          folder(), input, write);
      if (!end.killed) {
        ASSERT_EQ(end.code, 0);
      }
      check(end.killed);
      expect_few_leftovers(end.killed);
      expect_sound_log();
      if (HasFailure() || !end.killed) break;
    }
    expect_healthy();
    expect_sound_log();
  }
  /// What was being written when the process was killed is one thing at most, which nobody else may
  /// look into, and the commands that followed added nothing to it.
  void expect_few_leftovers(bool killed) const {
    std::vector<std::string> left;
    for (auto entry = std::filesystem::recursive_directory_iterator(home());
         entry != std::filesystem::end(entry); ++entry) {
      const std::string name = entry->path().filename().native();
      const bool is_key = name.find(".key.") != std::string::npos;
      if (!name.starts_with(".new-") && !name.ends_with(".new") && !is_key) continue;
      left.push_back(name);
      struct stat status{};
      ASSERT_EQ(::lstat(entry->path().c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 077U, 0U) << name << " is open to others";
      if (entry->is_directory()) entry.disable_recursion_pending();
    }
    EXPECT_LE(left.size(), killed ? 1U : 0U) << fmt::format("{}", fmt::join(left, ", "));
  }
  /// What a component may do, as the state says it.
  std::set<std::string> permissions(const std::string& component) const {
    const CommandResult shown = run({"policy", "show", component, "--json"});
    EXPECT_EQ(shown.code, 0) << shown.err;
    const Json json = Json::parse(shown.out, nullptr, false);
    std::set<std::string> all;
    if (json.is_discarded()) return all;
    for (const Json& grant : json["components"][0]["grants"]) {
      all.insert(grant["permission"].get<std::string>());
    }
    return all;
  }
};

using A71 = StateCrash;
using testing::HasSubstr;

TEST_F(A71, AGrantIsWholeOrNotThereAndNeverWithoutARecord) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  ASSERT_EQ(run({"grant", "healthy", "network=kept.example"}).code, 0);
  kill_at_each_write({"grant", "healthy", "network=new.example"}, {}, [&](bool killed) {
    std::set<std::string> after = permissions("healthy");
    const bool given = after.erase("network=new.example") > 0;
    EXPECT_EQ(after, std::set<std::string>{"network=kept.example"});
    EXPECT_TRUE(given || killed) << "it was acknowledged and is not there";
    if (given) expect_record({{"kind", "grant"}, {"permission", "network=new.example"}});
  });
}

TEST_F(A71, ARevocationIsWholeOrNotThere) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  ASSERT_EQ(run({"grant", "healthy", "network=a.example", "network=kept.example"}).code, 0);
  kill_at_each_write({"revoke", "healthy", "network=a.example"}, {}, [&](bool killed) {
    std::set<std::string> after = permissions("healthy");
    const bool taken = after.erase("network=a.example") == 0;
    EXPECT_EQ(after, std::set<std::string>{"network=kept.example"});
    EXPECT_TRUE(taken || killed) << "it was acknowledged and still holds";
    if (!killed) expect_record({{"kind", "revoke"}, {"permission", "network=a.example"}});
  });
}

TEST_F(A71, AFreshStateCanBeOpenedWhereverItsMakingStopped) {
  kill_at_each_write({"grant", "healthy.wat", "network=a.example"}, {}, [&](bool killed) {
    const CommandResult again = run({"grant", "healthy.wat", "network=b.example"});
    EXPECT_EQ(again.code, 0) << again.err;
    expect_record({{"kind", "grant"}, {"permission", "network=b.example"}});
    if (!killed) expect_record({{"kind", "grant"}, {"permission", "network=a.example"}});
  });
}

/// Prints the variables that it is given, each with a NUL behind it.
constexpr std::string_view printing_variables = R"((module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 12)))
    (drop (call $get (i32.const 1024) (i32.const 8192)))
    (i32.store (i32.const 8) (i32.const 8192))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))))))";

TEST_F(A71, ASecretIsTheOldOneOrTheNewOne) {
  write("print.wat", printing_variables);
  ASSERT_EQ(run({"secret", "set", "key"}, "the first value\n").code, 0);
  bool kept = false;
  kill_at_each_write({"secret", "set", "key"}, "the second value\n", [&](bool killed) {
    const CommandResult told = run({"run", "print.wat", "--grant", "secret=key:expose"});
    EXPECT_EQ(told.code, 0) << told.err;
    const bool first = told.out == std::string_view("KEY=the first value\0", 20);
    const bool second = told.out == std::string_view("KEY=the second value\0", 21);
    EXPECT_TRUE(first || second) << "it is neither: " << told.out;
    EXPECT_TRUE(second || killed) << "it was acknowledged and is not there";
    kept = kept || first;
    if (!killed) expect_record({{"kind", "secret"}, {"secret", "key"}});
  });
  EXPECT_TRUE(kept) << "it was never killed before the change: nothing was tried";
}

TEST_F(A71, ALoadIsWholeOrNotThere) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  write("fresh.wat", R"((component
  (core module $m (func (export "seven") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func (export "seven") (result u32) (canon lift (core func $i "seven")))))");
  kill_at_each_write({"load", "fresh.wat"}, {}, [&](bool killed) {
    const CommandResult listed = run({"list", "--json"});
    EXPECT_EQ(listed.code, 0) << listed.err;
    EXPECT_THAT(listed.out, HasSubstr("\"healthy\""));
    if (killed) return;
    EXPECT_THAT(listed.out, HasSubstr("\"fresh\""));
    expect_record({{"kind", "load"}, {"component", "fresh"}});
    EXPECT_EQ(run({"call", "fresh", "seven"}).out, "7\n");
  });
}

TEST_F(A71, AServerThatIsKilledInTheMiddleOfCallsLosesItsLastGroupAtMost) {
  for (int round = 0; round < 5; ++round) {
    const auto server = serve();
    for (int call = 0; call <= round * 3; ++call) expect_healthy(*server);
    server->child().signal(SIGKILL);
    EXPECT_EQ(server->child().wait(soon()), -SIGKILL);
  }
  expect_sound_log();
  const auto server = serve();
  expect_healthy(*server);
  expect_record({{"kind", "load"}, {"component", "healthy"}});
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

}  // namespace
}  // namespace belljar::attacks
