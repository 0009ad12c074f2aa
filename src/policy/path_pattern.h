// Paths of URLs: what a rule matches, and which requests no rule can be applied to.
#pragma once

#include <string>
#include <string_view>

#include "belljar/error.h"

namespace belljar::policy {

/// A pattern over the path of a URL. `*` stands for any characters within one segment; a pattern
/// that ends in `/*` matches everything below.
class PathPattern {
 public:
  [[nodiscard]] static Result<PathPattern> parse(std::string_view text);
  /// `path` is in canonical form (see `canonical_path`).
  [[nodiscard]] bool matches(std::string_view path) const;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  friend bool operator==(const PathPattern&, const PathPattern&) = default;

 private:
  std::string text_;
};

/// The path (without query) in the form that rules are matched against: characters that need no
/// percent-encoding in a segment are decoded (RFC 3986, 6.2.2.2 and 3.3), other encodings are
/// upper-case (6.2.2.1), dot segments are removed (5.2.4). Servers read `%2f`, `%5c`, `%00`, `\`,
/// `//` and `..;` in different ways: a path with one of them is an error.
[[nodiscard]] Result<std::string> canonical_path(std::string_view path);

}  // namespace belljar::policy
