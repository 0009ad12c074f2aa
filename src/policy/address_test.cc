#include "policy/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::policy {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;

/// The address that a text stands for, as text.
std::string parsed(std::string_view text) {
  const auto address = Address::parse(text);
  return address ? address->text() : "none";
}

std::string parsed_leniently(std::string_view text) {
  const auto address = Address::parse_lenient_v4(text);
  return address ? address->text() : "none";
}

/// Why an address is not public; "public" where it is.
std::string class_of(std::string_view text) {
  const auto address = Address::parse(text);
  if (!address) return "not an address";
  return std::string(special_purpose(*address).value_or("public"));
}

TEST(Addresses, StandardFormsAreRead) {
  EXPECT_EQ(parsed("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(parsed("2001:DB8:0:0::1"), "2001:db8::1");
  EXPECT_EQ(parsed("::"), "::");
}

TEST(Addresses, OtherFormsAreNoStandardOnes) {
  for (const std::string_view text :
       {""sv, "127.1"sv, "0177.0.0.1"sv, "1.2.3.4.5"sv, "256.1.1.1"sv, "[::1]"sv, "::1%eth0"sv,
        "fe80::1%25eth0"sv, "1.2.3.4 "sv, " 1.2.3.4"sv, ":::"sv, "12345::"sv, "127.0.0.1\0.evil"sv,
        "::1\0x"sv, "127.0.0.1."sv}) {
    EXPECT_EQ(parsed(text), "none") << "\"" << text << "\"";
  }
}

TEST(Addresses, AMappedAddressIsTheIpv4AddressThatItMaps) {
  EXPECT_EQ(parsed("::ffff:127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(parsed("::FFFF:7f00:1"), "127.0.0.1");
  EXPECT_EQ(*Address::parse("::ffff:10.0.0.1"), *Address::parse("10.0.0.1"));
  EXPECT_TRUE(Address::parse("::ffff:8.8.8.8")->is_v4());
}

TEST(Addresses, A38_OddSpellingsOfIpv4AreReadAsWhatTheyAre) {
  for (const char* text :
       {"127.0.0.1", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7F000001", "2130706433",
        "017700000001", "127.0.0.1.", "0x7f.1", "0177.0x0.1"}) {
    EXPECT_EQ(parsed_leniently(text), "127.0.0.1") << text;
  }
  EXPECT_EQ(parsed_leniently("0"), "0.0.0.0");
  EXPECT_EQ(parsed_leniently("0x"), "0.0.0.0") << "WHATWG reads this as zero";
  EXPECT_EQ(parsed_leniently("0xa9fea9fe"), "169.254.169.254");
  EXPECT_EQ(parsed_leniently("4294967295"), "255.255.255.255");
}

TEST(Addresses, A38_WhatOverflowsOrMixesIsNoAddress) {
  for (const std::string_view text :
       {""sv, "."sv, ".."sv, "1..2"sv, "256.0.0.1"sv, "1.2.3.256"sv, "1.2.65536"sv, "1.16777216"sv,
        "4294967296"sv, "08.0.0.1"sv, "0x7g"sv, "1.2.3.4.5"sv, "-1"sv, "+1"sv, "1e3"sv, "1 "sv,
        "99999999999999999999"sv, "127.0.0.1.."sv, "1\0.2"sv}) {
    EXPECT_EQ(parsed_leniently(text), "none") << "\"" << text << "\"";
  }
}

TEST(Ranges, HoldTheirFirstAndLastAddressAndNothingBeside) {
  const Cidr range = *Cidr::parse("10.16.0.0/12");
  EXPECT_TRUE(range.contains(*Address::parse("10.16.0.0")));
  EXPECT_TRUE(range.contains(*Address::parse("10.31.255.255")));
  EXPECT_FALSE(range.contains(*Address::parse("10.15.255.255")));
  EXPECT_FALSE(range.contains(*Address::parse("10.32.0.0")));
  const Cidr six = *Cidr::parse("fd00::/9");
  EXPECT_TRUE(six.contains(*Address::parse("fd7f:ffff::1")));
  EXPECT_FALSE(six.contains(*Address::parse("fd80::")));
}

TEST(Ranges, OfOneFamilyHoldNothingOfTheOther) {
  EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(*Address::parse("::1")));
  EXPECT_FALSE(Cidr::parse("::/0")->contains(*Address::parse("127.0.0.1")));
  EXPECT_FALSE(Cidr::parse("::/0")->contains(*Address::parse("::ffff:127.0.0.1")))
      << "a mapped address is one of IPv4";
  EXPECT_TRUE(Cidr::parse("::/0")->is_everything());
}

TEST(Ranges, WithoutAPrefixHoldOneAddress) {
  EXPECT_EQ(Cidr::parse("192.0.2.7")->text(), "192.0.2.7/32");
  EXPECT_TRUE(Cidr::parse("fd00::1")->is_single());
  EXPECT_TRUE(Cidr::of(*Address::parse("10.1.2.3")).is_single());
  EXPECT_FALSE(Cidr::parse("10.0.0.0/31")->is_single());
}

TEST(Ranges, ThatAreNotOneAreRefused) {
  for (const std::string_view text :
       {""sv, "/"sv, "/8"sv, "10.0.0.0/"sv, "10.0.0.0/33"sv, "fd00::/129"sv, "10.0.0.0/-1"sv,
        "10.0.0.0/+8"sv, "10.0.0.0/8 "sv, "10.0.0.0/8/8"sv, "10.0.0/8"sv, "0x0a.0.0.0/8"sv,
        "::ffff:10.0.0.0/104"sv, "host/8"sv, "10.0.0.0/0x8"sv}) {
    EXPECT_FALSE(Cidr::parse(text)) << "\"" << text << "\"";
  }
}

TEST(Ranges, WithBitsBehindThePrefixAreRefusedSinceTheyMeanSomethingElse) {
  EXPECT_THAT(Cidr::parse("10.0.0.1/8").error().message(), HasSubstr("first address of the range"));
  EXPECT_FALSE(Cidr::parse("fd00::1/64"));
  EXPECT_FALSE(Cidr::parse("10.128.0.0/8"));
}

TEST(AddressClasses, PublicAddressesArePublic) {
  for (const char* text :
       {"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "128.0.0.1", "172.15.255.255", "172.32.0.0", "192.167.1.1", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"}) {
    EXPECT_EQ(class_of(text), "public") << text;
  }
}

TEST(AddressClasses, NothingOfThisMachineOrNetworkIsPublic) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.1.1",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fc00::1",
                           "fdff::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "100::1",
                           "5f00::1",
                           "200::1",
                           "2001:db8::1",
                           "3fff::1",
                           "2001:2::1",
                           "2001:10::1",
                           "2001:20::1",
                           "4000::1"}) {
    EXPECT_NE(class_of(text), "public") << text;
  }
  EXPECT_EQ(class_of("127.0.0.1"), "a loopback address");
  EXPECT_EQ(class_of("10.1.2.3"), "a private address");
}

