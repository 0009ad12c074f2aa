// Where records go: what every part of the host that leaves a trace knows of the log.
#pragma once

#include <functional>
#include <vector>

#include "audit/record.h"
#include "belljar/error.h"

namespace belljar::audit {

/// Takes records. Nothing here waits for a disk, but for the one function that says so. Any
/// thread. A fake in tests keeps them.
class Log {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  virtual ~Log() = default;

  /// Whether what has to be recorded may be done now. False while the log cannot be written, and
  /// while it is so far behind that it takes no more: what needs a record is refused with
  /// `refusal` then, before anything of it is done.
  [[nodiscard]] virtual bool accepts() const noexcept { return true; }
  /// Why `accepts` says no, for the one who is refused; it is counted, and the log says how many
  /// there were once it can be written again.
  [[nodiscard]] virtual Error refusal();

  /// Queues a record of what has happened. False if the log is behind: what can be told later is
  /// told `when_durable` then, so that who asks for much is slowed down to what the disk can do.
  virtual bool append(Record record) = 0;
  /// Calls `done` once everything appended so far is on disk, or with false if the log cannot be
  /// written now; what was appended stays queued. From any thread, perhaps before this returns.
  virtual void when_durable(std::move_only_function<void(bool)> done) = 0;
  /// Queues records of what is not done before they are on disk, and calls `done` then. If the log
  /// cannot be written, `done` has the reason, and what did not happen is not left in the log as
  /// if it had. From any thread, perhaps before this returns.
  virtual void append_then(std::vector<Record> records, Done done);

  /// The same for one record, and waits: for a disk that fails no longer than the log's patience.
  [[nodiscard]] Result<void> append_durably(Record record);
};

/// Keeps nothing; for benchmarks of what the log costs.
class NullLog final : public Log {
 public:
  bool append(Record) override { return true; }
  void when_durable(std::move_only_function<void(bool)> done) override { done(true); }
};

}  // namespace belljar::audit
