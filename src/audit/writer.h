// Writes the audit log: a bounded queue, groups, one hash chain a process.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "audit/log.h"
#include "audit/record.h"
#include "belljar/error.h"
#include "support/clock.h"
#include "support/units.h"

namespace belljar::audit {

struct WriterOptions {
  /// Records that wait at most this long before they are written as a group.
  std::chrono::milliseconds group{50};
  /// With this many in the queue the log is behind, and `append` says so; with four times as many
  /// it takes nothing new, and with eight times as many the rest is only counted.
  std::size_t queue = 8'192;
  /// The bytes of the queue past which the rest is only counted.
  Bytes bytes{64 << 20};
  /// How long a disk that does not answer, or another process that holds the log, is waited for
  /// before it counts as failing. A disk that says that it failed does so at once.
  std::chrono::milliseconds patience{2'000};
  /// How long a log that ends is waited for.
  std::chrono::milliseconds farewell{1'000};
};

/// The log of one process. It opens a chain with a `start` record and closes it with `stop`.
///
/// While the disk takes nothing the log does not accept: what has happened stays queued, what has
/// not is refused, and the disk is tried again every second. The first group that can be written
/// again brings a `gap` record: for how long, why, and what was refused or lost meanwhile.
class Writer final : public Log {
 public:
  /// Opens the database at `path` and begins a chain. `details` go into the start record.
  [[nodiscard]] static Result<std::unique_ptr<Writer>> open(const std::filesystem::path& path,
                                                            const Clock& clock, std::string details,
                                                            WriterOptions options = {});
  /// Writes what is queued and closes the chain, if the disk takes it.
  ~Writer() override;

  bool accepts() const noexcept override;
  Error refusal() override;
  bool append(Record record) override;
  void when_durable(std::move_only_function<void(bool)> done) override;
  void append_then(std::vector<Record> records, Done done) override;

  [[nodiscard]] const std::string& chain() const noexcept { return chain_; }

 private:
  class Desk;
  Writer(std::shared_ptr<Desk> desk, std::string chain, const Clock& clock);

  // Shared with the threads, which outlive this if the disk holds one of them.
  std::shared_ptr<Desk> desk_;
  std::string chain_;
  const Clock& clock_;
  std::thread writing_;
  std::thread watching_;
};

}  // namespace belljar::audit
