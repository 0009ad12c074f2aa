// A thread that waits for sockets, deadlines and tasks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "belljar/error.h"
#include "support/file.h"

namespace belljar::host {

/// One loop over epoll. `post` is for any thread; all else for the loop's own.
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using Task = std::move_only_function<void()>;
  /// Called with the epoll events of a descriptor.
  using Watcher = std::function<void(std::uint32_t)>;
  using TimerId = std::uint64_t;

  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> make();
  /// Runs what was posted, then ends the thread. `stop` has to be called first by whoever owns
  /// things that live on the loop.
  ~EventLoop();

  void start(const char* thread_name);
  /// Ends the loop after the tasks that were posted before, and waits for it.
  void stop();

  /// Runs a task on the loop.
  void post(Task task);
  /// Runs a task on the loop and waits for its end. Not from the loop.
  void run(Task task);

  /// Watches a descriptor for these events; none stops it.
  void watch(int descriptor, std::uint32_t events, Watcher watcher);
  [[nodiscard]] TimerId at(Clock::time_point when, Task task);
  void cancel(TimerId timer);

 private:
  EventLoop(UniqueFd epoll, UniqueFd wake);
  void loop();
  void run_tasks();
  [[nodiscard]] int wait_milliseconds() const;

  UniqueFd epoll_;
  UniqueFd wake_;
  std::thread thread_;
  std::unordered_map<int, std::shared_ptr<Watcher>> watchers_;
  std::map<std::pair<Clock::time_point, TimerId>, Task> timers_;
  std::unordered_map<TimerId, Clock::time_point> timer_times_;
  TimerId next_timer_ = 1;
  bool stopping_ = false;

  std::mutex mutex_;
  std::vector<Task> tasks_;
};

}  // namespace belljar::host
