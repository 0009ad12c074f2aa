#include "store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "testing/child_process.h"
#include "testing/temporary_folder.h"

namespace belljar::store {
namespace {

using namespace std::string_view_literals;
using test::ChildProcess;
using test::TemporaryFolder;
using ::testing::HasSubstr;

constexpr std::array<std::string_view, 1> first{
    "CREATE TABLE lines (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"};
constexpr std::array<std::string_view, 2> second{
    first[0], "ALTER TABLE lines ADD COLUMN added TEXT NOT NULL DEFAULT 'old'"};

std::unique_ptr<Database> open(const std::filesystem::path& path,
                               std::span<const std::string_view> migrations = first) {
  auto database = Database::open(path, migrations);
  EXPECT_TRUE(database) << database.error().describe();
  return database ? *std::move(database) : nullptr;
}

std::int64_t number(Database& database, std::string_view sql) {
  auto statement = database.prepare(sql);
  EXPECT_TRUE(statement) << statement.error().describe();
  if (!statement) return -1;
  const auto row = statement->step();
  EXPECT_TRUE(row && *row) << sql;
  return statement->number(0);
}

class DatabaseTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "test.db";
};

TEST_F(DatabaseTest, IsMadeWithTheNewestSchemaForThisUserOnly) {
  const auto database = open(path_, second);
  EXPECT_EQ(number(*database, "PRAGMA user_version"), 2);
  ASSERT_TRUE(database->execute("INSERT INTO lines VALUES (1, 'x', 'y')"));
  EXPECT_EQ(test::mode_of(path_), 0600U);
  EXPECT_EQ(test::mode_of(path_.native() + "-wal"), 0600U)
      << "what is not yet in the database, too";
}

TEST_F(DatabaseTest, AnOlderOneIsBroughtForwardAndKeepsWhatItHolds) {
  ASSERT_TRUE(open(path_)->execute("INSERT INTO lines VALUES (1, 'kept')"));
  const auto database = open(path_, second);
  EXPECT_EQ(number(*database, "PRAGMA user_version"), 2);
  EXPECT_EQ(number(*database, "SELECT COUNT(*) FROM lines WHERE text = 'kept' AND added = 'old'"),
            1);
}

TEST_F(DatabaseTest, OneOfVersionZeroThatIsEmptyIsBroughtForward) {
  ASSERT_TRUE(open(path_, {})->execute("PRAGMA user_version = 0"));
  EXPECT_EQ(number(*open(path_, second), "PRAGMA user_version"), 2);
}

TEST_F(DatabaseTest, ANewerOneIsRefusedWithAWayOut) {
  open(path_, second).reset();
  const auto refused = Database::open(path_, first);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().describe(),
              HasSubstr("written by a newer Belljar (schema 2, this one knows 1)"));
  EXPECT_THAT(refused.error().describe(), HasSubstr("upgrade this program"));
  EXPECT_THAT(refused.error().describe(), HasSubstr(path_.native()));
  EXPECT_EQ(number(*open(path_, second), "PRAGMA user_version"), 2) << "and is left as it was";
}

TEST_F(DatabaseTest, AMigrationThatFailsLeavesTheOldSchemaWhole) {
  ASSERT_TRUE(open(path_)->execute("INSERT INTO lines VALUES (1, 'kept')"));
  constexpr std::array<std::string_view, 3> broken{first[0], second[1],
                                                   "CREATE TABLE lines (again TEXT)"};
  EXPECT_FALSE(Database::open(path_, broken));
  const auto database = open(path_);
  EXPECT_EQ(number(*database, "PRAGMA user_version"), 1);
  EXPECT_EQ(number(*database, "SELECT COUNT(*) FROM pragma_table_info('lines')"), 2);
}

