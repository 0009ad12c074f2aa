// What is granted is what is opened, and what is denied stays denied, whatever names are made,
// removed, moved or linked meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "testing/file_gate_fixture.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileRequest;
using ::testing::HasSubstr;
using testing::pinned;

class FileIdentityTest : public testing::FileGateTest {
 protected:
  static std::string refusal_of(const FileAnswer& answer) {
    return answer.refusal ? answer.refusal->reason : "no refusal";
  }
  /// A mount that another grant lies within.
  policy::Mount around(std::string_view inner) const {
    policy::Mount mount = writable();
    mount.denied_elsewhere.push_back(
        {.host = folder_ / inner, .guest = {}, .access = {}, .hardlinks = false});
    return mount;
  }
  /// Asks a mount that was pinned before, as it is.
  static FileAnswer again(const policy::Mount& mount, const FileRequest& request) {
    const auto opened = OpenMount::open(mount);
    if (opened) return (*opened)->perform(request, **opened);
    ADD_FAILURE() << opened.error().describe();
    return {};
  }
  static std::string open_error(const policy::Mount& mount) {
    const auto opened = OpenMount::open(mount);
    return opened ? "it was opened" : opened.error().message();
  }
};

TEST_F(FileIdentityTest, A76AGrantedFolderIsNotOpenedThroughALinkPutInItsPlace) {
  const policy::Mount mount = pinned(writable());
  ASSERT_TRUE(OpenMount::open(mount));
  std::filesystem::rename(granted(), folder_ / "elsewhere");
  std::filesystem::create_directory_symlink(folder_ / "outside", granted());
  EXPECT_THAT(open_error(mount), HasSubstr("a link has been put into its place"));
  // Not even a link to the very folder: the next moment it may lead elsewhere.
  std::filesystem::remove(granted());
  std::filesystem::create_directory_symlink(folder_ / "elsewhere", granted());
  EXPECT_THAT(open_error(mount), HasSubstr("a link has been put into its place"));
  std::filesystem::remove(granted());
  std::filesystem::rename(folder_ / "elsewhere", granted());
  EXPECT_TRUE(OpenMount::open(mount)) << "it is the folder that was granted again";
}

TEST_F(FileIdentityTest, A76ALinkOnTheWayToAGrantedFolderIsNotFollowed) {
  folder_.write("a/inner/file", "granted");
  folder_.write("b/inner/file", "not granted");
  policy::Mount mount = writable();
  mount.rule.host = folder_ / "a/inner";
  mount = pinned(mount);
  std::filesystem::rename(folder_ / "a", folder_ / "moved");
  std::filesystem::create_directory_symlink("b", folder_ / "a");
  EXPECT_THAT(open_error(mount), HasSubstr("a link has been put into its place"));
}

TEST_F(FileIdentityTest, A76AnotherFolderOfTheNameIsAnotherFolder) {
  const policy::Mount mount = pinned(writable());
  std::filesystem::rename(granted(), folder_ / "elsewhere");
  folder_.write("granted/hello.txt", "somebody else's");
  EXPECT_THAT(open_error(mount), HasSubstr("a person has to grant that one"));
}

TEST_F(FileIdentityTest, A76AGrantOfWhatWasNotThereOpensNothingLater) {
  policy::Mount mount = writable();
  mount.rule.host = folder_ / "later";
  mount = pinned(mount);
  folder_.write("later/file", "made since");
  EXPECT_THAT(open_error(mount), HasSubstr("nobody has seen"));
}

