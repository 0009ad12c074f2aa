#include "policy/path_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "policy/path_readings.h"
#include "support/crypto.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

/// Stands for a star in a decoded pattern.
constexpr char star = '\0';

/// What means the same with and without its percent-encoding within a segment (RFC 3986, 3.3). A
/// star is not among it: in a pattern it would turn into a wildcard.
bool is_plain_in_segment(char c) {
  constexpr std::string_view plain = "-._~!$&'()+,;=:@";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         plain.find(c) != std::string_view::npos;
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

/// Matches one segment against a pattern with stars, without backtracking beyond the last star.
bool segment_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t last_star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == star) {
      last_star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (last_star != std::string_view::npos) {
      p = last_star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == star) ++p;
  return p == pattern.size();
}

/// A character of a segment, as something that has forms beyond ASCII is compared.
struct Mark {
  enum class Kind {
    byte,
    /// In a pattern, any text: a star, and a character that has forms in ASCII.
    any,
    /// In a path, one character or none: a part of what such a character can become.
    maybe,
    /// Any text beyond ASCII: a letter of another alphabet, in whatever composition.
    other,
  };
  Kind kind = Kind::byte;
  char byte = 0;
};

/// As many ASCII characters as one can become, such as the sign for "TEL" or "1/10".
constexpr int longest_form = 4;

/// Whether Unicode's compatibility or accent mappings make ASCII, or nothing, of a character. Those
/// of full width are not among them: `PathReadings` knows what each becomes.
bool has_ascii_form(char32_t point) {
  constexpr std::pair<char32_t, char32_t> ranges[] = {
      {0x0080, 0x036F},   {0x1AB0, 0x1AFF}, {0x1D00, 0x1EFF},   {0x2000, 0x2BFF},
      {0x3000, 0x303F},   {0x3200, 0x33FF}, {0xA700, 0xA7FF},   {0xAB30, 0xAB6F},
      {0xFB00, 0xFB06},   {0xFE00, 0xFEFF}, {0x1D400, 0x1D7FF}, {0x1F100, 0x1F2FF},
      {0xE0000, 0xE0FFF},
  };
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const auto& range) {
    return point >= range.first && point <= range.second;
  });
}

std::vector<Mark> marks_of_pattern(std::string_view segment) {
  std::vector<Mark> marks;
  for (const char32_t point : code_points(segment)) {
    if (point > 0 && point < 0x80) {
      marks.push_back({Mark::Kind::byte, static_cast<char>(point)});
    } else {
      const bool any = point == 0 || has_ascii_form(point);
      marks.push_back({any ? Mark::Kind::any : Mark::Kind::other, 0});
    }
  }
  return marks;
}

std::vector<Mark> marks_of_path(std::string_view segment) {
  std::vector<Mark> marks;
  for (const char32_t point : code_points(segment)) {
    if (point < 0x80) {
      marks.push_back({Mark::Kind::byte, static_cast<char>(point)});
    } else if (has_ascii_form(point)) {
      marks.insert(marks.end(), longest_form, {Mark::Kind::maybe, 0});
    } else {
      marks.push_back({Mark::Kind::other, 0});
    }
  }
  return marks;
}

/// Whether two segments beyond ASCII could be the same to some server.
bool could_be_same(std::string_view pattern, std::string_view text) {
  using Kind = Mark::Kind;
  const std::vector<Mark> wanted = marks_of_pattern(pattern);
  // reach[i]: whether the first i marks of the pattern match what was given so far.
  std::vector<char> reach(wanted.size() + 1, 0);
  const auto skip = [&] {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (reach[i] != 0 && wanted[i].kind != Kind::byte) reach[i + 1] = 1;
    }
  };
  reach[0] = 1;
  skip();
  for (const Mark& mark : marks_of_path(text)) {
    std::vector<char> next(reach.size(), 0);
    for (std::size_t i = 0; i <= wanted.size(); ++i) {
      if (reach[i] == 0) continue;
      if (mark.kind == Kind::maybe) next[i] = 1;
      if (i == wanted.size()) continue;
      const Mark& one = wanted[i];
      // Whatever has room for more of the same stays; a byte is done with.
      if (one.kind == Kind::any || (one.kind == Kind::other && mark.kind != Kind::byte))
        next[i] = 1;
      if (one.kind == Kind::byte &&
          (mark.kind == Kind::maybe || (mark.kind == Kind::byte && mark.byte == one.byte))) {
        next[i + 1] = 1;
      }
    }
    reach = std::move(next);
    skip();
  }
  return reach.back() != 0;
}

