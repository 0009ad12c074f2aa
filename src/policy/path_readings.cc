#include "policy/path_readings.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "support/crypto.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";
constexpr std::string_view dots_and_blanks = ". \t\r\n\v\f";

/// A path on its way through a server. What was not decoded yet is read with its encodings taken
/// off; what was is read as it is.
struct State {
  std::string text;
  int decodes = 0;
};

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool is_slash(char c) { return c == '/' || c == '\\'; }

/// The byte that stands encoded at the front, as `%41`.
std::optional<char> encoded_byte(std::string_view text) {
  if (text.size() < 3 || text.front() != '%') return std::nullopt;
  const auto byte = from_hex(text.substr(1, 2));
  if (!byte) return std::nullopt;
  return byte->front();
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

/// Decodes every encoding for which `wanted` holds. `%u2215`, which some servers decode as well,
/// where `wide` says so.
template <typename Wanted>
std::string decoded(std::string_view text, bool wide, Wanted wanted) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (const auto byte = encoded_byte(text); byte && wanted(*byte)) {
      out.push_back(*byte);
      text.remove_prefix(3);
    } else if (wide && text.size() >= 6 && text[0] == '%' && (text[1] == 'u' || text[1] == 'U') &&
               from_hex(text.substr(2, 4))) {
      const auto bytes = *from_hex(text.substr(2, 4));
      append_utf8(out, (std::uint32_t{static_cast<std::uint8_t>(bytes[0])} << 8) |
                           static_cast<std::uint8_t>(bytes[1]));
      text.remove_prefix(6);
    } else {
      out.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return out;
}

/// Calls `change` with each segment, which it may shorten.
template <typename Change>
std::string each_segment(std::string_view path, Change change) {
  std::string out;
  out.reserve(path.size());
  bool first = true;
  for (const std::string_view segment : split(path, '/')) {
    if (!std::exchange(first, false)) out.push_back('/');
    out += change(segment);
  }
  return out;
}

std::string without_parameters(std::string_view path) {
  return each_segment(
      path, [](std::string_view segment) { return segment.substr(0, segment.find(';')); });
}

/// Without dots and blanks at the end of names, and the streams of Windows: `a.`, `a%20`,
/// `a::$DATA`. A segment of dots alone stays what it is.
std::string without_ends(std::string_view path) {
  return each_segment(path, [](std::string_view segment) {
    segment = segment.substr(0, segment.find("::$"));
    const std::size_t first = segment.find_first_not_of(blanks);
    if (first == std::string_view::npos) return std::string_view{};
    const std::string_view kept = segment.substr(first);
    const std::size_t end = kept.find_last_not_of(dots_and_blanks);
    if (end != std::string_view::npos) return kept.substr(0, end + 1);
    // Of dots alone, those at the front are the name, where they are one.
    const std::string_view dots = kept.substr(0, kept.find_first_of(blanks));
    return dots.size() > 2 ? std::string_view{} : dots;
  });
}

/// The same, for who stops where dot segments begin: `...` is `..`.
std::string with_two_dots(std::string_view path) {
  return each_segment(path, [](std::string_view segment) {
    const bool dots =
        segment.size() > 2 && segment.find_first_not_of(". ") == std::string_view::npos;
    return dots && segment.starts_with("..") ? segment.substr(0, 2) : segment;
  });
}

std::string with_slashes(std::string_view path) {
  std::string out(path);
  std::replace(out.begin(), out.end(), '\\', '/');
  return out;
}

std::string without_empty_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    if (c != '/' || !out.ends_with('/')) out.push_back(c);
  }
  return out;
}

/// Control characters are dropped by some (WHATWG URL does so with line breaks and tabs).
std::string without_controls(std::string_view path) {
  std::string out(path);
  std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  return out;
}

/// `//host/path` is a reference to another host for some (RFC 3986, 4.2).
std::string without_authority(std::string_view path) {
  if (!path.starts_with("//")) return std::string(path);
  const std::size_t slash = path.find('/', 2);
  return slash == std::string_view::npos ? "/" : std::string(path.substr(slash));
}

