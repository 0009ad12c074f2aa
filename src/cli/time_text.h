// Moments as people read and write them, in their own time zone.
#pragma once

#include <string>
#include <string_view>

#include "belljar/error.h"
#include "store/grants.h"
#include "support/clock.h"

namespace belljar::cli {

/// Reads `2026-01-31`, `2026-01-31T18:00` or `2026-01-31 18:00:05`, in the local time zone; with a
/// `Z` at the end, in UTC.
[[nodiscard]] Result<WallTime> parse_local_time(std::string_view text);

/// `2026-01-31 18:00:05`, in the local time zone.
[[nodiscard]] std::string local_time(WallTime time);

/// `always`, `once`, `until 2026-01-31 18:00:00`, `while a server runs`.
[[nodiscard]] std::string scope_text(const store::GrantScope& scope);

}  // namespace belljar::cli
