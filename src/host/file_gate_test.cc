#include "host/file_gate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "testing/file_gate_fixture.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileRequest;
using testing::FileGateTest;
using ::testing::HasSubstr;
using testing::pinned;

TEST_F(FileGateTest, OpensWhatIsGranted) {
  for (const char* const path :
       {"hello.txt", "./hello.txt", "sub/../hello.txt", "sub//..//hello.txt"}) {
    const FileAnswer answer = ask(readable(), reading(path));
    ASSERT_EQ(answer.reply.error, 0) << path << ": " << std::strerror(answer.reply.error);
    EXPECT_EQ(text_of(answer), "hello") << path;
  }
}

TEST_F(FileGateTest, A29PathsThatClimbOutOrStartAtTheRootAreRefused) {
  for (const char* const path :
       {"..", "../outside/secret.txt", "sub/../../outside/secret.txt", "sub/../..",
        "./../granted/hello.txt", "/etc/passwd", "//etc/passwd", "/", "sub/./../.././outside"}) {
    const FileAnswer answer = ask(readable(), reading(path));
    expect_refused(EPERM, answer, path);
    ASSERT_TRUE(answer.refusal) << path << " was not told as a refusal";
    EXPECT_THAT(answer.refusal->reason, HasSubstr("out of the granted folder"));
  }
}

TEST_F(FileGateTest, A29ANameWithASlashAtItsEndIsAFolder) {
  EXPECT_EQ(ask(readable(), reading("hello.txt/")).reply.error, ENOTDIR);
  EXPECT_EQ(ask(readable(), reading("hello.txt/.")).reply.error, ENOTDIR);
  EXPECT_EQ(ask(readable(), reading("hello.txt/..")).reply.error, ENOTDIR);
  EXPECT_EQ(ask(readable(), reading("sub/")).reply.error, 0);
  EXPECT_NE(ask(writable(), creating("new/")).reply.error, 0);
  EXPECT_FALSE(std::filesystem::exists(granted() / "new"));
}

TEST_F(FileGateTest, A29NulBytesEmptyPathsAndDotsHaveAnAnswer) {
  EXPECT_EQ(ask(readable(), reading(std::string("hello.txt\0.png", 14))).reply.error, EINVAL);
  EXPECT_EQ(ask(readable(), reading(".")).reply.error, 0);
  EXPECT_NE(ask(writable(), doing(FileOperation::unlink, ".")).reply.error, 0);
  EXPECT_NE(ask(writable(), doing(FileOperation::remove_directory, "sub/..")).reply.error, 0);
  EXPECT_NE(ask(writable(), moving(FileOperation::rename, ".", "sub/moved")).reply.error, 0);
}

TEST_F(FileGateTest, LinksThatStayInsideAreFollowed) {
  std::filesystem::create_symlink("sub/deep.txt", granted() / "link");
  std::filesystem::create_directory_symlink("sub", granted() / "folder");
  EXPECT_EQ(text_of(ask(readable(), reading("link"))), "deep");
  EXPECT_EQ(text_of(ask(readable(), reading("folder/deep.txt"))), "deep");
  FileRequest unfollowed = reading("link");
  unfollowed.follow = false;
  EXPECT_EQ(ask(readable(), unfollowed).reply.error, ELOOP);
}

TEST_F(FileGateTest, A30LinksThatLeadOutAreRefused) {
  std::filesystem::create_symlink(outside_, granted() / "absolute");
  std::filesystem::create_symlink("../outside/secret.txt", granted() / "relative");
  std::filesystem::create_symlink("../../outside/secret.txt", granted() / "sub/relative");
  std::filesystem::create_directory_symlink("..", granted() / "up");
  std::filesystem::create_symlink("relative", granted() / "chain");
  for (const char* const path : {"absolute", "relative", "sub/relative", "up/outside/secret.txt",
                                 "up", "chain", "sub/../up/outside"}) {
    expect_refused(EPERM, ask(writable(), reading(path)), path);
    expect_refused(EPERM, ask(writable(), creating(path)), path);
  }
  EXPECT_EQ(test::contents_of(folder_ / "outside/secret.txt"), "not for guests");
  FileRequest status = doing(FileOperation::status, "absolute");
  status.follow = true;
  expect_refused(EPERM, ask(readable(), status), "the status of what a link outside names");
}

