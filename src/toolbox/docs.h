// What the documentation of a function says, in its parts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/wit.h"

namespace belljar::toolbox {

/// WIT has no place for the documentation of a parameter, so people write a list of them under
/// that of the function:
///
///     Looks up the weather.
///
///     - `city`: the name of the city,
///       in any language
struct FunctionDocs {
  /// Without the lines about parameters.
  std::string description;
  /// By the name of the parameter; on one line each.
  std::map<std::string, std::string, std::less<>> parameters;
};

/// Takes the documentation of a function apart. A list item about something that is no parameter
/// stays where it is.
[[nodiscard]] FunctionDocs read_docs(const engine::Function& function);

}  // namespace belljar::toolbox
