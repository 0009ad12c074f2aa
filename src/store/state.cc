#include "store/state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "support/file.h"
#include "support/result.h"

namespace belljar::store {
namespace {

/// Each entry leads to the next version; entries are never changed once released.
constexpr std::array<std::string_view, 3> migrations{R"sql(
CREATE TABLE components (
  name TEXT PRIMARY KEY,
  reference TEXT NOT NULL,
  digest TEXT NOT NULL,
  added_at INTEGER NOT NULL
) STRICT;

-- A permission that a person gave. It holds for a component of this name and this very content.
CREATE TABLE grants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  component TEXT NOT NULL,
  digest TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  expires_at INTEGER,
  session TEXT,
  uses_left INTEGER,
  granted_at INTEGER NOT NULL,
  granted_by TEXT NOT NULL,
  channel TEXT NOT NULL,
  revoked_at INTEGER
) STRICT;
CREATE INDEX grants_by_component ON grants (component, digest) WHERE revoked_at IS NULL;

-- A policy file that a person approved as it was at that moment.
CREATE TABLE policies (
  component TEXT NOT NULL,
  digest TEXT NOT NULL,
  policy_digest TEXT NOT NULL,
  path TEXT NOT NULL,
  text TEXT NOT NULL,
  approved_at INTEGER NOT NULL,
  approved_by TEXT NOT NULL,
  channel TEXT NOT NULL,
  PRIMARY KEY (component, digest)
) STRICT;

-- What was refused, or asked for, so that a person can decide about it.
CREATE TABLE requests (
  id TEXT PRIMARY KEY,
  component TEXT NOT NULL,
  digest TEXT NOT NULL,
  grant_text TEXT NOT NULL,
  reason TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  times INTEGER NOT NULL,
  UNIQUE (component, digest, grant_text)
) STRICT;

CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  sealed BLOB NOT NULL,
  set_at INTEGER NOT NULL
) STRICT;
)sql",
                                                     R"sql(
CREATE INDEX requests_by_component ON requests (component, last_at);

-- What became of requests that do not wait any more, for who still has their id.
CREATE TABLE ended_requests (
  id TEXT PRIMARY KEY,
  component TEXT NOT NULL,
  digest TEXT NOT NULL,
  how TEXT NOT NULL,
  ended_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_requests_by_component ON ended_requests (component, ended_at);
)sql",
                                                     R"sql(
-- What lay at a granted folder when a person granted it. A grant without is of nothing.
ALTER TABLE grants ADD COLUMN identity TEXT NOT NULL DEFAULT '';
-- The same for each path of a policy, as JSON.
ALTER TABLE policies ADD COLUMN places TEXT NOT NULL DEFAULT '[]';
)sql"};

}  // namespace

std::span<const std::string_view> state_migrations() { return migrations; }

Result<std::unique_ptr<State>> State::open(Paths paths, const Clock& clock) {
  BELLJAR_CHECK(make_private_directory(paths.data));
  BELLJAR_TRY(auto database, Database::open(paths.data / "state.db", migrations));
  BELLJAR_TRY(GrantEpoch epoch, GrantEpoch::open(paths.data / "epoch"));
  BELLJAR_TRY(const MacKey mac_key, open_key_file(paths.data / "cache.key", MissingKey::make));
  return std::unique_ptr<State>(
      new State(std::move(paths), clock, std::move(database), std::move(epoch), mac_key));
}

Result<MacKey> open_key_file(const std::filesystem::path& path, MissingKey missing) {
  const auto failed = [&](std::string_view what) {
    return fail(ErrorCode::storage, "{}: {}", path.native(), what);
  };
  for (int attempt = 0; attempt < 2; ++attempt) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file) {
      struct stat status{};
      if (::fstat(file.get(), &status) != 0) return failed(errno_text(errno));
      if (!S_ISREG(status.st_mode)) return failed("this is not a file");
      if (status.st_uid != ::geteuid() || (status.st_mode & 0077) != 0) {
        return failed("others may read this key; it has to belong to you with mode 0600");
      }
      BELLJAR_TRY(const std::string data, read_all(file.get(), Bytes{64}));
      MacKey key{};
      if (data.size() != key.size()) return failed("not a key of 32 bytes");
      std::copy(data.begin(), data.end(), key.begin());
      return key;
    }
    if (errno != ENOENT) return failed(errno_text(errno));
    if (missing == MissingKey::fail) {
      return failed(
          "the key is not there; put it back from a backup, or set the secrets again: belljar "
          "secret set NAME");
    }
    const auto fresh = random_bytes<32>();
    // Written beside and linked into place, so that of two processes one wins and none sees half.
    auto temporary = path;
    temporary += "." + to_hex(random_bytes<8>());
    BELLJAR_CHECK(write_file_atomically(
        temporary, {reinterpret_cast<const char*>(fresh.data()), fresh.size()}, 0600));
    const int linked = ::link(temporary.c_str(), path.c_str());
    const int error = errno;
    ::unlink(temporary.c_str());
    if (linked != 0 && error != EEXIST) return failed(errno_text(error));
  }
  return failed("it appears and disappears");
}

}  // namespace belljar::store