TEST_F(DatabaseTest, ReadingOnlyNeitherMakesNorMigrates) {
  EXPECT_FALSE(Database::open(path_, first, Database::Mode::read_only));
  EXPECT_FALSE(std::filesystem::exists(path_));
  open(path_).reset();
  const auto old = Database::open(path_, second, Database::Mode::read_only);
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().describe(), HasSubstr("older schema"));
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsRefusedByName) {
  folder_.write("test.db", std::string(8'192, 'x'));
  const auto refused = Database::open(path_, first);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::storage);
  EXPECT_THAT(refused.error().describe(), HasSubstr("not a database"));
}

TEST_F(DatabaseTest, ALinkInItsPlaceIsNotFollowed) {
  const auto elsewhere = folder_ / "elsewhere.db";
  open(elsewhere).reset();
  std::filesystem::create_symlink(elsewhere, path_);
  EXPECT_FALSE(Database::open(path_, first));
}

TEST_F(DatabaseTest, WhatIsBoundIsNeverReadAsSql) {
  const auto database = open(path_);
  const std::string hostile("'); DROP TABLE lines; --\0 and a NUL"sv);
  auto insert = *database->prepare("INSERT INTO lines VALUES (?, ?)");
  ASSERT_TRUE(insert.bind(std::int64_t{1}).bind(hostile).run());
  auto row = *database->prepare("SELECT text FROM lines");
  ASSERT_TRUE(*row.step());
  EXPECT_EQ(row.text(0), hostile);
}

TEST_F(DatabaseTest, BytesComeBackAsTheyWere) {
  const auto database = open(path_);
  auto row = *database->prepare("SELECT ?, ?, ?, ?");
  row.bind_blob("a\0\xFF"sv)
      .bind_optional(std::optional<std::string>())
      .bind_optional(std::optional<std::int64_t>(7));
  ASSERT_TRUE(*row.bind_optional(std::optional<std::string>("x")).step());
  EXPECT_EQ(row.text(0), "a\0\xFF"sv);
  EXPECT_EQ(row.optional_text(1), std::nullopt);
  EXPECT_EQ(row.optional_number(2), 7);
  EXPECT_EQ(row.optional_text(3), "x");
}

TEST_F(DatabaseTest, AStatementWithAnErrorSaysSoAtEveryStep) {
  const auto database = open(path_);
  EXPECT_FALSE(database->prepare("SELECT * FROM nowhere"));
  auto insert = *database->prepare("INSERT INTO lines VALUES (?, ?)");
  insert.bind(std::int64_t{1}).bind("a").bind("one parameter too many");
  EXPECT_FALSE(insert.step());
  EXPECT_EQ(number(*database, "SELECT COUNT(*) FROM lines"), 0);
}

TEST_F(DatabaseTest, ATransactionThatIsNotCommittedIsUndone) {
  const auto database = open(path_);
  {
    const auto transaction = Transaction::begin(*database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database->execute("INSERT INTO lines VALUES (1, 'x')"));
  }
  EXPECT_EQ(number(*database, "SELECT COUNT(*) FROM lines"), 0);
  auto transaction = *Transaction::begin(*database);
  ASSERT_TRUE(database->execute("INSERT INTO lines VALUES (1, 'x')"));
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(number(*database, "SELECT COUNT(*) FROM lines"), 1);
}

TEST_F(DatabaseTest, A75_TenProcessesMakeAndMigrateOneDatabaseAtOnce) {
  std::vector<ChildProcess> children;
  for (int i = 0; i < 10; ++i) {
    children.emplace_back([&](ChildProcess::Parent& parent) {
      parent.await();
      const auto database = Database::open(path_, second);
      if (!database) {
        std::fputs((database.error().describe() + "\n").c_str(), stderr);
        return 1;
      }
      for (int line = 0; line < 20; ++line) {
        if (!(*database)->execute("INSERT INTO lines (text) VALUES ('x')")) return 2;
      }
      return 0;
    });
  }
  for (ChildProcess& child : children) child.tell();
  for (ChildProcess& child : children) EXPECT_EQ(child.finish(), 0);
  const auto database = open(path_, second);
  EXPECT_EQ(number(*database, "SELECT COUNT(*) FROM lines"), 200) << "no write is lost";
  EXPECT_EQ(number(*database, "PRAGMA user_version"), 2);
}

TEST_F(DatabaseTest, A71_AWriterThatIsKilledLeavesWholeTransactionsOnly) {
  open(path_).reset();
  for (int round = 0; round < 20; ++round) {
    ChildProcess writer([&](ChildProcess::Parent& parent) {
      const auto database = Database::open(path_, first);
      if (!database) return 1;
      while (true) {
        auto transaction = Transaction::begin(**database);
        if (!transaction) return 2;
        for (int i = 0; i < 3; ++i) {
          if (!(*database)->execute("INSERT INTO lines (text) VALUES ('x')")) return 3;
          parent.tell();
        }
        if (!transaction->commit()) return 4;
        parent.tell('c');
      }
    });
    // Further in every round: the kill falls on another write each time.
    for (int heard = 0; heard <= round; ++heard) ASSERT_NE(writer.hear(), '\0');
    EXPECT_EQ(writer.kill(), -SIGKILL);
    const auto database = open(path_);
    EXPECT_EQ(number(*database, "SELECT COUNT(*) % 3 FROM lines"), 0) << "in round " << round;
    auto check = *database->prepare("PRAGMA integrity_check");
    ASSERT_TRUE(*check.step());
    EXPECT_EQ(check.text(0), "ok");
  }
}

}  // namespace
}  // namespace belljar::store
