#include "support/task_group.h"

#include <thread>
#include <utility>

namespace belljar {

TaskGroup::~TaskGroup() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return running_ == 0; });
}

void TaskGroup::start(std::move_only_function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  std::thread([this, task = std::move(task)]() mutable {
    task();
    // What it holds is let go before anybody is told that it has ended.
    task = nullptr;
    const std::lock_guard lock(mutex_);
    --running_;
    ended_.notify_all();
  }).detach();
}

}  // namespace belljar
