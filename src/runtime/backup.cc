#include "runtime/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "audit/chain.h"
#include "runtime/archive_library.h"
#include "runtime/control.h"
#include "store/database.h"
#include "store/state.h"
#include "support/crypto.h"
#include "support/file.h"
#include "support/result.h"

namespace belljar::runtime {
namespace {

constexpr std::array<const char*, 2> databases{"state.db", "audit.db"};
constexpr std::array<const char*, 2> keys{"cache.key", "secret.key"};
constexpr Bytes key_limit{4 * 1024};
constexpr Bytes database_limit{std::uint64_t{64} << 30};
constexpr std::size_t block = 1 << 20;

using ArchiveWriter = std::unique_ptr<archive, decltype(&::archive_write_free)>;
using ArchiveReader = std::unique_ptr<archive, decltype(&::archive_read_free)>;
using ArchiveEntry = std::unique_ptr<archive_entry, decltype(&::archive_entry_free)>;

std::unexpected<Error> archive_failure(const ArchiveLibrary& library,
                                       const std::filesystem::path& path, archive* handle) {
  const char* const text = library.archive_error_string(handle);
  return fail(ErrorCode::storage, "{}: {}", path.native(), text == nullptr ? "failed" : text);
}

/// A folder that is removed when this is destroyed.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

Result<void> copy_database(const std::filesystem::path& from, const std::filesystem::path& to,
                           std::span<const std::string_view> migrations) {
  BELLJAR_TRY(auto database, store::Database::open(from, migrations));
  BELLJAR_TRY(auto copy, database->prepare("VACUUM INTO ?"));
  return copy.bind(to.native()).run();
}

std::span<const std::string_view> migrations_of(std::string_view name) {
  return name == databases[0] ? store::state_migrations() : audit::log_migrations();
}

Result<void> add_file(const ArchiveLibrary& library, archive* writer,
                      const std::filesystem::path& file, const char* name,
                      BackupContents& contents) {
  BELLJAR_TRY(const UniqueFd source, open_regular_file(file));
  BELLJAR_TRY(const FileIdentity identity, identify(source.get()));
  const ArchiveEntry entry(library.archive_entry_new(), library.archive_entry_free);
  library.archive_entry_set_pathname(entry.get(), name);
  library.archive_entry_set_size(entry.get(), static_cast<la_int64_t>(identity.size));
  library.archive_entry_set_filetype(entry.get(), AE_IFREG);
  library.archive_entry_set_perm(entry.get(), 0600);
  if (library.archive_write_header(writer, entry.get()) != ARCHIVE_OK)
    return archive_failure(library, file, writer);
  std::string buffer(block, '\0');
  while (true) {
    const ssize_t count = ::read(source.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::storage, "{}: {}", file.native(), errno_text(errno));
    if (count == 0) break;
    if (library.archive_write_data(writer, buffer.data(), static_cast<std::size_t>(count)) < 0) {
      return archive_failure(library, file, writer);
    }
  }
  contents.files.emplace_back(name);
  contents.size.value += identity.size;
  return {};
}

Result<void> write_archive(const ArchiveLibrary& library, int descriptor,
                           const std::filesystem::path& path, const std::filesystem::path& copies,
                           const std::filesystem::path& data, BackupContents& contents) {
  const ArchiveWriter writer(library.archive_write_new(), library.archive_write_free);
  library.archive_write_set_format_pax_restricted(writer.get());
  library.archive_write_add_filter_gzip(writer.get());
  if (library.archive_write_open_fd(writer.get(), descriptor) != ARCHIVE_OK) {
    return archive_failure(library, path, writer.get());
  }
  for (const char* const name : databases) {
    BELLJAR_CHECK(add_file(library, writer.get(), copies / name, name, contents));
  }
  for (const char* const name : keys) {
    std::error_code error;
    if (!std::filesystem::exists(data / name, error)) continue;
    BELLJAR_CHECK(add_file(library, writer.get(), data / name, name, contents));
    contents.secret_key |= std::string_view(name) == "secret.key";
  }
  if (library.archive_write_close(writer.get()) != ARCHIVE_OK)
    return archive_failure(library, path, writer.get());
  return {};
}

/// Unpacks one member. Only names that a backup has are taken, each once.
Result<void> take_member(const ArchiveLibrary& library, archive* reader, archive_entry* entry,
                         const std::filesystem::path& archive, const std::filesystem::path& folder,
                         BackupContents& contents) {
  const char* const name = library.archive_entry_pathname(entry);
  const std::string_view wanted = name == nullptr ? "" : name;
  const bool database = std::find(databases.begin(), databases.end(), wanted) != databases.end();
  const bool key = std::find(keys.begin(), keys.end(), wanted) != keys.end();
  const bool again =
      std::find(contents.files.begin(), contents.files.end(), wanted) != contents.files.end();
  if ((!database && !key) || again || library.archive_entry_filetype(entry) != AE_IFREG) {
    return fail(ErrorCode::invalid_argument, "{}: this is no backup that belljar made",
                archive.native());
  }
  const auto path = folder / std::string(wanted);
  const UniqueFd target(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target) return fail(ErrorCode::storage, "{}: {}", path.native(), errno_text(errno));
  const Bytes limit = database ? database_limit : key_limit;
  std::string buffer(block, '\0');
  std::uint64_t total = 0;
  while (true) {
    const la_ssize_t count = library.archive_read_data(reader, buffer.data(), buffer.size());
    if (count < 0) return archive_failure(library, archive, reader);
    if (count == 0) break;
    total += static_cast<std::uint64_t>(count);
    if (total > limit.value) {
      return fail(ErrorCode::invalid_argument, "{}: {} in it is too large", archive.native(),
                  wanted);
    }
    BELLJAR_CHECK(write_all(target.get(), {buffer.data(), static_cast<std::size_t>(count)}));
  }
  if (::fsync(target.get()) != 0) return fail(ErrorCode::storage, "{}", errno_text(errno));
  contents.files.emplace_back(wanted);
  contents.size.value += total;
  contents.secret_key |= wanted == "secret.key";
  return {};
}

Result<BackupContents> unpack(const std::filesystem::path& file,
                              const std::filesystem::path& folder) {
  const ArchiveLibrary library;
  BELLJAR_CHECK(library.opened());
  BELLJAR_TRY(const UniqueFd source, open_regular_file(file));
  const ArchiveReader reader(library.archive_read_new(), library.archive_read_free);
  library.archive_read_support_filter_gzip(reader.get());
  library.archive_read_support_format_tar(reader.get());
  if (library.archive_read_open_fd(reader.get(), source.get(), block) != ARCHIVE_OK) {
    return fail(ErrorCode::invalid_argument, "{}: this is no backup that belljar made",
                file.native());
  }
  BackupContents contents;
  while (true) {
    archive_entry* entry = nullptr;
    const int status = library.archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK) {
      return fail(ErrorCode::invalid_argument,
                  "{}: this is no backup that belljar made, or a "
                  "damaged one",
                  file.native());
    }
    BELLJAR_CHECK(take_member(library, reader.get(), entry, file, folder, contents));
  }
  return contents;
}

/// Whether what was unpacked can be used by this version.
Result<void> check_databases(const std::filesystem::path& folder) {
  for (const char* const name : databases) {
    std::error_code error;
    if (!std::filesystem::exists(folder / name, error)) {
      return fail(ErrorCode::invalid_argument, "the backup lacks {}", name);
    }
    // Before anything in it is run, as opening it for use would.
    const auto schema = store::Database::check_schema(folder / name, migrations_of(name));
    if (!schema) {
      return fail(ErrorCode::invalid_argument, "{} in the backup cannot be used: {}", name,
                  schema.error().message());
    }
    BELLJAR_TRY(auto database, store::Database::open(folder / name, migrations_of(name)));
    BELLJAR_TRY(auto check, database->prepare("PRAGMA quick_check(1)"));
    BELLJAR_TRY(const bool row, check.step());
    if (!row || check.text(0) != "ok") {
      return fail(ErrorCode::invalid_argument, "{} in the backup is damaged", name);
    }
  }
  return {};
}

}  // namespace

