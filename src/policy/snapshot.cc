#include "policy/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/merge.h"
#include "policy/rules.h"
#include "policy/summary.h"

namespace belljar::policy {
namespace {

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

Decision denied(std::string rule, std::string reason, std::optional<Grant> remedy = {}) {
  return {false, std::move(rule), std::move(reason), std::move(remedy)};
}

std::string url_of(const HttpFacts& request) {
  std::string text = fmt::format("{}://{}", name_of(request.scheme), request.host.url_text());
  if (request.port != default_port(request.scheme)) text += fmt::format(":{}", request.port);
  return text;
}

bool endpoint_matches(const NetworkRule& rule, const HttpFacts& request) {
  return rule.host.matches(request.host) && (!rule.port || *rule.port == request.port) &&
         std::find(rule.schemes.begin(), rule.schemes.end(), request.scheme) != rule.schemes.end();
}

bool method_matches(const NetworkRule& rule, const HttpFacts& request) {
  return rule.methods.empty() ||
         std::find(rule.methods.begin(), rule.methods.end(), request.method) != rule.methods.end();
}

/// Looks for a rule of `rules` that matches. `no_match` gets the reason why a rule for the host
/// does not apply, where there is one.
struct NoMatch {
  std::string problem;
  /// Only the path stands in the way.
  bool by_path = false;
};
const NetworkRule* match(const std::vector<NetworkRule>& rules, const HttpFacts& request,
                         bool when_in_doubt, NoMatch& no_match) {
  for (const NetworkRule& rule : rules) {
    if (!endpoint_matches(rule, request)) continue;
    if (!method_matches(rule, request)) {
      no_match = {
          fmt::format("{} is allowed, but not the method {}", describe(rule), request.method),
          no_match.by_path};
      continue;
    }
    if (rule.paths.empty()) return &rule;
    const auto path = canonical_path(request.path);
    if (!path) {
      // A rule over paths cannot be applied to this one: an allow does not match, a deny does.
      if (when_in_doubt) return &rule;
      no_match.problem = path.error().message();
      continue;
    }
    const bool matched =
        std::any_of(rule.paths.begin(), rule.paths.end(),
                    [&](const PathPattern& pattern) { return pattern.matches(*path); });
    if (matched) return &rule;
    no_match = {fmt::format("{} is allowed, but not the path {}", describe(rule), *path), true};
  }
  return nullptr;
}

const SocketRule* match(const std::vector<SocketRule>& rules, Transport transport,
                        const Address& address, std::uint16_t port, std::span<const Host> names) {
  const Host literal{address.text(), address};
  for (const SocketRule& rule : rules) {
    if (rule.transport != transport || rule.port != port) continue;
    if (rule.host.matches(literal)) return &rule;
    for (const Host& name : names) {
      if (rule.host.matches(name)) return &rule;
    }
  }
  return nullptr;
}

/// Whether a host is closed for everything at this port, or at some port where none is given: by a
/// rule that names neither scheme nor methods nor paths, for the host is what it closes.
bool closes_host(const Document& document, std::optional<std::uint16_t> port,
                 std::span<const Host> names) {
  return std::any_of(
      document.network_denied.begin(), document.network_denied.end(), [&](const NetworkRule& rule) {
        const bool at_port = !rule.port || (port && *rule.port == *port);
        const bool all_of_it =
            rule.methods.empty() && rule.paths.empty() && rule.schemes.size() > 1;
        return all_of_it && at_port &&
               std::any_of(names.begin(), names.end(),
                           [&](const Host& name) { return rule.host.matches(name); });
      });
}

/// The first range that holds an address.
const Cidr* find(const std::vector<Cidr>& ranges, const Address& address) {
  const auto found = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const Cidr& range) { return range.contains(address); });
  return found == ranges.end() ? nullptr : &*found;
}

/// Whether `path` is `folder` or lies below it. Both are absolute and normal.
bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() || (end != folder.end() && end->empty());
}

/// Files of version 1.0 may say where a guest finds a folder without the first slash.
std::filesystem::path place_in_guest(const StorageRule& rule) {
  return std::filesystem::path("/") / rule.guest;
}

