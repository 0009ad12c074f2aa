// kill -9 at each write of every command that changes the state.

#include <fmt/format.h>

#include <set>

#include "attack.h"
#include "traced.h"

namespace belljar::attacks {
namespace {

/// More writes than any command has; a command that never ends by itself is a failure.
constexpr int endless = 1'000;

class StateCrash : public Attack {
 protected:
  /// Runs a command again and again, killed at its first write, its second, and so on, until it
  /// ends by itself. Each round begins with the state as it is now. `words` gives the command of a
  /// round, `check` looks at what it left.
  void kill_at_each_write(const std::function<std::vector<std::string>(int)>& words,
                          std::string_view input,
                          const std::function<void(int round, bool killed)>& check) {
    const auto saved = folder() / "saved";
    std::filesystem::copy(home(), saved, std::filesystem::copy_options::recursive);
    for (int round = 1; round < endless; ++round) {
      std::filesystem::remove_all(home());
      std::filesystem::copy(saved, home(), std::filesystem::copy_options::recursive);
      std::vector<std::string> all = words(round);
      all.insert(all.begin(), BELLJAR_PROGRAM);
      const TracedEnd end = kill_at_write(all, environment(), folder(), input, round);
      if (!end.killed) {
        ASSERT_EQ(end.code, 0) << fmt::format("{}", fmt::join(all, " "));
      }
      check(round, end.killed);
      if (HasFatalFailure() || !end.killed) return;
    }
    FAIL() << "it writes for ever";
  }
  std::map<std::string, std::string> environment() const {
    return {{"BELLJAR_HOME", home().native()}, {"HOME", folder().native()}, {"NO_COLOR", "1"}};
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

TEST_F(A71, AGrantIsWholeOrNotThereAndNeverTakesAnotherWithIt) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  const auto name = [](int round) { return fmt::format("network=h{}.example", round); };
  ASSERT_EQ(run({"grant", "healthy", "network=before.example"}).code, 0);
  const std::set<std::string> before = permissions("healthy");
  kill_at_each_write(
      [&](int round) { return std::vector<std::string>{"grant", "healthy", name(round)}; }, {},
      [&](int round, bool killed) {
        std::set<std::string> after = permissions("healthy");
        const bool given = after.erase(name(round)) > 0;
        EXPECT_EQ(after, before) << "killed at write " << round;
        EXPECT_TRUE(given || killed) << "it was acknowledged and is not there";
        // Nothing may be given that the log does not show.
        if (given) expect_record({{"kind", "grant"}, {"permission", name(round)}});
      });
  expect_healthy();
  expect_sound_log();
}

TEST_F(A71, ARevocationIsWholeOrNotThere) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  const std::string grant = "network=a.example";
  kill_at_each_write(
      [&](int) {
        EXPECT_EQ(run({"grant", "healthy", grant, "network=kept.example"}).code, 0);
        return std::vector<std::string>{"revoke", "healthy", grant};
      },
      {},
      [&](int round, bool killed) {
        const auto left = permissions("healthy");
        EXPECT_TRUE(left.contains("network=kept.example")) << "killed at write " << round;
        const bool taken = !left.contains(grant);
        EXPECT_TRUE(taken || killed) << "it was acknowledged and still holds";
        EXPECT_EQ(left.size(), taken ? 1U : 2U);
      });
  expect_record({{"kind", "revoke"}, {"component", "healthy"}});
  expect_healthy();
  expect_sound_log();
}

TEST_F(A71, AFreshStateCanBeOpenedWhereverItsMakingStopped) {
  const auto home_of = [&](int round) {
    return (folder() / fmt::format("home-{}", round)).native();
  };
  for (int round = 1; round < endless; ++round) {
    set_variable("BELLJAR_HOME", home_of(round));
    auto variables = environment();
    variables["BELLJAR_HOME"] = home_of(round);
    const TracedEnd end =
        kill_at_write({BELLJAR_PROGRAM, "grant", "healthy.wat", "network=a.example"}, variables,
                      folder(), {}, round);
    const CommandResult listed = run({"list", "--json"});
    ASSERT_EQ(listed.code, 0) << "killed at write " << round << ": " << listed.err;
    if (end.killed) {
      // Every tenth is used in full, which takes long.
      if (round % 10 != 0) continue;
      EXPECT_EQ(run({"load", "healthy.wat"}).code, 0) << "killed at write " << round;
      expect_healthy();
      expect_sound_log();
      continue;
    }
    EXPECT_EQ(end.code, 0);
    expect_healthy();
    expect_record({{"kind", "grant"}, {"permission", "network=a.example"}});
    expect_sound_log();
    return;
  }
  FAIL() << "it writes for ever";
}

TEST_F(A71, ASecretIsTheOldOneOrTheNewOne) {
  ASSERT_EQ(run({"secret", "set", "key"}, "the first value\n").code, 0);
  kill_at_each_write(
      [](int) { return std::vector<std::string>{"secret", "set", "key"}; }, "the second value\n",
      [&](int round, bool) {
        const CommandResult listed = run({"secret", "list", "--json"});
        EXPECT_EQ(listed.code, 0) << listed.err;
        EXPECT_THAT(listed.out, testing::HasSubstr("\"key\"")) << "killed at write " << round;
      });
  expect_record({{"kind", "secret"}, {"secret", "key"}});
  expect_healthy();
  expect_sound_log();
}

TEST_F(A71, ALoadIsWholeOrNotThere) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  kill_at_each_write(
      [&](int round) {
        // Of other content each time, so that it is compiled and cached each time.
        write("fresh.wat", fmt::format(R"((component
          (core module $module (func (export "f") (result i32) i32.const {}))
          (core instance $instance (instantiate $module))
          (func (export "f") (result u32) (canon lift (core func $instance "f")))))",
                                       round));
        return std::vector<std::string>{"load", fmt::format("c{}=fresh.wat", round)};
      },
      {},
      [&](int round, bool killed) {
        const CommandResult listed = run({"list", "--json"});
        EXPECT_EQ(listed.code, 0) << "killed at write " << round << ": " << listed.err;
        EXPECT_THAT(listed.out, testing::HasSubstr("\"healthy\""));
        if (!killed) {
          EXPECT_THAT(listed.out, testing::HasSubstr(fmt::format("\"c{}\"", round)));
        }
      });
  expect_healthy();
  expect_sound_log();
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
