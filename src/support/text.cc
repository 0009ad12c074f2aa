#include "support/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace belljar {
namespace {

/// Decodes one code point at the front of `text`; length 0 means malformed.
struct Decoded {
  char32_t point = 0;
  std::size_t length = 0;
};

Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (length == 0 || first > 0xF4 || text.size() < length) return {};
  char32_t point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    point = (point << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  if (point < least[length] || surrogate || point > 0x10FFFF) return {};
  return {point, length};
}

/// Characters that change how others are shown, or are not shown at all.
bool deceives(char32_t point) {
  constexpr std::array<std::pair<char32_t, char32_t>, 23> ranges{{
      {0x0000, 0x0008},     // controls, but tab and newline
      {0x000B, 0x001F},     // controls, escape among them
      {0x007F, 0x009F},     // delete, C1 controls
      {0x00AD, 0x00AD},     // soft hyphen
      {0x034F, 0x034F},     // combining grapheme joiner
      {0x061C, 0x061C},     // Arabic letter mark
      {0x115F, 0x1160},     // Hangul fillers
      {0x17B4, 0x17B5},     // Khmer inherent vowels
      {0x180B, 0x180F},     // Mongolian selectors and vowel separator
      {0x200B, 0x200F},     // zero width, directional marks
      {0x2028, 0x202E},     // separators, bidirectional embeddings and overrides
      {0x2060, 0x206F},     // invisible operators, bidirectional isolates
      {0x2800, 0x2800},     // Braille blank
      {0x3164, 0x3164},     // Hangul filler
      {0xE000, 0xF8FF},     // private use
      {0xFE00, 0xFE0F},     // variation selectors, which can smuggle data
      {0xFEFF, 0xFEFF},     // byte order mark
      {0xFFA0, 0xFFA0},     // halfwidth Hangul filler
      {0xFFF0, 0xFFFB},     // unassigned, interlinear annotation
      {0x1BCA0, 0x1BCA3},   // shorthand format controls
      {0x1D173, 0x1D17A},   // musical format controls
      {0xE0000, 0xE0FFF},   // tags
      {0xF0000, 0x10FFFF},  // private use
  }};
  return std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
    return point >= range.first && point <= range.second;
  });
}

