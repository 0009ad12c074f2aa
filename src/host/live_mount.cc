#include "host/live_mount.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "support/result.h"

namespace belljar::host {

Result<std::shared_ptr<const OpenMount>> LiveMount::opened() {
  {
    const std::lock_guard lock(mutex_);
    if (open_) return open_;
  }
  // Without the lock: whoever only looks whether it is open does not wait with the others.
  BELLJAR_TRY(auto opened, OpenMount::open(granted_));
  const std::lock_guard lock(mutex_);
  if (!open_) open_ = std::move(opened);
  return open_;
}

Result<policy::StorageRule> LiveMount::open() {
  BELLJAR_TRY(const auto mount, opened());
  return mount->mount().rule;
}

FileAnswer LiveMount::perform(const engine::FileRequest& request, bool as_granted) {
  auto mount = opened();
  if (!mount) {
    FileAnswer answer;
    answer.reply.error = ENOENT;
    answer.problem = mount.error().message();
    return answer;
  }
  return perform_on(**mount, request, as_granted);
}

FileAnswer LiveMount::perform_on(const OpenMount& mount, const engine::FileRequest& request,
                                 bool as_granted) const {
  FileAnswer answer;
  if (as_granted && mount.is_file()) {
    if (request.path != ".") {
      answer.reply.error = ENOTDIR;
      return answer;
    }
    engine::FileRequest own = request;
    own.path = std::filesystem::path(granted_.rule.guest).filename();
    answer = mount.perform(own, mount);
  } else {
    answer = mount.perform(request, mount);
  }
  if (answer.reply.descriptor) {
    answer.reply.remote = is_served_by_others(answer.reply.descriptor.get());
  }
  return answer;
}

bool is_served_by_others(int descriptor) {
  // What lies on a disk or in the memory of this machine; all else counts as served by others.
  // Numbers that the headers of Debian 12 lack are from the kernel's sources.
  constexpr std::array<std::uint64_t, 16> own{
      EXT4_SUPER_MAGIC,  // also ext2 and ext3
      XFS_SUPER_MAGIC,   BTRFS_SUPER_MAGIC,     TMPFS_MAGIC,     RAMFS_MAGIC,
      F2FS_SUPER_MAGIC,  OVERLAYFS_SUPER_MAGIC, SQUASHFS_MAGIC,  ISOFS_SUPER_MAGIC,
      MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC,     HUGETLBFS_MAGIC,
      0x2FC12FC1,  // ZFS
      0xCA451A4E,  // bcachefs
      0x7366746E,  // ntfs3
      0x3153464A,  // JFS
  };
  struct statfs status{};
  if (::fstatfs(descriptor, &status) != 0) return true;
  const auto type = static_cast<std::uint32_t>(status.f_type);
  return std::find(own.begin(), own.end(), type) == own.end();
}

}  // namespace belljar::host
