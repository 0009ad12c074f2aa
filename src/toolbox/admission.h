// Who may run now: bounds on sandboxes at once, a queue in front of them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace belljar::toolbox {

/// The sandboxes of one component.
struct Lane {
  std::atomic<std::uint32_t> running{0};
};

/// Lets calls in: as many of a component as its policy allows, as many in all as the engine has
/// room for. The rest wait, in their order, for as long as their own timeouts allow.
class Admission {
 public:
  using Clock = std::chrono::steady_clock;
  /// Told whether the call may start (its place is taken then), or whether its time ran out.
  using Start = std::move_only_function<void(bool)>;

  explicit Admission(std::uint32_t total, std::size_t waiting = 4'096);
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Places for the calls of all components together.
  [[nodiscard]] std::uint32_t total() const noexcept { return total_; }
  /// Takes a place at once; false where the call would have to wait.
  [[nodiscard]] bool try_enter(Lane& lane, std::uint32_t most);
  /// Waits for a place on another thread. Gives the number to `withdraw` by; nothing where too many
  /// wait already.
  [[nodiscard]] std::optional<std::uint64_t> wait(std::shared_ptr<Lane> lane, std::uint32_t most,
                                                  Clock::time_point deadline, Start start);
  /// Waits no longer: its `Start` will not be told. False where it was, or is about to be.
  [[nodiscard]] bool withdraw(std::uint64_t number);
  /// Gives a place back.
  void leave(Lane& lane);

 private:
  struct Waiting {
    std::uint64_t number;
    std::shared_ptr<Lane> lane;
    std::uint32_t most;
    Clock::time_point deadline;
    Start start;
  };
  [[nodiscard]] bool take(Lane& lane, std::uint32_t most);
  void run();

  const std::uint32_t total_;
  const std::size_t maximum_waiting_;
  std::atomic<std::uint32_t> running_{0};
  /// How many wait, so that nobody who leaves has to ask while nobody does.
  std::atomic<std::size_t> waiting_count_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  std::uint64_t last_number_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belljar::toolbox
