// A policy as people write it: the rules of one file, manifest or grant.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "policy/address.h"
#include "policy/host.h"
#include "policy/path_pattern.h"
#include "policy/yaml.h"
#include "support/units.h"

namespace belljar::policy {

/// What may be done below a storage rule.
struct Access {
  bool read = false;
  bool write = false;
  friend bool operator==(const Access&, const Access&) = default;
};

/// A folder or file of the host, and where a guest finds it.
struct StorageRule {
  /// As it is written; once a person has given it, without links.
  std::filesystem::path host;
  /// Absolute, without a slash at the end; a file of version 1.0 may give a relative one.
  std::string guest;
  Access access;
  /// Files that have more than one name may be opened.
  bool hardlinks = false;
  /// What lay at `host` when a person gave the rule (see support/host_place.h). A grant without one
  /// is of nothing and never opened; a denial with one holds wherever that thing goes.
  std::string identity = {};
  /// The grant that this is a part of, if a ceiling allows only a folder within it.
  std::filesystem::path whole = {};
  std::string whole_identity = {};
  friend bool operator==(const StorageRule&, const StorageRule&) = default;
};

enum class Scheme { http, https };

/// HTTP requests to a host. Empty lists allow every method or path.
struct NetworkRule {
  HostPattern host;
  std::vector<Scheme> schemes;
  /// Nothing stands for every port.
  std::optional<std::uint16_t> port;
  std::vector<std::string> methods;
  std::vector<PathPattern> paths;
  /// Ranges that are not of the public internet, in which the host's addresses may lie.
  std::vector<Cidr> ranges;
  friend bool operator==(const NetworkRule&, const NetworkRule&) = default;
};

enum class Transport { tcp, udp };

/// A raw socket.
struct SocketRule {
  Transport transport = Transport::tcp;
  HostPattern host;
  std::uint16_t port = 0;
  /// As with HTTP.
  std::vector<Cidr> ranges;
  friend bool operator==(const SocketRule&, const SocketRule&) = default;
};

/// An environment variable: the host's, or a fixed value.
struct EnvironmentRule {
  std::string key;
  std::optional<std::string> value;
  friend bool operator==(const EnvironmentRule&, const EnvironmentRule&) = default;
};

/// Where a secret goes on its way out.
enum class SecretPlace { header, bearer, basic, none };

/// A secret, bound to a host and a place.
struct SecretRule {
  std::string name;
  std::optional<HostPattern> host;
  SecretPlace place = SecretPlace::none;
  /// The header's name, or the user of basic authentication.
  std::string detail;
  /// The guest gets the value itself, in an environment variable.
  bool expose = false;
  friend bool operator==(const SecretRule&, const SecretRule&) = default;
};

/// An interface of the embedder's own.
struct CapabilityRule {
  std::string interface;
  friend bool operator==(const CapabilityRule&, const CapabilityRule&) = default;
};

/// Limits that a policy names. Nothing stands for the default.
struct LimitRules {
  std::optional<Bytes> memory;
  std::optional<Fuel> fuel;
  std::optional<std::chrono::nanoseconds> timeout;
  std::optional<std::uint32_t> instances;
  std::optional<Bytes> output;
  std::optional<std::uint32_t> handles;
  std::optional<Bytes> written;
  std::optional<std::uint32_t> files;
  std::optional<Bytes> response;
  std::optional<std::uint32_t> requests;
  std::optional<std::chrono::nanoseconds> clock;
  friend bool operator==(const LimitRules&, const LimitRules&) = default;
};

/// A policy document. Sections that it does not have are told apart from empty ones, because a
/// ceiling or manifest limits only what it mentions.
struct Document {
  std::string description;

  bool has_storage = false;
  std::vector<StorageRule> storage;
  std::vector<StorageRule> storage_denied;

  bool has_network = false;
  std::vector<NetworkRule> network;
  std::vector<SocketRule> sockets;
  /// Ranges that stand alone: they hold for every host that this document allows, and for no other
  /// document's.
  std::vector<Cidr> cidrs;
  std::vector<NetworkRule> network_denied;
  std::vector<SocketRule> sockets_denied;
  std::vector<Cidr> cidrs_denied;

  bool has_environment = false;
  std::vector<EnvironmentRule> environment;

  bool has_secrets = false;
  std::vector<SecretRule> secrets;

  bool has_capabilities = false;
  std::vector<CapabilityRule> capabilities;

  LimitRules limits;

  /// What was understood and is not what it seems to be, each with its place: what has no effect,
  /// and names in letters that look like others.
  std::vector<std::string> warnings;
};

/// Tells whether something lies at a path.
using PathExists = std::function<bool(const std::filesystem::path&)>;

/// Reads a policy file. `file` is how errors name it; relative `fs://` paths are relative to
/// `folder`. Both versions: "1.0" as Wassette's users write it, "1.1" as docs/policy.md defines.
///
/// With `exists`, as a person gives the policy, a storage denial is refused that has a spelling
/// which other programs would read as another path (`%20`, `*`, `~`) and at which nothing lies: it
/// would deny nothing. A policy that was taken already is read without it.
[[nodiscard]] Result<Document> parse_policy(std::string_view text, std::string_view file,
                                            const std::filesystem::path& folder,
                                            const PathExists& exists = {});
/// Reads the policy that a component carries: what it says it needs. Its places are the guest's.
[[nodiscard]] Result<Document> parse_manifest(std::string_view text, std::string_view component);

}  // namespace belljar::policy
