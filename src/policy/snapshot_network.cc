// What a snapshot says about requests, names, addresses and sockets.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "policy/path_readings.h"
#include "policy/rules.h"
#include "policy/snapshot.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

Decision denied(std::string rule, std::string reason, std::optional<Grant> remedy = {}) {
  return {false, std::move(rule), std::move(reason), std::move(remedy)};
}

std::string url_of(const HttpFacts& request) {
  std::string text = fmt::format("{}://{}", name_of(request.scheme), request.host.url_text());
  if (request.port != default_port(request.scheme)) text += fmt::format(":{}", request.port);
  return text;
}

/// The host as a grant names it: without scheme and port where they are the usual ones.
std::string endpoint_of(const HttpFacts& request) {
  const bool usual = request.scheme == Scheme::https && request.port == 443;
  return usual ? request.host.url_text() : url_of(request);
}

bool endpoint_matches(const NetworkRule& rule, const HttpFacts& request) {
  return rule.host.matches(request.host) && (!rule.port || *rule.port == request.port) &&
         std::find(rule.schemes.begin(), rule.schemes.end(), request.scheme) != rule.schemes.end();
}

bool method_matches(const NetworkRule& rule, const HttpFacts& request) {
  return rule.methods.empty() ||
         std::find(rule.methods.begin(), rule.methods.end(), request.method) != rule.methods.end();
}

/// The path of a request, as servers read it. Looked at once, and only where a rule has paths.
class RequestPath {
 public:
  explicit RequestPath(std::string_view path) : path_(path) {}

  [[nodiscard]] const Result<PathReadings>& readings() {
    if (!readings_) readings_.emplace(PathReadings::of(path_));
    return *readings_;
  }
  /// As people are shown it, and as a grant names it.
  [[nodiscard]] Result<std::string> shown() const { return canonical_path(path_); }
  [[nodiscard]] std::string_view written() const { return path_; }

 private:
  std::string_view path_;
  std::optional<Result<PathReadings>> readings_;
};

bool allows_path(const NetworkRule& rule, const std::string& reading) {
  return std::any_of(rule.paths.begin(), rule.paths.end(),
                     [&](const PathPattern& pattern) { return pattern.matches(reading); });
}

/// Whether an address that is not of the public internet may be that of a rule's host.
bool lifts(const std::vector<Cidr>& ranges, const Address& address) {
  // A wide range does not open the door to a cloud's credentials; naming the address does.
  return std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) {
    return range.contains(address) && (range.is_single() || !is_metadata(address));
  });
}

/// The first rule that closes a request: one that some server's reading of the path falls under, or
/// that has paths where the path cannot be read.
const NetworkRule* find_denial(const std::vector<NetworkRule>& rules, const HttpFacts& request,
                               RequestPath& path) {
  const auto closes = [&](const NetworkRule& rule) {
    if (!endpoint_matches(rule, request) || !method_matches(rule, request)) return false;
    if (rule.paths.empty()) return true;
    const auto& readings = path.readings();
    if (!readings) return true;
    return std::any_of(
        readings->all().begin(), readings->all().end(), [&](const std::string& reading) {
          return std::any_of(rule.paths.begin(), rule.paths.end(), [&](const PathPattern& pattern) {
            return pattern.may_match(reading);
          });
        });
  };
  const auto found = std::find_if(rules.begin(), rules.end(), closes);
  return found == rules.end() ? nullptr : &*found;
}

/// What came of looking for rules that allow a request.
struct Allowance {
  /// One that allows it; none where nothing does.
  const NetworkRule* rule = nullptr;
  /// Why a rule for the host does not apply, where there is one.
  std::string problem;
  /// Only the path stands in the way, and a grant of it would help.
  bool by_path = false;
  /// Some servers read the path as one that a grant of this path would not allow.
  bool ambiguous = false;
};

