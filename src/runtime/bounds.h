// What a component's permissions come to: the bounds that they keep within, and what keeps one of
// them from being of use as things stand.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "artifact/loader.h"
#include "belljar/error.h"
#include "policy/document.h"
#include "policy/snapshot.h"
#include "runtime/launch.h"
#include "store/grants.h"
#include "store/secrets.h"

namespace belljar::runtime {

/// What bounds a component, whatever it is granted.
struct Bounds {
  /// The component's manifest, the operator's ceilings and Belljar's own folders; nothing granted.
  policy::Sources sources;
  /// False where this content was not loaded since its description was thrown away, or never: it
  /// may have a manifest that is missing here.
  bool manifest_known = false;
};
[[nodiscard]] Result<Bounds> bounds_of(const store::ComponentKey& component,
                                       const Settings& settings, const artifact::Loader& loader);

/// Why a permission is of no use, or not of full use, as things stand.
struct Hindrance {
  /// `the secret api-key is not set`
  std::string problem;
  /// A command or a few words, where something helps.
  std::string remedy;
};

/// Granted folders that are gone, or that another folder or a link has taken the place of.
[[nodiscard]] std::vector<Hindrance> changed_folders(const policy::Document& granted);

/// What keeps rules of a policy or grant from being of use: folders that are not there, secrets
/// that are not set, bounds that allow less. Raw sockets and ranges of addresses are not looked at.
[[nodiscard]] std::vector<Hindrance> hindrances(const policy::Document& granted,
                                                const policy::Sources& bounds,
                                                std::span<const store::Secrets::Entry> secrets);

}  // namespace belljar::runtime
