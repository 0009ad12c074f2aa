#include "policy/host.h"

#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>
#include <array>
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

/// Alphabets, as far as names that deceive are concerned. What has none (digits, hyphens, marks) is
/// of every alphabet.
enum class Script { latin, greek, cyrillic, armenian, hebrew, arabic, east_asian, other };

std::optional<Script> script_of(char32_t point) {
  struct Range {
    char32_t first;
    char32_t last;
    Script script;
  };
  // Source: Unicode's Scripts.txt, by blocks.
  constexpr std::array ranges{
      Range{U'A', U'Z', Script::latin},          Range{U'a', U'z', Script::latin},
      Range{0x00C0, 0x02AF, Script::latin},      Range{0x0370, 0x03FF, Script::greek},
      Range{0x0400, 0x052F, Script::cyrillic},   Range{0x0530, 0x058F, Script::armenian},
      Range{0x0590, 0x05FF, Script::hebrew},     Range{0x0600, 0x077F, Script::arabic},
      Range{0x1100, 0x11FF, Script::east_asian}, Range{0x1C80, 0x1C8F, Script::cyrillic},
      Range{0x1D00, 0x1D7F, Script::latin},      Range{0x1E00, 0x1EFF, Script::latin},
      Range{0x1F00, 0x1FFF, Script::greek},      Range{0x2C60, 0x2C7F, Script::latin},
      Range{0x2DE0, 0x2DFF, Script::cyrillic},   Range{0x3005, 0x31FF, Script::east_asian},
      Range{0x3400, 0x9FFF, Script::east_asian}, Range{0xA640, 0xA69F, Script::cyrillic},
      Range{0xA720, 0xA7FF, Script::latin},      Range{0xAC00, 0xD7AF, Script::east_asian},
      Range{0xF900, 0xFAFF, Script::east_asian}, Range{0x20000, 0x3FFFF, Script::east_asian},
  };
  if (point < 0x80 || (point >= 0x0300 && point <= 0x036F)) {
    const bool letter = (point >= U'a' && point <= U'z') || (point >= U'A' && point <= U'Z');
    return letter ? std::optional(Script::latin) : std::nullopt;
  }
  const auto* const found = std::find_if(ranges.begin(), ranges.end(), [&](const Range& range) {
    return point >= range.first && point <= range.last;
  });
  return found == ranges.end() ? Script::other : found->script;
}

/// The ASCII letter that a letter looks like; nothing for one that looks like none. Source:
/// Unicode's confusables.txt, for what IDNA leaves of the alphabets of Europe.
std::string_view looks_like(char32_t point) {
  struct Pair {
    char32_t point;
    std::string_view ascii;
  };
  constexpr std::array pairs{
      // Cyrillic
      Pair{0x0430, "a"},
      Pair{0x0432, "b"},
      Pair{0x0433, "r"},
      Pair{0x0435, "e"},
      Pair{0x043A, "k"},
      Pair{0x043C, "m"},
      Pair{0x043D, "h"},
      Pair{0x043E, "o"},
      Pair{0x043F, "n"},
      Pair{0x0440, "p"},
      Pair{0x0441, "c"},
      Pair{0x0442, "t"},
      Pair{0x0443, "y"},
      Pair{0x0445, "x"},
      Pair{0x044A, "b"},
      Pair{0x044C, "b"},
      Pair{0x0451, "e"},
      Pair{0x0455, "s"},
      Pair{0x0456, "i"},
      Pair{0x0457, "i"},
      Pair{0x0458, "j"},
      Pair{0x045B, "h"},
      Pair{0x0461, "w"},
      Pair{0x0475, "v"},
      Pair{0x04AB, "c"},
      Pair{0x04AF, "y"},
      Pair{0x04BB, "h"},
      Pair{0x04CF, "l"},
      Pair{0x04D5, "ae"},
      Pair{0x0501, "d"},
      Pair{0x051B, "q"},
      Pair{0x051D, "w"},
      Pair{0x0491, "r"},
      Pair{0x04E9, "o"},
      // Greek
      Pair{0x03B1, "a"},
      Pair{0x03B2, "b"},
      Pair{0x03B3, "y"},
      Pair{0x03B5, "e"},
      Pair{0x03B7, "n"},
      Pair{0x03B9, "i"},
      Pair{0x03BA, "k"},
      Pair{0x03BC, "u"},
      Pair{0x03BD, "v"},
      Pair{0x03BF, "o"},
      Pair{0x03C1, "p"},
      Pair{0x03C3, "o"},
      Pair{0x03C4, "t"},
      Pair{0x03C5, "u"},
      Pair{0x03C7, "x"},
      Pair{0x03C9, "w"},
      Pair{0x03AC, "a"},
      Pair{0x03AF, "i"},
      Pair{0x03CC, "o"},
      Pair{0x03F3, "j"},
      // Armenian
      Pair{0x0561, "w"},
      Pair{0x0563, "q"},
      Pair{0x0566, "q"},
      Pair{0x0570, "h"},
      Pair{0x0575, "j"},
      Pair{0x0578, "n"},
      Pair{0x057D, "u"},
      Pair{0x0581, "g"},
      Pair{0x0584, "f"},
      Pair{0x0585, "o"},
      Pair{0x0582, "i"},
      // Latin
      Pair{0x0111, "d"},
      Pair{0x0127, "h"},
      Pair{0x0131, "i"},
      Pair{0x0142, "l"},
      Pair{0x0167, "t"},
      Pair{0x0180, "b"},
      Pair{0x0185, "b"},
      Pair{0x0192, "f"},
      Pair{0x01A5, "p"},
      Pair{0x01B4, "y"},
      Pair{0x01BF, "p"},
      Pair{0x01C0, "l"},
      Pair{0x0251, "a"},
      Pair{0x0257, "d"},
      Pair{0x0261, "g"},
      Pair{0x0269, "i"},
      Pair{0x026A, "i"},
      Pair{0x028B, "u"},
      Pair{0x028F, "y"},
      Pair{0x00F8, "o"},
      Pair{0x00E6, "ae"},
      Pair{0x0153, "oe"},
      Pair{0x00FE, "p"},
      Pair{0x00F0, "o"},
  };
  const auto* const found = std::find_if(pairs.begin(), pairs.end(),
                                         [&](const Pair& pair) { return pair.point == point; });
  if (found != pairs.end()) return found->ascii;
  // Latin letters with accents, in the order of their blocks.
  constexpr std::string_view latin_1 =
      "aaaaaa ceeeeiiii nooooo  uuuuy  aaaaaa ceeeeiiii nooooo  uuuuy y";
  constexpr std::string_view extended_a =
      "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiijjjjkkklllllllllln"
      "nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
  if (point >= 0x00C0 && point <= 0x00FF) return latin_1.substr(point - 0x00C0, 1);
  if (point >= 0x0100 && point <= 0x017F) return extended_a.substr(point - 0x0100, 1);
  return {};
}

