#include "support/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "support/crypto.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar {

void UniqueFd::reset(int descriptor) noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = descriptor;
}

bool others_may_write(const struct stat& status) noexcept {
  // A group of the same number is the user's own, by the convention of private groups.
  const bool group_writes = (status.st_mode & S_IWGRP) != 0 && status.st_gid != status.st_uid;
  return group_writes || (status.st_mode & S_IWOTH) != 0;
}

std::string errno_text(int code) { return std::generic_category().message(code); }

Result<UniqueFd> open_regular_file(const std::filesystem::path& path) {
  UniqueFd descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!descriptor) {
    const int error = errno;
    return fail(error == ENOENT ? ErrorCode::not_found : ErrorCode::storage, "{}: {}",
                path.native(), errno_text(error));
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) {
    return fail(ErrorCode::storage, "{}: {}", path.native(), errno_text(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, "{}: {}", path.native(),
                S_ISDIR(status.st_mode) ? "this is a folder; a file is needed"
                                        : "this is not a regular file");
  }
  return descriptor;
}

Result<FileIdentity> identify(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) {
    return fail(ErrorCode::storage, "cannot look at a file: {}", errno_text(errno));
  }
  const auto nanoseconds = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return FileIdentity{
      .device = status.st_dev,
      .inode = status.st_ino,
      .size = static_cast<std::uint64_t>(status.st_size),
      .modified_nanoseconds = nanoseconds(status.st_mtim),
      .changed_nanoseconds = nanoseconds(status.st_ctim),
  };
}

Result<std::string> read_all(int descriptor, Bytes limit) {
  std::string data;
  std::size_t filled = 0;
  while (true) {
    constexpr std::size_t step = 256 * 1024;
    data.resize(filled + step);
    const ssize_t count = ::read(descriptor, data.data() + filled, step);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::storage, "reading failed: {}", errno_text(errno));
    filled += static_cast<std::size_t>(count);
    if (filled > limit.value) {
      return fail(ErrorCode::invalid_argument, "larger than the {} that are read",
                  format_bytes(limit));
    }
    if (count == 0) break;
  }
  data.resize(filled);
  return data;
}

Result<std::string> read_file(const std::filesystem::path& path, Bytes limit) {
  BELLJAR_TRY(const UniqueFd descriptor, open_regular_file(path));
  return in_context(read_all(descriptor.get(), limit), path.native());
}

Result<void> write_all(int descriptor, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = ::write(descriptor, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::storage, "writing failed: {}", errno_text(errno));
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view data,
                                   mode_t mode) {
  const auto failed = [&](const char* doing) {
    return fail(ErrorCode::storage, "{}: cannot {}: {}", path.native(), doing, errno_text(errno));
  };
  auto temporary = path;
  temporary += "." + to_hex(random_bytes<8>()) + ".new";
  const UniqueFd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return failed("create it");
  auto written = write_all(file.get(), data);
  if (written && ::fsync(file.get()) != 0) written = failed("save it");
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = failed("put it in place");
  if (!written) {
    ::unlink(temporary.c_str());
    return in_context(std::move(written), path.native());
  }
  // The new name survives a crash only once its folder is on disk.
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const UniqueFd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return failed("save its folder");
  return {};
}

Result<void> make_private_directory(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && path.has_parent_path()) {
    const auto parent = path.parent_path();
    if (!std::filesystem::exists(parent, error)) BELLJAR_CHECK(make_private_directory(parent));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(ErrorCode::storage, "{}: cannot make this folder: {}", path.native(),
                  errno_text(errno));
    }
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::storage, "{}: not a folder that can be used", path.native());
  }
  if (status.st_uid != ::geteuid()) {
    return fail(ErrorCode::storage, "{}: this folder belongs to another user; it has to be yours",
                path.native());
  }
  if (others_may_write(status)) {
    return fail(ErrorCode::storage, "{}: others may write to this folder; first: chmod go-w {}",
                path.native(), shell_word(path.native()));
  }
  return {};
}

}  // namespace belljar
