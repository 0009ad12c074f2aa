// Files that decide what others may do: opened only where nobody else could have written them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "support/file.h"

namespace belljar {

/// Opens a file that a person's word depends on: a policy, a ceiling, the configuration. `what` is
/// how messages call it.
///
/// It has to be a regular file and no link, to belong to this user or root, and to be writable by
/// nobody else. So that nobody else can put another in its place, the same holds for every folder
/// and link on the way there, from the root on; a folder that anybody may write to is taken where
/// it is sticky, as /tmp is, since what belongs to this user stays there. What was checked is what
/// is opened: each folder is entered by the descriptor that was looked at.
///
/// Fails with `not_found` where there is no such file, and with `invalid_policy` where it cannot be
/// trusted.
[[nodiscard]] Result<UniqueFd> open_trusted_file(const std::filesystem::path& path,
                                                 std::string_view what);

/// Reads the whole of such a file; more than `limit` is `invalid_policy`.
[[nodiscard]] Result<std::string> read_trusted_file(const std::filesystem::path& path,
                                                    std::string_view what, Bytes limit);

}  // namespace belljar