/// What servers that decode and then read again take for the end of a path.
std::string without_tail(std::string_view path, std::string_view ends) {
  return std::string(path.substr(0, path.find_first_of(ends)));
}

/// Characters that compatibility mappings (NFKC, best fit) turn into ones that structure a path:
/// all whose NFKC form has one of `. / \ % ; ? #` or a blank in it, beside those of full width.
std::string_view structure_of(std::uint32_t point) {
  switch (point) {
    case 0x2024:
    case 0x3002:
    case 0xFE52:
    case 0xFF61: return ".";
    case 0x2025:
    case 0xFE30: return "..";
    case 0x2026:
    case 0xFE19: return "...";
    case 0x2044:
    case 0x2215:
    case 0x29F8: return "/";
    case 0x2100: return "a/c";
    case 0x2101: return "a/s";
    case 0x2105: return "c/o";
    case 0x2106: return "c/u";
    case 0x2216:
    case 0x29F5:
    case 0xFE68: return "\\";
    case 0xFE6A: return "%";
    case 0x037E:
    case 0xFE14:
    case 0xFE54: return ";";
    case 0x2047: return "??";
    case 0x2048: return "?!";
    case 0x2049: return "!?";
    case 0xFE16:
    case 0xFE56: return "?";
    case 0xFE5F: return "#";
    case 0x00A0:
    case 0x1680:
    case 0x202F:
    case 0x205F:
    case 0x3000: return " ";
    default: return point >= 0x2000 && point <= 0x200A ? " " : "";
  }
}

/// The code point that a lax decoder finds at the front: also overlong forms (`C0 AF`), of up to
/// six bytes, which UTF-8 forbids. Length 0 where there is none.
std::pair<std::uint32_t, std::size_t> lax_point(std::string_view text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  const auto length = static_cast<std::size_t>(std::countl_one(first));
  if (length < 2 || length > 6 || text.size() < length) return {0, 0};
  // Never part of UTF-8. Some that take it look at six bits of whatever follows.
  const bool careless = first == 0xC0 || first == 0xC1;
  std::uint32_t point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    if (!careless && (next & 0xC0U) != 0x80) return {0, 0};
    point = (point << 6) | (next & 0x3FU);
  }
  return {point, length};
}

/// With overlong forms, full-width forms and look-alikes as the ASCII that they are taken for.
std::string with_plain_characters(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  while (!path.empty()) {
    const auto [point, length] = lax_point(path);
    if (length == 0) {
      out.push_back(path.front());
      path.remove_prefix(1);
      continue;
    }
    if (point < 0x80) {
      out.push_back(static_cast<char>(point));
    } else if (point >= 0xFF01 && point <= 0xFF5E) {
      out.push_back(static_cast<char>(point - 0xFF01 + 0x21));
    } else if (const auto structure = structure_of(point); !structure.empty()) {
      out += structure;
    } else {
      out += path.substr(0, length);
    }
    path.remove_prefix(length);
  }
  return out;
}

/// The path of a server that does not decode what needs no encoding: `%61` stays. Everything else
/// that is encoded has no other spelling, and a slash within a segment is no border.
std::string read_undecoded(std::string_view path) {
  return decoded(path, false, [](char c) { return !is_unreserved(c) && !is_slash(c); });
}

/// The states that come out of one.
std::vector<State> steps_from(const State& state) {
  const std::string& text = state.text;
  const auto all = [](char) { return true; };
  const auto no_slash = [](char c) { return !is_slash(c); };
  std::vector<State> next;
  const auto add = [&](std::string changed, int decodes = 0) {
    if (changed != text || (decodes > 0 && state.decodes == 0)) {
      next.push_back({std::move(changed), state.decodes + decodes});
    }
  };
  add(decoded(text, false, all), 1);
  add(decoded(text, false, no_slash), 1);
  if (text.find("%u") != std::string::npos || text.find("%U") != std::string::npos) {
    add(decoded(text, true, all), 1);
  }
  add(without_parameters(text));
  add(without_ends(text));
  add(with_two_dots(text));
  add(with_slashes(text));
  add(without_controls(text));
  add(without_empty_segments(text));
  add(without_authority(text));
  add(without_dot_segments(text));
  add(without_tail(text, std::string_view("\0", 1)));
  add(without_tail(text, "?"));
  add(without_tail(text, "#"));
  add(with_plain_characters(text));
  return next;
}

