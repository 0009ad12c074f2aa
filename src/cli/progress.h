// What a person sees while something takes its time.
#pragma once

#include <chrono>
#include <string>

#include "cli/terminal.h"
#include "engine/compiler.h"
#include "support/units.h"

namespace belljar::cli {

/// Shows that a component is being compiled: a bar on a terminal, elsewhere one line if it takes
/// longer than a second. The compiler cannot say how far it is, so the bar goes by what components
/// of this size usually take, and never reaches its end before the work does.
[[nodiscard]] engine::Compiler::Progress compile_progress(Terminal& terminal, std::string name,
                                                          Bytes size);

/// How full the bar is after `passed` of something that usually takes `usual`: from 0 to below 1.
[[nodiscard]] double expected_share(std::chrono::milliseconds passed,
                                    std::chrono::milliseconds usual);

}  // namespace belljar::cli