/// The length of an ANSI escape sequence at the front of `text` (ECMA-48), which begins with ESC.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 1;
  const char kind = text[1];
  if (kind == '[') {
    for (std::size_t i = 2; i < text.size(); ++i) {
      if (text[i] >= '@' && text[i] <= '~') return i + 1;
    }
    return text.size();
  }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^') {
    for (std::size_t i = 2; i < text.size(); ++i) {
      if (text[i] == '\a') return i + 1;
      if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '\\') return i + 2;
    }
    return text.size();
  }
  return 2;
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row.back();
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool is_utf8(std::string_view text) {
  constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080;
  while (!text.empty()) {
    // Most text is ASCII: eight characters at a time.
    std::uint64_t eight = high_bits;
    if (text.size() >= sizeof eight) std::memcpy(&eight, text.data(), sizeof eight);
    if ((eight & high_bits) == 0) {
      text.remove_prefix(sizeof eight);
      continue;
    }
    const std::size_t length = decode(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string clean_utf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = decode(text).length;
    clean += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return clean;
}

CleanText clean_text(std::string_view text, std::size_t limit) {
  CleanText clean;
  while (!text.empty()) {
    if (text.front() == '\x1b') {
      text.remove_prefix(escape_length(text));
      clean.changed = true;
      continue;
    }
    const Decoded decoded = decode(text);
    if (decoded.length == 0 || deceives(decoded.point)) {
      text.remove_prefix(std::max<std::size_t>(decoded.length, 1));
      clean.changed = true;
      continue;
    }
    if (clean.text.size() + decoded.length > limit) {
      clean.text += "…";
      clean.changed = true;
      break;
    }
    clean.text += text.substr(0, decoded.length);
    text.remove_prefix(decoded.length);
  }
  return clean;
}

std::string one_line(std::string_view text, std::size_t limit) {
  std::string line = clean_text(text, limit).text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

std::string quoted(std::string_view words, std::size_t limit) {
  constexpr std::array<std::string_view, 8> marks{"\"", "“", "”", "„", "‟", "«", "»", "″"};
  std::string out = "“";
  bool blank = false;
  std::string_view left = words;
  const std::string line = one_line(left, limit);
  left = line;
  while (!left.empty()) {
    const auto mark = std::find_if(marks.begin(), marks.end(), [&](std::string_view candidate) {
      return left.starts_with(candidate);
    });
    const std::size_t length =
        mark == marks.end() ? std::max<std::size_t>(decode(left).length, 1) : mark->size();
    // A row of blanks could move what follows to the next line of a screen.
    const bool repeated = std::exchange(blank, left.front() == ' ') && blank;
    if (!repeated) out += mark == marks.end() ? left.substr(0, length) : std::string_view("'");
    left.remove_prefix(length);
  }
  return out + "”";
}

std::string quoted_lines(std::string_view words, std::size_t limit) {
  const std::string clean = clean_text(words, limit).text;
  std::string_view left = clean;
  while (left.ends_with('\n')) left.remove_suffix(1);
  std::string out;
  for (const std::string_view line : split(left, '\n')) {
    if (!out.empty()) out += '\n';
    out += "  | ";
    out += line;
  }
  return out;
}

std::string with_quoted_lines(std::string_view message, std::size_t limit) {
  const std::size_t end = message.find('\n');
  std::string out = one_line(message.substr(0, end), limit);
  if (end == std::string_view::npos) return out;
  const std::string_view rest = message.substr(end + 1);
  return out + "\n" + quoted_lines(rest, limit - std::min(limit, out.size()));
}

std::string path_in_sentence(std::string_view path, std::size_t limit) {
  constexpr std::string_view marks = "/._-+@~=,:%";
  const bool plain = path.size() <= limit && std::all_of(path.begin(), path.end(), [&](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
                     });
  return plain ? std::string(path) : quoted(path, limit);
}

std::string shown_name(std::string_view name) {
  constexpr std::size_t longest_path = 4'096;
  std::string line = one_line(name, longest_path);
  return line == name ? line : quoted(name, longest_path);
}

std::string visible_json(std::string_view json) {
  const auto plain = [](char c) { return c >= ' ' && c < 0x7F; };
  std::string out;
  out.reserve(json.size());
  const auto escape = [&](std::uint32_t unit) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += digits[(unit >> shift) & 0xFU];
  };
  while (!json.empty()) {
    const auto end = std::find_if_not(json.begin(), json.end(), plain);
    const auto length = static_cast<std::size_t>(end - json.begin());
    out += json.substr(0, length);
    json.remove_prefix(length);
    if (json.empty()) break;
    const Decoded decoded = decode(json);
    // Line breaks and tabs stand between values only.
    if (decoded.length == 0) {
      escape(0xFFFD);
    } else if (!deceives(decoded.point)) {
      out += json.substr(0, decoded.length);
    } else if (decoded.point < 0x10000) {
      escape(decoded.point);
    } else {
      escape(0xD7C0U + (decoded.point >> 10));
      escape(0xDC00U | (decoded.point & 0x3FFU));
    }
    json.remove_prefix(std::max<std::size_t>(decoded.length, 1));
  }
  return out;
}

std::string for_terminal(std::string_view text, Colours colours) {
  constexpr std::array<std::string_view, 7> styles{"\x1b[0m",  "\x1b[1m",  "\x1b[2m", "\x1b[31m",
                                                   "\x1b[32m", "\x1b[33m", "\x1b[36m"};
  const auto plain = [](char c) { return (c >= ' ' && c < 0x7F) || c == '\n' || c == '\t'; };
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), plain);
    const auto length = static_cast<std::size_t>(end - text.begin());
    out += text.substr(0, length);
    text.remove_prefix(length);
    if (text.empty()) break;
    const auto style = std::find_if(styles.begin(), styles.end(), [&](std::string_view candidate) {
      return text.starts_with(candidate);
    });
    if (text.front() == '\x1b') {
      const bool kept = colours == Colours::keep && style != styles.end();
      if (kept) out += *style;
      text.remove_prefix(kept ? style->size() : escape_length(text));
      continue;
    }
    const Decoded decoded = decode(text);
    if (decoded.length > 0 && !deceives(decoded.point)) out += text.substr(0, decoded.length);
    text.remove_prefix(std::max<std::size_t>(decoded.length, 1));
  }
  return out;
}

std::u32string code_points(std::string_view text) {
  std::u32string points;
  while (!text.empty()) {
    const Decoded decoded = decode(text);
    points.push_back(decoded.length == 0 ? U'\uFFFD' : decoded.point);
    text.remove_prefix(std::max<std::size_t>(decoded.length, 1));
  }
  return points;
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,+%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::optional<std::string> closest(std::string_view text, std::span<const std::string> candidates) {
  std::size_t best = std::max<std::size_t>(2, text.size() / 3) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    const std::size_t d = distance(to_lower(text), to_lower(candidate));
    if (d < best) {
      best = d;
      found = candidate;
    }
  }
  return found;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
  return lowered;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace belljar
