#include "host/walk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "support/text.h"

namespace belljar::host {
namespace {

constexpr int maximum_links = 40;
constexpr std::size_t maximum_depth = 64;
constexpr std::size_t maximum_name = 255;
constexpr std::size_t maximum_path = 4'096;

int open_beneath(int folder, const char* path, std::uint64_t flags, std::uint64_t mode,
                 std::uint64_t resolve) {
  const open_how how{.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  while (true) {
    const long descriptor = ::syscall(SYS_openat2, folder, path, &how, sizeof how);
    // EAGAIN: something was renamed while the kernel looked; the next look sees it settled.
    if (descriptor >= 0 || (errno != EINTR && errno != EAGAIN)) return static_cast<int>(descriptor);
  }
}

std::optional<std::string> read_link(int link) {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t length = ::readlinkat(link, "", buffer.data(), buffer.size());
  if (length < 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

/// Splits a path into names; nothing for one that is too long, too deep or holds a NUL.
std::optional<int> push_names(std::string_view path, std::deque<std::string>& names) {
  if (path.size() > maximum_path) return ENAMETOOLONG;
  if (path.find('\0') != std::string_view::npos) return EINVAL;
  const auto parts = split(path, '/');
  std::size_t at = 0;
  for (const std::string_view part : parts) {
    if (part.empty() || part == ".") continue;
    if (part.size() > maximum_name) return ENAMETOOLONG;
    names.insert(names.begin() + static_cast<std::ptrdiff_t>(at++), std::string(part));
  }
  // "folder/" and "folder/." name a folder.
  if ((path.ends_with('/') || path.ends_with("/.")) && at > 0) {
    names.insert(names.begin() + static_cast<std::ptrdiff_t>(at), ".");
  }
  if (names.size() > maximum_depth) return ENAMETOOLONG;
  return std::nullopt;
}

/// A folder on the way, with what may be done in it.
struct Step {
  UniqueFd folder;
  FileId id;
  policy::Access access;
};

}  // namespace

WalkFailure failed(int error) { return {error, std::nullopt}; }

WalkFailure denied(int error, std::string rule, std::string reason, bool write) {
  return {error, FileRefusal{std::move(rule), std::move(reason), write}};
}

FileId id_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

int open_name(int folder, const std::string& name, std::uint64_t flags, mode_t mode) {
  return open_beneath(folder, name.c_str(), flags | O_NOFOLLOW, mode,
                      RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

UniqueFd open_without_links(const std::filesystem::path& folder) {
  return UniqueFd(
      open_beneath(AT_FDCWD, folder.c_str(), O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS));
}

bool is_kernel_file_system(int descriptor) {
  constexpr std::array<long, 12> kernel{
      PROC_SUPER_MAGIC, SYSFS_MAGIC,      DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
      TRACEFS_MAGIC,    SECURITYFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
      BPF_FS_MAGIC,     PSTOREFS_MAGIC,   EFIVARFS_MAGIC,     NSFS_MAGIC,
  };
  struct statfs status{};
  if (::fstatfs(descriptor, &status) != 0) return true;
  return std::find(kernel.begin(), kernel.end(), static_cast<long>(status.f_type)) != kernel.end();
}

Walk::Walk(const OpenMount& mount) : mount_(mount) { look_up_denied(); }

void Walk::look_up_denied() {
  for (const OpenMount::DeniedPath& rule : mount_.denied_) {
    Denied denied;
    denied.access = rule.access;
    UniqueFd folder(::fcntl(mount_.root_.get(), F_DUPFD_CLOEXEC, 0));
    // The names are those of a path that the person wrote, which links may be in.
    for (const auto& part : rule.below) {
      struct stat status{};
      if (!folder || ::fstat(folder.get(), &status) != 0) {
        // A folder on the way is missing: nothing is there to be denied yet.
        denied.folder.reset();
        break;
      }
      denied.folder = id_of(status);
      denied.ancestors.push_back(id_of(status));
      denied.name = part.native();
      folder.reset(open_beneath(folder.get(), part.c_str(), O_PATH, 0, RESOLVE_NO_MAGICLINKS));
    }
    struct stat status{};
    if (folder && ::fstat(folder.get(), &status) == 0) denied.target = id_of(status);
    denied_.push_back(std::move(denied));
  }
}

void Walk::apply_denied(const FileId& folder, std::string_view name, const FileId* target,
                        policy::Access& access) const {
  for (const Denied& denied : denied_) {
    const bool by_place =
        denied.folder && *denied.folder == folder && equals_ignoring_case(denied.name, name);
    const bool by_identity = denied.target && target != nullptr && *denied.target == *target;
    if (!by_place && !by_identity) continue;
    if (denied.access.read) access.read = false;
    if (denied.access.write) access.write = false;
  }
}

bool Walk::holds_denied(const FileId& id) const {
  return std::any_of(denied_.begin(), denied_.end(), [&](const Denied& denied) {
    // Under another name it would be another file to the rule.
    if (denied.target == id) return true;
    return std::find(denied.ancestors.begin(), denied.ancestors.end(), id) !=
           denied.ancestors.end();
  });
}

WalkResult<Place> Walk::to(std::string_view path, bool follow, bool may_miss) {
  const auto out = [&] {
    return std::unexpected(denied(
        EPERM, "storage",
        fmt::format("the path {} leads out of the granted folder", one_line(path, 200)), false));
  };
  if (path.starts_with('/')) return out();
  std::deque<std::string> names;
  if (const auto error = push_names(path, names)) return std::unexpected(failed(*error));

  std::vector<Step> steps;
  {
    Step root;
    root.folder.reset(::fcntl(mount_.root_.get(), F_DUPFD_CLOEXEC, 0));
    struct stat status{};
    if (!root.folder || ::fstat(root.folder.get(), &status) != 0) {
      return std::unexpected(failed(errno));
    }
    root.id = id_of(status);
    root.access = mount_.mount_.rule.access;
    steps.push_back(std::move(root));
  }
  int links = 0;
  while (!names.empty()) {
    const std::string name = std::move(names.front());
    names.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (steps.size() == 1) return out();
      steps.pop_back();
      continue;
    }
    Step& here = steps.back();
    if (!mount_.only_.empty() && (steps.size() > 1 || name != mount_.only_)) {
      return std::unexpected(denied(EACCES, "storage.allow",
                                    fmt::format("only the file {} is granted", mount_.only_),
                                    false));
    }
    const bool last = names.empty();
    policy::Access access = here.access;
    UniqueFd target(open_name(here.folder.get(), name, O_PATH, 0));
    if (!target) {
      const int error = errno;
      if (error != ENOENT || !last) return std::unexpected(failed(error));
      apply_denied(here.id, name, nullptr, access);
      if (!may_miss) return std::unexpected(failed(ENOENT));
      return Place{std::move(here.folder), name, {}, {}, access, steps.size() - 1};
    }
    struct stat status{};
    if (::fstat(target.get(), &status) != 0) return std::unexpected(failed(errno));
    const FileId id = id_of(status);
    apply_denied(here.id, name, &id, access);
    // The root is none of the kernel's, so only another file system can be.
    if (id.device != here.id.device && is_kernel_file_system(target.get())) {
      return std::unexpected(
          denied(EACCES, "storage",
                 fmt::format("{} is the kernel's, and never opened", one_line(path, 200)), false));
    }
    if (S_ISLNK(status.st_mode) && (!last || follow)) {
      if (++links > maximum_links) return std::unexpected(failed(ELOOP));
      const auto link = read_link(target.get());
      if (!link) return std::unexpected(failed(errno));
      if (link->starts_with('/')) return out();
      if (const auto error = push_names(*link, names)) return std::unexpected(failed(*error));
      continue;
    }
    if (last) {
      return Place{std::move(here.folder), name, std::move(target), status, access,
                   steps.size() - 1};
    }
    if (!S_ISDIR(status.st_mode)) return std::unexpected(failed(ENOTDIR));
    if (!access.read && !access.write) {
      return std::unexpected(denied(EACCES, "storage.deny",
                                    fmt::format("{} is denied by a rule", one_line(path, 200)),
                                    false));
    }
    if (steps.size() >= maximum_depth) return std::unexpected(failed(ENAMETOOLONG));
    steps.push_back({std::move(target), id, access});
  }
  // The path ended at a folder that was entered: the root, or what ".." or "." led to.
  Step& here = steps.back();
  struct stat status{};
  if (::fstat(here.folder.get(), &status) != 0) return std::unexpected(failed(errno));
  // The folder of a file that is granted alone is not granted with it.
  if (!mount_.only_.empty()) here.access.write = false;
  UniqueFd target(::fcntl(here.folder.get(), F_DUPFD_CLOEXEC, 0));
  return Place{std::move(here.folder), {}, std::move(target), status, here.access,
               steps.size() - 1};
}

}  // namespace belljar::host
