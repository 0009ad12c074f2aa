#include "host/permissions.h"

#include <utility>

#include "support/result.h"

namespace belljar::host {

std::shared_ptr<const Permissions::Compiled> Permissions::known() const {
  auto cached = cached_.load(std::memory_order_acquire);
  const bool holds = cached && cached->snapshot->epoch() == state_.epoch().value() &&
                     (!cached->expires || *cached->expires > state_.clock().now());
  return holds ? std::move(cached) : nullptr;
}

Result<std::shared_ptr<const Permissions::Compiled>> Permissions::compiled() {
  if (auto cached = known()) return cached;
  // One thread reads, the others take what it found.
  const std::lock_guard lock(mutex_);
  if (auto cached = known()) return cached;
  BELLJAR_TRY(auto fresh, compile({}));
  // Counted grants change with every call, which no epoch tells.
  if (fresh->counted.empty()) cached_.store(fresh, std::memory_order_release);
  return fresh;
}

Result<std::shared_ptr<const Permissions::Compiled>> Permissions::compile(
    const std::vector<std::int64_t>& claimed) {
  BELLJAR_TRY(auto effective, store::Grants(state_).effective(component_, session_, claimed));
  policy::Sources sources;
  sources.granted = std::move(effective.documents);
  sources.granted.insert(sources.granted.end(), fixed_.granted.begin(), fixed_.granted.end());
  sources.manifest = fixed_.manifest;
  sources.ceilings = fixed_.ceilings;
  sources.own_folders = state_.paths().all();
  sources.epoch = effective.epoch;
  return std::make_shared<const Compiled>(
      Compiled{.snapshot = policy::Snapshot::compile(std::move(sources)),
               .expires = effective.next_expiry,
               .counted = std::move(effective.counted)});
}

Result<bool> Permissions::claim(const Compiled& compiled) {
  if (compiled.counted.empty()) return true;
  return store::Grants(state_).use_up(compiled.counted);
}

Result<std::shared_ptr<const Permissions::Compiled>> Permissions::for_running_call(
    const std::vector<std::int64_t>& claimed) {
  return claimed.empty() ? compiled() : compile(claimed);
}

Result<std::shared_ptr<const policy::Snapshot>> Permissions::current() {
  BELLJAR_TRY(const auto compiled, this->compiled());
  return compiled->snapshot;
}

}  // namespace belljar::host
