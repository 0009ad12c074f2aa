#include "host/searchable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "host/header_name.h"
#include "support/text.h"

namespace belljar::host {
namespace {

constexpr int partial_content = 206;
constexpr int im_used = 226;

/// Headers by which a client chooses an encoding (RFC 9110, 12.5.2), a difference to what it has
/// (RFC 3229), or a digest of the text before secrets are taken out (RFC 9530, RFC 3230).
constexpr std::array<std::string_view, 5> choosing_headers{
    "accept-charset", "a-im", "want-digest", "want-content-digest", "want-repr-digest"};

/// Whether a name has this word between its dashes.
bool has_word(std::string_view name, std::string_view word) {
  const auto words = split(name, '-');
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Character sets in which the characters of a secret are the bytes that they are in ASCII.
bool is_like_ascii(std::string_view charset) {
  constexpr std::array<std::string_view, 15> names{
      "utf-8", "utf8",    "us-ascii", "ascii",  "shift_jis", "euc-jp", "euc-kr", "gb2312",
      "gbk",   "gb18030", "big5",     "koi8-r", "koi8-u",    "latin1", "binary"};
  constexpr std::array<std::string_view, 2> families{"iso-8859-", "windows-125"};
  const std::string name = to_lower(charset);
  return std::find(names.begin(), names.end(), name) != names.end() ||
         std::any_of(families.begin(), families.end(),
                     [&](std::string_view family) { return name.starts_with(family); });
}

/// Whether a media type, or a list of them, names a character set that cannot be searched.
bool names_other_charset(std::string_view value) {
  const std::string text = to_lower(value);
  constexpr std::string_view key = "charset";
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) {
    at += key.size();
    std::string_view rest = trim(std::string_view(text).substr(at));
    if (!rest.starts_with('=')) continue;
    rest = trim(rest.substr(1));
    if (rest.starts_with('"') || rest.starts_with('\'')) rest.remove_prefix(1);
    if (!is_like_ascii(rest.substr(0, rest.find_first_of(";,\"' \t")))) return true;
  }
  return false;
}

bool names_byte_ranges(std::string_view value) {
  return to_lower(value).find("multipart/byteranges") != std::string::npos;
}

}  // namespace

bool asks_for_compression(const engine::HttpHeader& header) {
  return plain_header_name(header.name) == "accept-encoding";
}

std::optional<std::string> asks_for_what_cannot_be_searched(
    std::span<const engine::HttpHeader> headers) {
  for (const engine::HttpHeader& header : headers) {
    const std::string name = plain_header_name(header.name);
    // Range, If-Range, Request-Range, X-Ms-Range and whatever else is called so. Content-Range is
    // about what is sent.
    if (has_word(name, "range") && name != "content-range") {
      return fmt::format(
          "where a secret goes out, no part of an answer can be asked for ({}): in parts it could "
          "not be looked through for the secret",
          header.name);
    }
    const bool chooses = std::find(choosing_headers.begin(), choosing_headers.end(), name) !=
                             choosing_headers.end() ||
                         (name.ends_with("accept-encoding") && !asks_for_compression(header)) ||
                         name.ends_with("-accept-charset") ||
                         (name == "accept" &&
                          (names_other_charset(header.value) || names_byte_ranges(header.value)));
    if (chooses) {
      return fmt::format(
          "where a secret goes out, a tool does not choose how the answer is written ({}): it "
          "could "
          "not be looked through for the secret",
          header.name);
    }
  }
  return std::nullopt;
}

std::optional<std::string> why_it_cannot_be_searched(const ResponseHead& head) {
  for (const std::string_view coding : head.values("content-encoding")) {
    if (!coding.empty() && !equals_ignoring_case(coding, "identity")) {
      return "the response is compressed though it was asked not to be, and cannot be looked "
             "through "
             "for secrets";
    }
  }
  // Some servers count other things than bytes by this header, and cut between them.
  const auto ranges = head.values("content-range");
  const bool of_bytes = std::any_of(ranges.begin(), ranges.end(), [](std::string_view range) {
    return to_lower(range).starts_with("bytes");
  });
  const auto types = head.values("content-type");
  if (of_bytes || (head.status() == partial_content && ranges.empty()) ||
      head.status() == im_used || std::any_of(types.begin(), types.end(), names_byte_ranges)) {
    return "the response is a part of something, which nobody asked for, and cannot be looked "
           "through for secrets";
  }
  if (std::any_of(types.begin(), types.end(), names_other_charset)) {
    return "the response is in a character set in which it cannot be looked through for secrets";
  }
  return std::nullopt;
}

}  // namespace belljar::host
