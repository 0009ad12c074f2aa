#include "support/units.h"

#include <gtest/gtest.h>

namespace belljar {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

std::uint64_t bytes_of(std::string_view text) {
  const auto bytes = parse_bytes(text);
  EXPECT_TRUE(bytes) << text << ": " << bytes.error().describe();
  return bytes ? bytes->value : 0;
}

TEST(Units, SizesAreReadInBinaryAndDecimalUnits) {
  EXPECT_EQ(bytes_of("512"), 512U);
  EXPECT_EQ(bytes_of("64Ki"), 64U * 1024);
  EXPECT_EQ(bytes_of("64Mi"), 64U * 1024 * 1024);
  EXPECT_EQ(bytes_of("1.5Gi"), 1536ULL * 1024 * 1024);
  EXPECT_EQ(bytes_of("1Ti"), 1ULL << 40);
  EXPECT_EQ(bytes_of("2k"), 2'000U);
  EXPECT_EQ(bytes_of("3M"), 3'000'000U);
  EXPECT_EQ(bytes_of("0"), 0U);
}

TEST(Units, WhatIsNoSizeIsRefusedInTheWordsThatWereWritten) {
  for (const char* text : {"", " ", "Mi", "-1", "-1Mi", "64 Mi", "64mi", "64MiB", "0x40", "inf",
                           "nan", "1e400", "64Mi ", " 64Mi", "1,5Gi", "99999999Ti"}) {
    const auto bytes = parse_bytes(text);
    ASSERT_FALSE(bytes) << "\"" << text << "\" was read as " << bytes->value;
    EXPECT_NE(bytes.error().message().find(std::string("\"") + text + "\""), std::string::npos)
        << bytes.error().message();
  }
}

TEST(Units, APartOfAByteOrOfACountIsRefusedAndNotRounded) {
  EXPECT_FALSE(parse_bytes("1.5"));
  EXPECT_FALSE(parse_count("1.5"));
  EXPECT_FALSE(parse_count("5e-1"));
  EXPECT_EQ(bytes_of("1.1Gi"), 1'181'116'006U)
      << "a part of a larger unit is a whole number of bytes";
}

TEST(Units, CountsAreReadExactlyAlsoWhereADoubleWouldRound) {
  EXPECT_EQ(*parse_count("5000000"), 5'000'000U);
  EXPECT_EQ(*parse_count("5e9"), 5'000'000'000U);
  EXPECT_EQ(*parse_count("9007199254740993"), 9'007'199'254'740'993U);
  EXPECT_FALSE(parse_count("5k"));
  EXPECT_FALSE(parse_count("-5"));
  EXPECT_FALSE(parse_count("18446744073709551616"));
}

TEST(Units, DurationsNeedAUnit) {
  EXPECT_EQ(*parse_duration("250us"), microseconds(250));
  EXPECT_EQ(*parse_duration("20ms"), milliseconds(20));
  EXPECT_EQ(*parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*parse_duration("2m"), seconds(120));
  EXPECT_EQ(*parse_duration("1h"), hours(1));
  EXPECT_FALSE(parse_duration("5"));
  EXPECT_FALSE(parse_duration("5 s"));
  EXPECT_FALSE(parse_duration("-5s"));
  EXPECT_FALSE(parse_duration("5S"));
  EXPECT_FALSE(parse_duration("1e30h"));
}

TEST(Units, WhatAPolicyIsToldIsReadBackAsTheSame) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{1024},
        std::uint64_t{1536} << 10, std::uint64_t{64} << 20, std::uint64_t{3} << 30}) {
    EXPECT_EQ(parse_bytes(policy_bytes(Bytes{value}))->value, value) << policy_bytes(Bytes{value});
  }
  EXPECT_EQ(policy_bytes(Bytes{64 << 20}), "64Mi");
  for (const nanoseconds value : {nanoseconds(microseconds(7)), nanoseconds(milliseconds(1500)),
                                  nanoseconds(seconds(5)), nanoseconds(hours(24))}) {
    EXPECT_EQ(*parse_duration(policy_duration(value)), value) << policy_duration(value);
  }
  EXPECT_EQ(policy_duration(milliseconds(1500)), "1500ms");
}

TEST(Units, PeopleAreToldSizesAndTimesInTheLargestUnitThatFits) {
  EXPECT_EQ(format_bytes(Bytes{17}), "17 bytes");
  EXPECT_EQ(format_bytes(Bytes{64 << 20}), "64 MiB");
  EXPECT_EQ(format_bytes(Bytes{1536ULL << 20}), "1.5 GiB");
  EXPECT_EQ(format_duration(nanoseconds(12)), "12 ns");
  EXPECT_EQ(format_duration(microseconds(3200)), "3.2 ms");
  EXPECT_EQ(format_duration(seconds(5)), "5 s");
  EXPECT_EQ(format_duration(seconds(180)), "3 min");
}

}  // namespace
}  // namespace belljar
