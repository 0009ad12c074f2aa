#include "runtime/bounds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "policy/merge.h"
#include "policy/summary.h"
#include "support/host_place.h"
#include "support/result.h"

namespace belljar::runtime {
namespace {

/// A bound without the others, so that it can be named.
struct SingleBound {
  std::string_view name;
  policy::Sources sources;
};

std::vector<SingleBound> single_bounds(const policy::Sources& all) {
  std::vector<SingleBound> bounds;
  if (all.manifest) {
    bounds.push_back({policy::manifest_name, {}});
    bounds.back().sources.manifest = all.manifest;
  }
  for (const policy::Document& ceiling : all.ceilings) {
    bounds.push_back({policy::ceiling_name, {}});
    bounds.back().sources.ceilings = {ceiling};
  }
  bounds.push_back({"Belljar", {}});
  bounds.back().sources.own_folders = all.own_folders;
  return bounds;
}

/// The rules of a document that are looked at, each in one of its own; not its limits.
std::vector<policy::Document> single_rules(const policy::Document& all) {
  std::vector<policy::Document> rules;
  const auto add = [&](auto policy::Document::* section) {
    for (const auto& rule : all.*section) (rules.emplace_back().*section).push_back(rule);
  };
  add(&policy::Document::storage);
  add(&policy::Document::network);
  add(&policy::Document::environment);
  add(&policy::Document::secrets);
  add(&policy::Document::capabilities);
  return rules;
}

/// Whether some requests are covered by both rules, as far as host, port and scheme go.
bool meet(const policy::NetworkRule& one, const policy::NetworkRule& other) {
  return (one.host.covers(other.host) || other.host.covers(one.host)) &&
         (!one.port || !other.port || *one.port == *other.port) &&
         std::any_of(one.schemes.begin(), one.schemes.end(), [&](policy::Scheme scheme) {
           return std::find(other.schemes.begin(), other.schemes.end(), scheme) !=
                  other.schemes.end();
         });
}

/// Whether a document of one rule holds in a snapshot of it.
bool holds(const policy::Document& rule, const policy::Snapshot& snapshot) {
  const auto is_mounted = [&](const policy::StorageRule& wanted) {
    return std::any_of(snapshot.mounts().begin(), snapshot.mounts().end(),
                       [&](const policy::Mount& mount) {
                         return mount.rule.guest == wanted.guest &&
                                (mount.rule.access.read || !wanted.access.read) &&
                                (mount.rule.access.write || !wanted.access.write);
                       });
  };
  const auto is_reached = [&](const policy::NetworkRule& wanted) {
    return std::all_of(snapshot.bounds().begin(), snapshot.bounds().end(), [&](const auto& bound) {
      const policy::Document& most = bound.second;
      return !most.has_network ||
             std::any_of(most.network.begin(), most.network.end(),
                         [&](const auto& other) { return meet(wanted, other); });
    });
  };
  return std::all_of(rule.storage.begin(), rule.storage.end(), is_mounted) &&
         std::all_of(rule.network.begin(), rule.network.end(), is_reached) &&
         snapshot.environment().size() == rule.environment.size() &&
         snapshot.secrets().size() == rule.secrets.size() &&
         std::all_of(rule.capabilities.begin(), rule.capabilities.end(),
                     [&](const policy::CapabilityRule& wanted) {
                       return snapshot.decide_capability(wanted.interface).allowed;
                     });
}

}  // namespace

std::vector<Hindrance> changed_folders(const policy::Document& granted) {
  std::vector<Hindrance> found;
  for (const policy::StorageRule& rule : granted.storage) {
    const HostPlace now = find_place(rule.host);
    if (now.identity.empty()) {
      found.push_back(
          {rule.host.native() + " is not there", "make the folder, and grant it again"});
    } else if (now.real != rule.host || now.identity != rule.identity) {
      found.push_back({rule.host.native() + " is not what was granted, so it stays closed",
                       "look at it, and grant it again"});
    }
  }
  return found;
}

namespace {

void find_what_is_missing(const policy::Document& granted,
                          std::span<const store::Secrets::Entry> secrets,
                          std::vector<Hindrance>& found) {
  for (Hindrance& hindrance : changed_folders(granted)) found.push_back(std::move(hindrance));
  for (const policy::SecretRule& rule : granted.secrets) {
    if (std::any_of(secrets.begin(), secrets.end(),
                    [&](const auto& secret) { return secret.name == rule.name; })) {
      continue;
    }
    found.push_back(
        {fmt::format("the secret {} is not set", rule.name), "belljar secret set " + rule.name});
  }
}

}  // namespace

Result<Bounds> bounds_of(const store::ComponentKey& component, const Settings& settings,
                         const artifact::Loader& loader) {
  Bounds bounds;
  bounds.sources.ceilings = settings.ceilings;
  bounds.sources.own_folders = settings.paths.all();
  const auto description = loader.find_description(component.digest);
  bounds.manifest_known = description.has_value();
  if (description && description->manifest) {
    BELLJAR_TRY(bounds.sources.manifest,
                policy::parse_manifest(*description->manifest, component.name));
  }
  return bounds;
}

std::vector<Hindrance> hindrances(const policy::Document& granted, const policy::Sources& bounds,
                                  std::span<const store::Secrets::Entry> secrets) {
  std::vector<Hindrance> found;
  find_what_is_missing(granted, secrets, found);
  const auto rules = single_rules(granted);
  for (SingleBound& bound : single_bounds(bounds)) {
    const auto add = [&](const std::vector<policy::SummaryLine>& lines) {
      found.push_back({fmt::format("{} does not allow all of {}", bound.name,
                                   fmt::join(policy::sentences(lines), ", ")),
                       {}});
    };
    for (const policy::Document& rule : rules) {
      bound.sources.granted = {rule};
      if (!holds(rule, policy::Snapshot(bound.sources))) add(policy::summarize(rule));
    }
    const auto most = policy::Snapshot(bound.sources).most();
    const auto lines = policy::summarize(policy::exceeding(granted.limits, most));
    if (!lines.empty()) add(lines);
  }
  return found;
}

}  // namespace belljar::runtime
