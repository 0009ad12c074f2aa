// The system calls that a process makes which runs guests: all that are listed here, and no others.
#pragma once

namespace belljar::host {

/// Restricts this process, with all its threads, to the list. Whatever is not in it fails with
/// ENOSYS. `keyring` adds what reads the secrets' key out of the kernel's keyring. False if the
/// kernel cannot filter; then nothing is.
[[nodiscard]] bool restrict_system_calls(bool keyring);

}  // namespace belljar::host
