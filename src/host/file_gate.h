// The file gate: decides about every path that a guest names, and does what is allowed.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "engine/host.h"
#include "policy/snapshot.h"
#include "support/file.h"

namespace belljar::host {

/// Why a path operation was refused, as far as policy is the reason.
struct FileRefusal {
  std::string rule;
  std::string reason;
  /// Whether writing, rather than reading, was what is missing.
  bool write = false;
};

/// The answer to a path operation.
struct FileAnswer {
  engine::FileReply reply;
  std::optional<FileRefusal> refusal;
  /// Whether a file, folder or link was made.
  bool created = false;
  /// What is wrong with the granted folder itself, in a sentence.
  std::optional<std::string> problem;
};

/// A granted folder, open. Immutable; any thread.
///
/// Paths are walked one name at a time from the folder's own descriptor (openat2 with
/// RESOLVE_BENEATH, never following a link by itself), so that nothing that is renamed, swapped or
/// linked meanwhile leads out of it. Denied folders are told by what they are (device and inode)
/// as well as by where they are.
class OpenMount {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const OpenMount>> open(const policy::Mount& mount);

  [[nodiscard]] const policy::Mount& mount() const noexcept { return mount_; }
  /// Whether one file is granted, and the folder around it is not.
  [[nodiscard]] bool is_file() const noexcept { return !only_.empty(); }
  /// Whether the folder itself was removed since, which leaves an empty one that nobody can name.
  [[nodiscard]] bool is_removed() const;
  /// What is at the folder's place now. No link is followed on the way, so that a guest that may
  /// write around a granted folder cannot put a link there and lead it elsewhere.
  [[nodiscard]] Result<std::shared_ptr<const OpenMount>> open_again() const;
  /// `to` is the mount that a rename or link goes to; it may be this one.
  [[nodiscard]] FileAnswer perform(const engine::FileRequest& request, const OpenMount& to) const;

 private:
  explicit OpenMount(const policy::Mount& mount) : granted_(mount), mount_(mount) {}
  /// Finds out what the rules deny here; false where they leave nothing.
  [[nodiscard]] bool learn_denied();

  /// What a rule denies, by its path from the root.
  struct DeniedPath {
    policy::Access access;
    std::filesystem::path below;
  };

  /// As it was asked for.
  policy::Mount granted_;
  /// As it is: what the rules deny is taken away, and a file's grant is one of its folder.
  policy::Mount mount_;
  /// Where the folder was when it was opened, without links.
  std::filesystem::path real_;
  UniqueFd root_;
  /// Where the grant is for one file: its name, and `root_` is its folder.
  std::string only_;
  std::vector<DeniedPath> denied_;

  friend class Walk;
};

}  // namespace belljar::host