/// Whether a path can be read in one way only: no encodings, parameters, dots or blanks that
/// matter.
bool has_one_reading(std::string_view path) {
  constexpr std::string_view plain = "/-_~!$&'()+,=:@*";
  const bool plain_only = std::all_of(path.begin(), path.end(), [&](char c) {
    return is_unreserved(c) || plain.find(c) != std::string_view::npos;
  });
  return plain_only && path.find("//") == std::string_view::npos &&
         path.find("/.") == std::string_view::npos && path.find("./") == std::string_view::npos &&
         !path.ends_with('.') && path.find("::$") == std::string_view::npos;
}

Result<void> check_form(std::string_view path) {
  if (!path.starts_with('/')) {
    return fail(ErrorCode::invalid_argument, "the path {} does not start with \"/\"",
                quoted(path, 80));
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && !encoded_byte(path.substr(i))) {
      return fail(ErrorCode::invalid_argument,
                  "the path {} has a percent sign without two hexadecimal digits in it, which "
                  "servers read in different ways",
                  quoted(path, 80));
    }
  }
  return {};
}

}  // namespace

std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const auto segments = split(path, '/');
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    const bool last = i + 1 == segments.size();
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
      continue;
    }
    if (last) kept.emplace_back();
  }
  std::string out;
  for (const std::string_view segment : kept) {
    out.push_back('/');
    out += segment;
  }
  return out.empty() ? "/" : out;
}

std::string settled_path(std::string_view path) {
  std::string settled(path);
  for (std::size_t turn = 0; turn <= path.size(); ++turn) {
    std::string next = decoded(settled, true, [](char) { return true; });
    next = with_slashes(with_plain_characters(next));
    next = without_ends(without_parameters(without_tail(next, std::string_view("\0?#", 3))));
    next = without_dot_segments(without_empty_segments(next));
    if (next == settled) break;
    settled = std::move(next);
  }
  return settled;
}

Result<PathReadings> PathReadings::of(std::string_view path) {
  if (path.empty()) path = "/";
  PathReadings readings;
  if (has_one_reading(path) && path.front() == '/') {
    readings.readings_.emplace_back(path);
    return readings;
  }
  BELLJAR_CHECK(check_form(path));
  const auto too_many = [&] {
    return fail(ErrorCode::invalid_argument,
                "the path {} can be read in so many ways that no rule can be applied to it",
                quoted(path, 80));
  };
  // A text that was decoded is read otherwise than one that was not.
  std::set<std::pair<bool, std::string>> known;
  std::set<std::string> found;
  std::size_t size = 0;
  std::vector<State> open;
  const auto take = [&](State state) {
    if (!known.emplace(state.decodes > 0, state.text).second) return true;
    size += state.text.size();
    std::string reading = state.decodes > 0 ? state.text : read_undecoded(state.text);
    if (found.insert(reading).second) readings.readings_.push_back(std::move(reading));
    open.push_back(std::move(state));
    return known.size() <= maximum_readings && size <= maximum_size;
  };
  // The standard's reading goes first: refusals name it.
  readings.readings_.push_back(
      without_dot_segments(decoded(path, false, [](char c) { return !is_slash(c); })));
  found.insert(readings.readings_.front());
  if (!take({std::string(path), 0})) return too_many();
  // In the order of how often they were decoded, so that the bound on that means the same always.
  for (std::size_t i = 0; i < open.size(); ++i) {
    // The list grows meanwhile.
    std::vector<State> following = steps_from(open[i]);
    for (State& next : following) {
      if (next.decodes > maximum_decodes || !take(std::move(next))) return too_many();
    }
  }
  return readings;
}

}  // namespace belljar::policy
