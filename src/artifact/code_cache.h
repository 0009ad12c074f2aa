// Compiled code, kept so that a component is compiled once.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "belljar/error.h"
#include "engine/engine.h"
#include "support/crypto.h"
#include "support/file.h"
#include "support/units.h"

namespace belljar::artifact {

/// Compiled code, open and checked.
struct CachedCode {
  UniqueFd code;
  /// A path that leads to the very descriptor that was checked.
  [[nodiscard]] std::filesystem::path path() const;
  /// The component's description, as JSON.
  std::string description;
  Bytes size;
};

/// A folder of compiled code. Entries are named after the component's digest and everything that
/// the code depends on, sealed with the user's key, put in place whole and never changed.
///
/// Entries that anybody else may write to are not used.
///
/// An entry's code is read and hashed when it is written, and again whenever the file is not the
/// very one (device, inode, size, times) that the seal names; otherwise the folder, which only
/// this user can write, is trusted: hashing takes longer than loading.
class CodeCache {
 public:
  CodeCache(std::filesystem::path folder, const MacKey& key)
      : folder_(std::move(folder)), key_(key) {}

  /// The code of the component with this digest, compiled for `fingerprint`. Nothing where there
  /// is no entry or a bad one, which is removed.
  [[nodiscard]] std::optional<CachedCode> find(const std::string& digest,
                                               const std::string& fingerprint) const;
  /// Adds an entry and gives it back, open.
  [[nodiscard]] Result<CachedCode> add(const std::string& digest, const std::string& fingerprint,
                                       const engine::CompiledComponent& compiled) const;

  struct Health {
    std::size_t entries = 0;
    Bytes size;
    /// Entries whose seal or contents do not fit.
    std::size_t bad = 0;
  };
  /// Reads every entry in full.
  [[nodiscard]] Health check() const;
  /// Removes the entries that were used longest ago until this much is left.
  void trim(Bytes limit) const;

 private:
  struct Seal;
  [[nodiscard]] std::optional<CachedCode> open(const std::filesystem::path& entry,
                                               std::string_view name, bool read_all_code) const;
  [[nodiscard]] Result<void> write_seal(const std::filesystem::path& entry, std::string_view name,
                                        const FileIdentity& identity,
                                        const std::string& code_digest,
                                        const std::string& description_digest) const;

  std::filesystem::path folder_;
  const MacKey& key_;
};

}  // namespace belljar::artifact
