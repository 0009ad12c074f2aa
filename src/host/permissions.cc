#include "host/permissions.h"

#include <utility>

#include "support/result.h"

namespace belljar::host {

Result<std::shared_ptr<const Permissions::Compiled>> Permissions::compiled() {
  const auto usable = [&](const std::shared_ptr<const Compiled>& cached) {
    return cached && cached->snapshot->epoch() == state_.epoch().value() &&
           (!cached->expires || *cached->expires > state_.clock().now());
  };
  if (auto cached = cached_.load(std::memory_order_acquire); usable(cached)) return cached;
  // One thread reads, the others take what it found.
  const std::lock_guard lock(mutex_);
  if (auto cached = cached_.load(std::memory_order_acquire); usable(cached)) return cached;
  BELLJAR_TRY(auto effective, store::Grants(state_).effective(component_, session_));
  policy::Sources sources;
  sources.granted = std::move(effective.documents);
  sources.granted.insert(sources.granted.end(), fixed_.granted.begin(), fixed_.granted.end());
  sources.manifest = fixed_.manifest;
  sources.ceiling = fixed_.ceiling;
  sources.epoch = effective.epoch;
  auto fresh = std::make_shared<Compiled>();
  fresh->snapshot = policy::Snapshot::compile(std::move(sources));
  fresh->expires = effective.next_expiry;
  fresh->counted = std::move(effective.counted);
  std::shared_ptr<const Compiled> shared = std::move(fresh);
  // Counted grants change with every call, which no epoch tells.
  if (shared->counted.empty()) cached_.store(shared, std::memory_order_release);
  return shared;
}

Result<std::shared_ptr<const policy::Snapshot>> Permissions::for_call() {
  while (true) {
    BELLJAR_TRY(const auto compiled, this->compiled());
    if (compiled->counted.empty()) return compiled->snapshot;
    BELLJAR_TRY(const bool used, store::Grants(state_).use_up(compiled->counted));
    // Otherwise the last use went to a call that began a moment earlier: look again, without it.
    if (used) return compiled->snapshot;
  }
}

Result<std::shared_ptr<const policy::Snapshot>> Permissions::current() {
  BELLJAR_TRY(const auto compiled, this->compiled());
  return compiled->snapshot;
}

}  // namespace belljar::host
