#include "policy/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/merge.h"
#include "policy/rules.h"
#include "policy/summary.h"
#include "support/host_place.h"

namespace belljar::policy {
namespace {

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

Decision denied(std::string rule, std::string reason, std::optional<Grant> remedy = {}) {
  return {false, std::move(rule), std::move(reason), std::move(remedy)};
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
    part.identity = allowed.identity;
    if (part.whole.empty()) {
      part.whole = granted.host;
      part.whole_identity = granted.identity;
    }
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
  // A range opens addresses for the hosts that it was granted with, and for no others.
  for (Document& document : sources.granted) {
    bind_ranges(document);
    merge(granted_, document);
  }
  if (sources.manifest) bind_ranges(*sources.manifest);
  for (Document& ceiling : sources.ceilings) bind_ranges(ceiling);
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
    } else if (same->rule.host == rule.host && same->rule.identity == rule.identity) {
      same->rule.access.read = same->rule.access.read || rule.access.read;
      same->rule.access.write = same->rule.access.write || rule.access.write;
      same->rule.hardlinks = same->rule.hardlinks || rule.hardlinks;
    } else {
      // The later grant takes the place.
      *same = {std::move(rule), std::move(denied_below), std::move(denied_elsewhere)};
    }
  }
  hold_each_other();
}

void Snapshot::hold_each_other() {
  std::vector<StorageRule> granted;
  for (const Mount& mount : mounts_) {
    StorageRule rule{.host = mount.rule.host,
                     .guest = {},
                     .access = {},
                     .hardlinks = false,
                     .identity = mount.rule.identity};
    // Of one file the folder is what must stay. Another file may take its name.
    if (rule.identity.starts_with(file_in)) {
      rule.host = rule.host.parent_path();
      rule.identity.erase(0, file_in.size());
    }
    granted.push_back(std::move(rule));
  }
  for (Mount& mount : mounts_) {
    for (const StorageRule& rule : granted) {
      if (rule.host == mount.rule.host || !is_below(rule.host, mount.rule.host)) continue;
      mount.denied_elsewhere.push_back(rule);
    }
  }
}

std::shared_ptr<const Snapshot> Snapshot::narrowed_by(const Snapshot& newer) const {
  auto narrowed = std::make_shared<Snapshot>(*this);
  narrowed->mounts_.clear();
  for (Mount both : mounts_) {
    const auto is_same = [&](const Mount& mount) {
      return mount.rule.host == both.rule.host && mount.rule.identity == both.rule.identity &&
             mount.rule.guest == both.rule.guest;
    };
    const auto found = std::find_if(newer.mounts_.begin(), newer.mounts_.end(), is_same);
    if (found == newer.mounts_.end()) continue;
    both.rule.access.read = both.rule.access.read && found->rule.access.read;
    both.rule.access.write = both.rule.access.write && found->rule.access.write;
    both.rule.hardlinks = both.rule.hardlinks && found->rule.hardlinks;
    append(both.denied, found->denied);
    append(both.denied_elsewhere, found->denied_elsewhere);
    if (both.rule.access.read || both.rule.access.write) {
      narrowed->mounts_.push_back(std::move(both));
    }
  }
  return narrowed;
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

bool Snapshot::grants_nothing() const noexcept {
  return mounts_.empty() && environment_.empty() && secrets_.empty() && granted_.network.empty() &&
         granted_.sockets.empty() && granted_.capabilities.empty();
}

}  // namespace belljar::policy
