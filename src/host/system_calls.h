// The system calls that a process makes which runs guests: all that are listed here, and no others.
#pragma once

#include <memory>

#include "support/system_call_filter.h"

namespace belljar::host {

/// The list, to be put into force. `keyring` adds what reads the secrets' key out of the kernel's
/// keyring.
[[nodiscard]] std::unique_ptr<SystemCallFilter> make_system_call_filter(bool keyring);

}  // namespace belljar::host
