// The manual page, made of what is declared.
#pragma once

#include <string>

#include "cli/command_line.h"

namespace belljar::cli {

/// `belljar.1` in the man macros.
[[nodiscard]] std::string manual_page(const CommandLine& commands);

}  // namespace belljar::cli
