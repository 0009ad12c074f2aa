// Files of the state and of the cache, which somebody else may have written.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "artifact/code_cache.h"
#include "artifact/reference.h"
#include "artifact/source_index.h"
#include "runtime/config.h"
#include "support/file.h"
#include "targets.h"

namespace belljar::fuzz {
namespace {

/// A folder in memory, for as long as the process runs.
const std::filesystem::path& folder() {
  static const struct Folder {
    std::filesystem::path path =
        fmt::format("/dev/shm/belljar-fuzz-{}", static_cast<int>(::getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } made;
  return made.path;
}

void put(const std::filesystem::path& path, std::string_view contents) {
  std::filesystem::create_directories(path.parent_path());
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  static_cast<void>(write_all(file.get(), contents));
}

}  // namespace

void config(std::string_view input) {
  const auto path = folder() / "belljar.toml";
  put(path, input);
  static_cast<void>(runtime::read_config(path));
  static_cast<void>(artifact::parse_reference(input));
}

void code_cache(std::string_view input) {
  const MacKey key{7};
  const std::string name = "digest-fingerprint";
  const auto entry = folder() / "code" / name;
  const artifact::CodeCache cache(folder() / "code", key);
  // Once as it is, and once as if whoever wrote it had the key.
  for (const bool sealed : {false, true}) {
    put(entry / "code", "native code");
    put(entry / "description", "{}");
    put(entry / "seal", sealed ? fmt::format("{}{}\n", input, to_hex(authenticate(key, input)))
                               : std::string(input));
    const auto found = cache.find("digest", "fingerprint");
    require(!found || sealed, "code without a seal of this key is not run");
  }
  const SystemClock clock;
  const FileIdentity identity{1, 2, 3, 4, 5};
  const artifact::SourceIndex index(folder(), key, clock);
  put(folder() / "1-2", input);
  require(!index.find(identity), "a digest without a seal of this key is not believed");
}

}  // namespace belljar::fuzz
