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

#include "support/host_place.h"
#include "support/text.h"

namespace belljar::host {
namespace {

constexpr int maximum_links = 40;
constexpr std::size_t maximum_name = 255;
constexpr std::size_t maximum_path = 4'096;

int open_beneath(int folder, const char* path, std::uint64_t flags, std::uint64_t mode,
                 std::uint64_t resolve) {
  const open_how how{.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  // EAGAIN: something was renamed while the kernel looked, and the next look sees it settled; or
  // somebody holds a lease on the file, which takes longer than anybody should wait here.
  constexpr int looks = 100;
  for (int look = 1;; ++look) {
    const long descriptor = ::syscall(SYS_openat2, folder, path, &how, sizeof how);
    const bool again = errno == EINTR || (errno == EAGAIN && look < looks);
    if (descriptor >= 0 || !again) return static_cast<int>(descriptor);
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

}  // namespace

WalkFailure failed(int error) { return {error, std::nullopt}; }

WalkFailure denied(int error, std::string rule, std::string reason, bool write) {
  return {error, FileRefusal{std::move(rule), std::move(reason), write}};
}

int open_name(int folder, const std::string& name, std::uint64_t flags, mode_t mode) {
  return open_beneath(folder, name.c_str(), flags | O_NOFOLLOW, mode,
                      RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
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

WalkResult<Place> Walk::to(std::string_view path, bool follow) {
  steps_.clear();
  visits_.clear();
  entered_.clear();
  last_.reset();
  auto place = find(path, follow);
  // Where the rules lie is looked at after the folders of the walk were opened: of what was made
  // meanwhile, either the walk found nothing or the rules know it.
  closed_ = mount_.denials_.look(mount_.root_.get());
  // First, so that what a walk comes to in a closed folder is not told.
  if (auto allowed = check_way(path); !allowed) {
    return std::unexpected(std::move(allowed).error());
  }
  if (!place) return place;
  place->access = access_here();
  if (last_) closed_.apply(*last_, place->access);
  // The folder of a file that is granted alone is not granted with it.
  if (!last_ && mount_.is_file()) place->access.write = false;
  return place;
}

WalkResult<void> Walk::check_way(std::string_view path) const {
  for (const std::size_t folder : entered_) {
    policy::Access access = mount_.mount_.rule.access;
    closed_.apply(visits_[folder], access);
    if (access.read || access.write) continue;
    return std::unexpected(
        denied(EACCES, "storage.deny",
               fmt::format("{} is denied by a rule", path_in_sentence(path, 200)), false));
  }
  return {};
}

policy::Access Walk::access_here() const {
  policy::Access access = mount_.mount_.rule.access;
  for (const Step& step : steps_) {
    if (step.visit) closed_.apply(visits_[*step.visit], access);
  }
  return access;
}

std::string Walk::path_to(std::string_view name) const {
  const auto& here = steps_.back().visit;
  const std::string lower = to_lower(name);
  return here ? fmt::format("{}/{}", visits_[*here].at.path, lower) : lower;
}

Visit Walk::visit(const NameIn& at, const UniqueFd& target, const struct stat& status) {
  Visit visit{at, id_of(status), {}};
  if (mount_.denials_.may_be_kept(status.st_ino)) {
    if (auto identity = identity_of(target.get())) visit.identity = *std::move(identity);
  }
  return visit;
}

WalkResult<void> Walk::open_root() {
  Step root;
  root.folder.reset(::fcntl(mount_.root_.get(), F_DUPFD_CLOEXEC, 0));
  struct stat status{};
  if (!root.folder || ::fstat(root.folder.get(), &status) != 0) {
    return std::unexpected(failed(errno));
  }
  if (status.st_nlink == 0) {
    return std::unexpected(
        denied(ENOENT, "storage",
               fmt::format("the folder granted at {} was removed; another in its place is another "
                           "folder, which a person has to grant",
                           mount_.mount_.rule.guest),
               false));
  }
  root.id = id_of(status);
  steps_.push_back(std::move(root));
  return {};
}

WalkResult<Place> Walk::end_at_folder() {
  // The path ended at a folder that was entered: the root, or what ".." or "." led to.
  Step& here = steps_.back();
  struct stat status{};
  if (::fstat(here.folder.get(), &status) != 0) return std::unexpected(failed(errno));
  UniqueFd folder(::fcntl(here.folder.get(), F_DUPFD_CLOEXEC, 0));
  UniqueFd target(::fcntl(here.folder.get(), F_DUPFD_CLOEXEC, 0));
  return Place{std::move(folder), here.id, {}, {},
               std::move(target), status,  {}, steps_.size() - 1};
}

WalkResult<Place> Walk::find(std::string_view path, bool follow) {
  const auto out = [&] {
    return std::unexpected(denied(
        EPERM, "storage",
        fmt::format("the path {} leads out of the granted folder", path_in_sentence(path, 200)),
        false));
  };
  if (path.starts_with('/')) return out();
  std::deque<std::string> names;
  if (const auto error = push_names(path, names)) return std::unexpected(failed(*error));
  if (auto opened = open_root(); !opened) return std::unexpected(std::move(opened).error());
  int links = 0;
  while (!names.empty()) {
    std::string name = std::move(names.front());
    names.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (steps_.size() == 1) return out();
      steps_.pop_back();
      continue;
    }
    const Step& here = steps_.back();
    if (mount_.is_file()) {
      if (steps_.size() > 1 || name != mount_.shown_) {
        return std::unexpected(denied(EACCES, "storage.allow",
                                      fmt::format("only the file {} is granted", mount_.shown_),
                                      false));
      }
      name = mount_.only_;
    }
    const bool last = names.empty();
    const NameIn at{here.id, name, path_to(name)};
    UniqueFd target(open_name(here.folder.get(), name, O_PATH, 0));
    if (!target) {
      const int error = errno;
      if (error != ENOENT || !last) return std::unexpected(failed(error));
      last_ = Visit{at, std::nullopt, {}};
      UniqueFd folder(::fcntl(here.folder.get(), F_DUPFD_CLOEXEC, 0));
      return Place{std::move(folder), here.id, name, at.path, {}, {}, {}, steps_.size() - 1};
    }
    struct stat status{};
    if (::fstat(target.get(), &status) != 0) return std::unexpected(failed(errno));
    // The root is none of the kernel's, so only another file system can be.
    if (status.st_dev != here.id.device && is_kernel_file_system(target.get())) {
      return std::unexpected(denied(
          EACCES, "storage",
          fmt::format("{} is the kernel's, and never opened", path_in_sentence(path, 200)), false));
    }
    if (S_ISLNK(status.st_mode) && (!last || follow)) {
      if (mount_.is_file()) return out();
      if (++links > maximum_links) return std::unexpected(failed(ELOOP));
      const auto link = read_link(target.get());
      if (!link) return std::unexpected(failed(errno));
      if (link->starts_with('/')) return out();
      if (const auto error = push_names(*link, names)) return std::unexpected(failed(*error));
      continue;
    }
    if (mount_.is_file() && S_ISDIR(status.st_mode)) {
      return std::unexpected(denied(EACCES, "storage.allow",
                                    fmt::format("a folder has taken the place of {}, of which the "
                                                "file was granted",
                                                mount_.shown_),
                                    false));
    }
    Visit visited = visit(at, target, status);
    if (last) {
      last_ = std::move(visited);
      UniqueFd folder(::fcntl(here.folder.get(), F_DUPFD_CLOEXEC, 0));
      return Place{std::move(folder), here.id, name, at.path,
                   std::move(target), status,  {},   steps_.size() - 1};
    }
    if (!S_ISDIR(status.st_mode)) return std::unexpected(failed(ENOTDIR));
    if (steps_.size() >= maximum_depth) return std::unexpected(failed(ENAMETOOLONG));
    entered_.push_back(visits_.size());
    steps_.push_back({std::move(target), id_of(status), visits_.size()});
    visits_.push_back(std::move(visited));
  }
  return end_at_folder();
}

}  // namespace belljar::host
