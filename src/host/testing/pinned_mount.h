// Mounts and policies of tests, pinned to what their paths lead to.
#pragma once

#include "policy/snapshot.h"
#include "store/pinned_places.h"
#include "support/host_place.h"

namespace belljar::host::testing {

/// As if a person had granted it now.
inline policy::Mount pinned(policy::Mount mount) {
  HostPlace place = find_place(mount.rule.host);
  mount.rule.host = std::move(place.real);
  mount.rule.identity = std::move(place.identity);
  for (auto* const rules : {&mount.denied, &mount.denied_elsewhere}) {
    for (policy::StorageRule& rule : *rules) rule.identity = find_target(rule.host).identity;
  }
  return mount;
}

}  // namespace belljar::host::testing
