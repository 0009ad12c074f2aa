// What guests may leave in a folder for other programs to find: links that lead nowhere outside,
// and trees that are not too deep. The gate itself follows no link out, whatever it says.
#pragma once

#include <string_view>

#include "host/walk.h"

namespace belljar::host {

/// Whether a link that says `target` stays inside, in a folder `depth` folders below the root.
/// Steps upwards count only at its beginning: behind a name, which may be a link, the kernel goes
/// up from where that leads.
[[nodiscard]] bool stays_inside(std::size_t depth, std::string_view target);

/// What the link of this name says, or an errno.
[[nodiscard]] std::expected<std::string, int> link_target(int folder, const std::string& name);

/// A folder with all that is below it.
struct Tree {
  /// Folders from the top to the deepest, with both.
  std::size_t height = 1;
  bool links_stay_inside = true;
};

/// Looks through the folder of this name, as if it lay in a folder `depth` folders below the root.
/// EXDEV if there is too much in it: programs copy then, and a copy is made a file at a time.
[[nodiscard]] WalkResult<Tree> look_through(int folder, const std::string& name, std::size_t depth);

}  // namespace belljar::host
