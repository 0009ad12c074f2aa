// What the host keeps for one loaded component, shared by its calls.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/writer.h"
#include "belljar/capability.h"
#include "host/egress.h"
#include "host/file_service.h"
#include "host/permissions.h"
#include "store/secrets.h"
#include "support/clock.h"

namespace belljar::host {

/// The long-lived collaborators of every call.
struct Services {
  store::State& state;
  store::Secrets& secrets;
  audit::Log& log;
  FileService& files;
  Egress& egress;
  const Clock& clock;
  /// The embedder's interfaces.
  const std::vector<Capability>& capabilities;
  /// Reads the environment of the process.
  store::GetVariable variable;
};

/// A component's permissions with its mounts open. One snapshot belongs to one execution.
struct Grip {
  std::shared_ptr<const policy::Snapshot> snapshot;
  /// Absent for a component that imports no file system.
  std::shared_ptr<const MountTable> mounts;
  /// Grants for a number of calls, of which this is one.
  std::vector<std::int64_t> claimed;
};

/// One per loaded component. Any thread.
class ComponentHost {
 public:
  ComponentHost(Services& services, std::shared_ptr<Permissions> permissions, bool uses_files);

  [[nodiscard]] Services& services() const noexcept { return services_; }
  [[nodiscard]] Permissions& permissions() const noexcept { return *permissions_; }
  [[nodiscard]] const std::shared_ptr<const audit::Subject>& subject() const noexcept {
    return subject_;
  }
  /// Connections of this component are not shared with others.
  [[nodiscard]] const std::string& pool() const noexcept { return pool_; }

  /// The permissions for a call that begins.
  [[nodiscard]] Result<Grip> grip();

  /// The request that this refusal led to, where it is not new since the grants last changed; the
  /// log holds it already, then. A refusal that no grant can mend has an empty one.
  [[nodiscard]] std::optional<std::string> known_refusal(const std::string& text);
  /// Keeps what a refusal led to.
  void remember_refusal(const std::string& text, const std::string& request_id);

 private:
  Services& services_;
  std::shared_ptr<Permissions> permissions_;
  bool uses_files_;
  std::shared_ptr<const audit::Subject> subject_;
  std::string pool_;
  std::atomic<std::shared_ptr<const Grip>> grip_;
  std::mutex mutex_;
  std::map<std::string, std::string> refusals_;
  std::uint64_t refusals_epoch_ = 0;
};

}  // namespace belljar::host