/// Leaves of a mount what a ceiling or manifest allows as well. A ceiling speaks of the host's
/// paths, a manifest of the guest's.
void keep_within(const Document& bound, StorageRule& rule, bool by_guest_path) {
  Access access;
  bool hardlinks = false;
  for (const StorageRule& allowed : bound.storage) {
    const bool covers = by_guest_path ? is_below(place_in_guest(rule), place_in_guest(allowed))
                                      : is_below(rule.host, allowed.host);
    if (!covers) continue;
    access.read = access.read || allowed.access.read;
    access.write = access.write || allowed.access.write;
    hardlinks = hardlinks || allowed.hardlinks;
  }
  rule.access = {access.read && rule.access.read, access.write && rule.access.write};
  rule.hardlinks = rule.hardlinks && hardlinks;
}

/// The same for a ceiling, which may also allow only folders within what was granted: each of them
/// is found where it would be found.
std::vector<StorageRule> within_ceiling(const Document& ceiling, const StorageRule& granted) {
  std::vector<StorageRule> parts{granted};
  for (const StorageRule& allowed : ceiling.storage) {
    if (allowed.host == granted.host || !is_below(allowed.host, granted.host)) continue;
    StorageRule part = granted;
    part.host = allowed.host;
    part.guest = (place_in_guest(granted) / allowed.host.lexically_relative(granted.host)).native();
    parts.push_back(std::move(part));
  }
  for (StorageRule& part : parts) keep_within(ceiling, part, false);
  // Where the whole is allowed, its parts add nothing.
  const Access whole = parts.front().access;
  std::erase_if(parts, [&](const StorageRule& part) {
    if (&part == &parts.front()) return false;
    return (whole.read || !part.access.read) && (whole.write || !part.access.write);
  });
  return parts;
}

/// A manifest's denial, which names a place in the guest, as the place of the host that a mount has
/// there; nothing where the mount does not reach it.
std::optional<StorageRule> denial_on_host(const StorageRule& denial, const StorageRule& mount) {
  const auto closed = place_in_guest(denial);
  const auto open = place_in_guest(mount);
  StorageRule placed = denial;
  if (is_below(open, closed)) {
    placed.host = mount.host;
  } else if (is_below(closed, open)) {
    placed.host = (mount.host / closed.lexically_relative(open)).lexically_normal();
  } else {
    return std::nullopt;
  }
  return placed;
}

/// A bound on a secret that names a host lets it go there only.
bool covers(const SecretRule& bound, const SecretRule& rule) {
  if (bound.name != rule.name || (rule.expose && !bound.expose)) return false;
  return !bound.host || !rule.host || bound.host->covers(*rule.host);
}

/// Whether the manifest and every ceiling allow a rule.
template <typename Allows>
bool allowed_by_all(const Sources& sources, Allows allows) {
  return (!sources.manifest || allows(*sources.manifest)) &&
         std::all_of(sources.ceilings.begin(), sources.ceilings.end(), allows);
}

}  // namespace

Grant storage_grant(const std::filesystem::path& host, std::string_view guest, bool write) {
  return {GrantKind::storage, fmt::format("{}:{}:{}", host.native(), guest, write ? "rw" : "ro")};
}

std::shared_ptr<const Snapshot> Snapshot::compile(Sources sources) {
  return std::make_shared<const Snapshot>(std::move(sources));
}

std::shared_ptr<const Snapshot> Snapshot::empty() { return compile({}); }

Snapshot::Snapshot(Sources sources) : epoch_(sources.epoch) {
  for (const Document& document : sources.granted) merge(granted_, document);
  compile_mounts(sources);
  if (sources.manifest) most_ = sources.manifest->limits;
  for (const Document& ceiling : sources.ceilings) most_ = least(most_, ceiling.limits);
  compile_limits();
  for (EnvironmentRule& rule : granted_.environment) {
    const auto allows = [&](const Document& bound) {
      return !bound.has_environment ||
             std::any_of(bound.environment.begin(), bound.environment.end(),
                         [&](const EnvironmentRule& other) { return other.key == rule.key; });
    };
    if (allowed_by_all(sources, allows)) environment_.push_back(rule);
  }
  for (SecretRule& rule : granted_.secrets) {
    const auto allows = [&](const Document& bound) {
      return !bound.has_secrets ||
             std::any_of(bound.secrets.begin(), bound.secrets.end(),
                         [&](const SecretRule& other) { return covers(other, rule); });
    };
    if (allowed_by_all(sources, allows)) secrets_.push_back(rule);
  }
  if (sources.manifest) bounds_.emplace_back(manifest_name, std::move(*sources.manifest));
  for (Document& ceiling : sources.ceilings) bounds_.emplace_back(ceiling_name, std::move(ceiling));
}

