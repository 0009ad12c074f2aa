// What tests of the file gate start from.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "host/file_gate.h"
#include "host/testing/pinned_mount.h"
#include "testing/temporary_folder.h"

namespace belljar::host::testing {

using engine::FileOperation;
using engine::FileRequest;

/// A granted folder beside a secret that is not granted.
class FileGateTest : public ::testing::Test {
 protected:
  FileGateTest() {
    outside_ = folder_.write("outside/secret.txt", "not for guests");
    folder_.make_folder("granted");
    folder_.write("granted/hello.txt", "hello");
    folder_.write("granted/sub/deep.txt", "deep");
  }

  [[nodiscard]] std::filesystem::path granted() const { return folder_ / "granted"; }

  policy::Mount mount(bool write) const {
    policy::Mount mount;
    mount.rule = {.host = granted(),
                  .guest = "/data",
                  .access = {.read = true, .write = write},
                  .hardlinks = false};
    return mount;
  }
  policy::Mount readable() const { return mount(false); }
  policy::Mount writable() const { return mount(true); }

  policy::Mount denying(policy::Mount from, std::string_view below) const {
    from.denied.push_back({.host = folder_ / below,
                           .guest = {},
                           .access = {.read = true, .write = true},
                           .hardlinks = false});
    return from;
  }

  static FileAnswer ask(const policy::Mount& mount, const FileRequest& request) {
    const auto opened = OpenMount::open(pinned(mount));
    if (!opened) {
      ADD_FAILURE() << opened.error().describe();
      return {};
    }
    return (*opened)->perform(request, **opened);
  }

  static FileRequest reading(std::string path) {
    FileRequest request;
    request.operation = FileOperation::open;
    request.path = std::move(path);
    request.follow = true;
    request.read = true;
    return request;
  }
  static FileRequest writing(std::string path) {
    FileRequest request = reading(std::move(path));
    request.read = false;
    request.write = true;
    return request;
  }
  static FileRequest creating(std::string path) {
    FileRequest request = writing(std::move(path));
    request.create = true;
    return request;
  }
  static FileRequest doing(FileOperation operation, std::string path) {
    FileRequest request;
    request.operation = operation;
    request.path = std::move(path);
    return request;
  }
  static FileRequest moving(FileOperation operation, std::string path, std::string to) {
    FileRequest request = doing(operation, std::move(path));
    request.to_path = std::move(to);
    return request;
  }
  static FileRequest linking(std::string path, std::string target) {
    FileRequest request = doing(FileOperation::symbolic_link, std::move(path));
    request.target = std::move(target);
    return request;
  }

  static std::string text_of(const FileAnswer& answer) {
    std::array<char, 64> buffer{};
    const ssize_t count = ::pread(answer.reply.descriptor.get(), buffer.data(), buffer.size(), 0);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  /// Nothing came of it: this error, and no descriptor that somebody could use all the same.
  static void expect_refused(int error, const FileAnswer& answer, std::string_view what) {
    EXPECT_EQ(answer.reply.error, error) << what << ": " << std::strerror(answer.reply.error);
    EXPECT_FALSE(answer.reply.descriptor) << what << " gave a descriptor with its error";
  }

  test::TemporaryFolder folder_;
  std::filesystem::path outside_;
};

}  // namespace belljar::host::testing
