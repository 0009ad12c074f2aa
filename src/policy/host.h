// Host names: one canonical form for policy, requests, certificates and the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "policy/address.h"

namespace belljar::policy {

/// A host as a request names it, in canonical form: a lower-case ASCII name without a trailing
/// dot, or an address.
struct Host {
  std::string name;
  /// Set where the host is an address, however it was written.
  std::optional<Address> address;

  /// As a URL writes it: addresses of IPv6 in brackets.
  [[nodiscard]] std::string url_text() const;
  friend bool operator==(const Host&, const Host&) = default;
};

/// Brings a host into canonical form: IDNA (UTS 46, non-transitional, STD3 rules), then a look
/// for IPv4 addresses in all spellings, then DNS's bounds. Refuses zones, empty labels and all
/// that parsers disagree about.
[[nodiscard]] Result<Host> normalize_host(std::string_view text);

/// What a person has to know about a name with letters beyond a to z, given in the form that holds
/// (`xn--…`): `“bücher.example”, in letters beyond a to z`; where letters of several alphabets are
/// mixed, or it looks like another name, that is said. Nothing for other names.
[[nodiscard]] std::optional<std::string> name_note(std::string_view name);
/// A text in which each such name is followed by its note in brackets. For people; what holds is
/// the text without.
[[nodiscard]] std::string with_name_notes(std::string_view text);

/// Matches hosts: an exact name or address, or `*.` for one or more labels below a name.
class HostPattern {
 public:
  [[nodiscard]] static Result<HostPattern> parse(std::string_view text);

  [[nodiscard]] bool matches(const Host& host) const;
  /// Matches every host that `other` matches.
  [[nodiscard]] bool covers(const HostPattern& other) const;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// The exact host, where the pattern is one.
  [[nodiscard]] std::optional<Host> exact() const;

  friend bool operator==(const HostPattern&, const HostPattern&) = default;

 private:
  enum class Kind { exact, below };
  Kind kind_ = Kind::exact;
  Host host_;
  std::string text_;
};

}  // namespace belljar::policy