std::vector<StorageRule> Snapshot::bounded_storage(const Sources& sources) {
  const auto opens_something = [](const StorageRule& rule) {
    return rule.access.read || rule.access.write;
  };
  std::vector<StorageRule> all;
  for (const StorageRule& granted : granted_.storage) {
    std::vector<StorageRule> parts{granted};
    std::string_view closed_by = manifest_name;
    if (sources.manifest && sources.manifest->has_storage) {
      keep_within(*sources.manifest, parts.front(), true);
    }
    for (const Document& ceiling : sources.ceilings) {
      if (!ceiling.has_storage) continue;
      if (std::any_of(parts.begin(), parts.end(), opens_something)) closed_by = ceiling_name;
      std::vector<StorageRule> left;
      for (const StorageRule& part : parts) append(left, within_ceiling(ceiling, part));
      parts = std::move(left);
    }
    std::erase_if(parts, [&](const StorageRule& part) { return !opens_something(part); });
    // Said where somebody looks for it: granting it again would change nothing.
    const bool whole = std::any_of(parts.begin(), parts.end(), [&](const StorageRule& part) {
      return part.guest == granted.guest;
    });
    if (!whole) closed_.push_back({granted.guest, std::string(closed_by)});
    append(all, parts);
  }
  return all;
}

void Snapshot::compile_mounts(const Sources& sources) {
  std::vector<StorageRule> denials = granted_.storage_denied;
  for (const Document& ceiling : sources.ceilings) append(denials, ceiling.storage_denied);
  for (const auto& folder : sources.own_folders) {
    denials.push_back({.host = folder, .guest = {}, .access = {true, true}, .hardlinks = false});
  }
  for (StorageRule rule : bounded_storage(sources)) {
    const auto& own = sources.own_folders;
    if (std::any_of(own.begin(), own.end(),
                    [&](const auto& folder) { return is_below(rule.host, folder); })) {
      closed_.push_back({rule.guest, "Belljar"});
      continue;
    }
    std::vector<StorageRule> here = denials;
    if (sources.manifest) {
      for (const StorageRule& denial : sources.manifest->storage_denied) {
        if (auto placed = denial_on_host(denial, rule)) here.push_back(*std::move(placed));
      }
    }
    std::vector<StorageRule> denied_below;
    std::vector<StorageRule> denied_elsewhere;
    for (const StorageRule& denial : here) {
      if (is_below(rule.host, denial.host)) {
        if (denial.access.read) rule.access.read = false;
        if (denial.access.write) rule.access.write = false;
      } else if (is_below(denial.host, rule.host)) {
        denied_below.push_back(denial);
      } else {
        denied_elsewhere.push_back(denial);
      }
    }
    if (!rule.access.read && !rule.access.write) continue;
    // Two grants of the same folder at the same place add up.
    const auto same = std::find_if(mounts_.begin(), mounts_.end(), [&](const Mount& mount) {
      return mount.rule.guest == rule.guest;
    });
    if (same == mounts_.end()) {
      mounts_.push_back({std::move(rule), std::move(denied_below), std::move(denied_elsewhere)});
    } else if (same->rule.host == rule.host) {
      same->rule.access.read = same->rule.access.read || rule.access.read;
      same->rule.access.write = same->rule.access.write || rule.access.write;
      same->rule.hardlinks = same->rule.hardlinks || rule.hardlinks;
    } else {
      // The later grant takes the place.
      *same = {std::move(rule), std::move(denied_below), std::move(denied_elsewhere)};
    }
  }
}

void Snapshot::compile_limits() {
  const auto take = [&](auto& limit, const auto LimitRules::* rule) {
    if (const auto& granted = granted_.limits.*rule) limit = *granted;
    if (const auto& most = most_.*rule) limit = std::min(limit, *most);
  };
  take(limits_.memory, &LimitRules::memory);
  take(limits_.timeout, &LimitRules::timeout);
  take(limits_.instances, &LimitRules::instances);
  take(limits_.output, &LimitRules::output);
  take(limits_.handles, &LimitRules::handles);
  take(limits_.written, &LimitRules::written);
  take(limits_.files, &LimitRules::files);
  take(limits_.response, &LimitRules::response);
  take(limits_.requests, &LimitRules::requests);
  // No fuel means no count, so a bound on it sets it; a coarser clock gives less away.
  if (granted_.limits.fuel) limits_.fuel = *granted_.limits.fuel;
  if (most_.fuel) {
    limits_.fuel = limits_.fuel.value == 0 ? *most_.fuel : std::min(limits_.fuel, *most_.fuel);
  }
  if (granted_.limits.clock) limits_.clock = *granted_.limits.clock;
  if (most_.clock) limits_.clock = std::max(limits_.clock, *most_.clock);
}

