// Which folder or file of the host something is, whatever its name. Kept with a grant, so that what
// is opened later is what a person was shown.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "support/file.h"

namespace belljar {

/// What tells a folder or file from every other, also after a restart: its inode number, the id of
/// its file system, and the kernel's handle of it (name_to_handle_at(2)), which an inode number
/// that is used again does not share. On a file system without handles the time of its birth stands
/// in for the handle, where there is one. FUSE numbers its files anew whenever it likes, so there
/// only the place counts.
[[nodiscard]] Result<std::string> identity_of(int descriptor);
/// The inode number in an identity; zero where it has none.
[[nodiscard]] ino_t inode_of(std::string_view identity);

/// How the identity of one file's grant begins. What follows is the identity of the folder that the
/// file is in: its name is the rest, because editors put a new file in the place of the old one.
inline constexpr std::string_view file_in = "file in ";

/// A place as it was found once.
struct HostPlace {
  /// Where it lies: absolute, and without links.
  std::filesystem::path real;
  /// What lies there; for one file its folder, behind `file_in`. Empty where nothing does.
  std::string identity;
};

/// How long a file system may take to tell what lies at a path. One that takes longer counts as
/// one where nothing lies, so that a grant of it is of nothing.
inline constexpr std::chrono::seconds finding_patience{5};
/// Follows every link of a path, once. Where nothing lies there, `real` is where it would.
[[nodiscard]] HostPlace find_place(const std::filesystem::path& path);
/// What lies at a path itself, be it a file or a folder, instead of its folder.
[[nodiscard]] HostPlace find_target(const std::filesystem::path& path);

/// Opens a place (O_PATH with `flags`) by its whole path, following no link on the way.
[[nodiscard]] UniqueFd open_place(const std::filesystem::path& path, int flags = 0);

}  // namespace belljar