/// Rules allow a request if every reading of its path is allowed by one of them. With an address,
/// only those count that let their hosts have it.
Allowance find_allowance(const std::vector<NetworkRule>& rules, const HttpFacts& request,
                         RequestPath& path, const Address* address = nullptr) {
  Allowance found;
  std::vector<const NetworkRule*> with_paths;
  for (const NetworkRule& rule : rules) {
    if (!endpoint_matches(rule, request)) continue;
    if (address != nullptr && !lifts(rule.ranges, *address)) continue;
    if (!method_matches(rule, request)) {
      found.problem =
          fmt::format("{} is allowed, but not the method {}", describe(rule), request.method);
      continue;
    }
    if (rule.paths.empty()) return {&rule, {}, false, false};
    with_paths.push_back(&rule);
  }
  if (with_paths.empty()) return found;
  const auto& readings = path.readings();
  if (!readings) {
    found.problem = readings.error().message();
    found.ambiguous = true;
    return found;
  }
  const auto allowing = [&](const std::string& reading) -> const NetworkRule* {
    const auto rule = std::find_if(with_paths.begin(), with_paths.end(),
                                   [&](const auto* one) { return allows_path(*one, reading); });
    return rule == with_paths.end() ? nullptr : *rule;
  };
  const NetworkRule* const usual = allowing(readings->all().front());
  if (usual == nullptr) {
    const auto shown = path.shown();
    found.problem = shown ? fmt::format("{} is allowed, but not the path {}",
                                        describe(*with_paths.back()), *shown)
                          : shown.error().message();
    found.by_path = shown && readings->all().size() == 1;
    found.ambiguous = !found.by_path;
    return found;
  }
  for (const std::string& reading : readings->all()) {
    if (allowing(reading) != nullptr) continue;
    found.problem =
        fmt::format("servers read the path {} in different ways, and as {} nothing allows it",
                    quoted(path.written(), 80), quoted(reading, 80));
    found.ambiguous = true;
    return found;
  }
  found.rule = usual;
  return found;
}

/// A grant of no more than what was asked for: this method, and this path where others are granted.
/// None where the path can be read as several, of which a grant would name one.
std::optional<Grant> remedy(const HttpFacts& request, const RequestPath& path,
                            const Allowance& missing) {
  if (missing.ambiguous) return std::nullopt;
  const auto shown = missing.by_path ? path.shown() : std::string();
  return Grant{GrantKind::network,
               fmt::format("{} {}{}", request.method, endpoint_of(request), shown.value_or(""))};
}

/// `value` with the one address behind it.
std::string with_address(std::string value, const Address& address) {
  return fmt::format("{} cidr:{}", value, Cidr::of(address).text());
}

