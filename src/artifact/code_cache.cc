#include "artifact/code_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

#include "support/result.h"
#include "support/text.h"

namespace belljar::artifact {
namespace {

constexpr const char* code_file = "code";
constexpr const char* description_file = "description";
constexpr const char* seal_file = "seal";
constexpr Bytes description_limit{64 << 20};
constexpr std::chrono::hours touch_interval{24};

std::string identity_text(const FileIdentity& identity) {
  return fmt::format("{} {} {} {} {}", identity.device, identity.inode, identity.size,
                     identity.modified_nanoseconds, identity.changed_nanoseconds);
}

/// The digest of what a descriptor leads to, from its beginning.
Result<std::string> digest_of(int descriptor) {
  Sha256Hasher hasher;
  std::array<char, 256 * 1024> buffer{};
  off_t offset = 0;
  while (true) {
    const ssize_t count = ::pread(descriptor, buffer.data(), buffer.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::storage, "reading failed: {}", errno_text(errno));
    if (count == 0) return to_hex(hasher.finish());
    hasher.update({buffer.data(), static_cast<std::size_t>(count)});
    offset += count;
  }
}

/// Whether only this user can change what a descriptor leads to. Code that somebody else may write
/// could be exchanged after it was looked at.
bool is_private(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 && status.st_uid == ::geteuid() &&
         !others_may_write(status);
}

bool is_private(const std::filesystem::path& folder) {
  const UniqueFd descriptor(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return descriptor && is_private(descriptor.get());
}

void remove_entry(const std::filesystem::path& entry) {
  std::error_code ignored;
  std::filesystem::remove_all(entry, ignored);
}

/// An entry that is still being written.
constexpr std::string_view new_prefix = ".new-";

/// The first line of every seal.
constexpr std::string_view format = "belljar-code 1";

}  // namespace

/// What stands in front of an entry's contents.
struct CodeCache::Seal {
  std::string identity;
  std::string code_digest;
  std::string description_digest;

