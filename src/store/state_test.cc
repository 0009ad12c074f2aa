#include "store/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/components.h"
#include "testing/child_process.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::store {
namespace {

using test::ChildProcess;
using test::TemporaryFolder;
using ::testing::HasSubstr;

Paths paths_in(const TemporaryFolder& folder) {
  return {folder / "data", folder / "config", folder / "cache", folder / "run"};
}

class StateTest : public ::testing::Test {
 protected:
  std::unique_ptr<State> open() {
    auto state = State::open(paths_in(folder_), clock_);
    EXPECT_TRUE(state) << state.error().describe();
    return state ? *std::move(state) : nullptr;
  }
  std::string problem() {
    const auto state = State::open(paths_in(folder_), clock_);
    return state ? "" : state.error().describe();
  }

  TemporaryFolder folder_;
  test::ManualClock clock_;
};

TEST_F(StateTest, IsMadeForThisUserOnly) {
  open().reset();
  EXPECT_EQ(test::mode_of(folder_ / "data"), 0700U);
  for (const char* file : {"data/state.db", "data/cache.key", "data/epoch"}) {
    EXPECT_EQ(test::mode_of(folder_ / file), 0600U) << file;
  }
}

TEST_F(StateTest, IsRefusedInAFolderThatOthersMayWriteTo) {
  std::filesystem::create_directory(folder_ / "data");
  test::set_mode(folder_ / "data", 0777);
  EXPECT_THAT(problem(), HasSubstr("chmod go-w"));
}

TEST_F(StateTest, OfANewerProgramIsRefusedAndLeftAlone) {
  ASSERT_TRUE(open()->database().execute("PRAGMA user_version = 1000"));
  EXPECT_THAT(problem(), HasSubstr("newer Belljar (schema 1000"));
  EXPECT_THAT(problem(), HasSubstr("BELLJAR_HOME"));
}

TEST_F(StateTest, MigratesFromVersionZeroToTheNewest) {
  const auto state = open();
  auto version = *state->database().prepare("PRAGMA user_version");
  ASSERT_TRUE(*version.step());
  EXPECT_EQ(version.number(0), static_cast<std::int64_t>(state_migrations().size()));
}

TEST_F(StateTest, TheGrantEpochMovesInEveryProcessAtOnce) {
  const std::uint64_t before = open()->epoch().value();
  ChildProcess other([&](ChildProcess::Parent& parent) {
    auto theirs = State::open(paths_in(folder_), clock_);
    if (!theirs || (*theirs)->epoch().value() != before) return 1;
    parent.tell();
    parent.await();
    // No file is read again and no message is sent: the word itself has changed.
    if ((*theirs)->epoch().value() != before + 1) return 2;
    (*theirs)->epoch().advance();
    return 0;
  });
  ASSERT_EQ(other.hear(), '.');
  const auto state = open();
  state->epoch().advance();
  other.tell();
  EXPECT_EQ(other.finish(), 0);
  EXPECT_EQ(state->epoch().value(), before + 2);
}

TEST_F(StateTest, TheGrantEpochOutlivesEveryProcess) {
  open()->epoch().advance();
  const std::uint64_t before = open()->epoch().value();
  EXPECT_EQ(before, 1U);
  EXPECT_EQ(open()->epoch().value(), before);
}

TEST_F(StateTest, ALinkInThePlaceOfTheEpochIsNotFollowed) {
  std::filesystem::create_directory(folder_ / "data");
  test::set_mode(folder_ / "data", 0700);
  const auto victim = folder_.write("victim", "untouched");
  std::filesystem::create_symlink(victim, folder_ / "data/epoch");
  EXPECT_NE(problem(), "");
  EXPECT_EQ(test::contents_of(victim), "untouched");
}

TEST_F(StateTest, A71_AProcessThatIsKilledWhileItOpensTheStateLeavesItUsable) {
  for (int round = 0; round < 12; ++round) {
    const TemporaryFolder folder;
    ChildProcess opener([&](ChildProcess::Parent& parent) {
      parent.tell();
      return State::open(paths_in(folder), clock_) ? 0 : 1;
    });
    ASSERT_EQ(opener.hear(), '.');
    // The kill falls somewhere into the making of folders, database, migrations and keys.
    for (int spin = 0; spin < round * 40; ++spin) static_cast<void>(::getppid());
    opener.kill();
    const auto state = State::open(paths_in(folder), clock_);
    ASSERT_TRUE(state) << state.error().describe();
    EXPECT_TRUE(Components(**state).put({"a", "/a.wasm", "00", clock_.now()}));
  }
}

TEST_F(StateTest, A75_TenProcessesOpenAFreshStateAtOnceAndAgreeOnItsKey) {
  std::vector<ChildProcess> children;
  for (int i = 0; i < 10; ++i) {
    children.emplace_back([this, i](ChildProcess::Parent& parent) {
      parent.await();
      const auto state = State::open(paths_in(folder_), clock_);
      if (!state) {
        std::fputs((state.error().describe() + "\n").c_str(), stderr);
        return 1;
      }
      folder_.write("key" + std::to_string(i), to_hex((*state)->mac_key()));
      Components components(**state);
      return components.put({"c" + std::to_string(i), "/x.wasm", "00", clock_.now()}) ? 0 : 2;
    });
  }
  for (ChildProcess& child : children) child.tell();
  for (ChildProcess& child : children) EXPECT_EQ(child.finish(), 0);
  const auto state = open();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(test::contents_of(folder_ / ("key" + std::to_string(i))), to_hex(state->mac_key()));
  }
  EXPECT_EQ(Components(*state).list()->size(), 10U);
}

