#include "host/file_service.h"

#include <cerrno>
#include <mutex>
#include <utility>

namespace belljar::host {
namespace {

class DirectMounts final : public MountTable {
 public:
  explicit DirectMounts(std::span<const policy::Mount> mounts) {
    for (const policy::Mount& mount : mounts) {
      auto opened = OpenMount::open(mount);
      if (!opened) {
        problems_.push_back({mount.rule.guest, opened.error().message()});
        continue;
      }
      rules_.push_back((*opened)->mount().rule);
      mounts_.push_back(*std::move(opened));
    }
  }

  const std::vector<policy::StorageRule>& mounts() const override { return rules_; }
  const std::vector<MountProblem>& problems() const override { return problems_; }

  FileAnswer perform(const engine::FileRequest& request) const override {
    const bool two = request.operation == engine::FileOperation::rename ||
                     request.operation == engine::FileOperation::link;
    const std::uint32_t to = two ? request.to_mount : request.mount;
    if (request.mount >= rules_.size() || to >= rules_.size()) {
      FileAnswer answer;
      answer.reply.error = EBADF;
      return answer;
    }
    FileAnswer answer = perform(request, to);
    if (answer.reply.error != ENOENT || !open_again(request.mount)) return answer;
    return perform(request, to);
  }

 private:
  FileAnswer perform(const engine::FileRequest& request, std::uint32_t to) const {
    std::unique_lock lock(mutex_);
    const auto own = mounts_[request.mount];
    const auto target = mounts_[to];
    lock.unlock();
    return own->perform(request, *target);
  }

  /// A folder that was removed may have been made again since: by a build that starts over, say.
  bool open_again(std::uint32_t number) const {
    const std::lock_guard lock(mutex_);
    if (!mounts_[number]->is_removed()) return false;
    auto opened = mounts_[number]->open_again();
    if (!opened) return false;
    mounts_[number] = *std::move(opened);
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const OpenMount>> mounts_;
  std::vector<policy::StorageRule> rules_;
  std::vector<MountProblem> problems_;
};

}  // namespace

std::shared_ptr<const MountTable> DirectFiles::open(const store::ComponentKey&,
                                                    const policy::Snapshot& snapshot) {
  return open(snapshot.mounts());
}

std::shared_ptr<const MountTable> DirectFiles::open(std::span<const policy::Mount> mounts) {
  return std::make_shared<DirectMounts>(mounts);
}

}  // namespace belljar::host
