// The state directory: what outlives a process and is shared by many.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "store/database.h"
#include "store/grant_epoch.h"
#include "store/paths.h"
#include "support/clock.h"
#include "support/crypto.h"

namespace belljar::store {

/// An open state directory. Any number of processes may have the same one open. Any thread.
class State {
 public:
  /// Opens the directory, making what is missing.
  [[nodiscard]] static Result<std::unique_ptr<State>> open(Paths paths, const Clock& clock);

  [[nodiscard]] const Paths& paths() const noexcept { return paths_; }
  [[nodiscard]] Database& database() noexcept { return *database_; }
  [[nodiscard]] const GrantEpoch& epoch() const noexcept { return epoch_; }
  [[nodiscard]] GrantEpoch& epoch() noexcept { return epoch_; }
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
  /// Authenticates local files, such as compiled code.
  [[nodiscard]] const MacKey& mac_key() const noexcept { return mac_key_; }

 private:
  State(Paths paths, const Clock& clock, std::unique_ptr<Database> database, GrantEpoch epoch,
        MacKey mac_key)
      : paths_(std::move(paths)),
        clock_(clock),
        database_(std::move(database)),
        epoch_(std::move(epoch)),
        mac_key_(mac_key) {}

  Paths paths_;
  const Clock& clock_;
  std::unique_ptr<Database> database_;
  GrantEpoch epoch_;
  MacKey mac_key_;
};

/// Migrations of the state's database; backups check against them.
[[nodiscard]] std::span<const std::string_view> state_migrations();

/// What to do where a key is not there.
enum class MissingKey { fail, make };

/// Reads a 32-byte key from a file of mode 0600 that belongs to this user, or makes one.
[[nodiscard]] Result<MacKey> open_key_file(const std::filesystem::path& path, MissingKey missing);

}  // namespace belljar::store
