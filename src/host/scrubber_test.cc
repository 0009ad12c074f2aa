#include "host/scrubber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "support/crypto.h"
#include "support/text.h"

namespace belljar::host {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view secret = "sk-Tr0ub4dor/&3+x=";

std::shared_ptr<const SecretPatterns> patterns(std::vector<std::string_view> secrets = {secret}) {
  return std::make_shared<const SecretPatterns>(secrets);
}

std::string scrub(std::string_view text, std::vector<std::string_view> secrets = {secret}) {
  return Scrubber(patterns(std::move(secrets))).scrub(text);
}

std::string hex(std::string_view text) {
  return to_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

/// Every character as %XX, or only those that URLs escape.
std::string percent(std::string_view text, bool all, bool lower) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    if (plain && !all) {
      encoded += c;
    } else {
      encoded += '%' + (lower ? hex({&c, 1}) : upper(hex({&c, 1})));
    }
  }
  return encoded;
}

/// Every form of a secret that is recognised, by name.
std::vector<std::pair<std::string, std::string>> forms_of(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> forms{
      {"as it is", std::string(text)},
      {"percent-encoded", percent(text, false, false)},
      {"percent-encoded in lower case", percent(text, false, true)},
      {"percent-encoded throughout", percent(text, true, false)},
      {"hexadecimal", hex(text)},
      {"hexadecimal in upper case", upper(hex(text))},
  };
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string plain = std::string(before, 'u') + std::string(text) + "tail";
    std::string encoded = to_base64(plain);
    forms.emplace_back("base64 behind " + std::to_string(before), encoded);
    for (char& c : encoded) c = c == '+' ? '-' : c == '/' ? '_' : c;
    forms.emplace_back("url-safe base64 behind " + std::to_string(before), encoded);
  }
  return forms;
}

/// The part of a form that nothing but the secret decides, so that none of it may be left.
std::string_view core(std::string_view form) { return form.substr(4, 12); }

TEST(ScrubberTest, A55EveryEncodingOfASecretIsTakenOut) {
  for (const auto& [name, form] : forms_of(secret)) {
    const std::string text = "before " + form + " after";
    const std::string scrubbed = scrub(text);
    EXPECT_THAT(scrubbed, Not(HasSubstr(std::string(core(form))))) << name;
    EXPECT_EQ(scrubbed.size(), text.size()) << name << ": lengths stay true";
    EXPECT_TRUE(scrubbed.starts_with("before ") && scrubbed.ends_with(" after")) << scrubbed;
  }
}

TEST(ScrubberTest, A55SecretsAreFoundAcrossEveryBorderOfChunks) {
  for (const auto& [name, form] : forms_of(secret)) {
    const std::string text = "before " + form + " after";
    const std::string whole = scrub(text);
    for (std::size_t first = 0; first <= text.size(); ++first) {
      Scrubber scrubber(patterns());
      std::string out = scrubber.push(std::string_view(text).substr(0, first));
      out += scrubber.push(std::string_view(text).substr(first));
      out += scrubber.finish();
      ASSERT_EQ(out, whole) << name << ", cut after " << first;
    }
    Scrubber scrubber(patterns());
    std::string out;
    for (const char c : text) out += scrubber.push({&c, 1});
    out += scrubber.finish();
    EXPECT_EQ(out, whole) << name << ", a byte at a time";
  }
}

TEST(ScrubberTest, TextWithoutSecretsPassesUnchanged) {
  std::mt19937 random(7);
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += static_cast<char>(random());
  Scrubber scrubber(patterns());
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 1'000) {
    out += scrubber.push(std::string_view(text).substr(at, 1'000));
  }
  out += scrubber.finish();
  EXPECT_TRUE(out == text);
}

/// What comes out of each of these pieces, and of the end.
std::vector<std::string> released(const std::vector<std::string>& pieces,
                                  std::string_view known = secret) {
  Scrubber scrubber(patterns({known}));
  std::vector<std::string> out;
  for (const std::string& piece : pieces) out.push_back(scrubber.push(piece));
  out.push_back(scrubber.finish());
  return out;
}

TEST(ScrubberTest, A77WhatIsHeldBackDoesNotDependOnWhatItComparesWith) {
  const std::size_t held = patterns()->held_back();
  EXPECT_EQ(held, 3 * secret.size() + 1) << "the longest form but a byte, and two to look ahead";
  for (std::size_t right = 0; right < secret.size(); ++right) {
    // A guess that begins rightly is passed on just as one that does not.
    std::string guess(secret.substr(0, right));
    const std::string text = std::string(held, 'x') + guess + "?";
    std::vector<std::string> pieces;
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < text.size(); ++i) {
      pieces.emplace_back(1, text[i]);
      expected.emplace_back(i < held ? "" : std::string(1, text[i - held]));
    }
    expected.push_back(text.substr(text.size() - held));
    EXPECT_EQ(released(pieces), expected) << right << " right characters";
  }
}

