#include "support/task_group.h"

#include <system_error>
#include <thread>
#include <utility>

#include "support/result.h"

namespace belljar {

TaskGroup::~TaskGroup() { wait(); }

void TaskGroup::wait() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return running_ == 0; });
}

TaskGroup::Place::Place(TaskGroup& group) : group_(&group) {
  const std::lock_guard lock(group.mutex_);
  ++group.running_;
}

TaskGroup::Place& TaskGroup::Place::operator=(Place&& other) noexcept {
  leave();
  group_ = std::exchange(other.group_, nullptr);
  return *this;
}

void TaskGroup::Place::leave() noexcept {
  TaskGroup* const group = std::exchange(group_, nullptr);
  if (group == nullptr) return;
  // Told under the lock: once it is given back, the group may be gone.
  const std::lock_guard lock(group->mutex_);
  --group->running_;
  group->ended_.notify_all();
}

Result<void> TaskGroup::start(std::move_only_function<void()> task) {
  try {
    std::thread([place = Place(*this), task = std::move(task)]() mutable {
      task();
      // What it holds is let go before anybody is told that it has ended.
      task = nullptr;
      place = {};
    }).detach();
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
  }
  return {};
}

}  // namespace belljar
