#include "toolbox/admission.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace belljar::toolbox {
namespace {

bool raise(std::atomic<std::uint32_t>& count, std::uint32_t most) {
  std::uint32_t now = count.load(std::memory_order_relaxed);
  while (now < most) {
    if (count.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

}  // namespace

Admission::Admission(std::uint32_t total, std::size_t waiting)
    : total_(total), maximum_waiting_(waiting), thread_([this] { run(); }) {}

Admission::~Admission() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool Admission::take(Lane& lane, std::uint32_t most) {
  if (!raise(lane.running, most)) return false;
  if (raise(running_, total_)) return true;
  lane.running.fetch_sub(1, std::memory_order_acq_rel);
  return false;
}

bool Admission::try_enter(Lane& lane, std::uint32_t most) {
  // Those who wait go first; a lane of another component may pass a full one all the same.
  if (waiting_count_.load(std::memory_order_acquire) > 0) {
    const std::lock_guard lock(mutex_);
    const bool others = std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
      return waiting.lane.get() == &lane;
    });
    if (others) return false;
  }
  return take(lane, most);
}

std::optional<std::uint64_t> Admission::wait(std::shared_ptr<Lane> lane, std::uint32_t most,
                                             Clock::time_point deadline, Start start) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= maximum_waiting_) return std::nullopt;
    number = ++last_number_;
    waiting_.push_back({number, std::move(lane), most, deadline, std::move(start)});
    waiting_count_.store(waiting_.size(), std::memory_order_release);
  }
  changed_.notify_one();
  return number;
}

bool Admission::withdraw(std::uint64_t number) {
  // What it holds is let go after the lock.
  std::optional<Waiting> withdrawn;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Waiting& waiting) { return waiting.number == number; });
  if (found == waiting_.end()) return false;
  withdrawn = std::move(*found);
  waiting_.erase(found);
  waiting_count_.store(waiting_.size(), std::memory_order_release);
  return true;
}

void Admission::leave(Lane& lane) {
  lane.running.fetch_sub(1, std::memory_order_acq_rel);
  running_.fetch_sub(1, std::memory_order_acq_rel);
  if (waiting_count_.load(std::memory_order_acquire) == 0) return;
  // Under the lock, so that the thread is either before its look or already waiting.
  {
    const std::lock_guard lock(mutex_);
  }
  changed_.notify_one();
}

void Admission::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::vector<std::pair<Start, bool>> ready;
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      const bool late = waiting->deadline <= now;
      if (late || take(*waiting->lane, waiting->most)) {
        ready.emplace_back(std::move(waiting->start), !late);
        waiting = waiting_.erase(waiting);
      } else {
        next = std::min(next, waiting->deadline);
        ++waiting;
      }
    }
    waiting_count_.store(waiting_.size(), std::memory_order_release);
    if (!ready.empty()) {
      lock.unlock();
      for (auto& [start, may] : ready) start(may);
      lock.lock();
      continue;
    }
    if (next == Clock::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, next);
    }
  }
  for (Waiting& waiting : waiting_) waiting.start(false);
}

}  // namespace belljar::toolbox
