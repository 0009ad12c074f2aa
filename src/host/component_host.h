// What the host keeps for one loaded component, shared by its calls.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "audit/budget.h"
#include "audit/log.h"
#include "belljar/capability.h"
#include "host/egress.h"
#include "host/file_service.h"
#include "host/permissions.h"
#include "host/sent_secrets.h"
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
  /// When the first of the grants in it runs out.
  std::optional<WallTime> expires;
  /// Grants for a number of calls, of which this is one.
  std::vector<std::int64_t> claimed;
};

/// What a guest has reached over sockets of its own, and among files. It stays with an instance
/// that outlives the call, as the connections do.
struct Reached {
  struct Connection {
    policy::Transport transport;
    policy::Address address;
    std::uint16_t port;
    friend auto operator<=>(const Connection&, const Connection&) = default;
  };
  std::set<Connection> connections;
  /// Which names the resolver gave which addresses for.
  std::map<policy::Address, std::vector<policy::Host>> names;
  /// The folders that the instance was ever given. It knows each by its place here, also in a call
  /// that has other folders, or has them in another order.
  std::vector<policy::StorageRule> mounts;

  [[nodiscard]] std::span<const policy::Host> names_of(const policy::Address& address) const;
};

/// Whether two mounts are of the same folder at the same place.
[[nodiscard]] bool is_same_place(const policy::StorageRule& one, const policy::StorageRule& other);

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

  [[nodiscard]] SentSecrets& sent_secrets() noexcept { return sent_secrets_; }

  /// The permissions for a call that begins, if they are known and nothing has to be claimed.
  /// Never blocks.
  [[nodiscard]] std::optional<Grip> ready() const;
  /// The permissions for a call that begins. May wait for the state and, a little, for folders.
  [[nodiscard]] Result<Grip> grip();

  /// What the live instance of this number has reached; taken out for a call on it.
  [[nodiscard]] Reached take_reached(std::uint64_t live);
  /// Keeps it for the next call on the instance.
  void keep_reached(std::uint64_t live, Reached reached);

  /// The request that this refusal led to, if it is not new since the grants last changed and was
  /// noted in the last minute: the log and the state hold it then. A refusal that no grant can mend
  /// has an empty one.
  [[nodiscard]] std::optional<std::string> known_refusal(const std::string& text);
  /// Keeps what a refusal led to.
  void remember_refusal(const std::string& text, const std::string& request_id);
  /// Requests that ran out are not told again.
  void forget_requests(std::span<const std::string> request_ids);
  /// Whether one more refusal of this component may be noted.
  [[nodiscard]] bool may_note_refusal() { return refusal_budget_.take(); }
  /// The records that its calls may have of what they use.
  [[nodiscard]] audit::Budget& use_budget() noexcept { return use_budget_; }

 private:
  struct KnownRefusal {
    std::string request_id;
    std::chrono::steady_clock::time_point noted;
  };

  Services& services_;
  std::shared_ptr<Permissions> permissions_;
  bool uses_files_;
  std::shared_ptr<const audit::Subject> subject_;
  std::string pool_;
  SentSecrets sent_secrets_;
  std::atomic<std::shared_ptr<const Grip>> grip_;
  std::mutex mutex_;
  std::map<std::string, KnownRefusal> refusals_;
  audit::Budget refusal_budget_{audit::refusals_a_minute};
  audit::Budget use_budget_{audit::uses_a_minute};
  std::map<std::uint64_t, Reached> reached_;
  std::uint64_t refusals_epoch_ = 0;
};

}  // namespace belljar::host
