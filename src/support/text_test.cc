#include "support/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>

#include "support/crypto.h"

namespace belljar {
namespace {

using namespace std::string_view_literals;
using ::testing::ElementsAre;

constexpr std::string_view replacement = "\xEF\xBF\xBD";

TEST(Text, WellFormedUtf8IsToldFromEverythingElse) {
  for (const std::string_view good :
       {""sv, "plain"sv, "é"sv, "€"sv, "😀"sv, "a\0b"sv, "\xED\x9F\xBF"sv, "\xF4\x8F\xBF\xBF"sv}) {
    EXPECT_TRUE(is_utf8(good)) << to_hex(
        {reinterpret_cast<const std::uint8_t*>(good.data()), good.size()});
  }
  for (const std::string_view bad :
       {"\x80"sv, "\xC3"sv, "\xC3("sv, "\xC0\xAF"sv, "\xE0\x80\xAF"sv, "\xF0\x80\x80\xAF"sv,
        "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv, "\xE2\x82"sv}) {
    EXPECT_FALSE(is_utf8(bad)) << to_hex(
        {reinterpret_cast<const std::uint8_t*>(bad.data()), bad.size()});
    EXPECT_TRUE(is_utf8(clean_utf8(bad)));
    EXPECT_THAT(clean_utf8(bad), ::testing::HasSubstr(replacement));
  }
  EXPECT_EQ(clean_utf8("a\xFF"
                       "b"),
            "a\xEF\xBF\xBD"
            "b");
}

TEST(Text, WhatCouldFoolItsReaderIsTakenOut) {
  const auto cleaned = [](std::string_view text) { return clean_text(text, 1'000).text; };
  EXPECT_EQ(cleaned("\x1b[31mred\x1b[0m"), "red");
  EXPECT_EQ(cleaned("\x1b]0;title\aafter"), "after") << "a terminal's title";
  EXPECT_EQ(cleaned("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\"), "link");
  EXPECT_EQ(cleaned("\x1b]52;c;never closed"), "") << "an unfinished sequence hides all behind it";
  EXPECT_EQ(cleaned("a\x1b"), "a");
  EXPECT_EQ(cleaned("pay\u202Eeert"), "payeert") << "a right-to-left override";
  EXPECT_EQ(cleaned("a\u200Bb\u2060c\uFEFFd\u00ADe"), "abcde") << "invisible characters";
  EXPECT_EQ(cleaned("a\U000E0041\U000E0042"), "a") << "tag characters";
  EXPECT_EQ(cleaned("a\uFE00"), "a") << "variation selectors";
  EXPECT_EQ(cleaned("a\rb\0c\x7f\u009B1m"sv), "abc1m");
  EXPECT_EQ(cleaned("a\xFFz"), "az");
  EXPECT_EQ(cleaned("kept:\ttab\nline é 😀"), "kept:\ttab\nline é 😀");
}

TEST(Text, WhatNobodySeesIsTakenOut) {
  for (const char* unseen : {"\u034F", "\u115F", "\u180E", "\u2800", "\u3164", "\uFFA0", "\u200B",
                             "\U000E0041", "\U0001D173"}) {
    EXPECT_EQ(clean_text(std::string("a") + unseen + "b", 100).text, "ab");
  }
  EXPECT_EQ(clean_text("한국어 日本語　é", 100).text, "한국어 日本語　é") << "letters are letters";
}

TEST(Text, CleaningSaysWhetherAnythingWasTakenOut) {
  EXPECT_FALSE(clean_text("all is well\n", 100).changed);
  EXPECT_TRUE(clean_text("\x1b[1mbold", 100).changed);
  EXPECT_TRUE(clean_text("too long", 3).changed);
}

TEST(Text, CuttingNeverCutsACharacterInTwo) {
  EXPECT_EQ(clean_text("äöü", 3).text, "ä…");
  EXPECT_EQ(clean_text("äöü", 6).text, "äöü");
  EXPECT_EQ(one_line("one\ntwo\tthree", 100), "one two three");
  EXPECT_EQ(one_line("abcdef", 3), "abc…");
}

/// What a real shell makes of a word.
std::string read_by_shell(const std::string& word) {
  const std::string command = "printf %s " + word;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string out;
  std::array<char, 256> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    out.append(buffer.data(), count);
  }
  return out;
}

TEST(Text, AShellReadsAQuotedWordAsItWas) {
  for (const std::string text : {"plain",     "/a/b-c_d.e:f=g@h,i+j%k",
                                 "two words", "it's",
                                 "''",        "$(touch /tmp/owned)",
                                 "`id`",      "a;b",
                                 "a\nb",      "*",
                                 "~",         "\\",
                                 "-n",        "é",
                                 "\"",        "!x",
                                 "&",         "|",
                                 "<in",       "#no comment"}) {
    EXPECT_EQ(read_by_shell(shell_word(text)), text) << shell_word(text);
  }
  EXPECT_EQ(shell_word("plain"), "plain");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(Text, AMistypedWordIsMetWithTheOneThatWasMeant) {
  const std::vector<std::string> known{"storage", "network", "environment"};
  EXPECT_EQ(closest("storge", known), "storage");
  EXPECT_EQ(closest("NETWORK", known), "network");
  EXPECT_EQ(closest("secrets", known), std::nullopt);
  EXPECT_EQ(closest("x", {}), std::nullopt);
}

TEST(Text, SplittingKeepsEmptyParts) {
  EXPECT_THAT(split("a..b.", '.'), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", '.'), ElementsAre(""));
}

TEST(Text, CaseIsThatOfAsciiWhateverTheLocale) {
  EXPECT_EQ(to_lower("ÄBC"), "Äbc");
  EXPECT_TRUE(equals_ignoring_case("Content-Length", "content-length"));
  EXPECT_FALSE(equals_ignoring_case("host", "hos"));
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Text, WordsOfOthersAreQuotedOnOneLineAndCannotEndTheQuotation) {
  EXPECT_EQ(quoted("needs it for the weather"), "“needs it for the weather”");
  EXPECT_EQ(quoted(""), "“”");
  EXPECT_EQ(quoted("ok” belljar: granted “so"), "“ok' belljar: granted 'so”");
  EXPECT_EQ(quoted("say \"yes\""), "“say 'yes'”");
  EXPECT_EQ(quoted("one\nbelljar: two\r\n\tthree"), "“one belljar: two three”");
  EXPECT_EQ(quoted("a\x1b[2K\x1b]0;title\ab\u202Ec\u200Bd\xFF"), "“abcd”");
  EXPECT_EQ(quoted("a" + std::string(300, ' ') + "b", 400), "“a b”")
      << "no row of blanks moves what follows to a line of its own";
  EXPECT_EQ(quoted(std::string(300, 'x'), 10), "“xxxxxxxxxx…”");
}

TEST(Text, LinesOfOthersStandBehindAMark) {
  EXPECT_EQ(quoted_lines("one\nbelljar: two\n\nthree\n\n", 100),
            "  | one\n  | belljar: two\n  | \n  | three");
  EXPECT_EQ(quoted_lines("a\x1b[1A\rb", 100), "  | ab");
  EXPECT_EQ(with_quoted_lines("one\ntwo", 100), "one\n  | two");
  EXPECT_EQ(with_quoted_lines("one", 100), "one");
}

TEST(Text, ANameOfAFileIsQuotedWhereItIsNotAllThatThereIsToSee) {
  EXPECT_EQ(shown_name("/srv/Größe/a b.wasm"), "/srv/Größe/a b.wasm");
  EXPECT_EQ(shown_name("a\nb"), "“a b”");
  EXPECT_EQ(shown_name("a\x1b[31mb\u202E"), "“ab”");
}

TEST(Text, JsonShowsWhatATerminalWouldActUpon) {
  EXPECT_EQ(visible_json("{\"a\": [1, \"é日😀\"]}\n"), "{\"a\": [1, \"é日😀\"]}\n");
  EXPECT_EQ(visible_json("\"a\u009B\u202E\x7F\U000E0041\""),
            "\"a\\u009b\\u202e\\u007f\\udb40\\udc41\"");
  EXPECT_EQ(visible_json("\"\xFF\""), "\"\\ufffd\"");
}

TEST(Text, NothingLeavesForATerminalButTextAndColours) {
  EXPECT_EQ(for_terminal("a\x1b[31mb\x1b[0m\n", Colours::keep), "a\x1b[31mb\x1b[0m\n");
  EXPECT_EQ(for_terminal("a\x1b[31mb\x1b[0m\n", Colours::take_out), "ab\n");
  EXPECT_EQ(for_terminal("a\x1b[2J\x1b]52;c;eA==\a\x1b[8mb\r\b\u009B\u202E\xC3", Colours::keep),
            "ab");
}

TEST(Text, APathWithinASentenceIsQuotedWhereItCouldBeWords) {
  for (const char* path : {"/data/a-b_c.txt", "a/../b", "v1.2+x@y~z=1,2:3%20"}) {
    EXPECT_EQ(path_in_sentence(path, 100), path);
  }
  EXPECT_EQ(path_in_sentence("/data/a is granted” now", 100), "“/data/a is granted' now”");
  EXPECT_EQ(path_in_sentence("/é", 100), "“/é”");
  EXPECT_EQ(path_in_sentence("a\nb", 100), "“a b”");
}

}  // namespace
}  // namespace belljar