TEST_F(FileGateTest, A30LinksThatGoInCirclesEnd) {
  std::filesystem::create_symlink("b", granted() / "a");
  std::filesystem::create_symlink("a", granted() / "b");
  std::filesystem::create_symlink("wide/wide", granted() / "wide");
  EXPECT_EQ(ask(readable(), reading("a")).reply.error, ELOOP);
  EXPECT_NE(ask(readable(), reading("wide")).reply.error, 0);
}

TEST_F(FileGateTest, AbsoluteLinksDoNotTellAboutTheHost) {
  std::filesystem::create_symlink(outside_, granted() / "absolute");
  std::filesystem::create_symlink("hello.txt", granted() / "relative");
  const FileAnswer told = ask(readable(), doing(FileOperation::read_link, "relative"));
  EXPECT_EQ(told.reply.target, "hello.txt");
  const FileAnswer hidden = ask(readable(), doing(FileOperation::read_link, "absolute"));
  EXPECT_NE(hidden.reply.error, 0);
  EXPECT_EQ(hidden.reply.target, "");
}

TEST_F(FileGateTest, A31AFileWithASecondNameIsNotOpened) {
  std::filesystem::create_hard_link(outside_, granted() / "hard");
  const FileAnswer answer = ask(writable(), reading("hard"));
  expect_refused(EACCES, answer, "a hard link from outside");
  ASSERT_TRUE(answer.refusal);
  EXPECT_THAT(answer.refusal->reason, HasSubstr("2 names"));
  FileRequest truncating = writing("hard");
  truncating.truncate = true;
  expect_refused(EACCES, ask(writable(), truncating), "truncating a hard link from outside");
  EXPECT_EQ(test::contents_of(folder_ / "outside/secret.txt"), "not for guests");
}

TEST_F(FileGateTest, A31TheTimesOfAFileWithASecondNameAreNotSet) {
  std::filesystem::create_hard_link(outside_, granted() / "hard");
  const auto before = std::filesystem::last_write_time(outside_);
  FileRequest request = doing(FileOperation::set_times, "hard");
  request.modification_time = 1'000'000'000;
  expect_refused(EACCES, ask(writable(), request),
                 "setting the times of a file that is outside as well");
  EXPECT_EQ(std::filesystem::last_write_time(outside_), before);
}

TEST_F(FileGateTest, A31FilesWithMoreNamesOpenWhereTheGrantSaysSo) {
  std::filesystem::create_hard_link(outside_, granted() / "hard");
  policy::Mount mount = writable();
  mount.rule.hardlinks = true;
  EXPECT_EQ(text_of(ask(mount, reading("hard"))), "not for guests");
  EXPECT_EQ(ask(mount, moving(FileOperation::link, "hello.txt", "second")).reply.error, 0);
  expect_refused(EPERM, ask(writable(), moving(FileOperation::link, "sub/deep.txt", "third")),
                 "a hard link without the grant saying so");
}

TEST_F(FileGateTest, A32AReadOnlyGrantChangesNothing) {
  std::vector<FileRequest> changes{creating("new.txt"),
                                   writing("hello.txt"),
                                   doing(FileOperation::unlink, "hello.txt"),
                                   doing(FileOperation::create_directory, "made"),
                                   doing(FileOperation::remove_directory, "sub"),
                                   moving(FileOperation::rename, "hello.txt", "renamed"),
                                   moving(FileOperation::link, "hello.txt", "linked"),
                                   linking("symbolic", "hello.txt"),
                                   doing(FileOperation::set_times, "hello.txt")};
  changes.back().modification_time = 0;
  FileRequest truncating = reading("hello.txt");
  truncating.truncate = true;
  changes.push_back(truncating);
  FileRequest creating_read_only = reading("made.txt");
  creating_read_only.create = true;
  changes.push_back(creating_read_only);
  const auto before = std::filesystem::last_write_time(granted() / "hello.txt");
  for (const FileRequest& change : changes) {
    const FileAnswer answer = ask(readable(), change);
    expect_refused(
        EPERM, answer,
        fmt::format("operation {} on {}", static_cast<int>(change.operation), change.path));
    EXPECT_TRUE(answer.refusal) << "operation " << static_cast<int>(change.operation)
                                << " failed without saying that it is not allowed";
  }
  EXPECT_EQ(test::contents_of(folder_ / "granted/hello.txt"), "hello");
  EXPECT_EQ(std::filesystem::last_write_time(granted() / "hello.txt"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(granted()), {}), 2);
}

