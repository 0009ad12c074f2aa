// Writes the audit log: a bounded queue, groups, one hash chain a process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/record.h"
#include "belljar/error.h"
#include "store/database.h"
#include "support/clock.h"

namespace belljar::audit {

/// Takes records. A fake in tests keeps them.
class Log {
 public:
  virtual ~Log() = default;
  /// Queues a record. Where the queue is full this waits: nothing is ever dropped.
  virtual void append(Record record) = 0;
  /// Calls `done` once everything appended so far is on disk, or with false where that fails.
  /// From any thread, perhaps before this returns.
  virtual void when_durable(std::move_only_function<void(bool)> done) = 0;

  /// Appends and waits until it is on disk.
  [[nodiscard]] Result<void> append_durably(Record record);
};

/// Keeps nothing; for benchmarks of what the log costs.
class NullLog final : public Log {
 public:
  void append(Record) override {}
  void when_durable(std::move_only_function<void(bool)> done) override { done(true); }
};

struct WriterOptions {
  /// Records that wait at most this long before they are written as a group.
  std::chrono::milliseconds group{50};
  std::size_t queue = 8'192;
  /// How long a failing disk is tried before waiters are told.
  std::chrono::milliseconds patience{5'000};
};

/// The log of one process. It opens a chain with a `start` record and closes it with `stop`.
class Writer final : public Log {
 public:
  /// Opens the database at `path` and begins a chain. `details` go into the start record.
  [[nodiscard]] static Result<std::unique_ptr<Writer>> open(const std::filesystem::path& path,
                                                            const Clock& clock, std::string details,
                                                            WriterOptions options = {});
  /// Writes what is queued and closes the chain.
  ~Writer() override;

  void append(Record record) override;
  void when_durable(std::move_only_function<void(bool)> done) override;

  [[nodiscard]] const std::string& chain() const noexcept { return chain_; }

 private:
  Writer(std::unique_ptr<store::Database> database, const Clock& clock, WriterOptions options);
  void run();
  [[nodiscard]] Result<void> write(std::vector<Record>& group);
  /// What an anchor record says of other chains, and what is known of them after it.
  struct Anchors {
    std::string details;
    std::vector<std::pair<std::string, std::int64_t>> sequences;
    std::int64_t until = 0;
  };
  [[nodiscard]] Result<Anchors> anchors() const;
  [[nodiscard]] Result<void> insert(store::Statement& statement, const Record& record);

  using Waiter = std::move_only_function<void(bool)>;

  std::unique_ptr<store::Database> database_;
  const Clock& clock_;
  WriterOptions options_;
  std::string chain_;

  // Only the writing thread touches these.
  std::int64_t sequence_ = 0;
  Sha256 head_{};
  /// The sequences of other chains that this one's anchors name.
  std::map<std::string, std::int64_t> anchored_;
  std::int64_t anchored_until_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable room_;
  std::vector<Record> queue_;
  std::vector<Waiter> waiters_;
  bool stopping_ = false;
  std::thread thread_;
};

/// Migrations of the log's database; the reader opens the same file.
[[nodiscard]] std::span<const std::string_view> log_migrations();

}  // namespace belljar::audit
