// Hosts, addresses and the requests of guests.

#include "host/egress.h"
#include "policy/path_pattern.h"
#include "policy/path_readings.h"
#include "support/text.h"
#include "targets.h"

namespace belljar::fuzz {

void host(std::string_view input) {
  if (const auto address = policy::Address::parse(input)) {
    require(policy::Address::parse(address->text()) == *address,
            "an address reads as it is written");
  }
  if (const auto range = policy::Cidr::parse(input)) {
    require(policy::Cidr::parse(range->text()) == *range, "a range reads as it is written");
  }
  static_cast<void>(policy::HostPattern::parse(input));
  const auto host = policy::normalize_host(input);
  if (!host) return;
  require(host->name.size() <= 253, "a host is no longer than DNS allows");
  for (const char c : host->name) {
    require(c > ' ' && c < 0x7F && (c < 'A' || c > 'Z') && c != '/' && c != '@' && c != '\\',
            "a host has no character that ends it somewhere else");
  }
  const auto again = policy::normalize_host(host->url_text());
  require(again.has_value() && *again == *host, "the canonical form of a host is its own");
  const auto pattern = policy::HostPattern::parse(host->url_text());
  require(!pattern || pattern->matches(*host), "a host's own name matches it");
}

void url(std::string_view input) {
  const auto parts = split(input, '\n');
  engine::HttpRequest request;
  const auto part = [&](std::size_t index) {
    return index < parts.size() ? std::string(parts[index]) : std::string();
  };
  request.method = part(0);
  request.scheme = part(1);
  request.authority = part(2);
  request.path_and_query = part(3);
  for (std::size_t i = 4; i + 1 < parts.size(); i += 2) {
    request.headers.push_back({part(i), part(i + 1)});
  }
  if (const auto path = policy::canonical_path(request.path_and_query)) {
    require(policy::canonical_path(*path) == *path, "the canonical form of a path is its own");
  }
  if (const auto readings = policy::PathReadings::of(request.path_and_query)) {
    require(readings->all().size() <= policy::PathReadings::maximum_readings + 1,
            "a path has a bounded number of readings");
    require(policy::PathPattern::parse("/*")->matches(readings->all().front()),
            "every path lies below the root");
  }
  const auto checked = host::check_request(request);
  if (!checked) return;
  for (const char c : checked->target + checked->method) {
    require(c > ' ' && c < 0x7F, "a request line has no blank or control character in a part");
  }
  for (const auto& header : checked->headers) {
    require((header.name + header.value).find_first_of(std::string_view("\r\n\0", 3)) ==
                std::string::npos,
            "a header is one line");
    require(header.name != "host" && header.name != "transfer-encoding",
            "framing is not the guest's");
  }
  static_cast<void>(checked->log_url());
}

}  // namespace belljar::fuzz
