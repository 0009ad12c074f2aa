// A single permission as a person gives it: `KIND=VALUE`.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "policy/document.h"

namespace belljar::policy {

enum class GrantKind { storage, network, environment, secret, limit, capability };

/// One permission. The value is in a canonical form, the one that `belljar grant` shows.
///
/// | kind | value |
/// |---|---|
/// | storage | `PATH[:GUEST][:ro\|:rw]`, read-only unless it says `:rw` |
/// | network | `[METHOD,… ]HOST`, a URL, `tcp:HOST:PORT` or `udp:HOST:PORT`, and ` cidr:RANGE`
/// behind it where its addresses may lie in one; or `cidr:RANGE` alone | | environment | `NAME` or
/// `NAME=VALUE` | | secret | `NAME@HOST:header=NAME`, `…:bearer`, `…:basic=USER`, or `NAME:expose`
/// | | limit | `NAME=AMOUNT` | | capability | an interface of the embedder's |
struct Grant {
  GrantKind kind = GrantKind::storage;
  std::string value;
  /// What lies at the folder of a storage grant; see `StorageRule::identity`.
  std::string identity = {};

  /// `KIND=VALUE`
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Grant&, const Grant&) = default;
};

[[nodiscard]] std::string_view name_of(GrantKind kind);
/// A rule of one scheme and at most one path as the value of a grant.
[[nodiscard]] std::string network_value(const NetworkRule& rule);
[[nodiscard]] Result<GrantKind> parse_grant_kind(std::string_view name);

/// Reads `KIND=VALUE`. Relative paths are relative to `folder`.
[[nodiscard]] Result<Grant> parse_grant(std::string_view text, const std::filesystem::path& folder);
/// Adds the rule that a grant stands for, and a warning where its name is not what it looks like. A
/// grant that `parse_grant` made never fails. A range alone holds for the hosts of the grants in
/// the same document.
[[nodiscard]] Result<void> apply_grant(Document& document, const Grant& grant);

}  // namespace belljar::policy
