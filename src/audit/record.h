// What the audit log holds: one line for everything that happened.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/clock.h"
#include "support/crypto.h"

namespace belljar::audit {

enum class RecordKind {
  /// A process begins or ends its chain.
  start,
  stop,
  load,
  unload,
  /// A call that has ended, with its outcome and what it used.
  call,
  /// A permission that was used: a file opened, a request sent, a secret put in.
  use,
  /// A permission that was missed.
  refusal,
  /// A permission that an agent asked for.
  request,
  grant,
  revoke,
  policy,
  secret,
  /// The state, the log with it, was replaced by that of an archive.
  restore,
  /// The heads of other processes' chains.
  anchor,
  /// The log could not be written for a while: why, for how long, what was refused meanwhile, and
  /// of which kinds records are missing.
  gap,
  /// A record before this one says that something was done, and it was not: it was refused while
  /// the disk did not answer, or failed after it was recorded.
  undone,
};

[[nodiscard]] std::string_view name_of(RecordKind kind);
/// The names of all kinds.
[[nodiscard]] std::vector<std::string> kind_names();

/// Whom a record is about; shared by all records of a component.
struct Subject {
  std::string component;
  std::string digest;
};

/// One record on its way into the log.
struct Record {
  RecordKind kind = RecordKind::call;
  WallTime time;
  /// Absent where the record is about no component.
  std::shared_ptr<const Subject> subject;
  /// Further members of a JSON object, without braces: `"tool":"x","ms":1`. May be empty.
  std::string details;
};

/// The text that is stored and hashed: `{"kind":…,"component":…,…}`.
[[nodiscard]] std::string body_of(const Record& record);

/// A record as it lies in the log.
struct StoredRecord {
  std::string chain;
  std::int64_t sequence = 0;
  WallTime time;
  std::string body;
  Sha256 hash{};
};

/// The hash of a record: SHA-256 over the hash before it, the chain, the sequence number, the time
/// and the body, each with its length in front.
[[nodiscard]] Sha256 chain_hash(const Sha256& before, const StoredRecord& record);

/// The hash before the first record of a chain.
[[nodiscard]] Sha256 chain_origin(std::string_view chain);

}  // namespace belljar::audit
