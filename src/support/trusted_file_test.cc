#include "support/trusted_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "testing/temporary_folder.h"

namespace belljar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A user that is neither root nor the one who runs the tests.
constexpr uid_t somebody = 12'345;

class TrustedFiles : public ::testing::Test {
 protected:
  /// The text, or what is wrong with the file.
  [[nodiscard]] static std::string read(const std::filesystem::path& path) {
    const auto text = read_trusted_file(path, "policy", Bytes{1'024});
    if (!text && text.error().code() != ErrorCode::not_found) {
      EXPECT_EQ(text.error().code(), ErrorCode::invalid_policy) << text.error().describe();
    }
    return text ? *text : "error: " + text.error().message();
  }
  static void chmod(const std::filesystem::path& path, mode_t mode) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  }
  /// Only root can give files away.
  static bool give_away(const std::filesystem::path& path) {
    return ::lchown(path.c_str(), somebody, somebody) == 0;
  }

  test::TemporaryFolder folder_;
};

TEST_F(TrustedFiles, AFileOfOnesOwnIsRead) {
  const auto file = folder_.write("a/b/policy.yaml", "text");
  EXPECT_EQ(read(file), "text");
  EXPECT_EQ(read(folder_ / "a/./b/../b/policy.yaml"), "text");
  EXPECT_THAT(read(folder_ / "a/none.yaml"), HasSubstr("No such file"));
  EXPECT_THAT(read(folder_ / "none/policy.yaml"), HasSubstr("No such file"));
  EXPECT_THAT(read(file / "x"), HasSubstr("Not a directory"));
  EXPECT_EQ(open_trusted_file(folder_ / "none", "policy").error().code(), ErrorCode::not_found);
}

TEST_F(TrustedFiles, WhatIsNoFileIsRefused) {
  folder_.make_folder("a");
  EXPECT_THAT(read(folder_ / "a"), HasSubstr("not a file"));
  EXPECT_THAT(read("/"), HasSubstr("this is a folder"));
  EXPECT_THAT(read("/dev/null"), HasSubstr("not a file"));
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(read(folder_ / "fifo"), HasSubstr("not a file")) << "and nobody waits for a writer";
  EXPECT_THAT(read(folder_.write("large", std::string(2'000, 'x'))), HasSubstr("larger than"));
}

TEST_F(TrustedFiles, ALinkInItsPlaceIsRefused) {
  folder_.write("real.yaml", "text");
  std::filesystem::create_symlink("real.yaml", folder_ / "policy.yaml");
  EXPECT_THAT(read(folder_ / "policy.yaml"), HasSubstr("a policy cannot be a symbolic link"));
}

TEST_F(TrustedFiles, AFileThatOthersMayWriteIsRefusedWithTheCommandThatMendsIt) {
  const auto file = folder_.write("policy.yaml", "text");
  for (const mode_t mode : {0666U, 0602U, 0777U}) {
    chmod(file, mode);
    EXPECT_THAT(read(file), AllOf(HasSubstr("others may write this policy"),
                                  HasSubstr("chmod go-w " + file.native())));
  }
  chmod(file, 0644);
  EXPECT_EQ(read(file), "text");
}

TEST_F(TrustedFiles, AFolderThatOthersMayWriteToIsRefusedWhereverItLies) {
  const auto file = folder_.write("a/b/policy.yaml", "text");
  for (const char* open : {"a", "a/b"}) {
    chmod(folder_ / open, 0777);
    EXPECT_THAT(read(file), AllOf(HasSubstr("others may write to the folder"),
                                  HasSubstr((folder_ / open).native() + " on the way"),
                                  HasSubstr("chmod go-w " + (folder_ / open).native())));
    chmod(folder_ / open, 01777);
    EXPECT_EQ(read(file), "text") << "in a sticky folder what is mine stays";
    chmod(folder_ / open, 0755);
  }
}

TEST_F(TrustedFiles, AnotherUsersFileFolderOrLinkIsRefusedAndNamed) {
  const auto file = folder_.write("a/policy.yaml", "text");
  if (!give_away(file)) GTEST_SKIP() << "only root can give files away";
  EXPECT_THAT(read(file), AllOf(HasSubstr("this policy belongs to the user with number 12345"),
                                HasSubstr("first: ")));
  ASSERT_EQ(::chown(file.c_str(), ::geteuid(), ::getegid()), 0);
  ASSERT_TRUE(give_away(folder_ / "a"));
  EXPECT_THAT(read(file), AllOf(HasSubstr((folder_ / "a").native()),
                                HasSubstr("belongs to the user with number 12345")));
  ASSERT_EQ(::chown((folder_ / "a").c_str(), ::geteuid(), ::getegid()), 0);
  EXPECT_EQ(read(file), "text");
  std::filesystem::create_directory_symlink("a", folder_ / "link");
  EXPECT_EQ(read(folder_ / "link/policy.yaml"), "text") << "a link of one's own to a folder";
  ASSERT_TRUE(give_away(folder_ / "link"));
  EXPECT_THAT(read(folder_ / "link/policy.yaml"), HasSubstr("who could lead it elsewhere"));
}

TEST_F(TrustedFiles, LinksOnTheWayAreFollowedIntoFoldersThatAreLookedAtAsWell) {
  folder_.write("real/deep/policy.yaml", "text");
  std::filesystem::create_directory_symlink("real/deep", folder_ / "relative");
  std::filesystem::create_directory_symlink(folder_ / "real", folder_ / "absolute");
  EXPECT_EQ(read(folder_ / "relative/policy.yaml"), "text");
  EXPECT_EQ(read(folder_ / "absolute/deep/policy.yaml"), "text");
  EXPECT_EQ(read(folder_ / "relative/../deep/policy.yaml"), "text") << "as the kernel reads it";
  chmod(folder_ / "real", 0777);
  EXPECT_THAT(read(folder_ / "relative/policy.yaml"), HasSubstr("others may write to the folder"));
  chmod(folder_ / "real", 0755);
  std::filesystem::create_directory_symlink("round", folder_ / "round");
  EXPECT_THAT(read(folder_ / "round/policy.yaml"), HasSubstr("symbolic links"));
}

TEST_F(TrustedFiles, MessagesAreOneLineWhateverTheFileIsCalled) {
  const auto file = folder_.write("a\nbelljar: all is well\x1b[2J", "text");
  chmod(file, 0666);
  const std::string message = read(file);
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
}

}  // namespace
}  // namespace belljar
