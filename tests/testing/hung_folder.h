// A folder that never answers, as that of a network file system whose server is gone.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace belljar::test {

/// Puts a file system on a folder whose server, this process, reads no request. Needs the right to
/// mount; `is_hung` says whether it was there. Ends what hangs in it when it is destroyed.
class HungFolder {
 public:
  explicit HungFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    server_ = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (server_ < 0) return;
    const std::string how =
        "fd=" + std::to_string(server_) + ",rootmode=40000,user_id=0,group_id=0";
    hung_ = ::mount("belljar-test", folder_.c_str(), "fuse", 0, how.c_str()) == 0;
  }
  ~HungFolder() {
    // Without its server, whoever waits is told that the connection is lost.
    if (server_ >= 0) ::close(server_);
    if (hung_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  HungFolder(const HungFolder&) = delete;
  HungFolder& operator=(const HungFolder&) = delete;

  [[nodiscard]] bool is_hung() const { return hung_; }

 private:
  std::filesystem::path folder_;
  int server_ = -1;
  bool hung_ = false;
};

}  // namespace belljar::test
