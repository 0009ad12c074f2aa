#include "policy/path_pattern.h"

#include <fmt/format.h>

#include <vector>

#include "support/crypto.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

/// What means the same with and without its percent-encoding within a segment (RFC 3986, 3.3). A
/// star is not among it: in a pattern it would turn into a wildcard.
bool is_plain_in_segment(char c) {
  constexpr std::string_view others = "!$&'()+,;=:@";
  return is_unreserved(c) || others.find(c) != std::string_view::npos;
}

/// Matches one segment against a pattern with stars, without backtracking beyond the last star.
bool segment_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

char upper(char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; }

std::unexpected<Error> ambiguous(std::string_view path, std::string_view what) {
  return fail(ErrorCode::invalid_argument,
              "the path \"{}\" has {} in it, which servers read in different ways",
              one_line(path, 80), what);
}

}  // namespace

Result<PathPattern> PathPattern::parse(std::string_view text) {
  if (!text.starts_with('/')) {
    return fail(ErrorCode::invalid_argument, "\"{}\": a path starts with \"/\"",
                one_line(text, 80));
  }
  if (text.find_first_of("?# ") != std::string_view::npos) {
    return fail(
        ErrorCode::invalid_argument,
        "\"{}\": a path pattern has no query, fragment or blank; queries are always allowed",
        one_line(text, 80));
  }
  if (text.find("**") != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\": a star does not go beyond its segment; write /* at the end for everything "
                "below",
                one_line(text, 80));
  }
  BELLJAR_TRY(auto canonical, canonical_path(text));
  PathPattern pattern;
  pattern.text_ = std::move(canonical);
  return pattern;
}

bool PathPattern::matches(std::string_view path) const {
  const auto wanted = split(text_, '/');
  const auto given = split(path, '/');
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool last = i + 1 == wanted.size();
    if (last && i > 0 && wanted[i] == "*") return i < given.size();
    if (i >= given.size() || !segment_matches(wanted[i], given[i])) return false;
  }
  return given.size() == wanted.size();
}

Result<std::string> canonical_path(std::string_view path) {
  if (!path.empty() && path.front() != '/') {
    return fail(ErrorCode::invalid_argument, "the path \"{}\" does not start with \"/\"",
                one_line(path, 80));
  }
  std::string decoded;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '\\') return ambiguous(path, "a backslash");
    if (c != '%') {
      decoded.push_back(c);
      continue;
    }
    const auto byte = path.size() - i > 2 ? from_hex(path.substr(i + 1, 2)) : std::nullopt;
    if (!byte) return ambiguous(path, "a percent sign without two hexadecimal digits");
    const char value = byte->front();
    if (value == '/' || value == '\\' || value == '\0') {
      return ambiguous(path, fmt::format("\"{}\"", path.substr(i, 3)));
    }
    if (is_plain_in_segment(value)) {
      decoded.push_back(value);
    } else {
      // RFC 3986, 6.2.2.1: the digits of an encoding are upper-case.
      decoded.push_back('%');
      decoded.push_back(upper(path[i + 1]));
      decoded.push_back(upper(path[i + 2]));
    }
    i += 2;
  }
  if (decoded.find("//") != std::string::npos) return ambiguous(path, "\"//\"");
  std::vector<std::string_view> kept;
  const auto segments = split(decoded, '/');
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    const bool last = i + 1 == segments.size();
    if (segment.starts_with("..;") || segment.starts_with(".;")) {
      return ambiguous(path, "\"..;\"");
    }
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
      if (last) kept.emplace_back();
    } else if (segment == ".") {
      if (last) kept.emplace_back();
    } else {
      kept.push_back(segment);
    }
  }
  std::string canonical;
  for (const std::string_view segment : kept) {
    canonical.push_back('/');
    canonical += segment;
  }
  return canonical.empty() ? "/" : canonical;
}

}  // namespace belljar::policy