TEST(ScrubberTest, A77WhatHasCutOffItsEndGivesTheBeginningOfWhatTheWholeGives) {
  const std::string text = "some text, and then " + std::string(secret) + std::string(200, 'y');
  const std::string whole = scrub(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Scrubber scrubber(patterns());
    const std::string out = scrubber.push(std::string_view(text).substr(0, cut));
    EXPECT_EQ(out.size(), cut - std::min(cut, patterns()->held_back())) << cut;
    EXPECT_TRUE(whole.starts_with(out)) << "a part of the secret came out: " << out;
  }
}

TEST(ScrubberTest, LinesArePassedOnAsTheyEnd) {
  // No secret goes on behind a line break, so that events and lines of JSON come when they are
  // sent.
  EXPECT_EQ(released({"data: one\n\n", "data: ", "two\r\n", "thr", "ee"}),
            (std::vector<std::string>{"data: one\n\n", "", "data: two\r\n", "", "", "three"}));
  EXPECT_EQ(released({std::string(secret) + "\nsk-Tr0ub"}),
            (std::vector<std::string>{std::string(secret.size(), '*') + "\n", "sk-Tr0ub"}));
}

TEST(ScrubberTest, TextWithASecretOfManyLinesIsHeldBackAcrossThem) {
  constexpr std::string_view lines = "first line\nsecond line";
  for (std::size_t cut = 0; cut <= lines.size(); ++cut) {
    Scrubber scrubber(patterns({lines}));
    std::string out = scrubber.push(lines.substr(0, cut));
    out += scrubber.push(lines.substr(cut));
    EXPECT_EQ(out + scrubber.finish(), std::string(lines.size(), '*')) << cut;
  }
}

/// A plain comparison, place by place: the reference for what is found.
class Reference {
 public:
  explicit Reference(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {}

  std::string scrub(std::string_view text) const {
    std::string out(text);
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (const std::string& each : secrets_) {
        for (const std::size_t length : lengths(each, text.substr(at))) {
          std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at), length, '*');
        }
      }
    }
    return out;
  }

 private:
  static char fold(char c) { return c == ' ' ? '+' : c; }
  static std::optional<char> escape(std::string_view text) {
    if (text.size() < 3 || text[0] != '%') return std::nullopt;
    const auto byte = from_hex(to_lower(text.substr(1, 2)));
    return byte ? std::optional(byte->front()) : std::nullopt;
  }
  static std::size_t decoded_length(std::string_view known, std::string_view text) {
    std::size_t at = 0;
    for (const char wanted : known) {
      if (at >= text.size()) return 0;
      if (const auto c = escape(text.substr(at))) {
        if (fold(*c) != fold(wanted)) return 0;
        at += 3;
      } else {
        if (fold(text[at]) != fold(wanted)) return 0;
        ++at;
      }
    }
    return at;
  }
  static std::string base64(std::string text) {
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return text;
  }
  static std::vector<std::size_t> lengths(std::string_view known, std::string_view text) {
    std::vector<std::size_t> found{decoded_length(known, text)};
    if (text.starts_with(known)) found.push_back(known.size());
    if (to_lower(text).starts_with(hex(known))) found.push_back(2 * known.size());
    for (std::size_t before = 0; before < 3; ++before) {
      const std::string encoded = to_base64(std::string(before, 'u') + std::string(known));
      const std::size_t first = (8 * before + 5) / 6;
      const std::size_t end = 8 * (before + known.size()) / 6;
      const std::string wanted = base64(encoded.substr(first, end - first));
      if (base64(std::string(text.substr(0, wanted.size()))) == wanted) {
        found.push_back(wanted.size());
      }
    }
    return found;
  }

  std::vector<std::string> secrets_;
};

/// Text in which forms of secrets, their beginnings and ends, and what looks like them abound.
std::string hostile_text(std::mt19937& random, const std::vector<std::string>& secrets) {
  std::string text;
  const auto pick = [&](std::size_t count) { return random() % count; };
  while (text.size() < 400) {
    const auto forms = forms_of(secrets[pick(secrets.size())]);
    const std::string& form = forms[pick(forms.size())].second;
    switch (pick(8)) {
      case 0: text += form; break;
      case 1: text += form.substr(0, pick(form.size())); break;
      case 2: text += form.substr(pick(form.size())); break;
      case 3: text += '%'; break;
      case 4: text += "%2"; break;
      case 5: text += '\n'; break;
      case 6: {
        std::string wrong = form;
        char& c = wrong[pick(wrong.size())];
        c = static_cast<char>(c ^ 1);
        text += wrong;
        break;
      }
      default: text += static_cast<char>(random()); break;
    }
  }
  return text;
}

