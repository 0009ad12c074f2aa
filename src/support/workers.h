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

/// Runs jobs in the order in which they came, as many at once as there are threads. All threads are
/// started at the start. Any thread.
class Workers {
 public:
  using Job = std::move_only_function<void()>;

  /// `waiting` is the number of jobs that may wait for a thread.
  [[nodiscard]] static Result<std::unique_ptr<Workers>> start(std::size_t threads,
                                                              std::size_t waiting);
  /// Does what waits, and ends.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Never blocks. False, and the job is left as it was, if too many wait. `job` does not throw.
  [[nodiscard]] bool add(Job& job);

 private:
  explicit Workers(std::size_t waiting) : maximum_waiting_(waiting) {}
  void run();

  const std::size_t maximum_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace belljar
