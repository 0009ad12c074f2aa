// What one component may do, compiled from everything that has a say, and never changed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/grant.h"

namespace belljar::policy {

/// What a component asked for and was or was not allowed.
struct Decision {
  bool allowed = false;
  /// The rule that decided: `network.allow api.example`, `no rule`.
  std::string rule;
  /// Why, for people and models: `nothing allows GET https://api.example/`.
  std::string reason;
  /// The grant that would have allowed it; nothing where a grant cannot help.
  std::optional<Grant> remedy;

  [[nodiscard]] explicit operator bool() const noexcept { return allowed; }
};

/// A request that a guest wants to make.
struct HttpFacts {
  Scheme scheme = Scheme::https;
  Host host;
  std::uint16_t port = 0;
  std::string_view method;
  /// As the guest wrote it, without the query.
  std::string_view path;
};

/// A folder that a guest finds among its files.
struct Mount {
  StorageRule rule;
  /// Folders and files below it that stay closed, with the kind of access that is denied.
  std::vector<StorageRule> denied;
  /// All other denials. By its words none of them meets this folder; through links it may. With
  /// them, denying nothing, are granted folders that lie within this one, which may not be used to
  /// take them away.
  std::vector<StorageRule> denied_elsewhere;
  friend bool operator==(const Mount&, const Mount&) = default;
};

/// How refusals call what bounds the grants of a component.
inline constexpr std::string_view manifest_name = "the component's manifest";
inline constexpr std::string_view ceiling_name = "the operator's ceiling";

/// A granted folder that a guest does not find, because of what bounds its grants.
struct ClosedMount {
  std::string guest;
  /// One of the names above, or "Belljar".
  std::string by;
};

/// The limits of a call.
struct Limits {
  Bytes memory{std::uint64_t{128} << 20};
  /// Zero where fuel is not counted.
  Fuel fuel{0};
  std::chrono::nanoseconds timeout{std::chrono::seconds(30)};
  std::uint32_t instances = 16;
  Bytes output{std::uint64_t{1} << 20};
  std::uint32_t handles = 64;
  Bytes written{std::uint64_t{64} << 20};
  std::uint32_t files = 1'000;
  Bytes response{std::uint64_t{16} << 20};
  std::uint32_t requests = 16;
  /// Zero gives the machine's resolution.
  std::chrono::nanoseconds clock{0};
};

/// The limits in the form in which a policy names them. Fuel that is not counted is 0.
[[nodiscard]] LimitRules rules_of(const Limits& limits);

/// What goes into a snapshot.
struct Sources {
  /// Policies and grants that people gave; what one allows is allowed, what one denies is denied.
  std::vector<Document> granted;
  /// What the component says it needs. What it does not mention, it does not limit.
  std::optional<Document> manifest;
  /// What the operator allows at most. What it does not mention, it does not limit.
  std::vector<Document> ceilings;
  /// Where Belljar keeps grants, secrets and its log. No grant opens these: who can write there can
  /// grant.
  std::vector<std::filesystem::path> own_folders = {};
  /// The grant epoch that the sources were read at.
  std::uint64_t epoch = 0;
};

/// The permissions of a component. Immutable; any thread.
class Snapshot {
 public:
  [[nodiscard]] static std::shared_ptr<const Snapshot> compile(Sources sources);
  /// Allows nothing.
  [[nodiscard]] static std::shared_ptr<const Snapshot> empty();

  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
  [[nodiscard]] std::span<const Mount> mounts() const noexcept { return mounts_; }
  [[nodiscard]] std::span<const ClosedMount> closed_mounts() const noexcept { return closed_; }
  /// Whether both give the same folders, in the same way.
  [[nodiscard]] bool has_storage_of(const Snapshot& other) const {
    return mounts_ == other.mounts_;
  }
  /// This snapshot with those of its folders that `newer` gives as well, and in them with what both
  /// allow: for a call that began with this one.
  [[nodiscard]] std::shared_ptr<const Snapshot> narrowed_by(const Snapshot& newer) const;
  /// The grant of a limit that is as near to `amount` as the bounds allow; nothing where they allow
  /// no more than holds already.
  [[nodiscard]] std::optional<Grant> raise_limit(std::string_view name,
                                                 std::string_view amount) const;
  /// What the component's manifest and the operator's ceilings let each limit be at most.
  [[nodiscard]] const LimitRules& most() const noexcept { return most_; }
  /// Variables that a guest sees, with fixed values where the policy gives them.
  [[nodiscard]] std::span<const EnvironmentRule> environment() const noexcept {
    return environment_;
  }
  [[nodiscard]] std::span<const SecretRule> secrets() const noexcept { return secrets_; }

