#include "support/crypto.h"

#include <gtest/gtest.h>

#include <set>

namespace belljar {
namespace {

using namespace std::string_view_literals;

TEST(Crypto, Sha256GivesTheDigestsOfItsStandard) {
  // FIPS 180-4's examples.
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Crypto, PiecesHaveTheDigestOfTheWhole) {
  Sha256Hasher hasher;
  for (const char c : "a message in pieces"sv) hasher.update({&c, 1});
  EXPECT_EQ(hasher.finish(), sha256("a message in pieces"));
}

TEST(Crypto, AMacChangesWithTheKeyAndWithEveryByte) {
  const MacKey key = random_bytes<32>();
  MacKey other = key;
  other[31] ^= 1;
  EXPECT_EQ(authenticate(key, "data"), authenticate(key, "data"));
  EXPECT_NE(authenticate(key, "data"), authenticate(other, "data"));
  EXPECT_NE(authenticate(key, "data"), authenticate(key, "datb"));
  EXPECT_NE(authenticate(key, "data"), authenticate(key, "data\0"sv));
}

TEST(Crypto, ValuesOfDifferentLengthsAreNeverEqual) {
  const std::array<std::uint8_t, 3> value{1, 2, 3};
  const std::array<std::uint8_t, 3> other{1, 2, 4};
  EXPECT_TRUE(equal_in_constant_time(value, value));
  EXPECT_FALSE(equal_in_constant_time(value, other));
  EXPECT_FALSE(equal_in_constant_time(value, std::span(value).first(2)));
  EXPECT_FALSE(equal_in_constant_time({}, value));
}

TEST(Crypto, HexadecimalIsReadStrictly) {
  EXPECT_EQ(from_hex("00ff7A"), "\x00\xff\x7a"sv);
  EXPECT_EQ(from_hex(""), "");
  for (const char* bad : {"0", "0g", "zz", "00 11", "0x11", "001", " 00", "00\n"}) {
    EXPECT_EQ(from_hex(bad), std::nullopt) << "\"" << bad << "\"";
  }
}

TEST(Crypto, Base64HasPadding) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("\xff\xfe"), "//4=");
}

TEST(Crypto, RandomBytesDoNotRepeat) {
  std::set<std::array<std::uint8_t, 16>> seen;
  for (int i = 0; i < 1'000; ++i) seen.insert(random_bytes<16>());
  EXPECT_EQ(seen.size(), 1'000U);
}

}  // namespace
}  // namespace belljar
