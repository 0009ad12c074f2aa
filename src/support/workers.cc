#include "support/workers.h"

#include <system_error>
#include <utility>

#include "support/result.h"

namespace belljar {

Result<std::unique_ptr<Workers>> Workers::start(std::size_t threads, std::size_t waiting) {
  std::unique_ptr<Workers> workers(new Workers(threads, waiting));
  const std::lock_guard lock(workers->mutex_);
  BELLJAR_CHECK(workers->add_thread());
  return workers;
}

Result<void> Workers::add_thread() {
  try {
    threads_.emplace_back([this] { run(); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
  }
  ++idle_;
  return {};
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  // While it stops, none is added.
  for (std::thread& thread : threads_) thread.join();
}

bool Workers::add(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= maximum_waiting_) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Workers::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    --idle_;
    if (idle_ == 0 && !stopping_ && threads_.size() < maximum_threads_) {
      // Without it, the jobs that come wait for this one, and the next to take one tries again.
      static_cast<void>(add_thread());
    }
    lock.unlock();
    job();
    // What it holds is let go before the lock is taken again.
    job = nullptr;
    lock.lock();
    ++idle_;
  }
}

}  // namespace belljar
