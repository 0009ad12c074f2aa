// The permissions of one component, always up to date.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "belljar/error.h"
#include "policy/snapshot.h"
#include "store/grants.h"

namespace belljar::host {

/// Says what a component may do. A snapshot is compiled anew when the grant epoch has moved or a
/// grant has run out. Any thread.
class Permissions {
 public:
  struct Fixed {
    /// What a person gave on the command line or in code, for as long as this process runs.
    std::vector<policy::Document> granted;
    std::optional<policy::Document> manifest;
    std::vector<policy::Document> ceilings;
  };

  Permissions(store::State& state, store::ComponentKey component, std::string session, Fixed fixed)
      : state_(state),
        component_(std::move(component)),
        session_(std::move(session)),
        fixed_(std::move(fixed)) {}

  /// What holds at one moment.
  struct Compiled {
    std::shared_ptr<const policy::Snapshot> snapshot;
    std::optional<WallTime> expires;
    /// Grants in it that hold for a number of calls.
    std::vector<std::int64_t> counted;
  };

  /// What was read before, if it still holds: null if the state has to be read. Never blocks.
  [[nodiscard]] std::shared_ptr<const Compiled> known() const;
  /// For a call that begins, which has to `claim` it before it runs. Blocks while it reads the
  /// state, like the others.
  [[nodiscard]] Result<std::shared_ptr<const Compiled>> for_call() { return compiled(); }
  /// Uses up the counted grants. False where the last use of one went to a call that began a moment
  /// earlier: then look again, without it.
  [[nodiscard]] Result<bool> claim(const Compiled& compiled);
  /// For another look by a call that runs and has claimed those grants.
  [[nodiscard]] Result<std::shared_ptr<const Compiled>> for_running_call(
      const std::vector<std::int64_t>& claimed);
  /// For a look at what holds now.
  [[nodiscard]] Result<std::shared_ptr<const policy::Snapshot>> current();

  [[nodiscard]] const store::GrantEpoch& epoch() const noexcept { return state_.epoch(); }
  [[nodiscard]] const store::ComponentKey& component() const noexcept { return component_; }

 private:
  [[nodiscard]] Result<std::shared_ptr<const Compiled>> compiled();
  [[nodiscard]] Result<std::shared_ptr<const Compiled>> compile(
      const std::vector<std::int64_t>& claimed);

  store::State& state_;
  store::ComponentKey component_;
  std::string session_;
  Fixed fixed_;
  std::mutex mutex_;
  std::atomic<std::shared_ptr<const Compiled>> cached_;
};

}  // namespace belljar::host