TEST_F(FileIdentityTest, A76OneFileMayBeReplacedAndItsFolderMayNot) {
  policy::Mount mount = readable();
  mount.rule.host = granted() / "hello.txt";
  mount.rule.guest = "/etc/app/config.yaml";
  mount = pinned(mount);
  folder_.write("granted/fresh", "written anew");
  std::filesystem::rename(granted() / "fresh", granted() / "hello.txt");
  EXPECT_EQ(text_of(again(mount, reading("config.yaml"))), "written anew");
  expect_refused(EACCES, again(mount, reading("hello.txt")), "the host's name for it");
  // A link in its place leads to nothing that was granted.
  std::filesystem::remove(granted() / "hello.txt");
  std::filesystem::create_symlink("sub/deep.txt", granted() / "hello.txt");
  expect_refused(EPERM, again(mount, reading("config.yaml")),
                 "a link in the place of the granted file");
  std::filesystem::rename(granted(), folder_ / "elsewhere");
  folder_.write("granted/hello.txt", "somebody else's");
  EXPECT_THAT(open_error(mount), HasSubstr("a person has to grant that one"));
}

TEST_F(FileIdentityTest, A76AFolderWithinAGrantIsOfThatGrantsFolderOnly) {
  policy::Mount mount = writable();
  mount.rule.host = granted() / "sub";
  mount = pinned(mount);
  const HostPlace whole = find_place(granted());
  mount.rule.whole = whole.real;
  mount.rule.whole_identity = whole.identity;
  EXPECT_TRUE(OpenMount::open(mount));
  std::filesystem::rename(granted(), folder_ / "elsewhere");
  folder_.make_folder("granted");
  std::filesystem::rename(folder_ / "elsewhere/sub", granted() / "sub");
  EXPECT_THAT(open_error(mount), HasSubstr("is not the folder that was granted"));
}

TEST_F(FileIdentityTest, A76AGrantWithinAGrantIsNotTakenAwayThroughTheOuterOne) {
  folder_.write("granted/reports/r", "report");
  const policy::Mount mount = around("granted/reports");
  for (const FileRequest& change : {moving(FileOperation::rename, "reports", "moved"),
                                    moving(FileOperation::rename, "sub", "reports"),
                                    doing(FileOperation::remove_directory, "reports")}) {
    const FileAnswer answer = ask(mount, change);
    EXPECT_EQ(answer.reply.error, EACCES) << "operation on " << change.path;
    EXPECT_THAT(refusal_of(answer), HasSubstr("stays where it is"));
  }
  EXPECT_EQ(text_of(ask(mount, reading("reports/r"))), "report");
  EXPECT_EQ(ask(mount, doing(FileOperation::unlink, "reports/r")).reply.error, 0);
  // Nor is its name taken while it is away.
  std::filesystem::remove(granted() / "reports");
  EXPECT_EQ(ask(mount, linking("reports", "sub")).reply.error, EACCES);
  EXPECT_EQ(ask(mount, moving(FileOperation::rename, "sub", "reports")).reply.error, EACCES);
}

TEST_F(FileIdentityTest, A76LinksOnTheWayToWhatIsDeniedStay) {
  folder_.write("granted/releases/1/secrets/key", "private");
  std::filesystem::create_directory_symlink("releases/1", granted() / "current");
  const policy::Mount mount = denying(writable(), "granted/current/secrets");
  for (const FileRequest& change :
       {doing(FileOperation::unlink, "current"), moving(FileOperation::rename, "current", "old"),
        moving(FileOperation::rename, "hello.txt", "current"),
        moving(FileOperation::rename, "releases", "old"),
        moving(FileOperation::rename, "releases/1", "releases/0")}) {
    EXPECT_EQ(ask(mount, change).reply.error, EACCES) << change.path << " " << change.to_path;
  }
  for (const char* const path :
       {"current/secrets/key", "releases/1/secrets/key", "releases/1/secrets"}) {
    EXPECT_EQ(ask(mount, reading(path)).reply.error, EACCES) << path;
  }
}

TEST_F(FileIdentityTest, A76WhatIsDeniedStaysDeniedWhereOthersMoveIt) {
  folder_.write("granted/private/key", "private");
  const policy::Mount mount = pinned(denying(writable(), "granted/private"));
  // Not the guest, who cannot, but a person or program beside it.
  std::filesystem::rename(granted() / "private", granted() / "sub/renamed");
  const auto opened = OpenMount::open(mount);
  ASSERT_TRUE(opened) << opened.error().describe();
  const FileAnswer answer = (*opened)->perform(reading("sub/renamed/key"), **opened);
  EXPECT_EQ(answer.reply.error, EACCES);
  EXPECT_THAT(refusal_of(answer), HasSubstr("denied by a rule"));
}

