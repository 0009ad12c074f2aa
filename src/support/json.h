// JSON: a value type for what is not on the way of a call, and appending for what is.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "support/units.h"

namespace belljar {

/// Keeps keys in the order in which they were put, so that output is stable.
using Json = nlohmann::ordered_json;

/// Parses untrusted text: bounded size and depth, no duplicate keys, well-formed UTF-8.
[[nodiscard]] Result<Json> parse_json(std::string_view text, Bytes limit);

/// JSON on one line. Malformed UTF-8 becomes U+FFFD: paths are bytes.
[[nodiscard]] std::string to_text(const Json& json);

/// Appends `text` as a JSON string. Malformed UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace belljar
