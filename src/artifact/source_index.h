// Remembers the digests of files, so that a large one is read again only when it has changed.
#pragma once

#include <filesystem>
#include <string>

#include "belljar/error.h"
#include "support/clock.h"
#include "support/crypto.h"
#include "support/file.h"

namespace belljar::artifact {

/// Digests by file identity (device, inode, size, times), each sealed with the user's key: whoever
/// can write the cache but not read the key cannot make one file pass for another.
class SourceIndex {
 public:
  SourceIndex(std::filesystem::path folder, const MacKey& key, const Clock& clock)
      : folder_(std::move(folder)), key_(key), clock_(clock) {}

  /// The digest of the file, in hexadecimal, where it is known and nothing has changed.
  [[nodiscard]] std::optional<std::string> find(const FileIdentity& identity) const;
  /// Remembers a digest. A file that changed a moment ago is left out: it could change again
  /// within the resolution of its times. A failure costs speed and nothing else.
  void remember(const FileIdentity& identity, const std::string& digest) const;

 private:
  [[nodiscard]] std::filesystem::path path_of(const FileIdentity& identity) const;

  std::filesystem::path folder_;
  const MacKey& key_;
  const Clock& clock_;
};

}  // namespace belljar::artifact
