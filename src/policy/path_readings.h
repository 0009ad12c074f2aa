// The paths that servers take the path of a request for.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"

namespace belljar::policy {

/// Every path that a server could read a request's path as. Servers and what stands before them
/// differ in whether and how often they decode, whether they drop parameters (`;x`), take `\` or
/// what looks like it for `/`, join empty segments, remove dot segments, end a path at a NUL, `?`
/// or
/// `#`, and drop dots and blanks at the end of a name; and in the order in which they do it. Here
/// is what any of these steps makes of the path, in any order, until nothing new comes out.
class PathReadings {
 public:
  /// Decoding, and thus encoding, is followed so many times.
  static constexpr int maximum_decodes = 4;
  /// More readings than this are a riddle and no path.
  static constexpr std::size_t maximum_readings = 192;
  /// All readings together, in bytes: the work that a guest can ask for.
  static constexpr std::size_t maximum_size = 128 * 1024;

  /// Fails where the path does not start with "/", has a percent sign without two hexadecimal
  /// digits, or has more readings than the bounds above.
  [[nodiscard]] static Result<PathReadings> of(std::string_view path);

  /// Decoded, with "/" between segments. The first is what RFC 3986 makes of the path.
  [[nodiscard]] std::span<const std::string> all() const noexcept { return readings_; }

 private:
  std::vector<std::string> readings_;
};

/// The path without dot segments (RFC 3986, 5.2.4).
[[nodiscard]] std::string without_dot_segments(std::string_view path);

/// The path after all of these steps, decoded: the reading that no step changes any more.
[[nodiscard]] std::string settled_path(std::string_view path);

}  // namespace belljar::policy
