// The state directory as one file, and back.
#pragma once

#include <filesystem>
#include <vector>

#include "belljar/error.h"
#include "runtime/launch.h"
#include "support/units.h"

namespace belljar::runtime {

/// What an archive holds.
struct BackupContents {
  std::vector<std::string> files;
  Bytes size;
  /// Whether the key that opens the secrets is in it.
  bool secret_key = false;
};

/// Writes the state into a compressed tar archive of mode 0600. Databases are copied as they are at
/// one moment, also while servers write to them. A file that is there already is an error.
[[nodiscard]] Result<BackupContents> make_backup(const Settings& settings,
                                                 const std::filesystem::path& file);

enum class Replace { no, yes };

/// Puts an archive in the place of the state: everything is unpacked and checked first, and then
/// exchanged at once. State that is there is only replaced where `replace` says so, and never while
/// servers run.
[[nodiscard]] Result<BackupContents> restore_backup(const Settings& settings,
                                                    const std::filesystem::path& file,
                                                    Replace replace);

}  // namespace belljar::runtime
