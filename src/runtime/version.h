// The version of this build.
#pragma once

#include <string_view>

namespace belljar::runtime {

/// `0.1.0`
[[nodiscard]] std::string_view version();

}  // namespace belljar::runtime
