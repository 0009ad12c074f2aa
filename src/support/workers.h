// A few threads for short work that may wait for a disk or a database.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "belljar/error.h"

namespace belljar {

/// Runs jobs in the order in which they came, as many at once as there may be threads. The first is
/// started at the start; whichever takes a job while none is idle starts the next one. Where that
/// fails, jobs wait for those that there are. Any thread.
class Workers {
 public:
  using Job = std::move_only_function<void()>;

  /// `threads` is the most that there may be, `waiting` the number of jobs that may wait for one.
  [[nodiscard]] static Result<std::unique_ptr<Workers>> start(std::size_t threads,
                                                              std::size_t waiting);
  /// Does what waits, and ends.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Never blocks. False, and the job is left as it was, if too many wait. `job` does not throw.
  [[nodiscard]] bool add(Job& job);

 private:
  Workers(std::size_t threads, std::size_t waiting)
      : maximum_threads_(threads), maximum_waiting_(waiting) {}
  void run();
  /// Adds a thread that is idle, if there can be one. Called with the lock.
  [[nodiscard]] Result<void> add_thread();

  const std::size_t maximum_threads_;
  const std::size_t maximum_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::size_t idle_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace belljar
