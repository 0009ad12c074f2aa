#include "support/host_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ioctl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "support/crypto.h"
#include "support/result.h"

namespace belljar {
namespace {

constexpr long fuse_magic = 0x65735546;

/// `struct fsuuid2` of linux/fs.h, which came with Linux 6.9.
struct FileSystemUuid {
  std::uint8_t length = 0;
  std::array<std::uint8_t, 16> bytes{};
};
constexpr unsigned long get_file_system_uuid = _IOR(0x15, 0, FileSystemUuid);

std::string hex(const void* bytes, std::size_t size) {
  std::string text;
  const auto* const data = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", data[i]);
  return text;
}

/// The UUID of a folder's file system; empty where the kernel or the folder's mode do not tell it.
std::string uuid_of(int descriptor, const struct stat& status) {
  if (!S_ISDIR(status.st_mode)) return {};
  const UniqueFd folder(::openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  FileSystemUuid uuid;
  if (!folder || ::ioctl(folder.get(), get_file_system_uuid, &uuid) != 0) return {};
  return hex(uuid.bytes.data(), uuid.bytes.size());
}

/// The kernel's handle, or the time of birth where the file system has none.
std::string generation_of(int descriptor) {
  constexpr unsigned room = MAX_HANDLE_SZ;
  alignas(file_handle) std::array<char, sizeof(file_handle) + room> buffer{};
  auto* const handle = reinterpret_cast<file_handle*>(buffer.data());
  handle->handle_bytes = room;
  int mount = 0;
  if (::name_to_handle_at(descriptor, "", handle, &mount, AT_EMPTY_PATH) == 0) {
    return fmt::format("h{}.{}", handle->handle_type, hex(handle->f_handle, handle->handle_bytes));
  }
  struct statx status{};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_BTIME, &status) == 0 &&
      (status.stx_mask & STATX_BTIME) != 0) {
    return fmt::format("b{}.{}", status.stx_btime.tv_sec, status.stx_btime.tv_nsec);
  }
  return "i";
}

/// `real` of a path that may end in names that are not there.
std::filesystem::path real_path(const std::filesystem::path& path) {
  std::error_code error;
  auto real = std::filesystem::weakly_canonical(path, error);
  if (error) real = path.lexically_normal();
  // A slash at the end would be an empty name.
  if (real.has_relative_path() && !real.has_filename()) real = real.parent_path();
  return real;
}

}  // namespace

Result<std::string> identity_of(int descriptor) {
  struct stat status{};
  struct statfs system{};
  if (::fstat(descriptor, &status) != 0 || ::fstatfs(descriptor, &system) != 0) {
    return fail(ErrorCode::storage, "a folder cannot be looked at: {}", errno_text(errno));
  }
  if (system.f_type == fuse_magic) return std::string("0/fuse/p");
  std::string id = uuid_of(descriptor, status);
  if (id.empty()) id = hex(&system.f_fsid, sizeof system.f_fsid);
  return fmt::format("{}/{:x}.{}/{}", status.st_ino, system.f_type, id, generation_of(descriptor));
}

ino_t inode_of(std::string_view identity) {
  ino_t inode = 0;
  std::from_chars(identity.data(), identity.data() + identity.size(), inode);
  return inode;
}

UniqueFd open_place(const std::filesystem::path& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_PATH | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  while (true) {
    const long descriptor = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
    if (descriptor >= 0 || (errno != EINTR && errno != EAGAIN)) {
      return UniqueFd(static_cast<int>(descriptor));
    }
  }
}

namespace {

HostPlace target_at(const std::filesystem::path& path) {
  HostPlace place{real_path(path), {}};
  const UniqueFd target = open_place(place.real);
  if (!target) return place;
  if (auto identity = identity_of(target.get())) place.identity = *std::move(identity);
  return place;
}

HostPlace place_at(const std::filesystem::path& path) {
  HostPlace place{real_path(path), {}};
  const UniqueFd target = open_place(place.real);
  struct stat status{};
  if (!target || ::fstat(target.get(), &status) != 0) return place;
  if (!S_ISREG(status.st_mode)) {
    if (auto identity = identity_of(target.get())) place.identity = *std::move(identity);
    return place;
  }
  const UniqueFd folder = open_place(place.real.parent_path(), O_DIRECTORY);
  if (!folder) return place;
  if (auto identity = identity_of(folder.get())) {
    place.identity = std::string(file_in) + *identity;
  }
  return place;
}

/// Looks on a thread of its own, which is left behind if the file system does not answer.
HostPlace in_time(HostPlace (*look)(const std::filesystem::path&),
                  const std::filesystem::path& path) {
  std::packaged_task<HostPlace()> task([look, path] { return look(path); });
  auto found = task.get_future();
  std::thread thread;
  try {
    thread = std::thread(std::move(task));
  } catch (const std::system_error&) {
    return {path.lexically_normal(), {}};
  }
  if (found.wait_for(finding_patience) != std::future_status::ready) {
    thread.detach();
    return {path.lexically_normal(), {}};
  }
  // Whoever confines or forks this process afterwards counts on there being no other thread.
  thread.join();
  return found.get();
}

}  // namespace

HostPlace find_target(const std::filesystem::path& path) { return in_time(target_at, path); }

HostPlace find_place(const std::filesystem::path& path) { return in_time(place_at, path); }

}  // namespace belljar
