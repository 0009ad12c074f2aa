// Puts records on disk as one hash chain, a group in one transaction.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/record.h"
#include "belljar/error.h"
#include "store/database.h"

namespace belljar::audit {

/// A chain that grows. For one thread.
class Chain {
 public:
  Chain(std::unique_ptr<store::Database> database, std::string id);

  /// Writes all of these records, durably, or none: the chain is as it was then. Before them comes
  /// an anchor, if other chains have grown. Gives the sequence number of the first of them.
  [[nodiscard]] Result<std::int64_t> write(std::span<const Record* const> records, WallTime now);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }

 private:
  /// What an anchor record says of other chains, and what is known of them after it.
  struct Anchors {
    std::string details;
    std::vector<std::pair<std::string, std::int64_t>> sequences;
    std::int64_t until = 0;
  };
  [[nodiscard]] Result<Anchors> anchors() const;
  [[nodiscard]] Result<void> insert(store::Statement& statement, const Record& record);

  std::unique_ptr<store::Database> database_;
  std::string id_;
  std::int64_t sequence_ = 0;
  Sha256 head_{};
  /// The sequences of other chains that this one's anchors name.
  std::map<std::string, std::int64_t> anchored_;
  std::int64_t anchored_until_ = 0;
};

/// Migrations of the log's database; the reader opens the same file.
[[nodiscard]] std::span<const std::string_view> log_migrations();

}  // namespace belljar::audit