TEST(ScrubberTest, A77HoweverATextIsCutItComesOutTheSameAtTheSamePlaces) {
  std::mt19937 random(20'261);
  const std::vector<std::vector<std::string>> sets{{std::string(secret)},
                                                   {"2541-key-of-digits", "aaaaaaaaaaaaaaaa"},
                                                   {"ab%cd%25ef", "%%%%%%%%", " lead and trail "},
                                                   {"abcdefgh", "cdefghijklmnop", "hijklmno"}};
  for (int round = 0; round < 200; ++round) {
    const std::vector<std::string>& secrets = sets[static_cast<std::size_t>(round) % sets.size()];
    const std::string text = hostile_text(random, secrets);
    const std::string expected = Reference(secrets).scrub(text);
    const auto known = std::make_shared<const SecretPatterns>(
        std::vector<std::string_view>(secrets.begin(), secrets.end()));
    ASSERT_EQ(Scrubber(known).scrub(text), expected) << text;
    for (const std::size_t longest : {1U, 3U, 40U, 500U}) {
      Scrubber scrubber(known);
      std::string out;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % longest, text.size() - at);
        out += scrubber.push(std::string_view(text).substr(at, size));
        at += size;
        // By lengths and line breaks alone.
        const std::size_t line =
            std::string_view(text).substr(0, at).find_last_of(std::string_view("\r\n\0", 3)) + 1;
        ASSERT_EQ(out.size(), std::max(at - std::min(at, known->held_back()), line));
        ASSERT_TRUE(expected.starts_with(out));
      }
      out += scrubber.finish();
      ASSERT_EQ(out, expected) << text;
    }
  }
}

TEST(ScrubberTest, ALongStreamIsLookedThroughWithLittleMemory) {
  // More than what is kept of it, so that a secret lies across every border of what is forgotten.
  std::string text;
  while (text.size() < std::size_t{1} << 20) {
    text += std::string(1'000 + text.size() % 97, '.') + std::string(secret);
  }
  Scrubber scrubber(patterns());
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 16'000) {
    out += scrubber.push(std::string_view(text).substr(at, 16'000));
  }
  out += scrubber.finish();
  EXPECT_EQ(out.find("sk-"), std::string::npos);
  EXPECT_EQ(out.size(), text.size());
  EXPECT_EQ(std::count(out.begin(), out.end(), '.'), std::count(text.begin(), text.end(), '.'));
}

TEST(ScrubberTest, A55ASecretThatHoldsAPercentSignIsFoundInBothForms) {
  constexpr std::string_view odd = "ab%cd%25ef";
  for (const std::string& form :
       {std::string(odd), percent(odd, false, false), percent(odd, true, true)}) {
    EXPECT_EQ(scrub("<" + form + ">", {odd}), "<" + std::string(form.size(), '*') + ">") << form;
  }
}

TEST(ScrubberTest, A55BlanksAsFormsWriteThem) {
  EXPECT_EQ(scrub("[pass+phrase+of+mine]", {"pass phrase of mine"}), "[*******************]");
  EXPECT_EQ(scrub("[+lead]", {" lead"}), "[*****]");
}

TEST(ScrubberTest, A55SecretsThatOverlapAreAllTakenOut) {
  EXPECT_EQ(scrub("<abcdef>", {"abcd", "cdef"}), "<******>");
  EXPECT_EQ(scrub("<abcdefghij>", {"abcde", "abcdefghij"}), "<**********>");
  EXPECT_EQ(scrub("<aaaaa>", {"aaa"}), "<*****>");
}

TEST(ScrubberTest, A55ALongerSecretIsNotCutShortByAShorterOneAtABorder) {
  const std::string text = "<abcdefghij>";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    Scrubber scrubber(patterns({"abcde", "abcdefghij", "hij"}));
    std::string out = scrubber.push(std::string_view(text).substr(0, first));
    out += scrubber.push(std::string_view(text).substr(first));
    out += scrubber.finish();
    EXPECT_EQ(out, "<**********>") << "cut after " << first;
  }
}

TEST(ScrubberTest, ALongTextOfBeginningsIsLookedThroughInLinearTime) {
  // Every place begins a secret and none goes on: what waits stays short.
  Scrubber scrubber(patterns({"aaaaaaaaaaaaaaaab"}));
  std::size_t passed = 0;
  const std::string piece(64 * 1024, 'a');
  for (int i = 0; i < 64; ++i) passed += scrubber.push(piece).size();
  passed += scrubber.finish().size();
  EXPECT_EQ(passed, 64 * piece.size());
}

TEST(ScrubberTest, NoSecretsMeanNoWork) {
  Scrubber scrubber(patterns({}));
  EXPECT_EQ(scrubber.push("anything"), "anything");
  EXPECT_EQ(scrubber.finish(), "");
  EXPECT_TRUE(SecretPatterns({}).empty());
}

}  // namespace
}  // namespace belljar::host