  [[nodiscard]] std::string text(std::string_view name) const {
    return fmt::format("{}\n{}\n{}\n{}\n{}\n", format, name, identity, code_digest,
                       description_digest);
  }
};

std::filesystem::path CachedCode::path() const {
  return fmt::format("/proc/self/fd/{}", code.get());
}

std::optional<CachedCode> CodeCache::open(const std::filesystem::path& entry, std::string_view name,
                                          bool read_all_code) const {
  if (!is_private(folder_) || !is_private(entry)) return std::nullopt;
  const auto sealed = read_file(entry / seal_file, Bytes{4096});
  if (!sealed) return std::nullopt;
  const auto lines = split(*sealed, '\n');
  if (lines.size() != 7) return std::nullopt;
  const Seal seal{std::string(lines[2]), std::string(lines[3]), std::string(lines[4])};
  const auto mac = from_hex(lines[5]);
  const Mac wanted = authenticate(key_, seal.text(name));
  const bool authentic =
      lines[0] == format && lines[1] == name && mac &&
      equal_in_constant_time({reinterpret_cast<const std::uint8_t*>(mac->data()), mac->size()},
                             wanted);
  if (!authentic) return std::nullopt;

  CachedCode cached;
  auto code = open_regular_file(entry / code_file);
  if (!code || !is_private(code->get())) return std::nullopt;
  cached.code = *std::move(code);
  const auto identity = identify(cached.code.get());
  auto description = read_file(entry / description_file, description_limit);
  if (!identity || !description || to_hex(sha256(*description)) != seal.description_digest) {
    return std::nullopt;
  }
  if (read_all_code || identity_text(*identity) != seal.identity) {
    const auto digest = digest_of(cached.code.get());
    if (!digest || *digest != seal.code_digest) return std::nullopt;
    // The same contents in another file: a restored backup, a copied folder.
    static_cast<void>(
        write_seal(entry, name, *identity, seal.code_digest, seal.description_digest));
  }
  cached.size = Bytes{identity->size};
  cached.description = *std::move(description);
  return cached;
}

Result<void> CodeCache::write_seal(const std::filesystem::path& entry, std::string_view name,
                                   const FileIdentity& identity, const std::string& code_digest,
                                   const std::string& description_digest) const {
  const Seal seal{identity_text(identity), code_digest, description_digest};
  const std::string text = seal.text(name);
  return write_file_atomically(entry / seal_file,
                               fmt::format("{}{}\n", text, to_hex(authenticate(key_, text))), 0600);
}

std::optional<CachedCode> CodeCache::find(const std::string& digest,
                                          const std::string& fingerprint) const {
  const std::string name = fmt::format("{}-{}", digest, fingerprint);
  const auto entry = folder_ / name;
  auto cached = open(entry, name, false);
  std::error_code error;
  if (!cached) {
    if (std::filesystem::exists(entry, error)) remove_entry(entry);
    return cached;
  }
  // So that `trim` knows what is in use; once a day is enough to know.
  const auto seal = entry / seal_file;
  const auto touched = std::filesystem::last_write_time(seal, error);
  const auto now = std::filesystem::file_time_type::clock::now();
  if (!error && now - touched > touch_interval) std::filesystem::last_write_time(seal, now, error);
  return cached;
}

Result<CachedCode> CodeCache::add(const std::string& digest, const std::string& fingerprint,
                                  const engine::CompiledComponent& compiled) const {
  BELLJAR_CHECK(make_private_directory(folder_));
  const std::string name = fmt::format("{}-{}", digest, fingerprint);
  const auto temporary = folder_ / fmt::format("{}{}", new_prefix, to_hex(random_bytes<8>()));
  const auto write = [&]() -> Result<void> {
    BELLJAR_CHECK(make_private_directory(temporary));
    BELLJAR_CHECK(write_file_atomically(temporary / code_file, compiled.code, 0600));
    BELLJAR_CHECK(write_file_atomically(temporary / description_file, compiled.description, 0600));
    BELLJAR_TRY(const UniqueFd code, open_regular_file(temporary / code_file));
    BELLJAR_TRY(const FileIdentity identity, identify(code.get()));
    return write_seal(temporary, name, identity, to_hex(sha256(compiled.code)),
                      to_hex(sha256(compiled.description)));
  };
  auto written = write();
  if (written) {
    // Another process may have been faster with the same; then its entry is as good.
    if (::rename(temporary.c_str(), (folder_ / name).c_str()) != 0) remove_entry(temporary);
    if (auto cached = find(digest, fingerprint)) return *std::move(cached);
    written = fail(
        ErrorCode::storage,
        "{}: compiled code cannot be kept here; it has to be a folder, not a link, that only you "
        "may write to",
        folder_.native());
  }
  remove_entry(temporary);
  return std::unexpected(std::move(written).error());
}

CodeCache::Health CodeCache::check() const {
  Health health;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().native();
    if (name.starts_with('.')) continue;
    ++health.entries;
    if (const auto cached = open(entry.path(), name, true)) {
      health.size.value += cached->size.value;
    } else {
      ++health.bad;
    }
  }
  return health;
}

void CodeCache::trim(Bytes limit) const {
  struct Entry {
    std::filesystem::path path;
    std::filesystem::file_time_type used;
    std::uint64_t size;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    // What a process that was killed left half made. Nobody takes an hour to write an entry.
    if (entry.path().filename().native().starts_with(new_prefix)) {
      const auto made = std::filesystem::last_write_time(entry.path(), error);
      if (!error && now - made > std::chrono::hours(1)) remove_entry(entry.path());
      continue;
    }
    Entry found{entry.path(), std::filesystem::last_write_time(entry.path() / seal_file, error), 0};
    found.size = std::filesystem::file_size(entry.path() / code_file, error);
    if (error) continue;
    total += found.size;
    entries.push_back(std::move(found));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= limit.value) return;
    remove_entry(entry.path);
    total -= entry.size;
  }
}

}  // namespace belljar::artifact
