// One walk through a mount, a name at a time.
#pragma once

#include <sys/stat.h>

#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "host/file_gate.h"

namespace belljar::host {

/// What a file is, whatever its name.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

/// Why a walk ended early: an errno, and a refusal where policy is the reason.
struct WalkFailure {
  int error = 0;
  std::optional<FileRefusal> refusal;
};

template <typename T>
using WalkResult = std::expected<T, WalkFailure>;

/// Where a path leads: a folder that is open, the last name in it, and what is there.
struct Place {
  UniqueFd folder;
  /// Empty where the path is the mount's root itself.
  std::string name;
  /// What is at the name; nothing where there is nothing.
  UniqueFd target;
  struct stat status{};
  /// What may be done there.
  policy::Access access;
  /// Folders between the root and `folder`, with itself.
  std::size_t depth = 0;
};

/// Walks paths of one mount. Made for one operation.
class Walk {
 public:
  explicit Walk(const OpenMount& mount);

  /// Goes to `path`. A link in the last place is followed if `follow`; the last name may be
  /// missing if `may_miss`.
  [[nodiscard]] WalkResult<Place> to(std::string_view path, bool follow, bool may_miss);

  /// Whether what is here is denied, or holds what is: moved, linked or removed, it would take the
  /// ground from under a deny rule.
  [[nodiscard]] bool holds_denied(const FileId& id) const;

 private:
  /// A deny rule, as it lies at this moment.
  struct Denied {
    policy::Access access;
    /// What is denied, where it exists.
    std::optional<FileId> target;
    /// The folder it is in or would be in, and its name there.
    std::optional<FileId> folder;
    std::string name;
    /// Every folder on the way to it.
    std::vector<FileId> ancestors;
  };

  void look_up_denied();
  void apply_denied(const FileId& folder, std::string_view name, const FileId* target,
                    policy::Access& access) const;

  const OpenMount& mount_;
  std::vector<Denied> denied_;
};

[[nodiscard]] WalkFailure failed(int error);
[[nodiscard]] WalkFailure denied(int error, std::string rule, std::string reason, bool write);
[[nodiscard]] FileId id_of(const struct stat& status);
/// Opens one name in a folder, following nothing.
[[nodiscard]] int open_name(int folder, const std::string& name, std::uint64_t flags, mode_t mode);
/// Opens a folder by its whole path, following no link on the way; nothing where that fails.
[[nodiscard]] UniqueFd open_without_links(const std::filesystem::path& folder);
/// Whether a file system shows the kernel's inside instead of files.
[[nodiscard]] bool is_kernel_file_system(int descriptor);

}  // namespace belljar::host
