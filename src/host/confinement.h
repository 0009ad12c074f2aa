// A process that gives up what it will not need.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "belljar/error.h"

namespace belljar::host {

/// What a confined process keeps.
struct ConfinementRules {
  /// Folders to read and write below.
  std::vector<std::filesystem::path> writable;
  /// Files and folders to read. Those that do not exist are left out.
  std::vector<std::filesystem::path> readable;
  /// The kernel's keyring is where the secrets' key is.
  bool keyring = false;
};

/// What can be done on this machine, or was done.
struct Confinement {
  /// Zero if the kernel has no Landlock.
  int landlock_version = 0;
  bool system_calls_filtered = false;
};

/// Confines this process: the file system by Landlock; system calls by a list of those that are
/// allowed (`system_calls.h`); no core dumps, no capabilities, no new privileges, not to be traced.
/// It can start no process and no program. Cannot be taken back. Call it before the process has
/// other threads: Landlock binds the calling thread and those that it starts. Fails if a standard
/// stream is something that could be pointed elsewhere afterwards.
[[nodiscard]] Result<Confinement> confine(const ConfinementRules& rules);

/// The part of it that every kernel has: capabilities, new privileges, core dumps, tracing.
[[nodiscard]] Result<void> give_up_privileges();

/// Refuses standard streams that are neither files, pipes, devices nor connected sockets: a socket
/// that can still be connected reaches every service of the machine, whatever is filtered.
[[nodiscard]] Result<void> check_streams();

/// What every confined process may read: the settings of name resolution, certificates, devices
/// without a memory, the libraries that are opened when they are needed.
[[nodiscard]] std::vector<std::filesystem::path> usual_readable_paths();

/// The version of Landlock that the kernel offers; zero for none.
[[nodiscard]] int landlock_version();

/// What a server that was taken over could do on a kernel that offers only this, each in words that
/// follow "it could". Empty if the kernel offers all that Belljar asks for.
[[nodiscard]] std::vector<std::string> left_open(const Confinement& offered);

}  // namespace belljar::host
