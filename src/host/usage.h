// What one call used: how often, and which of it has a record of its own in the log.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/budget.h"

namespace belljar::host {

/// Counts the uses of one call. Not for several threads at once.
class Usage {
 public:
  /// `budget` is the component's, of records over all its calls.
  explicit Usage(audit::Budget& budget) : budget_(budget) {}

  /// Notes a use; true if it is to have a record of its own. What was used before has one, and
  /// beyond `audit::records_of_call` of a kind the uses are only counted.
  [[nodiscard]] bool note(std::string_view kind, const std::string& what);

  /// Which record stands for the use of a secret. There is always one, because it is on disk
  /// before anything is sent; beyond the limit it is of the host, and beyond that of all hosts.
  struct SecretUse {
    /// What the record says that it was used for.
    std::string target;
    /// Whether that record is still to be written.
    bool fresh = false;
  };
  [[nodiscard]] SecretUse note_secret(const std::string& secret, const std::string& url,
                                      const std::string& host);
  /// The record of this use could not be written: the next one writes it.
  void forget_secret(const std::string& secret, const std::string& target);
  [[nodiscard]] bool has_secret(const std::string& secret, const std::string& target) const;

  /// Notes that an answer ended; true if it is to have a record of its own.
  [[nodiscard]] bool note_answer(std::uint64_t received);

  /// How often each kind was used: `"network":2,"storage":17`.
  [[nodiscard]] std::string totals() const;
  /// The details of one record for each kind of which not every use has its own; each only once.
  [[nodiscard]] std::vector<std::string> take_rest();

 private:
  struct Kind {
    std::set<std::string, std::less<>> targets;
    std::uint64_t times = 0;
    /// Uses of what has no record of its own.
    std::uint64_t more = 0;
  };
  /// Whether one more record of a kind that has `recorded` already is to be written.
  [[nodiscard]] bool has_room(std::size_t recorded);

  audit::Budget& budget_;
  std::map<std::string, Kind, std::less<>> kinds_;
  std::set<std::pair<std::string, std::string>> secret_hosts_;
  std::size_t answers_ = 0;
  std::uint64_t more_answers_ = 0;
  std::uint64_t more_received_ = 0;
};

}  // namespace belljar::host
