// Threads for what takes long and happens seldom, none of which outlives what it works on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

#include "belljar/error.h"

namespace belljar {

/// Runs each task on a thread of its own. The destructor waits for all of them. Any thread.
class TaskGroup {
 public:
  TaskGroup() = default;
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Holds the destructor up until it is destroyed: for work that runs on threads of others.
  class Place {
   public:
    Place() = default;
    explicit Place(TaskGroup& group);
    Place(Place&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
    Place& operator=(Place&& other) noexcept;
    ~Place() { leave(); }

   private:
    void leave() noexcept;
    TaskGroup* group_ = nullptr;
  };

  /// Waits until nothing runs.
  void wait();

  /// `task` does not throw. An error if the system gives no thread; the task is gone then.
  [[nodiscard]] Result<void> start(std::move_only_function<void()> task);

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t running_ = 0;
};

}  // namespace belljar
