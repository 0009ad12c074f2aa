#include "store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "support/file.h"
#include "support/result.h"

namespace belljar::store {
namespace {

/// How long a writer waits for another process's transaction.
constexpr std::chrono::milliseconds busy_time{10'000};

/// A write-ahead log that grew beyond this while somebody read is cut when it is used anew.
constexpr int kept_write_ahead_log = 4 << 20;

/// Stands between what was done and why it failed.
constexpr std::string_view before_cause = ": ";

std::string cause(sqlite3* connection) {
  const int code = sqlite3_extended_errcode(connection) & 0xFF;
  if (code == SQLITE_BUSY) return "another process holds it";
  if (code == SQLITE_FULL) return "no space is left on the disk";
  if (code == SQLITE_READONLY) return "it may not be written to";
  if (code == SQLITE_IOERR) {
    const int error = sqlite3_system_errno(connection);
    if (error == EFBIG) return "this process may not make its files any larger (ulimit -f)";
    return error != 0 ? errno_text(error) : std::string("the disk failed");
  }
  return sqlite3_errmsg(connection);
}

std::unexpected<Error> failed(sqlite3* connection, std::string_view doing) {
  const bool busy = (sqlite3_extended_errcode(connection) & 0xFF) == SQLITE_BUSY;
  return fail(busy ? ErrorCode::unavailable : ErrorCode::storage, "the state database: {}{}{}",
              doing, before_cause, cause(connection));
}

}  // namespace

std::string_view cause_of(const Error& failure) {
  const std::string_view message = failure.message();
  const std::size_t last = message.rfind(before_cause);
  return last == std::string_view::npos ? message : message.substr(last + before_cause.size());
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::check(int code) {
  if (code != SQLITE_OK && failure_ == SQLITE_OK) failure_ = code;
}

Statement& Statement::bind(std::string_view text) {
  check(sqlite3_bind_text64(statement_.get(), next_parameter_++, text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(std::int64_t number) {
  check(sqlite3_bind_int64(statement_.get(), next_parameter_++, number));
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  check(sqlite3_bind_blob64(statement_.get(), next_parameter_++, bytes.data(), bytes.size(),
                            SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_optional(const std::optional<std::string>& text) {
  if (text) return bind(std::string_view(*text));
  check(sqlite3_bind_null(statement_.get(), next_parameter_++));
  return *this;
}

Statement& Statement::bind_optional(const std::optional<std::int64_t>& number) {
  if (number) return bind(*number);
  check(sqlite3_bind_null(statement_.get(), next_parameter_++));
  return *this;
}

Result<bool> Statement::step() {
  if (failure_ == SQLITE_OK) {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
  }
  return failed(sqlite3_db_handle(statement_.get()), "a statement failed");
}

Result<bool> Statement::found() {
  bool any = false;
  while (true) {
    BELLJAR_TRY(const bool row, step());
    if (!row) return any;
    any = true;
  }
}

Result<void> Statement::run() {
  BELLJAR_TRY(const bool row, step());
  static_cast<void>(row);
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  next_parameter_ = 1;
  failure_ = SQLITE_OK;
}

std::string Statement::text(int column) const {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return text(column);
}

std::optional<std::int64_t> Statement::optional_number(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return number(column);
}

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path,
                                                 std::span<const std::string_view> migrations,
                                                 Mode mode) {
  // SQLite follows no link in any part of a path then, and a home may lie behind one.
  std::error_code error;
  const auto place = std::filesystem::canonical(path.parent_path(), error) / path.filename();
  if (mode == Mode::read_write && !error) {
    // Only for this user, as are the side files, which take after the database.
    const UniqueFd made(
        ::open(place.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  }
  sqlite3* connection = nullptr;
  const int flags = (mode == Mode::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  const int code = sqlite3_open_v2(place.c_str(), &connection, flags, nullptr);
  std::unique_ptr<Database> database(new Database(connection));
  const auto doing = [&] { return fmt::format("opening {}", path.native()); };
  Result<void> ready;
  if (code != SQLITE_OK) {
    ready = failed(connection, doing());
  } else {
    sqlite3_extended_result_codes(connection, 1);
    database->wait_for_others(busy_time);
    if (mode == Mode::read_write) {
      // The write-ahead log stays when the last process closes the database. To fold it in and to
      // make another costs five waits for the disk, to read a short one next time costs none.
      sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
      ready = database->use_write_ahead_log();
      if (ready) {
        ready = database->execute(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 256;");
      }
      if (ready) {
        ready =
            database->execute(fmt::format("PRAGMA journal_size_limit = {}", kept_write_ahead_log));
      }
    }
    if (ready) ready = database->migrate(migrations, mode);
  }
  if (!ready) return std::unexpected(std::move(ready).error().with_context(path.native()));
  return database;
}

Result<void> Database::check_schema(const std::filesystem::path& path,
                                    std::span<const std::string_view> migrations) {
  const auto open_raw = [](const char* name, int flags) {
    sqlite3* connection = nullptr;
    // A failure to open is what the first statement reports.
    static_cast<void>(sqlite3_open_v2(name, &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr));
    return std::unique_ptr<Database>(new Database(connection));
  };
  const auto objects = [](Database& database) -> Result<std::vector<std::string>> {
    BELLJAR_TRY(Statement rows,
                database.prepare("SELECT type || ' ' || name || ' ' || tbl_name || ' ' || "
                                 "ifnull(sql, '') FROM sqlite_master ORDER BY 1"));
    std::vector<std::string> found;
    while (true) {
      BELLJAR_TRY(const bool row, rows.step());
      if (!row) return found;
      found.push_back(rows.text(0));
    }
  };
  const auto given = open_raw(path.c_str(), SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW);
  BELLJAR_TRY(Statement version, given->prepare("PRAGMA user_version"));
  BELLJAR_CHECK(version.step());
  // One of a newer program is refused when it is opened.
  if (version.number(0) > static_cast<std::int64_t>(migrations.size())) return {};
  if (version.number(0) < 1) return fail(ErrorCode::storage, "it holds nothing of Belljar's");
  const auto model = open_raw(":memory:", SQLITE_OPEN_READWRITE);
  for (const std::string_view migration :
       migrations.first(static_cast<std::size_t>(version.number(0)))) {
    BELLJAR_CHECK(model->execute(migration));
  }
  BELLJAR_TRY(const auto found, objects(*given));
  BELLJAR_TRY(const auto expected, objects(*model));
  if (found != expected) {
    return fail(ErrorCode::storage,
                "it holds other tables, views or triggers than Belljar makes: somebody has put "
                "them there");
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return failed(connection_.get(), "a statement is wrong");
  return Statement(statement);
}

Result<void> Database::execute(std::string_view sql) {
  const std::string terminated(sql);
  if (sqlite3_exec(connection_.get(), terminated.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failed(connection_.get(), "a statement failed");
  }
  return {};
}

std::chrono::milliseconds Database::wait_for_others(std::chrono::milliseconds time) {
  sqlite3_busy_timeout(connection_.get(), static_cast<int>(time.count()));
  return std::exchange(patience_, time);
}

Result<void> Database::use_write_ahead_log() {
  const auto end = std::chrono::steady_clock::now() + busy_time;
  while (true) {
    auto done = execute("PRAGMA journal_mode = WAL");
    // Two processes that both open a new database hold each other up, and SQLite tells one of them
    // at once instead of waiting.
    const bool again = !done && done.error().code() == ErrorCode::unavailable &&
                       std::chrono::steady_clock::now() < end;
    if (!again) return done;
    sqlite3_sleep(1);
  }
}

Result<void> Database::migrate(std::span<const std::string_view> migrations, Mode mode) {
  const auto version = [&]() -> Result<std::int64_t> {
    BELLJAR_TRY(Statement statement, prepare("PRAGMA user_version"));
    BELLJAR_CHECK(statement.step());
    return statement.number(0);
  };
  const auto newest = static_cast<std::int64_t>(migrations.size());
  BELLJAR_TRY(std::int64_t current, version());
  if (current == newest) return {};
  if (current < newest && mode == Mode::read_write) {
    // The version is read again under the write lock: another process may have been faster.
    BELLJAR_TRY(Transaction transaction, Transaction::begin(*this));
    BELLJAR_TRY(current, version());
    for (; current < newest; ++current) {
      BELLJAR_CHECK(execute(migrations[static_cast<std::size_t>(current)]));
      BELLJAR_CHECK(execute(fmt::format("PRAGMA user_version = {}", current + 1)));
    }
    BELLJAR_CHECK(transaction.commit());
  }
  if (current > newest) {
    return fail(ErrorCode::storage,
                "it was written by a newer Belljar (schema {}, this one knows {}); upgrade this "
                "program, or point BELLJAR_HOME to another folder",
                current, newest);
  }
  if (current < newest) {
    return fail(ErrorCode::storage, "it has an older schema and cannot be written to");
  }
  return {};
}

Result<Transaction> Transaction::begin(Database& database) {
  BELLJAR_CHECK(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // Nothing can be done about a failure here; the next statement will report the connection.
  static_cast<void>(database_->execute("ROLLBACK"));
}

Result<void> Transaction::commit() {
  BELLJAR_CHECK(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace belljar::store
