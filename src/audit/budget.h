// How many records one component may have in the log: so that it grows by what people and agents
// do, and not by what a guest can repeat.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace belljar::audit {

/// Records of its own that each kind of permission has in one call; what is used beyond them is
/// counted, in one record at the call's end.
inline constexpr std::size_t records_of_call = 256;
/// Of those, so many are the call's own. The others are taken from what its component may have.
inline constexpr std::size_t records_kept_for_call = 16;
/// Records of uses that a component may have in a minute, over all its calls.
inline constexpr std::uint32_t uses_a_minute = 4'096;
/// Records of refusals, with their requests, that a component may have in a minute. Those beyond
/// are counted in the records of the calls.
inline constexpr std::uint32_t refusals_a_minute = 256;
/// Bytes of a guest's own text in a record: a path, an address, a reason.
inline constexpr std::size_t longest_text = 1'000;

/// So many a minute. Any thread.
class Budget {
 public:
  explicit Budget(std::uint32_t a_minute) : a_minute_(a_minute) {}

  /// Takes one, if one is left.
  [[nodiscard]] bool take(
      std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) {
    const std::lock_guard lock(mutex_);
    if (now - began_ >= std::chrono::minutes(1)) {
      began_ = now;
      taken_ = 0;
    }
    if (taken_ >= a_minute_) return false;
    ++taken_;
    return true;
  }

 private:
  const std::uint32_t a_minute_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point began_;
  std::uint32_t taken_ = 0;
};

}  // namespace belljar::audit
