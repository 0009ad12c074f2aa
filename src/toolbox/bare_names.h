// Tools under their own names, without their component's in front.
#pragma once

#include "toolbox/toolbox.h"

namespace belljar::toolbox {

/// Publishes `get-forecast` instead of `weather_get-forecast` wherever only one tool would have
/// that name and no tool has it in full. Management tools keep their names. For a set that is
/// complete: call it before anybody has seen the tools.
void publish_bare_names(Toolbox& toolbox);

}  // namespace belljar::toolbox
