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
  /// Programs to run, with what they are made of.
  std::vector<std::filesystem::path> executable;
  /// The kernel's keyring is where the secrets' key is.
  bool keyring = false;
};

/// What could be done on this machine.
struct Confinement {
  /// Zero where the kernel has no Landlock.
  int landlock_version = 0;
  bool system_calls_filtered = false;
};

/// Confines this process: the file system by Landlock, system calls by seccomp, no core dumps, no
/// new privileges, not to be traced. Cannot be taken back. Call it before the process has other
/// threads: Landlock binds the calling thread and those that it starts.
[[nodiscard]] Result<Confinement> confine(const ConfinementRules& rules);

/// What every confined process may read: the settings of name resolution, certificates, devices
/// without a memory.
[[nodiscard]] std::vector<std::filesystem::path> usual_readable_paths();
/// The folders of shared libraries, for programs that are run.
[[nodiscard]] std::vector<std::filesystem::path> library_paths();

/// The version of Landlock that the kernel offers; zero for none.
[[nodiscard]] int landlock_version();

}  // namespace belljar::host
