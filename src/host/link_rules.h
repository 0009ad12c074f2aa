// Where the links that guests make may lead: nowhere outside. Guests could not follow such a link,
// but other programs of the machine would.
#pragma once

#include <string_view>

#include "host/walk.h"

namespace belljar::host {

/// Whether a link that says `target` stays inside, in a folder `depth` folders below the root.
[[nodiscard]] bool stays_inside(std::size_t depth, std::string_view target);

/// What the link of this name says, or an errno.
[[nodiscard]] std::expected<std::string, int> link_target(int folder, const std::string& name);

/// Whether all links below the folder of this name still stay inside when it moves to a folder
/// `depth` folders below the root. EXDEV where there is too much to look through: programs copy
/// then, and a copy makes its links anew.
[[nodiscard]] WalkResult<bool> links_stay_inside(int folder, const std::string& name,
                                                 std::size_t depth);

}  // namespace belljar::host
