// What a guest's request may look like, and the one form in which all else sees it.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "host/egress.h"
#include "host/header_name.h"
#include "host/method_override.h"
#include "policy/rules.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::host {
namespace {

constexpr std::size_t maximum_target = 8 * 1024;
constexpr std::size_t maximum_headers = 64 * 1024;
constexpr std::size_t maximum_header_count = 256;

/// Headers that a guest does not set: hop by hop (RFC 9110, 7.6.1), framing (RFC 9112, 6),
/// proxies (RFC 9110, 11.7), upgrades, provenance, and the second lock of cloud metadata. In the
/// form of `plain_header_name`.
constexpr std::array<std::string_view, 28> refused_headers{
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
    "alt-used",
    "alt-svc",
    "via",
    "forwarded",
    "x-host",
    "x-http-host-override",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "metadata-flavor",
    "metadata",
    "x-google-metadata-request",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "x-metadata-token",
    "content-length",
    "max-forwards",
};
/// Beginnings of such names. Servers behind a proxy believe what these say about where a request is
/// from, and some what they say about its path.
constexpr std::array<std::string_view, 6> refused_beginnings{
    "proxy-", "sec-", "x-forwarded-", "x-original-", "x-rewrite-", "x-envoy-"};

bool is_refused(std::string_view plain_name) {
  return std::find(refused_headers.begin(), refused_headers.end(), plain_name) !=
             refused_headers.end() ||
         std::any_of(refused_beginnings.begin(), refused_beginnings.end(),
                     [&](std::string_view beginning) { return plain_name.starts_with(beginning); });
}

/// RFC 9110, 5.5, without the obsolete forms.
bool is_header_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::invalid_argument, "the request is malformed: {}", what);
}

Result<void> read_authority(std::string_view authority, EgressRequest& request) {
  if (authority.empty()) return malformed("it names no host");
  if (authority.find('@') != std::string_view::npos) {
    return malformed("a user in the URL is not sent; use a secret");
  }
  std::string_view host = authority;
  std::string_view port;
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  BELLJAR_TRY(request.host, policy::normalize_host(host));
  request.port = policy::default_port(request.scheme);
  if (!port.empty()) {
    unsigned number = 0;
    const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || rest != port.data() + port.size() || number == 0 ||
        number > 65'535) {
      return malformed("its port is not a number from 1 to 65535");
    }
    request.port = static_cast<std::uint16_t>(number);
  }
  return {};
}

Result<void> read_headers(const engine::HttpRequest& from, EgressRequest& request) {
  std::size_t total = 0;
  if (from.headers.size() > maximum_header_count) return malformed("it has too many headers");
  for (const engine::HttpHeader& header : from.headers) {
    total += header.name.size() + header.value.size() + 4;
    if (total > maximum_headers) return malformed("its headers are larger than 64 KiB");
    if (!policy::is_token(header.name) || !is_header_value(header.value)) {
      return malformed("a header has characters that headers cannot have");
    }
    const std::string name = to_lower(header.name);
    if (name != "content-length" && is_refused(plain_header_name(name))) {
      return malformed(fmt::format("the header {} is set by the host only", header.name));
    }
    if (name == "content-length") {
      // The body is framed by the egress; what the guest says is taken as a promise.
      std::uint64_t length = 0;
      const auto [rest, error] =
          std::from_chars(header.value.data(), header.value.data() + header.value.size(), length);
      if (error != std::errc{} || rest != header.value.data() + header.value.size() ||
          request.content_length) {
        return malformed("its content-length is not one number");
      }
      request.content_length = length;
      continue;
    }
    request.headers.push_back({name, std::string(trim(header.value))});
  }
  return {};
}

}  // namespace

policy::HttpFacts EgressRequest::facts() const {
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  return {scheme, host, port, method, path};
}

std::string EgressRequest::log_url() const {
  std::string url = fmt::format("{}://{}", policy::name_of(scheme), host.url_text());
  if (port != policy::default_port(scheme)) url += fmt::format(":{}", port);
  return url + one_line(std::string_view(target).substr(0, target.find('?')), 300);
}

std::string EgressRequest::server() const {
  return fmt::format("{}://{}:{}", policy::name_of(scheme), host.url_text(), port);
}

Result<EgressRequest> check_request(const engine::HttpRequest& from) {
  EgressRequest request;
  const std::string scheme = to_lower(from.scheme);
  if (scheme != "http" && scheme != "https") return malformed("its scheme is not http or https");
  request.scheme = scheme == "http" ? policy::Scheme::http : policy::Scheme::https;
  BELLJAR_CHECK(policy::check_method(from.method));
  request.method = from.method;
  BELLJAR_CHECK(read_authority(from.authority, request));
  request.target = from.path_and_query.empty() ? "/" : from.path_and_query;
  if (request.target.starts_with('?')) request.target.insert(0, "/");
  if (!request.target.starts_with('/')) return malformed("its path does not start with \"/\"");
  if (request.target.size() > maximum_target) return malformed("its URL is longer than 8 KiB");
  const bool plain = std::all_of(request.target.begin(), request.target.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7F && c != '#' && c != '\\' && c != '"' && c != '<' && c != '>';
  });
  if (!plain) return malformed("its path has characters that have to be percent-encoded");
  BELLJAR_CHECK(read_headers(from, request));
  request.overriding_methods = overriding_methods(request.headers, request.target);
  for (const std::string& method : request.overriding_methods) {
    BELLJAR_CHECK(policy::check_method(method));
  }
  request.has_body = from.has_body;
  request.connect_timeout = from.connect_timeout;
  request.first_byte_timeout = from.first_byte_timeout;
  request.between_bytes_timeout = from.between_bytes_timeout;
  return request;
}

}  // namespace belljar::host
