// SQLite, with errors as values and schema versions that only go up.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "belljar/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace belljar::store {

class Database;

/// The part of a database's failure that says why: what the disk or the other process did.
[[nodiscard]] std::string_view cause_of(const Error& failure);

/// A prepared statement. Bind with `bind`, then `step` until it says that there are no more rows.
/// Errors stick: the first one is what `step` reports.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  /// Binds the next parameter.
  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_optional(const std::optional<std::string>& text);
  Statement& bind_optional(const std::optional<std::int64_t>& number);

  /// True where there is a row; false at the end.
  [[nodiscard]] Result<bool> step();
  /// Runs to the end and tells whether there was a row: for changes that return what they touched.
  /// Only the last step commits them, and can fail at that.
  [[nodiscard]] Result<bool> found();
  /// For statements without rows.
  [[nodiscard]] Result<void> run();
  /// Makes the statement ready to be bound and stepped again.
  void reset();

  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::optional<std::string> optional_text(int column) const;
  [[nodiscard]] std::optional<std::int64_t> optional_number(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void check(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_parameter_ = 1;
  int failure_ = 0;
};

/// One connection. Not for several threads at once: `lock` guards it where it is shared.
class Database {
 public:
  enum class Mode { read_write, read_only };

  /// Opens or makes a database in WAL mode and brings it to the newest schema: `migrations[n]`
  /// leads from version n to n + 1, each in a transaction of its own. A database with a newer
  /// schema than that is refused.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(
      const std::filesystem::path& path, std::span<const std::string_view> migrations,
      Mode mode = Mode::read_write);

  /// Whether a database holds the tables and indexes of its schema version, as the migrations make
  /// them, and nothing else: no trigger or view, which would act with what is read or written
  /// later. Nothing is changed in it, and nothing that it holds is run. One with a newer schema is
  /// for `open` to refuse.
  [[nodiscard]] static Result<void> check_schema(const std::filesystem::path& path,
                                                 std::span<const std::string_view> migrations);

  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  [[nodiscard]] Result<void> execute(std::string_view sql);
  /// How long statements wait for another process's transaction from now on; ten seconds until
  /// this is called. Returns how long they did before.
  std::chrono::milliseconds wait_for_others(std::chrono::milliseconds time);

  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}
  [[nodiscard]] Result<void> use_write_ahead_log();
  [[nodiscard]] Result<void> migrate(std::span<const std::string_view> migrations, Mode mode);

  std::unique_ptr<sqlite3, Close> connection_;
  std::chrono::milliseconds patience_{0};
  std::mutex mutex_;
};

/// A transaction that holds the write lock from its start; it is undone unless it was committed.
class Transaction {
 public:
  [[nodiscard]] static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  [[nodiscard]] Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace belljar::store
