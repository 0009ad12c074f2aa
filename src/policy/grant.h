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
/// | network | `[METHOD,… ]HOST`, a URL, `tcp:HOST:PORT`, `udp:HOST:PORT` or `cidr:RANGE` |
/// | environment | `NAME` or `NAME=VALUE` |
/// | secret | `NAME@HOST:header=NAME`, `…:bearer`, `…:basic=USER`, or `NAME:expose` |
/// | limit | `NAME=AMOUNT` |
/// | capability | an interface of the embedder's |
struct Grant {
  GrantKind kind = GrantKind::storage;
  std::string value;

  /// `KIND=VALUE`
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Grant&, const Grant&) = default;
};

[[nodiscard]] std::string_view name_of(GrantKind kind);
[[nodiscard]] Result<GrantKind> parse_grant_kind(std::string_view name);

/// Reads `KIND=VALUE`. Relative paths are relative to `folder`.
[[nodiscard]] Result<Grant> parse_grant(std::string_view text, const std::filesystem::path& folder);
/// Adds the rule that a grant stands for. A grant that `parse_grant` made never fails.
[[nodiscard]] Result<void> apply_grant(Document& document, const Grant& grant);

}  // namespace belljar::policy
