// The file gate: decides about every path that a guest names, and does what is allowed.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "engine/host.h"
#include "host/denials.h"
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
/// It is opened at the place where it lay when a person granted it, following no link, and only
/// while it is that folder. Paths are walked one name at a time from the folder's own descriptor
/// (openat2 with RESOLVE_BENEATH, never following a link by itself), so that nothing that is
/// renamed, swapped or linked meanwhile leads out of it. Denied folders are told by what they are
/// as well as by where they are.
class OpenMount {
 public:
  /// Fails with the reason, for people, if the folder is not what was granted any more.
  [[nodiscard]] static Result<std::shared_ptr<const OpenMount>> open(const policy::Mount& mount);

  [[nodiscard]] const policy::Mount& mount() const noexcept { return mount_; }
  /// Whether one file is granted, and the folder around it is not.
  [[nodiscard]] bool is_file() const noexcept { return !only_.empty(); }
  /// `to` is the mount that a rename or link goes to; it may be this one.
  [[nodiscard]] FileAnswer perform(const engine::FileRequest& request, const OpenMount& to) const;

 private:
  explicit OpenMount(const policy::Mount& mount) : mount_(mount) {}

  /// As it is: what the rules deny is taken away.
  policy::Mount mount_;
  UniqueFd root_;
  /// Where the grant is for one file: its name, `root_` is its folder, and `shown_` is how the
  /// guest calls it.
  std::string only_;
  std::string shown_;
  Denials denials_;
  /// Renames come one after the other: two that each keep to the depth could together go past it.
  mutable std::mutex renaming_;

  friend class Walk;
};

}  // namespace belljar::host
