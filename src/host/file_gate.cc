#include "host/file_gate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "host/link_rules.h"
#include "host/walk.h"
#include "support/host_place.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileRequest;
using engine::FileStatus;

constexpr mode_t file_mode = 0666;
constexpr mode_t folder_mode = 0777;
/// How often an open starts over because what is at the name was swapped in between.
constexpr int open_attempts = 100;

FileStatus convert(const struct stat& status) {
  const auto nanoseconds = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return {.mode = status.st_mode,
          .links = status.st_nlink,
          .size = static_cast<std::uint64_t>(status.st_size),
          .device = status.st_dev,
          .inode = status.st_ino,
          .access_time = nanoseconds(status.st_atim),
          .modification_time = nanoseconds(status.st_mtim),
          .change_time = nanoseconds(status.st_ctim)};
}

timespec to_timespec(std::int64_t nanoseconds) {
  if (nanoseconds < 0) return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  return {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
}

/// One operation on a mount.
class Operation {
 public:
  Operation(const OpenMount& mount, const FileRequest& request)
      : mount_(mount), request_(request), walk_(mount) {}

  WalkResult<FileAnswer> open() {
    for (int attempt = 0; attempt < open_attempts; ++attempt) {
      auto place = walk_.to(request_.path, request_.follow);
      if (!place) return std::unexpected(std::move(place).error());
      auto answer = place->target ? open_existing(*place) : create(*place);
      // ESTALE is how the helpers say that what they looked at is not what they opened.
      if (answer || answer.error().error != ESTALE) return answer;
    }
    return std::unexpected(failed(EBUSY));
  }

  WalkResult<FileAnswer> status() {
    auto place = find(request_.path, request_.follow, false);
    if (!place) return std::unexpected(std::move(place).error());
    FileAnswer answer;
    answer.reply.status = convert(place->status);
    return answer;
  }

  WalkResult<FileAnswer> create_directory() {
    auto place = place_for_new(request_.path);
    if (!place) return std::unexpected(std::move(place).error());
    return done(::mkdirat(place->folder.get(), place->name.c_str(), folder_mode), true);
  }

  WalkResult<FileAnswer> remove(bool directory) {
    auto place = find_changeable(request_.path);
    if (!place) return std::unexpected(std::move(place).error());
    return done(::unlinkat(place->folder.get(), place->name.c_str(), directory ? AT_REMOVEDIR : 0),
                false);
  }

  WalkResult<FileAnswer> rename(const OpenMount& to) {
    if (&to != &mount_) return std::unexpected(failed(EXDEV));
    auto from = find(request_.path, false, true);
    if (!from) return std::unexpected(std::move(from).error());
    auto target = walk_.to(request_.to_path, false);
    if (!target) return std::unexpected(std::move(target).error());
    for (const Place* const place : {&*from, &*target}) {
      if (auto allowed = check_change(*place); !allowed) {
        return std::unexpected(std::move(allowed).error());
      }
    }
    if (auto allowed = check_new_name(*target); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    if (auto allowed = check_stays_closed(*from, *target); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    if (auto allowed = check_moved(*from, *target); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    return done(::renameat(from->folder.get(), from->name.c_str(), target->folder.get(),
                           target->name.c_str()),
                false);
  }

  WalkResult<FileAnswer> link(const OpenMount& to) {
    if (&to != &mount_) return std::unexpected(failed(EXDEV));
    if (!mount_.mount().rule.hardlinks) {
      return std::unexpected(denied(EPERM, "storage.allow hardlinks",
                                    "hard links are made only where the grant says "
                                    "\"hardlinks: allow\"",
                                    true));
    }
    auto from = find_changeable(request_.path);
    if (!from) return std::unexpected(std::move(from).error());
    if (!S_ISREG(from->status.st_mode)) return std::unexpected(failed(EPERM));
    auto target = place_for_new(request_.to_path);
    if (!target) return std::unexpected(std::move(target).error());
    if (auto allowed = check_new_name(*target); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    if (auto allowed = check_stays_closed(*from, *target); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    // With the name it would be read by another rule, or by none.
    if (auto allowed = check_change(*from); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    return done(::linkat(from->folder.get(), from->name.c_str(), target->folder.get(),
                         target->name.c_str(), 0),
                true);
  }

  WalkResult<FileAnswer> symbolic_link() {
    auto place = place_for_new(request_.path);
    if (!place) return std::unexpected(std::move(place).error());
    if (auto allowed = check_new_name(*place); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    if (!stays_inside(place->depth, request_.target)) {
      return std::unexpected(leads_out(request_.target));
    }
    return done(::symlinkat(request_.target.c_str(), place->folder.get(), place->name.c_str()),
                true);
  }

  WalkResult<FileAnswer> read_link() {
    auto place = find(request_.path, false, false);
    if (!place) return std::unexpected(std::move(place).error());
    if (place->name.empty()) return std::unexpected(failed(EINVAL));
    auto target = link_target(place->folder.get(), place->name);
    if (!target) return std::unexpected(failed(target.error()));
    // What an absolute link says is about the host.
    if (target->starts_with('/')) return std::unexpected(failed(EPERM));
    FileAnswer answer;
    answer.reply.target = *std::move(target);
    return answer;
  }

  WalkResult<FileAnswer> set_times() {
    auto place = find(request_.path, request_.follow, true);
    if (!place) return std::unexpected(std::move(place).error());
    const mode_t mode = place->status.st_mode;
    if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode)) return std::unexpected(special());
    if (has_other_names(place->status)) return std::unexpected(other_names(place->status, true));
    const std::array times{to_timespec(request_.access_time),
                           to_timespec(request_.modification_time)};
    const std::string name = place->name.empty() ? "." : place->name;
    return done(::utimensat(place->folder.get(), name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW),
                false);
  }

 private:
  /// What lies at a path. Whether anything does is told only to whom may read it, or, if `write`,
  /// change it.
  WalkResult<Place> find(std::string_view path, bool follow, bool write) {
    auto place = walk_.to(path, follow);
    if (!place) return place;
    if (auto allowed = check(*place, write); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    if (!place->target) return std::unexpected(failed(ENOENT));
    return place;
  }

  [[nodiscard]] std::string shown() const {
    const std::string& guest = mount_.mount().rule.guest;
    return path_in_sentence(fmt::format("{}/{}", guest == "/" ? "" : guest, request_.path), 300);
  }

  [[nodiscard]] static WalkFailure leads_out(std::string_view target) {
    return denied(EPERM, "storage",
                  fmt::format("a link to {} would lead out of the granted folder",
                              path_in_sentence(target, 200)),
                  true);
  }
  [[nodiscard]] WalkFailure special() const {
    return denied(EACCES, "storage",
                  fmt::format("{} is a device, pipe or socket, and never opened", shown()), false);
  }
  [[nodiscard]] bool has_other_names(const struct stat& status) const {
    return !S_ISDIR(status.st_mode) && status.st_nlink > 1 && !mount_.mount().rule.hardlinks;
  }
  [[nodiscard]] WalkFailure other_names(const struct stat& status, bool write) const {
    return denied(EACCES, "storage.allow hardlinks",
                  fmt::format("{} has {} names, one of which may be outside the granted folder",
                              shown(), status.st_nlink),
                  write);
  }

  /// Whether what moves stays within the depth, and links in it lead nowhere outside.
  [[nodiscard]] static WalkResult<void> check_moved(const Place& from, const Place& to) {
    if (S_ISLNK(from.status.st_mode)) {
      const auto target = link_target(from.folder.get(), from.name);
      if (!target) return std::unexpected(failed(target.error()));
      if (!stays_inside(to.depth, *target)) return std::unexpected(leads_out(*target));
    } else if (S_ISDIR(from.status.st_mode) && to.depth != from.depth) {
      const auto tree = look_through(from.folder.get(), from.name, to.depth);
      if (!tree) return std::unexpected(tree.error());
      if (!tree->links_stay_inside) {
        return std::unexpected(leads_out("a place above, in what is moved,"));
      }
      // The tree and its deepest folder, with the folders that it would lie in.
      if (to.depth + tree->height > maximum_depth) return std::unexpected(failed(ENAMETOOLONG));
    }
    return {};
  }

  /// Whether policy allows reading, or writing, at a place.
  [[nodiscard]] WalkResult<void> check(const Place& place, bool write) const {
    const policy::Access granted = mount_.mount().rule.access;
    if (write ? place.access.write : place.access.read) return {};
    if (write ? granted.write : granted.read) {
      return std::unexpected(
          denied(EACCES, "storage.deny", fmt::format("{} is denied by a rule", shown()), write));
    }
    return std::unexpected(
        denied(write ? EPERM : EACCES, "storage.allow",
               fmt::format("{} may be {}, not {}", mount_.mount().rule.guest,
                           write ? "read" : "written", write ? "written" : "read"),
               write));
  }

  /// Whether a name may be given to something else: written to, and no deny rule hangs on it.
  [[nodiscard]] WalkResult<void> check_change(const Place& place) const {
    if (place.name.empty()) return std::unexpected(failed(EBUSY));
    if (auto allowed = check(place, true); !allowed) return allowed;
    if (place.target &&
        walk_.closed().is_held({place.folder_id, place.name, place.path}, id_of(place.status))) {
      return std::unexpected(
          denied(EACCES, "storage.deny",
                 fmt::format("{} is, or holds, what a rule denies or another grant names, so it "
                             "stays where it is",
                             shown()),
                 true));
    }
    return {};
  }

  /// Whether something may have a name elsewhere: what may not be read here is not to be read
  /// there.
  [[nodiscard]] WalkResult<void> check_stays_closed(const Place& from, const Place& to) const {
    return to.access.read ? check(from, false) : WalkResult<void>();
  }

  /// Whether something that exists, or a link, may get this name.
  [[nodiscard]] WalkResult<void> check_new_name(const Place& place) const {
    if (!walk_.closed().is_on_the_way({place.folder_id, place.name, place.path})) return {};
    return std::unexpected(
        denied(EACCES, "storage.deny",
               fmt::format("{} is on the way to what a rule denies or another grant names, so "
                           "nothing is moved or linked there",
                           path_in_sentence(place.name, 200)),
               true));
  }

  WalkResult<Place> find_changeable(std::string_view path) {
    auto place = find(path, false, true);
    if (!place) return place;
    if (auto allowed = check_change(*place); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    return place;
  }

  WalkResult<Place> place_for_new(std::string_view path) {
    auto place = walk_.to(path, false);
    if (!place) return place;
    if (auto allowed = check(*place, true); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    if (place->target) return std::unexpected(failed(EEXIST));
    return place;
  }

  [[nodiscard]] static WalkResult<FileAnswer> done(int result, bool created) {
    if (result != 0) return std::unexpected(failed(errno));
    FileAnswer answer;
    answer.created = created;
    return answer;
  }

  WalkResult<FileAnswer> open_existing(const Place& place) {
    const bool writes = request_.write || request_.truncate;
    // First, so that nothing else is told of what is closed.
    for (const bool write : {false, true}) {
      // Who says neither gets a descriptor to read from.
      if (!(write ? writes : request_.read || !writes)) continue;
      if (auto allowed = check(place, write); !allowed) {
        return std::unexpected(std::move(allowed).error());
      }
    }
    if (request_.create && request_.exclusive) return std::unexpected(failed(EEXIST));
    const mode_t mode = place.status.st_mode;
    if (S_ISLNK(mode)) return std::unexpected(failed(ELOOP));
    const bool folder = S_ISDIR(mode);
    if (!folder && !S_ISREG(mode)) return std::unexpected(special());
    if (request_.directory && !folder) return std::unexpected(failed(ENOTDIR));
    if (folder && writes) return std::unexpected(failed(EISDIR));
    if (has_other_names(place.status)) return std::unexpected(other_names(place.status, false));
    const int access = request_.write      ? (request_.read ? O_RDWR : O_WRONLY)
                       : request_.truncate ? O_RDWR
                                           : O_RDONLY;
    FileAnswer answer;
    answer.reply.status = convert(place.status);
    if (place.name.empty()) {
      if (mount_.is_file()) {
        return std::unexpected(denied(EACCES, "storage.allow",
                                      "one file is granted, and not the folder that it is in",
                                      false));
      }
      answer.reply.descriptor.reset(open_name(place.folder.get(), ".", O_RDONLY | O_DIRECTORY, 0));
    } else {
      // Non-blocking, in case that a pipe has taken the name since it was looked at.
      answer.reply.descriptor.reset(open_name(
          place.folder.get(), place.name,
          static_cast<std::uint64_t>(access | O_NOCTTY | O_NONBLOCK) | (folder ? O_DIRECTORY : 0U),
          0));
    }
    if (!answer.reply.descriptor) {
      const bool swapped = errno == ENOENT || errno == ELOOP || errno == ENOTDIR;
      return std::unexpected(failed(swapped ? ESTALE : errno));
    }
    struct stat opened{};
    if (::fstat(answer.reply.descriptor.get(), &opened) != 0) return std::unexpected(failed(errno));
    if (id_of(opened) != id_of(place.status) || has_other_names(opened)) {
      return std::unexpected(failed(ESTALE));
    }
    if (request_.truncate && ::ftruncate(answer.reply.descriptor.get(), 0) != 0) {
      return std::unexpected(failed(errno));
    }
    return answer;
  }

  WalkResult<FileAnswer> create(const Place& place) {
    if (!request_.create) {
      // Whether something is there is told only where reading is allowed.
      if (auto allowed = check(place, false); !allowed) {
        return std::unexpected(std::move(allowed).error());
      }
      return std::unexpected(failed(ENOENT));
    }
    if (request_.directory) return std::unexpected(failed(EINVAL));
    if (auto allowed = check(place, true); !allowed) {
      return std::unexpected(std::move(allowed).error());
    }
    FileAnswer answer;
    answer.created = true;
    const int access = request_.read && place.access.read ? O_RDWR : O_WRONLY;
    answer.reply.descriptor.reset(
        open_name(place.folder.get(), place.name,
                  static_cast<std::uint64_t>(access | O_CREAT | O_EXCL | O_NOCTTY), file_mode));
    // Somebody else was faster: look again at what is there now.
    if (!answer.reply.descriptor) return std::unexpected(failed(errno == EEXIST ? ESTALE : errno));
    struct stat status{};
    if (::fstat(answer.reply.descriptor.get(), &status) != 0) return std::unexpected(failed(errno));
    answer.reply.status = convert(status);
    return answer;
  }

  const OpenMount& mount_;
  const FileRequest& request_;
  Walk walk_;
};

WalkResult<FileAnswer> dispatch(Operation operation, const FileRequest& request,
                                const OpenMount& to) {
  switch (request.operation) {
    case FileOperation::open: return operation.open();
    case FileOperation::status: return operation.status();
    case FileOperation::create_directory: return operation.create_directory();
    case FileOperation::remove_directory: return operation.remove(true);
    case FileOperation::unlink: return operation.remove(false);
    case FileOperation::rename: return operation.rename(to);
    case FileOperation::link: return operation.link(to);
    case FileOperation::symbolic_link: return operation.symbolic_link();
    case FileOperation::read_link: return operation.read_link();
    case FileOperation::set_times: return operation.set_times();
  }
  return std::unexpected(failed(ENOSYS));
}

/// Whether the folder at this place is the one that a person granted.
bool is_what_was_granted(const std::filesystem::path& place, std::string_view identity) {
  const UniqueFd folder = open_place(place, O_DIRECTORY);
  if (!folder) return false;
  const auto now = identity_of(folder.get());
  return now && *now == identity;
}

}  // namespace

Result<std::shared_ptr<const OpenMount>> OpenMount::open(const policy::Mount& mount) {
  const policy::StorageRule& rule = mount.rule;
  const auto refused = [&](std::string_view why) {
    return fail(ErrorCode::invalid_policy, "the granted folder {} cannot be used: {}",
                one_line(rule.host.native(), 300), why);
  };
  if (rule.identity.empty()) {
    return refused("nothing was there when it was granted, so nobody has seen what is there now");
  }
  const std::shared_ptr<OpenMount> opened(new OpenMount(mount));
  std::filesystem::path folder = rule.host;
  std::string_view identity = rule.identity;
  if (identity.starts_with(file_in)) {
    identity.remove_prefix(file_in.size());
    opened->only_ = folder.filename().native();
    folder = folder.parent_path();
    const std::filesystem::path guest(rule.guest);
    opened->shown_ = guest.filename().native();
    opened->mount_.rule.guest = guest.has_parent_path() ? guest.parent_path().native() : "/";
  }
  if (!rule.whole.empty() && !is_what_was_granted(rule.whole, rule.whole_identity)) {
    return refused(fmt::format("{}, that it is a part of, is not the folder that was granted",
                               one_line(rule.whole.native(), 300)));
  }
  UniqueFd root = open_place(folder);
  if (!root) {
    return refused(errno == ELOOP ? "a link has been put into its place" : errno_text(errno));
  }
  struct stat status{};
  if (::fstat(root.get(), &status) != 0) return refused(errno_text(errno));
  if (!S_ISDIR(status.st_mode)) return refused("it is neither a folder nor a file");
  if (is_kernel_file_system(root.get())) {
    return refused("it is the kernel's, not a place for files");
  }
  if (const auto now = identity_of(root.get()); !now || *now != identity) {
    return refused("another folder has taken its place since; a person has to grant that one");
  }
  opened->denials_ = Denials::learn(mount, folder, root.get(), opened->mount_.rule.access);
  if (!opened->mount_.rule.access.read && !opened->mount_.rule.access.write) {
    return refused("it lies within what a rule denies");
  }
  opened->root_ = std::move(root);
  return opened;
}

FileAnswer OpenMount::perform(const FileRequest& request, const OpenMount& to) const {
  std::unique_lock renaming(renaming_, std::defer_lock);
  if (request.operation == FileOperation::rename) renaming.lock();
  auto result = dispatch(Operation(*this, request), request, to);
  if (result) return std::move(*result);
  FileAnswer answer;
  answer.reply.error = result.error().error;
  answer.refusal = std::move(result.error().refusal);
  return answer;
}

}  // namespace belljar::host
