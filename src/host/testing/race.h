// Somebody who swaps what is at a name while the file gate opens it.
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/file_gate.h"

namespace belljar::host::testing {

/// Exchanges pairs of names as fast as it can, on threads of its own.
class Swapper {
 public:
  Swapper(std::filesystem::path folder, std::vector<std::pair<std::string, std::string>> pairs) {
    for (auto& [one, other] : pairs) {
      threads_.emplace_back([this, a = (folder / one).native(), b = (folder / other).native()] {
        while (!stop_) {
          if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) ++swaps_;
        }
      });
    }
  }
  ~Swapper() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  [[nodiscard]] std::uint64_t swaps() const { return swaps_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> swaps_ = 0;
  std::vector<std::thread> threads_;
};

struct Outcomes {
  int opened = 0;
  int refused = 0;
  int escaped = 0;
};

/// Opens a path over and over while others swap what is at its names, and tells what was opened
/// from the file itself.
inline Outcomes race(const OpenMount& mount, const engine::FileRequest& request, ino_t forbidden,
                     int times) {
  Outcomes outcomes;
  for (int i = 0; i < times; ++i) {
    const FileAnswer answer = mount.perform(request, mount);
    if (answer.reply.error != 0) {
      ++outcomes.refused;
      if (answer.reply.descriptor) ++outcomes.escaped;
      continue;
    }
    ++outcomes.opened;
    struct stat status{};
    if (::fstat(answer.reply.descriptor.get(), &status) != 0 || status.st_ino == forbidden) {
      ++outcomes.escaped;
    }
  }
  return outcomes;
}

}  // namespace belljar::host::testing
