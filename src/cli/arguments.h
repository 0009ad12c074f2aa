// Arguments of a tool as people type them: JSON, or key=value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"

namespace belljar::cli {

/// Makes a JSON object of words. One word that begins with `{` is taken as it is. Otherwise each is
/// `key=value`: where the schema of the tool's input wants a string the value is one, elsewhere it
/// is JSON if it can be, and a string if not. A key that is given again adds to an array.
[[nodiscard]] Result<std::string> make_arguments(const std::vector<std::string>& words,
                                                 std::string_view input_schema);

}  // namespace belljar::cli
