// What stays closed in a granted folder: denials, Belljar's own folders and what else is granted
// there, told by what they are and by every name that leads to them.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/snapshot.h"
#include "support/file.h"

namespace belljar::host {

/// What a file is while it is open somewhere, whatever its name.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};
[[nodiscard]] FileId id_of(const struct stat& status);

/// A name in a folder.
struct NameIn {
  FileId folder;
  std::string name;
  /// The names from the mount's root on, in lower case.
  std::string path = {};
};

/// What a walk has met.
struct Visit {
  NameIn at;
  /// Absent where nothing has the name.
  std::optional<FileId> id;
  /// As `identity_of` tells it; empty where no denial could hold for this inode.
  std::string identity;
};

/// How the closed places of a mount lie at one moment.
class ClosedNow {
 public:
  /// Takes away what may not be done at a place.
  void apply(const Visit& visit, policy::Access& access) const;
  /// Whether this is closed, or a folder or link on the way to what is: moved or removed, it would
  /// take the ground from under a rule.
  [[nodiscard]] bool is_held(const NameIn& at, const FileId& id) const;
  /// Whether this name is on the way to what is closed: put there by a rename or link, another
  /// folder would take the rule's place. A new and empty folder does not.
  [[nodiscard]] bool is_on_the_way(const NameIn& at) const;

 private:
  friend class Denials;
  struct Place {
    policy::Access access;
    /// The names that the rule has from the mount's root on, in lower case.
    std::string path;
    /// What is closed: as it was when the rule was given or the mount opened, and as it is now.
    std::vector<std::string> identities;
    std::optional<FileId> target;
    /// The names that are the closed place itself.
    std::vector<NameIn> names;
    /// All names that were looked up on the way, and what they were the names of.
    std::vector<NameIn> way;
    std::vector<FileId> met;
  };
  std::vector<Place> places_;
};

/// The closed places of one mount. Immutable; any thread.
class Denials {
 public:
  /// Finds out what the rules of a mount close in the folder that is open as `root`, which lies at
  /// `place_of_root`. Takes from `access` what is denied to the whole of it.
  [[nodiscard]] static Denials learn(const policy::Mount& mount,
                                     const std::filesystem::path& place_of_root, int root,
                                     policy::Access& access);

  /// Looks where the closed places are. Called after the folders of a walk were opened, so that
  /// what appeared meanwhile is seen.
  [[nodiscard]] ClosedNow look(int root) const;
  /// Whether a denial could hold for a file of this inode number by what it is.
  [[nodiscard]] bool may_be_kept(ino_t inode) const;

 private:
  struct Place {
    policy::Access access;
    std::vector<std::string> identities;
    /// The names from the mount's root on, if the way leads through it.
    std::optional<std::deque<std::string>> below;
    /// The same in lower case, with slashes between.
    std::string path = {};
  };
  std::vector<Place> places_;
};

}  // namespace belljar::host
