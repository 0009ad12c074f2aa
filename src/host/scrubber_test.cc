#include "host/scrubber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(scrubber.found(), 0U);
}

TEST(ScrubberTest, TheBeginningOfASecretComesOutWhenTheRestDoesNot) {
  Scrubber scrubber(patterns());
  EXPECT_EQ(scrubber.push("sk-Tr0ub"), "");
  EXPECT_EQ(scrubber.push("le"), "sk-Tr0uble");
  EXPECT_EQ(scrubber.push("sk-T"), "");
  EXPECT_EQ(scrubber.finish(), "sk-T");
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
