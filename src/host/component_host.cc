#include "host/component_host.h"

#include <utility>

#include "support/result.h"

namespace belljar::host {
namespace {

/// Refusals that are remembered; past that, all count as new.
constexpr std::size_t remembered_refusals = 1'024;
constexpr std::size_t remembered_instances = 1'024;
/// How long a refusal is told without asking whether its request is still there: another process
/// may have noted so many others that it ran out.
constexpr std::chrono::minutes remembered_time{1};

}  // namespace

ComponentHost::ComponentHost(Services& services, std::shared_ptr<Permissions> permissions,
                             bool uses_files)
    : services_(services),
      permissions_(std::move(permissions)),
      uses_files_(uses_files),
      subject_(std::make_shared<const audit::Subject>(
          audit::Subject{permissions_->component().name, permissions_->component().digest})),
      pool_(permissions_->component().name + "@" + permissions_->component().digest) {}

std::optional<Grip> ComponentHost::ready() const {
  const auto known = permissions_->known();
  if (!known) return std::nullopt;
  const auto cached = grip_.load(std::memory_order_acquire);
  if (!cached || cached->snapshot != known->snapshot) return std::nullopt;
  return *cached;
}

Result<Grip> ComponentHost::grip() {
  while (true) {
    BELLJAR_TRY(const auto compiled, permissions_->for_call());
    const auto cached = grip_.load(std::memory_order_acquire);
    if (cached && cached->snapshot == compiled->snapshot) return *cached;
    auto fresh = std::make_shared<Grip>();
    fresh->snapshot = compiled->snapshot;
    fresh->expires = compiled->expires;
    fresh->claimed = compiled->counted;
    // Folders are opened by somebody who reads the grants, too: before the last use is gone. One
    // that hangs is left to the guest that needs it.
    if (uses_files_) {
      fresh->mounts = services_.files.open(permissions_->component(), *fresh->snapshot);
    }
    BELLJAR_TRY(const bool claimed, permissions_->claim(*compiled));
    if (!claimed) continue;
    std::shared_ptr<const Grip> shared = std::move(fresh);
    // A folder that could not be opened may be there at the next call.
    const bool whole = !shared->mounts || shared->mounts->problems().empty();
    if (shared->claimed.empty() && whole) grip_.store(shared, std::memory_order_release);
    return *shared;
  }
}

std::span<const policy::Host> Reached::names_of(const policy::Address& address) const {
  const auto found = names.find(address);
  if (found == names.end()) return {};
  return found->second;
}

Reached ComponentHost::take_reached(std::uint64_t live) {
  const std::lock_guard lock(mutex_);
  const auto found = reached_.find(live);
  if (found == reached_.end()) return {};
  Reached reached = std::move(found->second);
  reached_.erase(found);
  return reached;
}

void ComponentHost::keep_reached(std::uint64_t live, Reached reached) {
  if (reached.connections.empty() && reached.mounts.empty()) return;
  const std::lock_guard lock(mutex_);
  // Instances end without a word to this; there are never so many that live.
  if (reached_.size() >= remembered_instances) reached_.erase(reached_.begin());
  reached_.insert_or_assign(live, std::move(reached));
}

std::optional<std::string> ComponentHost::known_refusal(const std::string& text) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t epoch = permissions_->epoch().value();
  if (std::exchange(refusals_epoch_, epoch) != epoch || refusals_.size() > remembered_refusals) {
    refusals_.clear();
  }
  const auto known = refusals_.find(text);
  if (known == refusals_.end() ||
      std::chrono::steady_clock::now() - known->second.noted > remembered_time) {
    return std::nullopt;
  }
  return known->second.request_id;
}

void ComponentHost::remember_refusal(const std::string& text, const std::string& request_id) {
  const std::lock_guard lock(mutex_);
  refusals_.insert_or_assign(text, KnownRefusal{request_id, std::chrono::steady_clock::now()});
}

void ComponentHost::forget_requests(std::span<const std::string> request_ids) {
  if (request_ids.empty()) return;
  const std::set<std::string, std::less<>> gone(request_ids.begin(), request_ids.end());
  const std::lock_guard lock(mutex_);
  std::erase_if(refusals_,
                [&](const auto& known) { return gone.contains(known.second.request_id); });
}

}  // namespace belljar::host
