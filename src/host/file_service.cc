#include "host/file_service.h"

#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "host/live_mount.h"

namespace belljar::host {

/// Nobody waits for these any more, or starts another thread for them.
class DirectFiles::Late {
 public:
  [[nodiscard]] bool contains(const std::filesystem::path& folder) {
    const std::lock_guard lock(mutex_);
    return folders_.contains(folder);
  }
  void note(const std::filesystem::path& folder, bool late) {
    const std::lock_guard lock(mutex_);
    if (late) {
      folders_.insert(folder);
    } else {
      folders_.erase(folder);
    }
  }

 private:
  std::mutex mutex_;
  std::set<std::filesystem::path> folders_;
};

namespace {

/// Folders that are opened at the same time, each on a thread of its own that may hang.
class Opening {
 public:
  using Opened = Result<policy::StorageRule>;

  explicit Opening(std::size_t folders) : opened_(folders) {}

  void put(std::size_t number, Opened opened) {
    const std::lock_guard lock(mutex_);
    opened_[number] = std::move(opened);
    arrived_.notify_all();
  }
  /// What was opened by then.
  [[nodiscard]] std::optional<Opened> wait(std::size_t number,
                                           std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    arrived_.wait_until(lock, deadline, [&] { return opened_[number].has_value(); });
    return opened_[number];
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::optional<Opened>> opened_;
};

class DirectMounts final : public MountTable {
 public:
  DirectMounts(std::span<const policy::Mount> mounts,
               const std::shared_ptr<DirectFiles::Late>& late) {
    const auto deadline = std::chrono::steady_clock::now() + opening_patience;
    const auto opening = std::make_shared<Opening>(mounts.size());
    std::vector<std::shared_ptr<LiveMount>> live;
    std::vector<bool> begun;
    for (const policy::Mount& mount : mounts) {
      live.push_back(std::make_shared<LiveMount>(mount));
      begun.push_back(begin(live.back(), mount.rule.host, opening, live.size() - 1, late));
    }
    for (std::size_t number = 0; number < mounts.size(); ++number) {
      const policy::StorageRule& granted = mounts[number].rule;
      const auto opened = begun[number] ? opening->wait(number, deadline) : std::nullopt;
      if (opened && !*opened) {
        problems_.push_back({granted.guest, opened->error().message()});
        continue;
      }
      if (!opened && begun[number]) {
        late->note(granted.host, true);
        // It may have been opened just now, and said so before.
        if (opening->wait(number, deadline)) late->note(granted.host, false);
      }
      rules_.push_back(opened ? **opened : granted);
      mounts_.push_back({live[number], !opened.has_value()});
    }
  }

  const std::vector<policy::StorageRule>& mounts() const override { return rules_; }
  const std::vector<MountProblem>& problems() const override { return problems_; }

  FileAnswer perform(const engine::FileRequest& request) const override {
    if (const int error = error_of(request, mounts_.size()); error != 0) {
      FileAnswer answer;
      answer.reply.error = error;
      return answer;
    }
    const Shown& shown = mounts_[request.mount];
    return shown.mount->perform(request, shown.as_granted);
  }

 private:
  struct Shown {
    std::shared_ptr<LiveMount> mount;
    /// Whether the guest sees the grant, since nobody knew yet what is there.
    bool as_granted = false;
  };

  /// False if it is left to whoever needs the folder.
  static bool begin(std::shared_ptr<LiveMount> mount, const std::filesystem::path& folder,
                    const std::shared_ptr<Opening>& opening, std::size_t number,
                    const std::shared_ptr<DirectFiles::Late>& late) {
    if (late->contains(folder)) return false;
    try {
      std::thread([mount = std::move(mount), folder, opening, number, late] {
        opening->put(number, mount->open());
        late->note(folder, false);
      }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  std::vector<Shown> mounts_;
  std::vector<policy::StorageRule> rules_;
  std::vector<MountProblem> problems_;
};

}  // namespace

int error_of(const engine::FileRequest& request, std::size_t mounts) {
  const bool two = request.operation == engine::FileOperation::rename ||
                   request.operation == engine::FileOperation::link;
  if (request.mount >= mounts || (two && request.to_mount >= mounts)) return EBADF;
  return two && request.to_mount != request.mount ? EXDEV : 0;
}

DirectFiles::DirectFiles() : late_(std::make_shared<Late>()) {}

std::shared_ptr<const MountTable> DirectFiles::open(const store::ComponentKey&,
                                                    const policy::Snapshot& snapshot) {
  return open(snapshot.mounts());
}

std::shared_ptr<const MountTable> DirectFiles::open(std::span<const policy::Mount> mounts) {
  return std::make_shared<DirectMounts>(mounts, late_);
}

}  // namespace belljar::host