Result<BackupContents> make_backup(const Settings& settings, const std::filesystem::path& file) {
  const ArchiveLibrary library;
  BELLJAR_CHECK(library.opened());
  const auto& data = settings.paths.data;
  BELLJAR_CHECK(make_private_directory(data));
  const TemporaryFolder copies(data / fmt::format("backup-{}", to_hex(random_bytes<6>())));
  BELLJAR_CHECK(make_private_directory(copies.path()));
  for (const char* const name : databases) {
    BELLJAR_CHECK(
        in_context(copy_database(data / name, copies.path() / name, migrations_of(name)), name));
  }
  const UniqueFd target(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target) {
    return fail(errno == EEXIST ? ErrorCode::conflict : ErrorCode::storage, "{}: {}", file.native(),
                errno == EEXIST ? "it is there already; give another name" : errno_text(errno));
  }
  BackupContents contents;
  auto written = write_archive(library, target.get(), file, copies.path(), data, contents);
  if (written && ::fsync(target.get()) != 0) {
    written = fail(ErrorCode::storage, "{}: {}", file.native(), errno_text(errno));
  }
  if (!written) {
    ::unlink(file.c_str());
    return std::unexpected(std::move(written).error());
  }
  return contents;
}

Result<BackupContents> restore_backup(const Settings& settings, const std::filesystem::path& file,
                                      Replace replace) {
  const auto& data = settings.paths.data;
  std::error_code error;
  const bool there = std::filesystem::exists(data / databases[0], error);
  if (there && replace == Replace::no) {
    return fail(ErrorCode::conflict,
                "there is state in {} already; to put the backup in its place: --replace",
                data.native());
  }
  const auto servers = ask_servers(settings.paths.run, {{"do", "list"}}, std::chrono::seconds(5));
  if (!servers.empty()) {
    return fail(ErrorCode::unavailable,
                "{} server(s) of yours run and use the state; end them first (belljar list)",
                servers.size());
  }
  BELLJAR_CHECK(make_private_directory(data));
  const TemporaryFolder fresh(data.parent_path() /
                              fmt::format(".belljar-restore-{}", to_hex(random_bytes<6>())));
  BELLJAR_CHECK(make_private_directory(fresh.path()));
  BELLJAR_TRY(BackupContents contents, unpack(file, fresh.path()));
  BELLJAR_CHECK(check_databases(fresh.path()));
  // At once: at no moment is there half of one state and half of another.
  if (::syscall(SYS_renameat2, AT_FDCWD, fresh.path().c_str(), AT_FDCWD, data.c_str(),
                RENAME_EXCHANGE) != 0) {
    return fail(ErrorCode::storage, "{}: {}", data.native(), errno_text(errno));
  }
  return contents;
}

}  // namespace belljar::runtime
