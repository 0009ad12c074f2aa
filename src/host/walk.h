// One walk through a mount, a name at a time.
#pragma once

#include <sys/stat.h>

#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "host/denials.h"
#include "host/file_gate.h"

namespace belljar::host {

/// Folders that lie in each other, at most, in a mount.
inline constexpr std::size_t maximum_depth = 64;

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
  FileId folder_id;
  /// Empty where the path is the mount's root itself.
  std::string name;
  /// The names from the root on, in lower case.
  std::string path;
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
  explicit Walk(const OpenMount& mount) : mount_(mount) {}

  /// Goes to `path`, of which the last name may be missing. A link in the last place is followed if
  /// `follow`.
  [[nodiscard]] WalkResult<Place> to(std::string_view path, bool follow);

  /// How the closed places lay at the end of the last walk.
  [[nodiscard]] const ClosedNow& closed() const noexcept { return closed_; }

 private:
  [[nodiscard]] WalkResult<Place> find(std::string_view path, bool follow);
  [[nodiscard]] WalkResult<void> open_root();
  [[nodiscard]] WalkResult<Place> end_at_folder();
  /// Whether policy keeps the walk out of a folder that it entered.
  [[nodiscard]] WalkResult<void> check_way(std::string_view path) const;
  [[nodiscard]] policy::Access access_here() const;
  /// The names from the root to one in the folder where the walk is, in lower case.
  [[nodiscard]] std::string path_to(std::string_view name) const;
  [[nodiscard]] Visit visit(const NameIn& at, const UniqueFd& target, const struct stat& status);

  /// A folder on the way, by its place among the visits; the root is none of them.
  struct Step {
    UniqueFd folder;
    FileId id;
    std::optional<std::size_t> visit;
  };

  const OpenMount& mount_;
  ClosedNow closed_;
  std::vector<Step> steps_;
  std::vector<Visit> visits_;
  /// Folders among the visits that were entered.
  std::vector<std::size_t> entered_;
  /// What the last name is or would be; nothing where the walk ended at a folder on the way.
  std::optional<Visit> last_;
};

[[nodiscard]] WalkFailure failed(int error);
[[nodiscard]] WalkFailure denied(int error, std::string rule, std::string reason, bool write);
/// Opens one name in a folder, following nothing.
[[nodiscard]] int open_name(int folder, const std::string& name, std::uint64_t flags, mode_t mode);
/// Whether a file system shows the kernel's inside instead of files.
[[nodiscard]] bool is_kernel_file_system(int descriptor);

}  // namespace belljar::host
