// Files: owned descriptors, bounded reads, atomic writes.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "belljar/error.h"
#include "support/units.h"

namespace belljar {

/// A file descriptor that is closed when this is destroyed.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int descriptor) noexcept : descriptor_(descriptor) {}
  UniqueFd(UniqueFd&& other) noexcept : descriptor_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] explicit operator bool() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }
  void reset(int descriptor = -1) noexcept;

 private:
  int descriptor_ = -1;
};

/// What tells that a file is still the one that was looked at before.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_nanoseconds = 0;
  std::int64_t changed_nanoseconds = 0;
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

/// Opens a file for reading; never follows it into a FIFO or device.
[[nodiscard]] Result<UniqueFd> open_regular_file(const std::filesystem::path& path);
[[nodiscard]] Result<FileIdentity> identify(int descriptor);
/// Reads a whole file from where `descriptor` stands; more than `limit` is an error.
[[nodiscard]] Result<std::string> read_all(int descriptor, Bytes limit);
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, Bytes limit);
/// Writes everything, however many calls that takes.
[[nodiscard]] Result<void> write_all(int descriptor, std::string_view data);
/// Puts `data` at `path` so that readers see the old file or the new one, also after a crash.
[[nodiscard]] Result<void> write_file_atomically(const std::filesystem::path& path,
                                                 std::string_view data, mode_t mode);
/// Whether anybody but the owner may write to a file or folder.
[[nodiscard]] bool others_may_write(const struct stat& status) noexcept;
/// Makes a folder and its parents with mode 0700, and checks that it belongs to this user and that
/// nobody else can write to it.
[[nodiscard]] Result<void> make_private_directory(const std::filesystem::path& path);

/// The system's words for an `errno`.
[[nodiscard]] std::string errno_text(int code);

}  // namespace belljar
