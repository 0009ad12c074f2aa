// Paths of URLs: what a rule matches.
#pragma once

#include <string>
#include <string_view>

#include "belljar/error.h"

namespace belljar::policy {

/// A pattern over the path of a URL. `*` stands for any characters within one segment; a pattern
/// that ends in `/*` matches everything below.
class PathPattern {
 public:
  /// Refuses a spelling that some servers read as another path, and names the one to write.
  [[nodiscard]] static Result<PathPattern> parse(std::string_view text);
  /// Whether it is a reading of a path (see `PathReadings`) that the pattern allows.
  [[nodiscard]] bool matches(std::string_view reading) const;
  /// Whether some server could take a reading for one that the pattern matches, as a denial asks:
  /// in upper or lower case, with or without a slash at the end, in letters that are only other
  /// forms of the pattern's.
  [[nodiscard]] bool may_match(std::string_view reading) const;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  friend bool operator==(const PathPattern&, const PathPattern&) = default;

 private:
  /// In canonical form.
  std::string text_;
  /// Decoded, with a NUL, which no pattern has, for each star.
  std::string wanted_;
};

/// The path (without query) in the form in which it is shown and granted: characters that need no
/// percent-encoding in a segment are decoded (RFC 3986, 6.2.2.2 and 3.3), other encodings are
/// upper-case (6.2.2.1), dot segments are removed (5.2.4). Servers read `%2f`, `%5c`, `%00`, `\`,
/// `//` and `..;` in different ways: a path with one of them is an error.
[[nodiscard]] Result<std::string> canonical_path(std::string_view path);

}  // namespace belljar::policy
