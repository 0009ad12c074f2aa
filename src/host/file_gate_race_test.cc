#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "host/file_gate.h"
#include "host/testing/pinned_mount.h"
#include "host/testing/race.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileRequest;
using testing::Outcomes;
using testing::race;
using testing::Swapper;

/// The row of the attack table makes a million of them (tests/attacks).
constexpr int tries = 20'000;

class FileGateRaceTest : public ::testing::Test {
 protected:
  FileGateRaceTest() {
    folder_.write("outside/file", "not for guests");
    folder_.write("granted/file", "hello");
    folder_.write("granted/folder/file", "hello");
    std::filesystem::create_symlink("../outside/file", folder_ / "granted/file-link");
    std::filesystem::create_directory_symlink("../outside", folder_ / "granted/folder-link");
    struct stat status{};
    EXPECT_EQ(::stat((folder_ / "outside/file").c_str(), &status), 0);
    forbidden_ = status.st_ino;
  }

  std::shared_ptr<const OpenMount> open(policy::Mount mount = {}) const {
    mount.rule.host = folder_ / "granted";
    mount.rule.guest = "/data";
    mount.rule.access = {.read = true, .write = true};
    auto opened = OpenMount::open(testing::pinned(mount));
    EXPECT_TRUE(opened);
    return *opened;
  }

  static FileRequest reading(std::string path) {
    FileRequest request;
    request.operation = FileOperation::open;
    request.path = std::move(path);
    request.follow = true;
    request.read = true;
    return request;
  }

  test::TemporaryFolder folder_;
  ino_t forbidden_ = 0;
};

TEST_F(FileGateRaceTest, A30SwappingAFileWithALinkOutsideWinsNothing) {
  const auto mount = open();
  const Swapper swapper(folder_ / "granted", {{"file", "file-link"}});
  const Outcomes outcomes = race(*mount, reading("file"), forbidden_, tries);
  EXPECT_EQ(outcomes.escaped, 0);
  EXPECT_GT(outcomes.opened, 0) << "the race never let the file be opened: nothing was tried";
  EXPECT_GT(outcomes.refused, 0) << "the race never put the link there: nothing was tried";
}

TEST_F(FileGateRaceTest, A30SwappingAFolderWithALinkOutsideWinsNothing) {
  const auto mount = open();
  const Swapper swapper(folder_ / "granted", {{"folder", "folder-link"}});
  const Outcomes outcomes = race(*mount, reading("folder/file"), forbidden_, tries);
  EXPECT_EQ(outcomes.escaped, 0);
  EXPECT_GT(outcomes.opened, 0) << "the race never let the file be opened: nothing was tried";
  EXPECT_GT(outcomes.refused, 0) << "the race never put the link there: nothing was tried";
}

TEST_F(FileGateRaceTest, A30CreatingThroughASwappedFolderMakesNothingOutside) {
  const auto mount = open();
  FileRequest creating = reading("folder/new");
  creating.write = true;
  creating.create = true;
  FileRequest removing;
  removing.operation = FileOperation::unlink;
  removing.path = "folder/new";
  const Swapper swapper(folder_ / "granted", {{"folder", "folder-link"}});
  int made = 0;
  for (int i = 0; i < tries; ++i) {
    if (mount->perform(creating, *mount).reply.error == 0) ++made;
    static_cast<void>(mount->perform(removing, *mount));
  }
  EXPECT_GT(made, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "outside/new"));
}

TEST_F(FileGateRaceTest, A33SwappingAFileWithAPipeNeitherOpensItNorWaits) {
  ASSERT_EQ(::mkfifo((folder_ / "granted/pipe").c_str(), 0666), 0);
  const auto mount = open();
  struct stat pipe{};
  ASSERT_EQ(::stat((folder_ / "granted/pipe").c_str(), &pipe), 0);
  const Swapper swapper(folder_ / "granted", {{"file", "pipe"}});
  const Outcomes outcomes = race(*mount, reading("file"), pipe.st_ino, tries);
  EXPECT_EQ(outcomes.escaped, 0);
  EXPECT_GT(outcomes.opened, 0);
  EXPECT_GT(outcomes.refused, 0);
}

TEST_F(FileGateRaceTest, ADeniedFileIsNotOpenedWhileItsNeighbourIsSwapped) {
  folder_.write("granted/private", "private");
  policy::Mount rules;
  rules.denied.push_back({.host = folder_ / "granted/private",
                          .guest = {},
                          .access = {.read = true, .write = true},
                          .hardlinks = false});
  const auto mount = open(rules);
  // Not a guest but another program moves the denied file: it is told by its place or by itself.
  struct stat denied{};
  ASSERT_EQ(::stat((folder_ / "granted/private").c_str(), &denied), 0);
  std::filesystem::create_symlink("private", folder_ / "granted/alias");
  const Swapper swapper(folder_ / "granted", {{"file", "alias"}});
  const Outcomes outcomes = race(*mount, reading("file"), denied.st_ino, tries);
  EXPECT_EQ(outcomes.escaped, 0);
  EXPECT_GT(outcomes.opened, 0);
  EXPECT_GT(outcomes.refused, 0);
}

}  // namespace
}  // namespace belljar::host
