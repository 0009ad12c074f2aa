#include "host/file_service.h"

#include <cerrno>
#include <utility>

namespace belljar::host {
namespace {

class DirectMounts final : public MountTable {
 public:
  explicit DirectMounts(std::span<const policy::Mount> mounts) {
    for (const policy::Mount& mount : mounts) {
      auto opened = OpenMount::open(mount);
      if (!opened) {
        problems_.push_back(opened.error().message());
        continue;
      }
      rules_.push_back((*opened)->mount().rule);
      mounts_.push_back(*std::move(opened));
    }
  }

  const std::vector<policy::StorageRule>& mounts() const override { return rules_; }
  const std::vector<std::string>& problems() const override { return problems_; }

  FileAnswer perform(const engine::FileRequest& request) const override {
    const bool two = request.operation == engine::FileOperation::rename ||
                     request.operation == engine::FileOperation::link;
    const std::uint32_t to = two ? request.to_mount : request.mount;
    if (request.mount >= mounts_.size() || to >= mounts_.size()) {
      FileAnswer answer;
      answer.reply.error = EBADF;
      return answer;
    }
    return mounts_[request.mount]->perform(request, *mounts_[to]);
  }

 private:
  std::vector<std::shared_ptr<const OpenMount>> mounts_;
  std::vector<policy::StorageRule> rules_;
  std::vector<std::string> problems_;
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