/// The name of ASCII letters that a name looks like; nothing where a letter looks like none.
std::optional<std::string> double_of(std::u32string_view name) {
  std::string ascii;
  for (const char32_t point : name) {
    if (point < 0x80) {
      ascii.push_back(static_cast<char>(point));
    } else if (point < 0x0300 || point > 0x036F) {
      const std::string_view letters = looks_like(point);
      if (letters.empty() || letters == " ") return std::nullopt;
      ascii += letters;
    }
  }
  return ascii;
}

/// Whether one label has letters of several alphabets; those of East Asia belong together, also
/// with Latin ones.
bool mixes_alphabets(std::u32string_view name) {
  bool any = false;
  Script seen{};
  bool east_asian = false;
  for (const char32_t point : name) {
    if (point == U'.') {
      any = east_asian = false;
      continue;
    }
    const auto script = script_of(point);
    if (!script) continue;
    if (*script == Script::east_asian) {
      east_asian = true;
      if (!any || seen == Script::latin) continue;
    }
    if (east_asian && *script == Script::latin) continue;
    if ((any && seen != *script) || east_asian) return true;
    any = true;
    seen = *script;
  }
  return false;
}

}  // namespace

std::optional<std::string> name_note(std::string_view name) {
  if (name.find("xn--") == std::string_view::npos) return std::nullopt;
  if (name.starts_with("*.")) name.remove_prefix(2);
  const std::string terminated(name);
  char* output = nullptr;
  const int code = idn2_to_unicode_8z8z(terminated.c_str(), &output, 0);
  const std::unique_ptr<char, void (*)(void*)> owned(output, idn2_free);
  if (code != IDN2_OK) return "a name in letters that cannot be shown";
  const std::string shown = quoted(output, maximum_name);
  const std::u32string points = code_points(output);
  std::string note = shown + ", in letters beyond a to z";
  if (mixes_alphabets(points)) note += " and of more than one alphabet";
  if (const auto other = double_of(points)) {
    note += fmt::format(": it looks like {} and is another host", *other);
  }
  return note;
}

std::string with_name_notes(std::string_view text) {
  const auto is_of_name = [](char c) { return is_host_character(c) || c == '.'; };
  std::string out;
  while (true) {
    const std::size_t at = text.find("xn--");
    if (at == std::string_view::npos) return out += text;
    std::size_t begin = at;
    while (begin > 0 && is_of_name(text[begin - 1])) --begin;
    std::size_t end = at;
    while (end < text.size() && is_of_name(text[end])) ++end;
    const std::string_view name = text.substr(begin, end - begin);
    out += text.substr(0, end);
    if (const auto note = name.size() <= maximum_name ? name_note(name) : std::nullopt) {
      out += fmt::format(" ({})", *note);
    }
    text.remove_prefix(end);
  }
}

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