// Key files.

TEST(KeyFiles, AreMadeOnceWithMode0600) {
  const TemporaryFolder folder;
  const auto key = open_key_file(folder / "key", MissingKey::make);
  ASSERT_TRUE(key) << key.error().describe();
  EXPECT_EQ(test::mode_of(folder / "key"), 0600U);
  EXPECT_EQ(*open_key_file(folder / "key", MissingKey::make), *key);
  EXPECT_NE(*open_key_file(folder / "other", MissingKey::make), *key);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2)
      << "nothing is left beside them";
}

TEST(KeyFiles, ThatOthersMayReadAreRefused) {
  const TemporaryFolder folder;
  for (const unsigned mode : {0640U, 0604U, 0660U, 0606U, 0601U}) {
    const auto path = folder.write("key", std::string(32, 'k'));
    test::set_mode(path, mode);
    const auto key = open_key_file(path, MissingKey::make);
    ASSERT_FALSE(key) << "mode " << std::oct << mode;
    EXPECT_THAT(key.error().message(), HasSubstr("mode 0600"));
  }
}

TEST(KeyFiles, OfAnotherUserAreRefused) {
  const TemporaryFolder folder;
  std::filesystem::path foreign = "/etc/passwd";
  if (::geteuid() == 0) {
    foreign = folder.write("key", std::string(32, 'k'));
    test::set_mode(foreign, 0600);
    ASSERT_EQ(::chown(foreign.c_str(), 65'534, 65'534), 0);
  }
  EXPECT_THAT(open_key_file(foreign, MissingKey::make).error().message(),
              HasSubstr("belong to you"));
}

TEST(KeyFiles, OfTheWrongSizeOrKindAreRefusedAndNotReplaced) {
  const TemporaryFolder folder;
  const auto path = folder.write("key", "short");
  test::set_mode(path, 0600);
  EXPECT_THAT(open_key_file(path, MissingKey::make).error().message(),
              HasSubstr("not a key of 32 bytes"));
  EXPECT_EQ(test::contents_of(path), "short") << "it may be somebody's only copy";
  std::filesystem::create_symlink(folder / "elsewhere", folder / "link");
  EXPECT_FALSE(open_key_file(folder / "link", MissingKey::make))
      << "a link is not followed, and not made a key of";
  EXPECT_FALSE(std::filesystem::exists(folder / "elsewhere"));
}

// Components.

TEST_F(StateTest, ComponentsAreKeptInTheOrderOfTheirNames) {
  const auto state = open();
  Components components(*state);
  ASSERT_TRUE(components.put({"b", "/b.wasm", "01", clock_.now()}));
  ASSERT_TRUE(components.put({"a", "/a.wasm", "02", clock_.now()}));
  ASSERT_TRUE(components.put({"b", "/new.wasm", "03", clock_.now()}));
  const auto list = *components.list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[1].reference, "/new.wasm") << "one of the same name is replaced";
  EXPECT_EQ((*components.find("b"))->digest, "03");
  EXPECT_EQ(*components.find("c"), std::nullopt);
  EXPECT_TRUE(*components.remove("a"));
  EXPECT_FALSE(*components.remove("a"));
}

}  // namespace
}  // namespace belljar::store
