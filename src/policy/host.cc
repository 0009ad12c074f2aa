#include "policy/host.h"

#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>
#include <memory>

#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

// RFC 1035, 2.3.4.
constexpr std::size_t maximum_name = 253;
constexpr std::size_t maximum_label = 63;

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::unexpected<Error> refused(std::string_view text, std::string_view why) {
  return fail(ErrorCode::invalid_argument, "\"{}\" is not a host that can be used: {}",
              one_line(text, 80), why);
}

/// UTS 46 mapping to ASCII; the text itself where it is ASCII already.
Result<std::string> to_ascii(std::string_view text) {
  const std::string terminated(text);
  char* output = nullptr;
  const int code =
      idn2_to_ascii_8z(terminated.c_str(), &output, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const std::unique_ptr<char, void (*)(void*)> owned(output, idn2_free);
  if (code != IDN2_OK) return refused(text, idn2_strerror(code));
  return std::string(output);
}

/// Whether a name ends in a label that makes it an address or nothing (WHATWG URL, "ends in a
/// number"): all digits, or hexadecimal.
bool ends_in_number(std::string_view name) {
  const auto labels = split(name, '.');
  const std::string_view last = labels.back();
  if (last.empty()) return false;
  if (std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return true;
  }
  return last.starts_with("0x");
}

/// Top-level domains that nobody can register: RFC 6761, RFC 6762, and ICANN's "internal".
bool is_local_domain(std::string_view name) {
  return name == "localhost" || name == "local" || name == "internal" || name == "test";
}

}  // namespace

std::string Host::url_text() const {
  return address && !address->is_v4() ? fmt::format("[{}]", name) : name;
}

Result<Host> normalize_host(std::string_view text) {
  if (text.empty()) return refused(text, "it is empty");
  if (text.size() > 4 * maximum_name) return refused(text, "it is too long");
  // Before any library that takes a NUL for the end.
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; })) {
    return refused(text, "it has a blank or a control character in it");
  }
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return refused(text, "the bracket is not closed");
    const auto address = Address::parse(text.substr(1, text.size() - 2));
    if (!address) return refused(text, "what stands in brackets is not an IPv6 address");
    return Host{address->text(), address};
  }
  if (text.find(':') != std::string_view::npos) {
    const auto address = Address::parse(text);
    if (!address) return refused(text, "it has a colon and is not an IPv6 address");
    return Host{address->text(), address};
  }
  if (text.find('%') != std::string_view::npos) return refused(text, "percent signs are not read");
  std::string name = to_lower(text);
  const bool ascii = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii || name.find("xn--") != std::string::npos) {
    BELLJAR_TRY(name, to_ascii(name));
  }
  if (name.ends_with('.')) name.pop_back();
  // After the mapping: full-width digits are digits now.
  if (ends_in_number(name)) {
    const auto address = Address::parse_lenient_v4(name);
    if (!address) return refused(text, "it ends in a number and is not an IPv4 address");
    return Host{address->text(), address};
  }
  if (name.empty() || name.size() > maximum_name) return refused(text, "its length is wrong");
  for (const std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > maximum_label) {
      return refused(text, "a part between dots is empty or too long");
    }
    if (!std::all_of(label.begin(), label.end(), is_host_character)) {
      return refused(text, "host names have letters, digits, hyphens and dots only");
    }
  }
  return Host{name, std::nullopt};
}

Result<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern pattern;
  pattern.text_ = text;
  std::string_view rest = text;
  if (text.starts_with("*.")) {
    pattern.kind_ = Kind::below;
    rest.remove_prefix(2);
  }
  if (rest.find('*') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\": a star may only stand as \"*.\" at the front, for one or more labels",
                one_line(text, 80));
  }
  BELLJAR_TRY(pattern.host_, normalize_host(rest));
  if (pattern.kind_ == Kind::below && pattern.host_.address) {
    return fail(ErrorCode::invalid_argument, "\"{}\": an address has no names below it", text);
  }
  if (pattern.kind_ == Kind::below && pattern.host_.name.find('.') == std::string::npos &&
      !is_local_domain(pattern.host_.name)) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" would match a whole top-level domain; name a domain below it", text);
  }
  pattern.text_ = (pattern.kind_ == Kind::below ? "*." : "") + pattern.host_.url_text();
  return pattern;
}

bool HostPattern::matches(const Host& host) const {
  switch (kind_) {
    case Kind::exact: return host == host_;
    case Kind::below:
      return !host.address && host.name.size() > host_.name.size() + 1 &&
             host.name.ends_with(host_.name) &&
             host.name[host.name.size() - host_.name.size() - 1] == '.';
  }
  return false;
}

bool HostPattern::covers(const HostPattern& other) const {
  if (*this == other) return true;
  return kind_ == Kind::below && matches(other.host_);
}

std::optional<Host> HostPattern::exact() const {
  if (kind_ != Kind::exact) return std::nullopt;
  return host_;
}

}  // namespace belljar::policy