TEST_F(FileIdentityTest, A76NothingIsPutWhereSomethingDeniedWouldBe) {
  folder_.write("granted/mine/hooks/pre-commit", "the guest's own");
  const policy::Mount mount = denying(writable(), "granted/.git/hooks");
  // A folder with something in it, or a link to one, would be there before the rule is.
  EXPECT_EQ(ask(mount, moving(FileOperation::rename, "mine", ".git")).reply.error, EACCES);
  EXPECT_EQ(ask(mount, moving(FileOperation::rename, "mine", ".GIT")).reply.error, EACCES);
  EXPECT_EQ(ask(mount, linking(".git", "mine")).reply.error, EACCES);
  EXPECT_EQ(ask(mount, doing(FileOperation::create_directory, ".git")).reply.error, 0);
  EXPECT_EQ(ask(mount, doing(FileOperation::create_directory, ".git/hooks")).reply.error, EACCES);
  EXPECT_EQ(ask(mount, moving(FileOperation::rename, "mine/hooks", ".git/hooks")).reply.error,
            EACCES);
  EXPECT_EQ(ask(mount, moving(FileOperation::rename, ".git", "other")).reply.error, EACCES);
  EXPECT_EQ(ask(mount, creating(".git/config")).reply.error, 0);
}

TEST_F(FileIdentityTest, A76AGrantWithinWhatIsDeniedIsClosedWhateverLinksLeadToEither) {
  folder_.write("granted/private/sub/key", "private");
  std::filesystem::create_directory_symlink(granted() / "private", folder_ / "nickname");
  policy::Mount mount = denying(writable(), "nickname");
  mount.rule.host = granted() / "private/sub";
  EXPECT_THAT(open_error(pinned(mount)), HasSubstr("within what a rule denies"));
}

TEST_F(FileIdentityTest, A76ALinkCountsItsStepsUpwardsAsTheKernelDoes) {
  folder_.make_folder("granted/d");
  std::filesystem::create_directory_symlink("..", granted() / "d/up");
  // By its words it stays inside; but up is the granted folder, and the step behind it leads out.
  expect_refused(EPERM, ask(writable(), linking("made", "d/up/../outside")),
                 "a link that leads out");
  EXPECT_EQ(ask(writable(), linking("d/made", "../sub/deep.txt")).reply.error, 0);
  EXPECT_FALSE(std::filesystem::is_symlink(granted() / "made"));
}

TEST_F(FileIdentityTest, A34RenamesKeepToTheDepth) {
  std::string chain = "n";
  for (int i = 0; i < 39; ++i) chain += "/d";
  std::filesystem::create_directories(granted() / chain);
  std::filesystem::create_directories(granted() / "t" / chain);
  const FileAnswer answer = ask(writable(), moving(FileOperation::rename, "t", chain + "/t"));
  EXPECT_EQ(answer.reply.error, ENAMETOOLONG) << "40 folders and 41 more are 81";
  EXPECT_EQ(ask(writable(), moving(FileOperation::rename, "t/n/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d",
                                   chain + "/t"))
                .reply.error,
            0);
}

TEST_F(FileIdentityTest, AFolderThatIsGoneSaysSo) {
  const auto opened = OpenMount::open(pinned(writable()));
  ASSERT_TRUE(opened);
  std::filesystem::remove_all(granted());
  const FileAnswer answer = (*opened)->perform(reading("hello.txt"), **opened);
  EXPECT_EQ(answer.reply.error, ENOENT);
  EXPECT_THAT(refusal_of(answer), HasSubstr("was removed"));
}

}  // namespace
}  // namespace belljar::host