  [[nodiscard]] Decision decide(const HttpFacts& request) const;
  /// About a name that is resolved for a raw socket.
  [[nodiscard]] Decision decide_lookup(const Host& host) const;
  /// About an address that the host of a request has, or is. Ranges hold for the hosts that they
  /// were granted with: what opens one host's address opens no other's.
  [[nodiscard]] Decision decide_address(const HttpFacts& request, const Address& address) const;
  /// The same for a name that was looked up for raw sockets.
  [[nodiscard]] Decision decide_address(const Host& host, const Address& address) const;
  /// About a raw socket; `names` are those that the resolver gave this address for.
  [[nodiscard]] Decision decide_socket(Transport transport, const Address& address,
                                       std::uint16_t port, std::span<const Host> names) const;
  /// About making a raw socket, before it is known what for.
  [[nodiscard]] Decision decide_sockets(Transport transport) const;
  [[nodiscard]] Decision decide_capability(std::string_view interface) const;
  /// Whether any raw socket of this kind could ever be allowed.
  [[nodiscard]] bool has_sockets(Transport transport) const noexcept;

  [[nodiscard]] bool has_network() const noexcept { return !granted_.network.empty(); }
  /// Whether requests can only be ones that change nothing (RFC 9110, 9.2.1), and no sockets.
  [[nodiscard]] bool network_only_reads() const noexcept;

  /// Whether nothing is allowed beyond computing.
  [[nodiscard]] bool grants_nothing() const noexcept;

  /// Everything that people granted, as one document.
  [[nodiscard]] const Document& granted() const noexcept { return granted_; }
  /// What must allow as well: the component's manifest, the operator's ceiling.
  [[nodiscard]] const std::vector<std::pair<std::string, Document>>& bounds() const noexcept {
    return bounds_;
  }

  explicit Snapshot(Sources sources);

 private:
  /// A refusal that no rule for hosts can change; nothing where there is none.
  [[nodiscard]] std::optional<Decision> closed_address(const Address& address) const;
  [[nodiscard]] std::vector<StorageRule> bounded_storage(const Sources& sources);
  void compile_mounts(const Sources& sources);
  /// Has no mount serve to take another's folder away.
  void hold_each_other();
  void compile_limits();

  std::uint64_t epoch_ = 0;
  /// Everything that people granted, as one.
  Document granted_;
  /// Documents that must allow as well, for the sections that they have.
  std::vector<std::pair<std::string, Document>> bounds_;
  std::vector<Mount> mounts_;
  std::vector<ClosedMount> closed_;
  std::vector<EnvironmentRule> environment_;
  std::vector<SecretRule> secrets_;
  Limits limits_;
  LimitRules most_;
};

/// Stands for a folder of the user's that nobody but they can name.
inline constexpr std::string_view unknown_folder = "FOLDER";
/// Whether a permission, as `KIND=VALUE`, is for a folder that has yet to be named. Paths in
/// permissions that are meant to be given are absolute.
[[nodiscard]] inline bool wants_folder(std::string_view permission) {
  return permission.starts_with("storage=FOLDER:");
}
/// The grant that opens a folder that lies at `host`, as a remedy.
[[nodiscard]] Grant storage_grant(const std::filesystem::path& host, std::string_view guest,
                                  bool write);

}  // namespace belljar::policy
