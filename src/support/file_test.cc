#include "support/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "testing/child_process.h"
#include "testing/temporary_folder.h"

namespace belljar {
namespace {

using test::ChildProcess;
using test::contents_of;
using test::mode_of;
using test::set_mode;
using test::TemporaryFolder;
using ::testing::HasSubstr;

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) != -1; }

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(Files, ADescriptorIsClosedWithItsOwnerAndOnlyOnce) {
  const int first = ::dup(0);
  const int second = ::dup(0);
  {
    UniqueFd owner(first);
    UniqueFd taker(second);
    taker = std::move(owner);
    EXPECT_FALSE(is_open(second)) << "what was there before is closed";
    EXPECT_TRUE(is_open(first));
    EXPECT_EQ(taker.get(), first);
  }
  EXPECT_FALSE(is_open(first));
}

TEST(Files, OnlyRegularFilesAreOpenedAndNothingBlocks) {
  const TemporaryFolder folder;
  const auto fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(open_regular_file(fifo).error().message(), HasSubstr("not a regular file"))
      << "a FIFO without a writer would block for ever";
  EXPECT_THAT(open_regular_file(folder.path()).error().message(), HasSubstr("this is a folder"));
  EXPECT_FALSE(open_regular_file("/dev/zero"));
  const auto socket = folder / "socket";
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_FALSE(open_regular_file(socket));
  const auto missing = open_regular_file(folder / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::not_found);
  EXPECT_THAT(missing.error().message(), HasSubstr((folder / "missing").native()));
}

TEST(Files, ReadingStopsAtTheLimitAlsoWhereTheSizeIsNotKnown) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", std::string(1'000, 'x'));
  EXPECT_EQ(read_file(file, Bytes{1'000})->size(), 1'000U);
  const auto large = read_file(file, Bytes{999});
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().describe(), HasSubstr("larger than the 999 bytes"));
  const UniqueFd endless(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(read_all(endless.get(), Bytes{1 << 20})) << "a stream without an end";
}

TEST(Files, ASparseFileOfATerabyteIsRefusedWithoutBeingRead) {
  const TemporaryFolder folder;
  const auto file = folder.write("sparse", "");
  ASSERT_EQ(::truncate(file.c_str(), off_t{1} << 40), 0);
  EXPECT_FALSE(read_file(file, Bytes{1 << 20}));
}

TEST(Files, AnAtomicWriteReplacesTheWholeAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "before");
  ASSERT_TRUE(write_file_atomically(file, "after", 0600));
  EXPECT_EQ(contents_of(file), "after");
  EXPECT_EQ(mode_of(file), 0600U);
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(Files, AnAtomicWriteReplacesALinkAndDoesNotFollowIt) {
  const TemporaryFolder folder;
  const auto outside = folder.write("outside", "untouched");
  const auto link = folder / "link";
  std::filesystem::create_symlink(outside, link);
  ASSERT_TRUE(write_file_atomically(link, "new", 0600));
  EXPECT_EQ(contents_of(outside), "untouched");
  EXPECT_FALSE(std::filesystem::is_symlink(link));
}

TEST(Files, AnAtomicWriteThatFailsLeavesWhatWasThere) {
  const TemporaryFolder folder;
  // A folder of this name cannot be replaced by a file.
  std::filesystem::create_directory(folder / "taken");
  EXPECT_FALSE(write_file_atomically(folder / "taken", "data", 0600));
  EXPECT_TRUE(std::filesystem::is_directory(folder / "taken"));
  EXPECT_EQ(files_in(folder.path()), 1U) << "a file that was begun is left behind";
  EXPECT_FALSE(write_file_atomically(folder / "missing" / "file", "data", 0600));
}

TEST(Files, AReaderNeverSeesHalfOfAFileThatIsWrittenAgainAndAgain) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", std::string(4'096, '0'));
  ChildProcess writer([&](ChildProcess::Parent& parent) {
    for (char digit = '0';; digit = digit == '9' ? '0' : static_cast<char>(digit + 1)) {
      if (!write_file_atomically(file, std::string(4'096, digit), 0600)) return 1;
      parent.tell();
    }
  });
  for (int round = 0; round < 200; ++round) {
    ASSERT_EQ(writer.hear(), '.');
    const std::string seen = contents_of(file);
    ASSERT_EQ(seen, std::string(4'096, seen.empty() ? '?' : seen.front())) << "in round " << round;
  }
  writer.kill();
  EXPECT_EQ(contents_of(file).size(), 4'096U);
}

TEST(PrivateFolders, AreMadeWithTheirParentsForThisUserOnly) {
  const TemporaryFolder folder;
  ASSERT_TRUE(make_private_directory(folder / "a/b/c"));
  EXPECT_EQ(mode_of(folder / "a"), 0700U);
  EXPECT_EQ(mode_of(folder / "a/b/c"), 0700U);
  EXPECT_TRUE(make_private_directory(folder / "a/b/c")) << "it may be there already";
}

TEST(PrivateFolders, AreRefusedWhereOthersMayWriteToThem) {
  const TemporaryFolder folder;
  for (const unsigned mode : {0777U, 0707U, 0703U, 01777U}) {
    const auto shared = folder / "shared";
    std::filesystem::create_directory(shared);
    set_mode(shared, mode);
    const auto made = make_private_directory(shared);
    ASSERT_FALSE(made) << "mode " << std::oct << mode;
    EXPECT_THAT(made.error().message(), HasSubstr("chmod"));
    EXPECT_THAT(made.error().message(), HasSubstr(shared.native()));
    std::filesystem::remove(shared);
  }
  std::filesystem::create_directory(folder / "readable");
  set_mode(folder / "readable", 0755);
  EXPECT_TRUE(make_private_directory(folder / "readable")) << "who can only look cannot change it";
}

TEST(PrivateFolders, AreRefusedWhereTheyBelongToAnotherUser) {
  // The root folder belongs to root; root itself gives one away.
  const TemporaryFolder folder;
  std::filesystem::path foreign = "/";
  if (::geteuid() == 0) {
    foreign = folder / "foreign";
    std::filesystem::create_directory(foreign);
    ASSERT_EQ(::chown(foreign.c_str(), 65'534, 65'534), 0);
  }
  const auto made = make_private_directory(foreign);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message(), HasSubstr("another user"));
}

TEST(PrivateFolders, AFileInTheirPlaceIsAnError) {
  const TemporaryFolder folder;
  EXPECT_FALSE(make_private_directory(folder.write("file", "")));
  EXPECT_FALSE(make_private_directory(folder / "file/below"));
}

TEST(FileIdentities, ChangeWithTheContentsTheTimesAndTheFile) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "one");
  const auto look = [&] {
    const UniqueFd descriptor = *open_regular_file(file);
    return *identify(descriptor.get());
  };
  const FileIdentity before = look();
  EXPECT_EQ(look(), before);
  std::filesystem::last_write_time(
      file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  const FileIdentity touched = look();
  EXPECT_NE(touched, before);
  ASSERT_TRUE(write_file_atomically(file, "one", 0600));
  EXPECT_NE(look().inode, before.inode) << "the same contents in another file";
}

}  // namespace
}  // namespace belljar
