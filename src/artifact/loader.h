// From a file to a component that is ready to be loaded into the engine.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "artifact/code_cache.h"
#include "artifact/source_index.h"
#include "belljar/error.h"
#include "engine/compiler.h"
#include "engine/wit.h"

namespace belljar::artifact {

/// A component, compiled and described.
struct Artifact {
  std::filesystem::path path;
  /// SHA-256 of the file, in hexadecimal.
  std::string digest;
  Bytes size;
  engine::Description description;
  CachedCode code;
};

/// Finds digests, compiles what is new, keeps what was compiled. Any thread.
class Loader {
 public:
  struct Options {
    std::filesystem::path cache;
    /// The largest file that is read.
    Bytes file_limit{std::uint64_t{512} << 20};
    /// What the cache may grow to.
    Bytes cache_limit{std::uint64_t{8} << 30};
    /// Opens a file for reading, where this process may not do it by itself.
    std::function<Result<UniqueFd>(const std::filesystem::path&)> open_file = open_regular_file;
  };

  Loader(Options options, const engine::Compiler& compiler, const MacKey& key, const Clock& clock);

  /// The digest of a file.
  [[nodiscard]] Result<std::string> digest(const std::filesystem::path& path) const;
  /// Everything about a file. `progress` is called while it is compiled.
  [[nodiscard]] Result<Artifact> load(const std::filesystem::path& path, bool fuel,
                                      const std::stop_token& stop = {},
                                      const engine::Compiler::Progress& progress = {}) const;
  /// The description of content that was loaded before, while its compiled code is kept.
  [[nodiscard]] std::optional<engine::Description> find_description(
      const std::string& digest) const;
  [[nodiscard]] const CodeCache& cache() const noexcept { return codes_; }

 private:
  struct Source;
  [[nodiscard]] Result<Source> open(const std::filesystem::path& path) const;
  [[nodiscard]] Result<std::string> fingerprint(bool fuel) const;

  Options options_;
  const engine::Compiler& compiler_;
  SourceIndex sources_;
  CodeCache codes_;
  mutable std::mutex mutex_;
  mutable std::map<bool, std::string> fingerprints_;
};

}  // namespace belljar::artifact
