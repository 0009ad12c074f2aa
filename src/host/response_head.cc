#include "host/response_head.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/rules.h"
#include "support/text.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;

constexpr int switching_protocols = 101;
constexpr int first_final = 200;

}  // namespace

bool ResponseHead::refuse(HttpFailure failure, std::string message) {
  problem_ = {failure, std::move(message)};
  return false;
}

bool ResponseHead::take(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > maximum_bytes) {
    return refuse(HttpFailure::headers_too_large,
                  fmt::format("the response's headers and trailers are larger than {} KiB",
                              maximum_bytes / 1024));
  }
  if (place_ == Place::status_line) return begin(line);
  const std::string_view content = trim(line);
  if (content.empty()) return place_ == Place::behind || end();
  if (++fields_ > maximum_fields) {
    return refuse(
        HttpFailure::headers_too_large,
        fmt::format("the response has more than {} headers and trailers", maximum_fields));
  }
  if (place_ == Place::behind) return true;
  // A line that goes on in the next one (RFC 9112, 5.2) would be two texts to whoever looks through
  // them.
  const std::size_t colon = line.find(':');
  if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos ||
      !policy::is_token(line.substr(0, colon))) {
    return refuse(HttpFailure::protocol, "the response has a header that is none");
  }
  headers_.push_back(
      {std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
  return true;
}

bool ResponseHead::begin(std::string_view line) {
  // HTTP-version SP 3DIGIT (RFC 9112, 4).
  const std::size_t blank = line.find(' ');
  const std::string_view digits =
      blank == std::string_view::npos ? std::string_view() : trim(line.substr(blank + 1));
  const std::string_view code = digits.substr(0, digits.find(' '));
  const bool number = code.size() == 3 && std::all_of(code.begin(), code.end(),
                                                      [](char c) { return c >= '0' && c <= '9'; });
  if (!line.starts_with("HTTP/") || !number || code.front() == '0') {
    return refuse(HttpFailure::protocol, "the response does not begin with a status");
  }
  status_ = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (status_ == switching_protocols) {
    return refuse(HttpFailure::protocol,
                  "the server answered 101 Switching Protocols, which nobody asked for");
  }
  if (status_ < first_final && ++interim_ > maximum_interim) {
    return refuse(HttpFailure::protocol,
                  fmt::format("the server sent more than {} interim responses", maximum_interim));
  }
  has_frames_ = !line.starts_with("HTTP/1");
  place_ = Place::fields;
  return true;
}

bool ResponseHead::says_where_it_ends() const {
  constexpr int no_content = 204;
  constexpr int not_modified = 304;
  return has_frames_ || status_ == no_content || status_ == not_modified ||
         !values("content-length").empty() || !values("transfer-encoding").empty();
}

bool ResponseHead::end() {
  if (status_ < first_final) {
    headers_.clear();
    place_ = Place::status_line;
  } else {
    place_ = Place::behind;
  }
  return true;
}

std::vector<std::string_view> ResponseHead::values(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const engine::HttpHeader& header : headers_) {
    if (equals_ignoring_case(header.name, name)) values.emplace_back(header.value);
  }
  return values;
}

}  // namespace belljar::host