LimitRules rules_of(const Limits& limits) {
  LimitRules rules{.memory = limits.memory,
                   .fuel = limits.fuel,
                   .timeout = limits.timeout,
                   .instances = limits.instances,
                   .output = limits.output,
                   .handles = limits.handles,
                   .written = limits.written,
                   .files = limits.files,
                   .response = limits.response,
                   .requests = limits.requests,
                   .clock = std::nullopt};
  if (limits.clock.count() > 0) rules.clock = limits.clock;
  return rules;
}

std::optional<Grant> Snapshot::raise_limit(std::string_view name, std::string_view amount) const {
  LimitRules wish;
  // A guest can ask for any amount; a policy cannot.
  if (!set_limit(wish, name, amount)) return {};
  const LimitRules more = exceeding(bounded(wish, most_), rules_of(limits_));
  const auto lines = summarize(more);
  if (lines.empty()) return {};
  return Grant{GrantKind::limit, lines.front().text};
}

Decision Snapshot::decide(const HttpFacts& request) const {
  const std::string url = url_of(request);
  NoMatch no_match;
  if (const NetworkRule* rule = match(granted_.network_denied, request, true, no_match)) {
    return denied(
        fmt::format("network.deny {}", describe(*rule)),
        fmt::format("the rule \"deny {}\" closes {} {}", describe(*rule), request.method, url));
  }
  no_match = {};
  const NetworkRule* allowed = match(granted_.network, request, false, no_match);
  if (allowed == nullptr) {
    // No more than what was asked for: this method, and this path where others are granted.
    const bool usual = request.scheme == Scheme::https && request.port == 443;
    const auto path = no_match.by_path ? canonical_path(request.path) : std::string();
    return denied("no rule",
                  no_match.problem.empty() ? fmt::format("nothing allows requests to {}", url)
                                           : no_match.problem,
                  Grant{GrantKind::network,
                        fmt::format("{} {}{}", request.method,
                                    usual ? request.host.url_text() : url, path.value_or(""))});
  }
  for (const auto& [name, bound] : bounds_) {
    if (match(bound.network_denied, request, true, no_match) != nullptr) {
      return denied(name, fmt::format("{} denies {}", name, url));
    }
    if (bound.has_network && match(bound.network, request, false, no_match) == nullptr) {
      return denied(name, fmt::format("{} does not allow {} {}", name, request.method, url));
    }
  }
  return {true, fmt::format("network.allow {}", describe(*allowed)), {}, {}};
}

Decision Snapshot::decide_lookup(const Host& host) const {
  const auto names = [&](const SocketRule& rule) { return rule.host.matches(host); };
  const auto denies = [&](const Document& document, const SocketRule& allowed) {
    if (closes_host(document, allowed.port, {&host, 1})) return true;
    return std::any_of(document.sockets_denied.begin(), document.sockets_denied.end(),
                       [&](const SocketRule& rule) {
                         return names(rule) && rule.transport == allowed.transport &&
                                rule.port == allowed.port;
                       });
  };
  // A name is worth looking up where a connection to it could be allowed.
  const auto rule = std::find_if(
      granted_.sockets.begin(), granted_.sockets.end(),
      [&](const SocketRule& allowed) { return names(allowed) && !denies(granted_, allowed); });
  if (rule == granted_.sockets.end()) {
    // HTTP needs no lookup by the guest, so a host rule is no reason to allow one. Which port is
    // meant, nobody knows yet, so no grant can be named.
    return denied("no rule", fmt::format("nothing allows looking up {0}; a grant such as "
                                         "network=tcp:{0}:443 for the connection does",
                                         host.url_text()));
  }
  for (const auto& [name, bound] : bounds_) {
    const bool allows =
        !bound.has_network || std::any_of(bound.sockets.begin(), bound.sockets.end(), names);
    if (!allows || denies(bound, *rule)) {
      return denied(name, fmt::format("{} does not allow looking up {}", name, host.name));
    }
  }
  return {true, fmt::format("network.allow {}", describe(*rule)), {}, {}};
}

