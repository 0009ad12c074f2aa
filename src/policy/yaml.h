// A strict reader of YAML: a tree with the place of every value, and nothing that surprises.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"

namespace belljar::policy {

/// A place in a file, counted from 1.
struct Place {
  int line = 0;
  int column = 0;
};

/// A value in a YAML file.
struct YamlNode {
  enum class Kind { null, scalar, sequence, map };

  Kind kind = Kind::null;
  Place place;
  /// A scalar's text.
  std::string text;
  /// Whether the scalar was written in quotes, so that `"1.0"` is text and `1.0` may be a number.
  bool quoted = false;
  std::vector<YamlNode> items;
  /// A map's keys; `items` holds the values.
  std::vector<YamlNode> keys;
};

/// Reads one YAML document (YAML 1.2 without anchors, aliases, tags, merge keys or repeated keys).
/// Errors read `FILE:LINE:COLUMN: what`.
[[nodiscard]] Result<YamlNode> read_yaml(std::string_view text, std::string_view file);

/// An error at a place: `FILE:LINE:COLUMN: message`.
[[nodiscard]] Error error_at(std::string_view file, Place place, std::string_view message);

}  // namespace belljar::policy