/// A rule for a connection. `with_range` looks only at those that let their hosts have the address.
const SocketRule* match(const std::vector<SocketRule>& rules, Transport transport,
                        const Address& address, std::uint16_t port, std::span<const Host> names,
                        bool with_range = false) {
  const Host literal{address.text(), address};
  for (const SocketRule& rule : rules) {
    if (rule.transport != transport || rule.port != port) continue;
    if (with_range && !lifts(rule.ranges, address)) continue;
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

}  // namespace

Decision Snapshot::decide(const HttpFacts& request) const {
  const std::string url = url_of(request);
  RequestPath path(request.path);
  if (const NetworkRule* rule = find_denial(granted_.network_denied, request, path)) {
    return denied(
        fmt::format("network.deny {}", describe(*rule)),
        fmt::format("the rule \"deny {}\" closes {} {}", describe(*rule), request.method, url));
  }
  const Allowance allowed = find_allowance(granted_.network, request, path);
  if (allowed.rule == nullptr) {
    std::string reason = allowed.problem.empty() ? fmt::format("nothing allows requests to {}", url)
                                                 : allowed.problem;
    return denied("no rule", std::move(reason), remedy(request, path, allowed));
  }
  for (const auto& [name, bound] : bounds_) {
    if (find_denial(bound.network_denied, request, path) != nullptr) {
      return denied(name, fmt::format("{} denies {}", name, url));
    }
    if (bound.has_network && find_allowance(bound.network, request, path).rule == nullptr) {
      return denied(name, fmt::format("{} does not allow {} {}", name, request.method, url));
    }
  }
  return {true, fmt::format("network.allow {}", describe(*allowed.rule)), {}, {}};
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

std::optional<Decision> Snapshot::closed_address(const Address& address) const {
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
  return std::nullopt;
}

Decision Snapshot::decide_address(const HttpFacts& request, const Address& address) const {
  if (auto closed = closed_address(address)) return *std::move(closed);
  const auto special = special_purpose(address);
  if (!special) return {true, "a public address", {}, {}};
  RequestPath path(request.path);
  const Allowance allowed = find_allowance(granted_.network, request, path, &address);
  if (allowed.rule == nullptr) {
    // As narrow as the rule that allows the request itself.
    Allowance missing;
    if (const NetworkRule* rule = find_allowance(granted_.network, request, path).rule) {
      missing.by_path = !rule->paths.empty();
    }
    auto grant = remedy(request, path, missing);
    if (grant) grant->value = with_address(std::move(grant->value), address);
    return denied("no rule", fmt::format("{} is {}", address.text(), *special), std::move(grant));
  }
  for (const auto& [name, bound] : bounds_) {
    if (bound.has_network &&
        find_allowance(bound.network, request, path, &address).rule == nullptr) {
      return denied(name, fmt::format("{} does not allow the address {}, {}", name, address.text(),
                                      *special));
    }
  }
  return {true, "network.allow cidr", {}, {}};
}

Decision Snapshot::decide_address(const Host& host, const Address& address) const {
  if (auto closed = closed_address(address)) return *std::move(closed);
  const auto special = special_purpose(address);
  if (!special) return {true, "a public address", {}, {}};
  const auto find_rule = [&](const Document& document, bool with_range) {
    const auto found =
        std::find_if(document.sockets.begin(), document.sockets.end(), [&](const SocketRule& rule) {
          return rule.host.matches(host) && (!with_range || lifts(rule.ranges, address));
        });
    return found == document.sockets.end() ? nullptr : &*found;
  };
  if (find_rule(granted_, true) == nullptr) {
    std::optional<Grant> grant;
    if (const SocketRule* rule = find_rule(granted_, false)) {
      grant =
          Grant{GrantKind::network, with_address(fmt::format("{}:{}:{}", name_of(rule->transport),
                                                             host.url_text(), rule->port),
                                                 address)};
    }
    return denied("no rule", fmt::format("{} is {}", address.text(), *special), std::move(grant));
  }
  for (const auto& [name, bound] : bounds_) {
    if (bound.has_network && find_rule(bound, true) == nullptr) {
      return denied(name, fmt::format("{} does not allow the address {}, {}", name, address.text(),
                                      *special));
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
  if (auto closed = closed_address(address)) return *std::move(closed);
  if (const auto special = special_purpose(address)) {
    if (match(granted_.sockets, transport, address, port, names, true) == nullptr) {
      return denied("no rule", fmt::format("{} is {}", address.text(), *special),
                    Grant{GrantKind::network, with_address(target, address)});
    }
    for (const auto& [name, bound] : bounds_) {
      if (bound.has_network &&
          match(bound.sockets, transport, address, port, names, true) == nullptr) {
        return denied(name, fmt::format("{} does not allow the address {}, {}", name,
                                        address.text(), *special));
      }
    }
  }
  return {true, fmt::format("network.allow {}", describe(*rule)), {}, {}};
}

Decision Snapshot::decide_sockets(Transport transport) const {
  const std::string_view kind = name_of(transport);
  const auto has = [&](const std::vector<SocketRule>& rules) {
    return std::any_of(rules.begin(), rules.end(),
                       [&](const SocketRule& rule) { return rule.transport == transport; });
  };
  if (!has(granted_.sockets)) {
    return denied("no rule",
                  fmt::format("nothing allows sockets; a grant names where one may lead, "
                              "as network={}:HOST:PORT does",
                              kind));
  }
  for (const auto& [name, bound] : bounds_) {
    if (bound.has_network && !has(bound.sockets)) {
      return denied(name, fmt::format("{} does not allow {} sockets", name, kind));
    }
  }
  return {true, fmt::format("network.allow {}", kind), {}, {}};
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

}  // namespace belljar::policy
