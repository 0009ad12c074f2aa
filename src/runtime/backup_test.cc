#include "runtime/backup.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/writer.h"
#include "runtime/control.h"
#include "store/components.h"
#include "store/database.h"
#include "store/grants.h"
#include "store/secrets.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::runtime {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// A member of an archive that somebody else made.
struct Member {
  const char* name;
  std::string contents;
  unsigned type = AE_IFREG;
};

class BackupTest : public ::testing::Test {
 protected:
  static Settings settings_in(const std::filesystem::path& home) {
    Settings settings;
    settings.paths = {home / "data", home / "config", home / "cache", home / "run"};
    return settings;
  }
  /// A state with a component, a grant, a secret and a log.
  void fill(const Settings& settings) {
    const auto state = *store::State::open(settings.paths, clock_);
    ASSERT_TRUE(store::Components(*state).put({"weather", "/w.wasm", "aaaa", clock_.now()}));
    ASSERT_TRUE(store::Grants(*state).add(
        {"weather", "aaaa"}, *policy::parse_grant("network=a.example", "/"), {}, {"me", "t"}));
    ASSERT_TRUE(store::Secrets(*state, store::SecretKeyPlace::file)
                    .set("key", store::SecretValue("a long secret")));
    ASSERT_TRUE(audit::Writer::open(settings.paths.data / "audit.db", clock_, {}, {}));
  }
  std::string components(const Settings& settings) {
    const auto state = store::State::open(settings.paths, clock_);
    if (!state) return state.error().describe();
    std::string names;
    const auto list = *store::Components(**state).list();
    for (const auto& component : list) names += component.name + " ";
    return names;
  }
  std::filesystem::path archive_of(const std::vector<Member>& members) const {
    const auto path = folder_ / "made.tar.gz";
    archive* const writer = ::archive_write_new();
    ::archive_write_set_format_pax_restricted(writer);
    ::archive_write_add_filter_gzip(writer);
    EXPECT_EQ(::archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
    for (const Member& member : members) {
      archive_entry* const entry = ::archive_entry_new();
      ::archive_entry_set_pathname(entry, member.name);
      ::archive_entry_set_filetype(entry, member.type);
      ::archive_entry_set_perm(entry, 0666);
      if (member.type == AE_IFLNK) {
        ::archive_entry_set_symlink(entry, member.contents.c_str());
      } else {
        ::archive_entry_set_size(entry, static_cast<la_int64_t>(member.contents.size()));
      }
      EXPECT_EQ(::archive_write_header(writer, entry), ARCHIVE_OK);
      if (member.type == AE_IFREG) {
        ::archive_write_data(writer, member.contents.data(), member.contents.size());
      }
      ::archive_entry_free(entry);
    }
    ::archive_write_close(writer);
    ::archive_write_free(writer);
    return path;
  }
  std::vector<std::string> names_in(const std::filesystem::path& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename().native());
    }
    return names;
  }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
  Settings mine_ = settings_in(folder_ / "mine");
  Settings fresh_ = settings_in(folder_ / "fresh");
  std::filesystem::path file_ = folder_ / "backup.tar.gz";
};

TEST_F(BackupTest, WhatWasSavedIsThereAfterwards) {
  fill(mine_);
  const auto saved = make_backup(mine_, file_);
  ASSERT_TRUE(saved) << saved.error().describe();
  EXPECT_THAT(saved->files,
              UnorderedElementsAre("state.db", "audit.db", "cache.key", "secret.key"));
  EXPECT_TRUE(saved->secret_key) << "who keeps the file has to know";
  EXPECT_EQ(test::mode_of(file_), 0600U);
  const auto restored = restore_backup(fresh_, file_, Replace::no);
  ASSERT_TRUE(restored) << restored.error().describe();
  EXPECT_EQ(components(fresh_), "weather ");
  const auto state = *store::State::open(fresh_.paths, clock_);
  EXPECT_EQ(store::Grants(*state).list(std::nullopt)->size(), 1U);
  const auto secret = store::Secrets(*state, store::SecretKeyPlace::file).get("key");
  ASSERT_TRUE(secret) << secret.error().describe();
  EXPECT_EQ((*secret)->reveal(), "a long secret");
}

TEST_F(BackupTest, SavingLeavesNothingBesideTheState) {
  fill(mine_);
  ASSERT_TRUE(make_backup(mine_, file_));
  EXPECT_THAT(names_in(mine_.paths.data), ::testing::Not(Contains(HasSubstr("backup"))));
  ASSERT_TRUE(restore_backup(fresh_, file_, Replace::no));
  EXPECT_THAT(names_in(folder_ / "fresh"), UnorderedElementsAre("data"));
}

TEST_F(BackupTest, AStateThatIsInUseIsSavedAsItIsAtOneMoment) {
  fill(mine_);
  const auto state = *store::State::open(mine_.paths, clock_);
  const auto transaction = store::Transaction::begin(state->database());
  ASSERT_TRUE(transaction);
  ASSERT_TRUE(state->database().execute("INSERT INTO components VALUES ('half', '/h', '00', 0)"));
  ASSERT_TRUE(make_backup(mine_, file_));
  ASSERT_TRUE(restore_backup(fresh_, file_, Replace::no));
  EXPECT_EQ(components(fresh_), "weather ") << "what was not committed is not in it";
}

TEST_F(BackupTest, AFileThatIsThereIsNotOverwritten) {
  fill(mine_);
  folder_.write("backup.tar.gz", "precious");
  const auto saved = make_backup(mine_, file_);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code(), ErrorCode::conflict);
  EXPECT_EQ(test::contents_of(file_), "precious");
  std::filesystem::create_symlink(folder_ / "elsewhere", folder_ / "link");
  EXPECT_FALSE(make_backup(mine_, folder_ / "link")) << "a link is not followed";
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere"));
}

