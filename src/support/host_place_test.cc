#include "support/host_place.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "testing/temporary_folder.h"

namespace belljar {
namespace {

class HostPlaceTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string identity(std::string_view name) const {
    return find_target(folder_ / name).identity;
  }
  [[nodiscard]] std::filesystem::path real() const {
    return std::filesystem::canonical(folder_.path());
  }
  test::TemporaryFolder folder_;
};

TEST_F(HostPlaceTest, AFolderIsTheSameUnderEveryNameAndAfterItMoved) {
  folder_.make_folder("a");
  folder_.make_folder("b");
  std::filesystem::create_directory_symlink("a", folder_ / "link");
  const std::string before = identity("a");
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(identity("link"), before);
  EXPECT_NE(identity("b"), before);
  std::filesystem::rename(folder_ / "a", folder_ / "moved");
  EXPECT_EQ(identity("moved"), before);
}

TEST_F(HostPlaceTest, AFolderThatTakesTheInodeOfARemovedOneIsAnother) {
  // File systems hand an inode number out again soon, which is what a number alone cannot tell.
  folder_.make_folder("a");
  const std::string before = identity("a");
  bool used_again = false;
  for (int i = 0; i < 100 && !used_again; ++i) {
    std::filesystem::remove(folder_ / "a");
    folder_.make_folder("a");
    const std::string after = identity("a");
    ASSERT_NE(after, before);
    used_again = inode_of(after) == inode_of(before);
  }
}

TEST_F(HostPlaceTest, FollowsEveryLinkOnce) {
  folder_.make_folder("real/sub");
  std::filesystem::create_directory_symlink(folder_ / "real", folder_ / "one");
  std::filesystem::create_directory_symlink("one/sub", folder_ / "two");
  const HostPlace place = find_place(folder_ / "two");
  EXPECT_EQ(place.real, real() / "real/sub");
  EXPECT_EQ(place.identity, identity("real/sub"));
  EXPECT_FALSE(open_place(folder_ / "two")) << "a link on the way was followed";
  EXPECT_TRUE(open_place(place.real));
}

TEST_F(HostPlaceTest, OneFileIsItsFolderAndItsName) {
  folder_.write("folder/file", "x");
  const HostPlace place = find_place(folder_ / "folder/file");
  EXPECT_EQ(place.real, real() / "folder/file");
  EXPECT_EQ(place.identity, std::string(file_in) + identity("folder"));
}

TEST_F(HostPlaceTest, WhatIsNotThereHasAPlaceAndNoIdentity) {
  folder_.make_folder("real");
  std::filesystem::create_directory_symlink("real", folder_ / "link");
  const HostPlace place = find_place(folder_ / "link/later/deeper");
  EXPECT_EQ(place.real, real() / "real/later/deeper");
  EXPECT_EQ(place.identity, "");
}

}  // namespace
}  // namespace belljar
