// The server's connection to one opener: many questions at once, each with a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "belljar/error.h"
#include "host/keeper.h"
#include "host/opener_wire.h"

namespace belljar::host {

/// Whoever waits for an answer reads those of the others meanwhile, so that there is no thread in
/// between. A question that is not answered in time costs its asker that time and nobody else. Any
/// thread.
class OpenerLink {
 public:
  using Clock = std::chrono::steady_clock;
  using Question = std::uint64_t;

  OpenerLink(std::shared_ptr<Keeper> keeper, Helper helper);
  /// Ends the opener, once nobody waits for it any more.
  ~OpenerLink();
  OpenerLink(const OpenerLink&) = delete;
  OpenerLink& operator=(const OpenerLink&) = delete;

  /// Sends a question, which waits only for an opener that has many to read. The opener drops it at
  /// its deadline.
  [[nodiscard]] Result<Question> post(Json question, Clock::time_point deadline);
  /// Waits for the answer. `unavailable` if there is none, because it is late or the opener is
  /// gone.
  [[nodiscard]] Result<Packet> wait(Question question, Clock::time_point deadline);
  [[nodiscard]] Result<Packet> ask(Json question, Clock::time_point deadline);
  /// Tells something that has no answer, if that is possible without waiting.
  void tell(const Json& message);

  /// Whether another opener should be asked from now on: this one is gone, does not answer even who
  /// asks for nothing, or has too many operations that hang.
  [[nodiscard]] bool is_worn() const noexcept { return worn_.load(); }
  /// Everybody who waits is told that the opener is gone.
  void break_off();

 private:
  struct Slot {
    std::optional<Packet> answer;
    std::condition_variable arrived;
    /// Whether somebody waits until another thread has read the answer.
    bool waits = false;
  };

  [[nodiscard]] Result<void> send(const Json& question, Clock::time_point deadline);
  /// Waits until this slot has its answer, reading for all if nobody does. False at the deadline.
  [[nodiscard]] bool await(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Slot>& slot,
                           Clock::time_point deadline);
  void read_one(std::unique_lock<std::mutex>& lock, Clock::time_point deadline);
  void break_locked();
  /// Asks for nothing, to learn whether the opener answers at all.
  void check();

  std::shared_ptr<Keeper> keeper_;
  Helper helper_;
  std::atomic<bool> worn_ = false;
  std::atomic<bool> checking_ = false;

  std::mutex mutex_;
  bool broken_ = false;
  /// Whether somebody reads the socket.
  bool reading_ = false;
  Question asked_ = 0;
  std::unordered_map<Question, std::shared_ptr<Slot>> slots_;
};

/// Milliseconds of the clock that both sides share.
[[nodiscard]] std::int64_t on_the_wire(OpenerLink::Clock::time_point moment);
[[nodiscard]] OpenerLink::Clock::time_point from_the_wire(std::int64_t milliseconds);

}  // namespace belljar::host