TEST_F(BackupTest, StateThatIsThereIsReplacedOnlyWhereItIsSaid) {
  fill(mine_);
  ASSERT_TRUE(make_backup(mine_, file_));
  {
    const auto state = *store::State::open(fresh_.paths, clock_);
    ASSERT_TRUE(store::Components(*state).put({"newer", "/n", "bb", clock_.now()}));
  }
  const auto refused = restore_backup(fresh_, file_, Replace::no);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
  EXPECT_THAT(refused.error().message(), HasSubstr("--replace"));
  EXPECT_EQ(components(fresh_), "newer ");
  ASSERT_TRUE(restore_backup(fresh_, file_, Replace::yes));
  EXPECT_EQ(components(fresh_), "weather ");
}

TEST_F(BackupTest, NothingIsReplacedWhileAServerRuns) {
  fill(mine_);
  ASSERT_TRUE(make_backup(mine_, file_));
  auto socket = ControlSocket::make(fresh_.paths.run);
  ASSERT_TRUE(socket) << socket.error().describe();
  const auto server = ControlServer::start(
      *std::move(socket), [](const Json&, const std::stop_token&) { return Json{{"process", 1}}; });
  ASSERT_TRUE(server) << server.error().describe();
  const auto restored = restore_backup(fresh_, file_, Replace::yes);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code(), ErrorCode::unavailable);
}

TEST_F(BackupTest, AnArchiveThatBelljarDidNotMakeTouchesNothing) {
  fill(mine_);
  ASSERT_TRUE(make_backup(mine_, file_));
  fill(fresh_);
  const std::vector<std::vector<Member>> archives{
      {{"../escaped", "x"}},
      {{"/tmp/belljar-escaped", "x"}},
      {{"data/../../escaped", "x"}},
      {{"state.db", "x"}, {"state.db", "y"}},
      {{"state.db", "/etc/passwd", AE_IFLNK}},
      {{"state.db", "", AE_IFDIR}},
      {{"state.db", "", AE_IFIFO}},
      {{"state.db", "not a database"}, {"audit.db", "neither"}},
      {{"state.db", ""}},
      {{"cache.key", std::string(100'000, 'k')}},
      {{"epoch", "12345678"}},
      {}};
  for (const auto& members : archives) {
    const auto made = archive_of(members);
    EXPECT_FALSE(restore_backup(fresh_, made, Replace::yes))
        << (members.empty() ? "an empty archive" : members[0].name) << " was taken";
    EXPECT_EQ(components(fresh_), "weather ");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "escaped"));
    EXPECT_FALSE(std::filesystem::exists("/tmp/belljar-escaped"));
  }
  EXPECT_THAT(names_in(folder_ / "fresh"), UnorderedElementsAre("data"))
      << "nothing is left behind";
}

TEST_F(BackupTest, ADamagedArchiveTouchesNothing) {
  fill(mine_);
  ASSERT_TRUE(make_backup(mine_, file_));
  fill(fresh_);
  const std::string whole = test::contents_of(file_);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() * 3 / 4}) {
    EXPECT_FALSE(restore_backup(fresh_, folder_.write("cut", whole.substr(0, size)), Replace::yes))
        << "cut after " << size;
    EXPECT_EQ(components(fresh_), "weather ");
  }
  EXPECT_FALSE(restore_backup(fresh_, folder_.write("text", "hello"), Replace::yes));
  EXPECT_FALSE(restore_backup(fresh_, folder_ / "missing", Replace::yes));
}

TEST_F(BackupTest, ATriggerOrViewInAnArchiveTouchesNothing) {
  const auto there = settings_in(folder_ / "there");
  fill(there);
  constexpr const char* trigger =
      "CREATE TRIGGER planted AFTER INSERT ON requests "
      "BEGIN UPDATE grants SET revoked_at = NULL; END";
  for (const char* const planted : {
           trigger,
           "CREATE VIEW planted AS SELECT * FROM grants",
           "CREATE TABLE planted (a INTEGER) STRICT",
           "DROP INDEX grants_by_component",
           "ALTER TABLE grants ADD COLUMN planted TEXT",
       }) {
    const auto from = settings_in(folder_ / "from");
    std::filesystem::remove_all(folder_ / "from");
    fill(from);
    const auto file = folder_ / "planted.tar.gz";
    std::filesystem::remove(file);
    {
      const auto database =
          *store::Database::open(from.paths.data / "state.db", store::state_migrations());
      ASSERT_TRUE(database->execute(planted));
    }
    ASSERT_TRUE(make_backup(from, file));
    const auto restored = restore_backup(there, file, Replace::yes);
    ASSERT_FALSE(restored) << planted;
    EXPECT_THAT(restored.error().message(), HasSubstr("somebody has put them there")) << planted;
    EXPECT_EQ(components(there), "weather ");
  }
}

TEST_F(BackupTest, AStateOfANewerProgramIsNotTakenIn) {
  fill(mine_);
  {
    const auto state = *store::State::open(mine_.paths, clock_);
    ASSERT_TRUE(
        state->database().execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 99;"
                                  "PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  EXPECT_FALSE(make_backup(mine_, file_));
  const auto made = archive_of({{"state.db", test::contents_of(mine_.paths.data / "state.db")},
                                {"audit.db", test::contents_of(mine_.paths.data / "audit.db")}});
  const auto restored = restore_backup(fresh_, made, Replace::no);
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().describe(), HasSubstr("newer Belljar"));
}

}  // namespace
}  // namespace belljar::runtime