bool segment_may_match(std::string_view pattern, std::string_view text) {
  const std::string wanted = to_lower(pattern);
  const std::string given = to_lower(text);
  return segment_matches(wanted, given) || (!is_ascii(given) && could_be_same(wanted, given));
}

template <typename Matches>
bool walk(std::string_view pattern, std::string_view path, Matches matches) {
  const auto wanted = split(pattern, '/');
  const auto given = split(path, '/');
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool last = i + 1 == wanted.size();
    if (last && i > 0 && wanted[i] == std::string_view(&star, 1)) return i < given.size();
    if (i >= given.size() || !matches(wanted[i], given[i])) return false;
  }
  return given.size() == wanted.size();
}

std::string replaced(std::string_view text, char from, char to) {
  std::string out(text);
  std::replace(out.begin(), out.end(), from, to);
  return out;
}

char upper(char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; }

/// A decoded path as a pattern is written; what was a star in it stays one.
std::string encoded(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (is_plain_in_segment(c) || c == '/' || c == '*') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::unexpected<Error> ambiguous(std::string_view path, std::string_view what) {
  return fail(ErrorCode::invalid_argument,
              "the path \"{}\" has {} in it, which servers read in different ways",
              one_line(path, 80), what);
}

/// Whether all servers read a path that stands for the pattern as one that it matches.
bool reads_as_it_is(const PathPattern& pattern) {
  const auto readings = PathReadings::of(replaced(pattern.text(), '*', 'x'));
  return readings &&
         std::all_of(readings->all().begin(), readings->all().end(),
                     [&](const std::string& reading) { return pattern.matches(reading); });
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
  const auto compiled = [](std::string canonical) {
    PathPattern pattern;
    const std::string stars = replaced(canonical, '*', star);
    for (std::size_t i = 0; i < stars.size(); ++i) {
      if (stars[i] != '%') {
        pattern.wanted_.push_back(stars[i]);
      } else {
        pattern.wanted_ += *from_hex(std::string_view(stars).substr(i + 1, 2));
        i += 2;
      }
    }
    pattern.text_ = std::move(canonical);
    return pattern;
  };
  BELLJAR_TRY(auto canonical, canonical_path(text));
  PathPattern pattern = compiled(std::move(canonical));
  if (reads_as_it_is(pattern)) return pattern;
  std::string advice =
      "write it without parameters, double encodings, and dots or blanks at the "
      "end of a name";
  if (const auto plain = canonical_path(encoded(settled_path(pattern.text_)));
      plain && pattern.text_.find("%2A") == std::string::npos && reads_as_it_is(compiled(*plain))) {
    advice = fmt::format("write {}", *plain);
  }
  return fail(ErrorCode::invalid_argument,
              "\"{}\": servers read this path in different ways, so it would match less than it "
              "says; {}",
              one_line(text, 80), advice);
}

bool PathPattern::matches(std::string_view reading) const {
  return walk(wanted_, reading, segment_matches);
}

bool PathPattern::may_match(std::string_view reading) const {
  if (walk(wanted_, reading, segment_may_match)) return true;
  if (reading.size() > 1 && reading.ends_with('/')) {
    return walk(wanted_, reading.substr(0, reading.size() - 1), segment_may_match);
  }
  return walk(wanted_, std::string(reading) + "/", segment_may_match);
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
  for (const std::string_view segment : split(decoded, '/')) {
    if (segment.starts_with("..;") || segment.starts_with(".;")) {
      return ambiguous(path, "\"..;\"");
    }
  }
  return without_dot_segments(decoded);
}

}  // namespace belljar::policy
