// What running servers said to a command.
#pragma once

#include <vector>

#include "cli/terminal.h"
#include "runtime/control.h"
#include "support/json.h"

namespace belljar::cli {

[[nodiscard]] Json server_answers_json(const std::vector<runtime::ControlAnswer>& answers);
/// A line for each server that did something, or that failed.
void show_server_answers(const std::vector<runtime::ControlAnswer>& answers, Terminal& terminal);

}  // namespace belljar::cli