Decision Snapshot::decide_address(const Address& address) const {
  const std::string text = address.text();
  if (const Cidr* range = find(granted_.cidrs_denied, address)) {
    return denied(fmt::format("network.deny cidr {}", range->text()),
                  fmt::format("the rule \"deny addresses in {}\" closes {}", range->text(), text));
  }
  for (const auto& [name, bound] : bounds_) {
    if (find(bound.cidrs_denied, address) != nullptr) {
      return denied(name, fmt::format("{} denies the address {}", name, text));
    }
  }
  const auto special = special_purpose(address);
  if (!special) return {true, "a public address", {}, {}};
  const auto lifts = [&](const std::vector<Cidr>& ranges) {
    // A wide range does not open the door to a cloud's credentials; naming the address does.
    return std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) {
      return range.contains(address) && (range.is_single() || !is_metadata(address));
    });
  };
  if (!lifts(granted_.cidrs)) {
    return denied("no rule", fmt::format("{} is {}", text, *special),
                  Grant{GrantKind::network, fmt::format("cidr:{}", Cidr::of(address).text())});
  }
  for (const auto& [name, bound] : bounds_) {
    if (bound.has_network && !lifts(bound.cidrs)) {
      return denied(name,
                    fmt::format("{} does not allow the address {}, {}", name, text, *special));
    }
  }
  return {true, "network.allow cidr", {}, {}};
}

Decision Snapshot::decide_socket(Transport transport, const Address& address, std::uint16_t port,
                                 std::span<const Host> names) const {
  const Host literal{address.text(), address};
  const std::string target =
      fmt::format("{}:{}:{}", name_of(transport),
                  names.empty() ? literal.url_text() : names.front().url_text(), port);
  std::vector<Host> all(names.begin(), names.end());
  all.push_back(literal);
  if (const SocketRule* rule = match(granted_.sockets_denied, transport, address, port, names)) {
    return denied(fmt::format("network.deny {}", describe(*rule)),
                  fmt::format("the rule \"deny {}\" closes {}", describe(*rule), target));
  }
  if (closes_host(granted_, port, all)) {
    return denied("network.deny", fmt::format("a rule closes the host of {}", target));
  }
  const SocketRule* rule = match(granted_.sockets, transport, address, port, names);
  if (rule == nullptr) {
    return denied("no rule", fmt::format("nothing allows a connection to {}", target),
                  Grant{GrantKind::network, target});
  }
  for (const auto& [name, bound] : bounds_) {
    const bool refuses =
        match(bound.sockets_denied, transport, address, port, names) != nullptr ||
        closes_host(bound, port, all) ||
        (bound.has_network && match(bound.sockets, transport, address, port, names) == nullptr);
    if (refuses) return denied(name, fmt::format("{} does not allow {}", name, target));
  }
  Decision by_address = decide_address(address);
  if (!by_address) return by_address;
  return {true, fmt::format("network.allow {}", describe(*rule)), {}, {}};
}

Decision Snapshot::decide_capability(std::string_view interface) const {
  const auto names = [&](const CapabilityRule& rule) { return rule.interface == interface; };
  const auto has = [&](const std::vector<CapabilityRule>& rules) {
    return std::any_of(rules.begin(), rules.end(), names);
  };
  if (!has(granted_.capabilities)) {
    return denied("no rule", fmt::format("nothing allows using {}", interface),
                  Grant{GrantKind::capability, std::string(interface)});
  }
  for (const auto& [name, bound] : bounds_) {
    if (bound.has_capabilities && !has(bound.capabilities)) {
      return denied(name, fmt::format("{} does not allow {}", name, interface));
    }
  }
  return {true, fmt::format("capabilities.allow {}", interface), {}, {}};
}

bool Snapshot::has_sockets(Transport transport) const noexcept {
  return std::any_of(granted_.sockets.begin(), granted_.sockets.end(),
                     [&](const SocketRule& rule) { return rule.transport == transport; });
}

bool Snapshot::network_only_reads() const noexcept {
  const auto reads = [](const NetworkRule& rule) {
    return !rule.methods.empty() &&
           std::all_of(rule.methods.begin(), rule.methods.end(), [](const std::string& method) {
             return method == "GET" || method == "HEAD" || method == "OPTIONS";
           });
  };
  return granted_.sockets.empty() &&
         std::all_of(granted_.network.begin(), granted_.network.end(), reads);
}

bool Snapshot::grants_nothing() const noexcept {
  return mounts_.empty() && environment_.empty() && secrets_.empty() && granted_.network.empty() &&
         granted_.sockets.empty() && granted_.capabilities.empty();
}

}  // namespace belljar::policy
