// What a program inherits of open files, put in order before it opens its own.
#pragma once

#include "belljar/error.h"

namespace belljar {

/// Opens standard streams that are closed, so that no file of this program takes their numbers and
/// is written to as a stream: reading from one ends at once, writing to one fails. Closes all other
/// descriptors, which nobody passed on purpose and which a process that is taken over could use.
/// To be called first in a program, and nowhere else.
[[nodiscard]] Result<void> settle_descriptors();

}  // namespace belljar
