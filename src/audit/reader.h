// Reads the audit log: filters, follows, verifies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/record.h"
#include "belljar/error.h"
#include "store/database.h"

namespace belljar::audit {

/// Which records are wanted. Nothing stands for all.
struct Filter {
  std::optional<std::string> component;
  std::optional<std::string> tool;
  std::optional<std::string> kind;
  std::optional<WallTime> since;
  /// The newest so many.
  std::optional<std::int64_t> last;
  /// Whether what processes note of each other's chains is wanted as well.
  bool anchors = false;
};

/// What a look over the whole log found.
struct Verification {
  struct Chain {
    std::string id;
    std::int64_t records = 0;
    /// Whether the process wrote that it ended. One that did not was killed, and up to the last
    /// group of its call records may be missing.
    bool closed = false;
  };
  std::vector<Chain> chains;
  /// What does not fit together, in sentences. Empty for a sound log.
  std::vector<std::string> problems;
};

/// Reads the log of all processes, also while they write. It reads a few hundred records at a time
/// and holds nothing open while they are looked at, so that the log of those who write is not kept
/// from being folded in.
class Reader {
 public:
  [[nodiscard]] static Result<Reader> open(const std::filesystem::path& path);

  /// Calls `each` for the records that match, oldest first. Gives the place to go on from.
  using Each = std::function<void(const StoredRecord&)>;
  [[nodiscard]] Result<std::int64_t> read(const Filter& filter, std::int64_t after,
                                          const Each& each);
  /// Checks every hash and every anchor.
  [[nodiscard]] Result<Verification> verify();

 private:
  /// The place in front of the newest `last` records of those that a query finds after a place.
  [[nodiscard]] Result<std::int64_t> place_before(const std::string& which,
                                                  const std::vector<std::string>& texts,
                                                  std::int64_t after, std::int64_t last);
  [[nodiscard]] Result<std::vector<std::pair<std::int64_t, StoredRecord>>> read_page(
      const std::string& sql, const std::vector<std::string>& texts, std::int64_t after);
  /// The next records behind this one, chain by chain.
  [[nodiscard]] Result<std::vector<StoredRecord>> read_chains(const std::string& chain,
                                                              std::int64_t sequence);
  /// Compares the chains with what their writers last said of their length.
  [[nodiscard]] Result<void> check_heads(Verification& verification);
  explicit Reader(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}
  std::unique_ptr<store::Database> database_;
};

}  // namespace belljar::audit