TEST(AddressClasses, A39_AddressesThatEmbedAnIpv4AddressAreNeverPublic) {
  EXPECT_EQ(class_of("::ffff:127.0.0.1"), "a loopback address") << "mapped";
  EXPECT_EQ(class_of("::ffff:8.8.8.8"), "public") << "judged as the address that it maps";
  for (const char* text :
       {"::8.8.8.8", "::7f00:1", "::ffff:0:127.0.0.1", "::ffff:0:808:808", "64:ff9b::127.0.0.1",
        "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:808:808::1", "2001::1",
        "2001:0:808:808::", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:7f00:1"}) {
    EXPECT_NE(class_of(text), "public") << text;
  }
}

TEST(AddressClasses, A40_MetadataAddressesAreKnownEvenWhereTheyAreOtherwisePublic) {
  for (const char* text :
       {"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.169.123", "168.63.129.16",
        "100.100.100.200", "192.0.0.192", "192.80.8.124", "fd00:ec2::254", "fd00:ec2::23",
        "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe", "::ffff:169.254.169.254"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_TRUE(is_metadata(*address)) << text;
    EXPECT_EQ(class_of(text), "an address at which clouds serve credentials") << text;
  }
  EXPECT_FALSE(is_metadata(*Address::parse("169.254.1.1")));
  EXPECT_FALSE(is_metadata(*Address::parse("8.8.8.8")));
}

}  // namespace
}  // namespace belljar::policy
