// Storage rules as people give them: each path is looked at once, in that moment, and what lies
// there is kept with the rule.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "policy/document.h"
#include "policy/grant.h"

namespace belljar::store {

/// A path of a policy, and what it led to when a person approved the policy.
struct PinnedPlace {
  std::filesystem::path written;
  std::filesystem::path real;
  /// Empty where nothing lay there.
  std::string identity;
};

/// Looks at every storage path of a document.
[[nodiscard]] std::vector<PinnedPlace> find_places(const policy::Document& document);
/// Puts what was found into the rules. A grant gets the place without links; one that nothing was
/// found for, and so nobody has seen, gets no identity. A denial keeps its own path, whose links
/// are followed whenever it is asked about, and holds for what it led to as well.
void apply_places(policy::Document& document, const std::vector<PinnedPlace>& places);
/// Both, for a document that is given now.
void pin(policy::Document& document);
/// The same for one permission. A storage grant of what is not there is refused.
[[nodiscard]] Result<policy::Grant> pin(policy::Grant grant);

/// How a permission that was given may be called: as it is written, and with the place that its
/// links lead to now.
[[nodiscard]] std::vector<std::string> names_of(const policy::Grant& grant);

/// As JSON text, which the state keeps beside a policy.
[[nodiscard]] std::string to_text(const std::vector<PinnedPlace>& places);
[[nodiscard]] Result<std::vector<PinnedPlace>> places_from_text(std::string_view text);

/// A policy as a person gives it: its rules, pinned, and the places that they are pinned to.
struct GivenPolicy {
  policy::Document document;
  std::vector<PinnedPlace> places;
};
/// Reads a policy that a person gives now.
[[nodiscard]] Result<GivenPolicy> read_given_policy(std::string_view text, std::string_view file,
                                                    const std::filesystem::path& folder);

}  // namespace belljar::store
