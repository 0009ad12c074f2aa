#include "host/file_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "host/testing/pinned_mount.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

class FileServiceTest : public ::testing::Test {
 protected:
  FileServiceTest() {
    folder_.write("granted/file", "before");
    folder_.write("outside/file", "not for guests");
  }

  [[nodiscard]] std::shared_ptr<const MountTable> open(std::vector<std::string> folders) const {
    std::vector<policy::Mount> mounts;
    for (const std::string& name : folders) {
      policy::Mount mount;
      mount.rule = {.host = folder_ / name,
                    .guest = "/" + name,
                    .access = {.read = true, .write = true},
                    .hardlinks = false};
      mounts.push_back(testing::pinned(mount));
    }
    return DirectFiles().open(mounts);
  }

  /// What is in the file of the first mount, or the error.
  [[nodiscard]] static std::string text_of(const MountTable& mounts) {
    engine::FileRequest request;
    request.operation = engine::FileOperation::open;
    request.path = "file";
    request.read = true;
    const FileAnswer answer = mounts.perform(request);
    if (!answer.reply.descriptor) return "error " + std::to_string(answer.reply.error);
    std::array<char, 100> buffer{};
    const ssize_t size = ::pread(answer.reply.descriptor.get(), buffer.data(), buffer.size(), 0);
    return std::string(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  }

  const std::string missing_ = "error " + std::to_string(ENOENT);
  test::TemporaryFolder folder_;
};

TEST_F(FileServiceTest, AFolderThatIsRemovedAndMadeAgainIsAnotherFolder) {
  const auto mounts = open({"granted"});
  EXPECT_EQ(text_of(*mounts), "before");
  std::filesystem::remove_all(folder_ / "granted");
  EXPECT_EQ(text_of(*mounts), missing_);
  folder_.write("granted/file", "after");
  EXPECT_EQ(text_of(*mounts), missing_) << "nobody has granted the folder that is there now";
}

TEST_F(FileServiceTest, ALinkInThePlaceOfARemovedFolderIsNotFollowed) {
  const auto mounts = open({"granted"});
  std::filesystem::remove_all(folder_ / "granted");
  std::filesystem::create_directory_symlink(folder_ / "outside", folder_ / "granted");
  EXPECT_EQ(text_of(*mounts), missing_);
}

TEST_F(FileServiceTest, AFolderThatIsNotThereIsAProblemOfItsPlace) {
  const auto mounts = open({"granted", "nowhere"});
  ASSERT_EQ(mounts->problems().size(), 1U);
  EXPECT_EQ(mounts->problems()[0].guest, "/nowhere");
  EXPECT_THAT(mounts->problems()[0].text, ::testing::HasSubstr("nowhere"));
}

}  // namespace
}  // namespace belljar::host