TEST_F(FileGateTest, ADescriptorOfAReadOnlyGrantCannotWrite) {
  const FileAnswer answer = ask(readable(), reading("hello.txt"));
  ASSERT_TRUE(answer.reply.descriptor);
  EXPECT_LT(::write(answer.reply.descriptor.get(), "x", 1), 0);
  EXPECT_EQ(::fcntl(answer.reply.descriptor.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(FileGateTest, AWritableGrantDoesWhatItSays) {
  EXPECT_EQ(ask(writable(), creating("new.txt")).reply.error, 0);
  EXPECT_EQ(ask(writable(), doing(FileOperation::create_directory, "made")).reply.error, 0);
  EXPECT_EQ(ask(writable(), moving(FileOperation::rename, "new.txt", "made/moved")).reply.error, 0);
  FileRequest exclusive = creating("made/moved");
  exclusive.exclusive = true;
  EXPECT_EQ(ask(writable(), exclusive).reply.error, EEXIST);
  EXPECT_EQ(ask(writable(), linking("link", "made/moved")).reply.error, 0);
  EXPECT_EQ(ask(writable(), reading("link")).reply.error, 0);
  FileRequest times = doing(FileOperation::set_times, "made/moved");
  times.modification_time = std::int64_t{1'500'000'000} * 1'000'000'000;
  EXPECT_EQ(ask(writable(), times).reply.error, 0);
  EXPECT_EQ(
      ask(writable(), doing(FileOperation::status, "made/moved")).reply.status.modification_time,
      times.modification_time);
  EXPECT_EQ(ask(writable(), doing(FileOperation::unlink, "made/moved")).reply.error, 0);
  EXPECT_EQ(ask(writable(), doing(FileOperation::remove_directory, "made")).reply.error, 0);
}

TEST_F(FileGateTest, A33PipesSocketsAndDevicesNeverOpen) {
  ASSERT_EQ(::mkfifo((granted() / "pipe").c_str(), 0666), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (granted() / "socket").c_str(), sizeof address.sun_path - 1);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::vector<std::string> names{"pipe", "socket"};
  // Only root can make a device; where it cannot, /dev itself stands for it below.
  if (::mknod((granted() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    names.emplace_back("null");
  }
  for (const std::string& name : names) {
    for (const FileRequest& request : {reading(name), writing(name), creating(name)}) {
      const FileAnswer answer = ask(writable(), request);
      expect_refused(EACCES, answer, name);
      ASSERT_TRUE(answer.refusal) << name;
      EXPECT_THAT(answer.refusal->reason, HasSubstr("never opened"));
    }
  }
  policy::Mount devices = writable();
  devices.rule.host = "/dev";
  for (const char* const name : {"null", "zero", "urandom", "tty"}) {
    expect_refused(EACCES, ask(devices, reading(name)), name);
  }
}

TEST_F(FileGateTest, A33TheKernelsFoldersAreNoPlaceForFiles) {
  policy::Mount root = writable();
  root.rule.host = "/";
  std::vector<FileRequest> requests;
  for (const char* const path :
       {"proc/self/environ", "proc/self/mem", "proc/self/cmdline", "proc/self/fd", "proc",
        "proc/self/root/etc/hostname", "proc/self/cwd", "proc/thread-self/maps", "sys/kernel/notes",
        "sys", "proc/sys/kernel/core_pattern"}) {
    requests.push_back(reading(path));
    requests.push_back(doing(FileOperation::read_link, path));
    requests.push_back(doing(FileOperation::create_directory, std::string(path) + "/belljar"));
    FileRequest times = doing(FileOperation::set_times, path);
    times.modification_time = 0;
    requests.push_back(times);
  }
  for (const FileRequest& request : requests) {
    const FileAnswer answer = ask(root, request);
    expect_refused(
        EACCES, answer,
        fmt::format("operation {} on {}", static_cast<int>(request.operation), request.path));
    EXPECT_EQ(answer.reply.target, "");
  }
  policy::Mount kernel = readable();
  kernel.rule.host = "/proc/self";
  EXPECT_FALSE(OpenMount::open(pinned(kernel))) << "/proc/self was opened as a granted folder";
}

TEST_F(FileGateTest, ADenyRuleBelowAnAllowRuleWins) {
  folder_.write("granted/private/key", "private");
  const policy::Mount mount = denying(writable(), "granted/private");
  for (const char* const path :
       {"private", "private/key", "sub/../private/key", "./private//key"}) {
    expect_refused(EACCES, ask(mount, reading(path)), path);
    expect_refused(EACCES, ask(mount, writing(path)), path);
    expect_refused(EACCES, ask(mount, doing(FileOperation::status, path)), path);
  }
  FileRequest neither = reading("private/key");
  neither.read = false;
  expect_refused(EACCES, ask(mount, neither),
                 "opening a denied file for neither reading nor writing");
  FileRequest folder = reading("private");
  folder.read = false;
  folder.directory = true;
  expect_refused(EACCES, ask(mount, folder),
                 "opening a denied folder for neither reading nor writing");
  EXPECT_EQ(ask(mount, reading("hello.txt")).reply.error, 0);
}

TEST_F(FileGateTest, WhetherSomethingDeniedIsThereAndWhatItIsIsNotTold) {
  folder_.write("granted/file", "private");
  folder_.make_folder("granted/folder/within");
  std::filesystem::create_symlink("file", granted() / "link");
  policy::Mount mount = writable();
  for (const char* const name : {"file", "folder", "link", "missing"}) {
    mount = denying(mount, fmt::format("granted/{}", name));
  }
  for (const char* const path : {"file", "folder", "link", "missing", "folder/within",
                                 "folder/missing", "folder/missing/below"}) {
    FileRequest as_folder = reading(path);
    as_folder.directory = true;
    FileRequest exclusively = creating(path);
    exclusively.exclusive = true;
    for (const FileRequest& request :
         {reading(path), writing(path), creating(path), as_folder, exclusively,
          doing(FileOperation::status, path), doing(FileOperation::read_link, path),
          doing(FileOperation::set_times, path), doing(FileOperation::create_directory, path),
          doing(FileOperation::remove_directory, path), doing(FileOperation::unlink, path),
          moving(FileOperation::rename, path, "moved"),
          moving(FileOperation::rename, "hello.txt", path), linking(path, "hello.txt")}) {
      expect_refused(
          EACCES, ask(mount, request),
          fmt::format("operation {} on {}", static_cast<int>(request.operation), request.path));
    }
  }
}

TEST_F(FileGateTest, ADenyRuleHoldsWhereItsPlaceIsEmpty) {
  const policy::Mount mount = denying(writable(), "granted/later/key");
  EXPECT_EQ(ask(mount, doing(FileOperation::create_directory, "later")).reply.error, 0);
  expect_refused(EACCES, ask(mount, creating("later/key")), "making a file that is denied");
  expect_refused(EACCES, ask(mount, doing(FileOperation::create_directory, "later/key")),
                 "making a folder that is denied");
  expect_refused(EACCES, ask(mount, linking("later/key", "../hello.txt")),
                 "making a link that is denied");
  expect_refused(EACCES, ask(mount, moving(FileOperation::rename, "hello.txt", "later/key")),
                 "renaming to what is denied");
}

TEST_F(FileGateTest, WhatHoldsSomethingDeniedCannotBeMovedAway) {
  folder_.write("granted/a/b/key", "private");
  const policy::Mount mount = denying(writable(), "granted/a/b/key");
  for (const char* const path : {"a", "a/b", "a/b/key"}) {
    expect_refused(EACCES, ask(mount, moving(FileOperation::rename, path, "moved")), path);
    EXPECT_FALSE(std::filesystem::exists(granted() / "moved"));
  }
  expect_refused(EACCES, ask(mount, doing(FileOperation::unlink, "a/b/key")),
                 "removing what is denied");
  EXPECT_EQ(test::contents_of(folder_ / "granted/a/b/key"), "private");
}

TEST_F(FileGateTest, WhatMayNotBeReadKeepsItsNameWhereItMayBeWritten) {
  folder_.write("granted/secret", "private");
  folder_.write("granted/private/key", "private");
  policy::Mount mount = denying(denying(writable(), "granted/secret"), "granted/private");
  for (policy::StorageRule& rule : mount.denied) rule.access = {.read = true, .write = false};
  mount.rule.hardlinks = true;
  for (const char* const path : {"secret", "private"}) {
    expect_refused(EACCES, ask(mount, moving(FileOperation::rename, path, "moved")), path);
    expect_refused(EACCES, ask(mount, moving(FileOperation::link, path, "moved")), path);
  }
  for (const FileOperation operation : {FileOperation::rename, FileOperation::link}) {
    expect_refused(EACCES, ask(mount, moving(operation, "private/key", "moved")), "what is in it");
  }
  expect_refused(EACCES, ask(mount, doing(FileOperation::unlink, "secret")), "removing it");
  EXPECT_FALSE(std::filesystem::exists(granted() / "moved"));
  expect_refused(EACCES, ask(mount, reading("secret")), "reading it");
}

TEST_F(FileGateTest, ADenyRuleFollowsTheLinksThatItNames) {
  folder_.write("granted/real/key", "private");
  std::filesystem::create_directory_symlink("real", granted() / "alias");
  const policy::Mount mount = denying(writable(), "granted/alias/key");
  const auto opened = OpenMount::open(pinned(mount));
  ASSERT_TRUE(opened);
  const auto perform = [&](const FileRequest& request) {
    return (*opened)->perform(request, **opened);
  };
  expect_refused(EACCES, perform(reading("alias/key")), "the name that the rule has");
  expect_refused(EACCES, perform(reading("real/key")), "the place that the rule's link leads to");
  // Neither the link nor what it leads to can be taken away with the rule.
  EXPECT_EQ(perform(doing(FileOperation::unlink, "alias")).reply.error, EACCES);
  EXPECT_EQ(perform(moving(FileOperation::rename, "real", "moved")).reply.error, EACCES);
  expect_refused(EACCES, perform(reading("real/key")), "what is denied, after that was tried");
}

TEST_F(FileGateTest, ADenyRuleHoldsHoweverTheGrantNamesItsFolder) {
  folder_.write("granted/private/key", "private");
  std::filesystem::create_directory_symlink(granted(), folder_ / "nickname");
  policy::Mount mount = denying(writable(), "granted/private");
  mount.rule.host = folder_ / "nickname";
  expect_refused(EACCES, ask(mount, reading("private/key")),
                 "a denied file below a link to its folder");
  EXPECT_EQ(ask(mount, reading("hello.txt")).reply.error, 0);
  // And a grant that is, by a link, within what is denied gives nothing.
  policy::Mount inside = denying(writable(), "granted");
  std::filesystem::create_directory_symlink(granted() / "private", folder_ / "inside");
  inside.rule.host = folder_ / "inside";
  EXPECT_FALSE(OpenMount::open(pinned(inside))) << "a folder within what is denied was opened";
}

TEST_F(FileGateTest, A36ADenyRuleIsNotPassedByAnotherCase) {
  const policy::Mount mount = denying(writable(), "granted/Private");
  for (const char* const name : {"Private", "private", "PRIVATE", "pRiVaTe"}) {
    expect_refused(EACCES, ask(mount, doing(FileOperation::create_directory, name)), name);
    expect_refused(EACCES, ask(mount, creating(name)), name);
  }
}

TEST_F(FileGateTest, A36ADenyRuleIsNotPassedByAnotherCaseOfAFolderOnTheWay) {
  folder_.write("granted/in/sub/key", "private");
  folder_.write("granted/in/sub/other", "open");
  const policy::Mount mount =
      denying(denying(writable(), "granted/IN/Sub/KEY"), "granted/Later/key");
  for (const FileRequest& request :
       {reading("in/sub/key"), writing("in/sub/key"), doing(FileOperation::status, "in/sub/key"),
        doing(FileOperation::unlink, "in/sub/key"),
        moving(FileOperation::rename, "in/sub", "moved"),
        moving(FileOperation::rename, "in", "moved")}) {
    expect_refused(EACCES, ask(mount, request), request.path);
  }
  EXPECT_EQ(text_of(ask(mount, reading("in/sub/other"))), "open");
  EXPECT_EQ(ask(mount, doing(FileOperation::create_directory, "LATER")).reply.error, 0);
  expect_refused(EACCES, ask(mount, creating("LATER/Key")), "what is denied, before it exists");
  // And where the rule spells the granted folder itself in other letters.
  folder_.write("granted/file", "private");
  expect_refused(EACCES, ask(denying(writable(), "GRANTED/file"), reading("file")), "file");
}

TEST_F(FileGateTest, AGrantOfAFileIsOfNoFolderInItsPlace) {
  policy::Mount mount = readable();
  mount.rule.host = granted() / "hello.txt";
  mount.rule.guest = "/hello.txt";
  const auto opened = OpenMount::open(pinned(mount));
  ASSERT_TRUE(opened);
  std::filesystem::remove(granted() / "hello.txt");
  folder_.write("granted/hello.txt/within", "private");
  FileRequest list = reading("hello.txt");
  list.directory = true;
  for (const FileRequest& request :
       {reading("hello.txt"), list, doing(FileOperation::status, "hello.txt")}) {
    expect_refused(EACCES, (*opened)->perform(request, **opened), "a folder in its place");
  }
}

TEST_F(FileGateTest, A31ADeniedFileIsToldByWhatItIsUnderEveryName) {
  folder_.write("granted/private/key", "private");
  policy::Mount mount = denying(writable(), "granted/private/key");
  mount.rule.hardlinks = true;
  std::filesystem::create_hard_link(granted() / "private/key", granted() / "another");
  expect_refused(EACCES, ask(mount, reading("another")), "a denied file under another name");
  expect_refused(EACCES, ask(mount, moving(FileOperation::link, "private/key", "third")),
                 "giving a denied file another name");
}

TEST_F(FileGateTest, AGrantOfOneFileIsOfThatFileOnly) {
  policy::Mount mount = writable();
  mount.rule.host = granted() / "hello.txt";
  mount.rule.guest = "/data/hello.txt";
  EXPECT_EQ(text_of(ask(mount, reading("hello.txt"))), "hello");
  for (const char* const path : {"sub/deep.txt", "other.txt"}) {
    expect_refused(EACCES, ask(mount, reading(path)), path);
    expect_refused(EACCES, ask(mount, creating(path)), path);
  }
  expect_refused(EPERM, ask(mount, reading("../outside/secret.txt")), "what is beside its folder");
  expect_refused(EACCES, ask(mount, moving(FileOperation::rename, "hello.txt", "other.txt")),
                 "renaming it");
  FileRequest list = reading(".");
  list.directory = true;
  expect_refused(EACCES, ask(mount, list), "listing the folder that it is in");
}

TEST_F(FileGateTest, A34NamesAndDepthHaveLimits) {
  EXPECT_EQ(ask(writable(), creating(std::string(256, 'n'))).reply.error, ENAMETOOLONG);
  EXPECT_EQ(ask(writable(), creating(std::string(255, 'n'))).reply.error, 0);
  EXPECT_EQ(ask(writable(), reading(std::string(1 << 20, 'n'))).reply.error, ENAMETOOLONG);
  std::string deep;
  for (int level = 0; level < 64; ++level) deep += "d/";
  EXPECT_EQ(ask(writable(), reading(deep + "x")).reply.error, ENAMETOOLONG);
  // Deeper a folder at a time, each way that a path could be made longer: with links.
  std::string path;
  int error = 0;
  int levels = 0;
  while (error == 0 && levels < 200) {
    path += path.empty() ? "d" : "/d";
    error = ask(writable(), doing(FileOperation::create_directory, path)).reply.error;
    if (error == 0) ++levels;
  }
  EXPECT_LE(levels, 64);
  EXPECT_GE(levels, 32);
}

TEST_F(FileGateTest, LinksThatGuestsMakeDoNotLeadOut) {
  for (const char* const target :
       {"/etc/passwd", "..", "../outside/secret.txt", "sub/../../outside", ""}) {
    expect_refused(EPERM, ask(writable(), linking("made", target)), target);
  }
  EXPECT_EQ(ask(writable(), linking("sub/made", "../hello.txt")).reply.error, 0);
  EXPECT_EQ(text_of(ask(writable(), reading("sub/made"))), "hello");
}

TEST_F(FileGateTest, LinksThatGuestsMakeAreJudgedWhereTheyReallyAre) {
  folder_.make_folder("granted/a/b/c");
  // The path has four parts and ends in the root: what climbs by three leaves the grant.
  std::filesystem::create_directory_symlink("../../..", granted() / "a/b/c/top");
  expect_refused(EPERM, ask(writable(), linking("a/b/c/top/made", "../../../outside/secret.txt")),
                 "a link that leads out from where it really is");
  EXPECT_FALSE(std::filesystem::is_symlink(granted() / "made"));
}

TEST_F(FileGateTest, ALinkIsNotMovedToWhereItLeadsOut) {
  folder_.make_folder("granted/a/b");
  ASSERT_EQ(ask(writable(), linking("a/b/made", "../../hello.txt")).reply.error, 0);
  expect_refused(EPERM, ask(writable(), moving(FileOperation::rename, "a/b/made", "made")),
                 "moving a link to where it leads out");
  expect_refused(EPERM, ask(writable(), moving(FileOperation::rename, "a/b", "b")),
                 "moving a folder with a link to where the link leads out");
  EXPECT_EQ(ask(writable(), moving(FileOperation::rename, "a/b/made", "a/b/other")).reply.error, 0);
  EXPECT_EQ(ask(writable(), doing(FileOperation::unlink, "a/b/other")).reply.error, 0);
  EXPECT_EQ(ask(writable(), moving(FileOperation::rename, "a/b", "b")).reply.error, 0);
}

TEST_F(FileGateTest, NothingMovesBetweenGrants) {
  const auto here = OpenMount::open(pinned(writable()));
  policy::Mount other = writable();
  other.rule.host = folder_ / "outside";
  const auto there = OpenMount::open(pinned(other));
  ASSERT_TRUE(here && there);
  for (const FileOperation operation : {FileOperation::rename, FileOperation::link}) {
    EXPECT_EQ((*here)->perform(moving(operation, "hello.txt", "taken"), **there).reply.error,
              EXDEV);
  }
}

TEST_F(FileGateTest, AGrantStaysWithItsFolderWhereverThatGoes) {
  const auto opened = OpenMount::open(pinned(writable()));
  ASSERT_TRUE(opened);
  std::filesystem::rename(granted(), folder_ / "elsewhere");
  std::filesystem::create_directory_symlink(folder_ / "outside", granted());
  const FileAnswer answer = (*opened)->perform(reading("secret.txt"), **opened);
  expect_refused(ENOENT, answer, "a file of the folder that took the granted one's name");
  EXPECT_EQ(text_of((*opened)->perform(reading("hello.txt"), **opened)), "hello");
}

}  // namespace
}  // namespace belljar::host
