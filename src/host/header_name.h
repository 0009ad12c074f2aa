// Names of headers as servers may read them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "support/text.h"

namespace belljar::host {

/// The name in lower case, with `-` for everything that is neither a letter nor a digit. Servers
/// that hand headers on as variables (RFC 3875, 4.1.18) read `X_Forwarded.For` as
/// `X-Forwarded-For`.
[[nodiscard]] inline std::string plain_header_name(std::string_view name) {
  std::string plain = to_lower(name);
  std::replace_if(
      plain.begin(), plain.end(),
      [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')); }, '-');
  return plain;
}

}  // namespace belljar::host
