#include "host/request_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace belljar::host {
namespace {

using ::testing::HasSubstr;

/// Everything that can be taken now.
std::string drain(RequestBody& body) {
  std::string all;
  std::array<char, 1'000> buffer{};
  while (true) {
    const auto portion = body.take(buffer.data(), buffer.size());
    if (portion.size == 0) return all;
    all.append(buffer.data(), portion.size);
  }
}

std::string problem(RequestBody& body) {
  std::array<char, 1'000> buffer{};
  return body.take(buffer.data(), buffer.size()).problem;
}

TEST(RequestBodyTest, GivesWhatWasProvidedInItsOrder) {
  RequestBody body(std::nullopt);
  std::string expected;
  for (int i = 0; i < 5'000; ++i) {
    const std::string piece =
        std::to_string(i) + std::string(static_cast<std::size_t>(i % 37), '.');
    expected += piece;
    static_cast<void>(body.provide(piece));
  }
  EXPECT_EQ(drain(body), expected);
  std::array<char, 8> buffer{};
  EXPECT_TRUE(body.take(buffer.data(), buffer.size()).wait);
  body.finish();
  EXPECT_FALSE(body.take(buffer.data(), buffer.size()).wait);
}

TEST(RequestBodyTest, EmptyAndSmallPiecesTakeNoMoreThanTheirBytes) {
  RequestBody body(std::nullopt);
  for (int i = 0; i < 1'000'000; ++i) ASSERT_TRUE(body.provide(""));
  EXPECT_EQ(body.pieces(), 0U);
  for (std::size_t i = 0; i + 1 < RequestBody::window; ++i) ASSERT_TRUE(body.provide("x"));
  EXPECT_EQ(body.pieces(), RequestBody::window / RequestBody::piece);
}

TEST(RequestBodyTest, AGuestThatIsTooFastIsAskedToWait) {
  RequestBody body(std::nullopt);
  const std::string piece(RequestBody::piece, 'x');
  std::size_t given = 0;
  while (body.provide(piece)) given += piece.size();
  EXPECT_EQ(given + piece.size(), RequestBody::window);
  std::vector<char> buffer(RequestBody::window);
  EXPECT_FALSE(body.take(buffer.data(), RequestBody::window / 2).wants_more);
  EXPECT_TRUE(body.take(buffer.data(), 1).wants_more);
  EXPECT_FALSE(body.take(buffer.data(), 1).wants_more) << "once is enough";
}

TEST(RequestBodyTest, ALengthThatWasAnnouncedIsKeptTo) {
  RequestBody longer(5);
  static_cast<void>(longer.provide("hello!"));
  EXPECT_THAT(problem(longer), HasSubstr("longer"));
  RequestBody shorter(5);
  static_cast<void>(shorter.provide("hell"));
  shorter.finish();
  EXPECT_THAT(problem(shorter), HasSubstr("shorter"));
  RequestBody aborted(std::nullopt);
  aborted.abort();
  EXPECT_THAT(problem(aborted), HasSubstr("not finished"));
}

TEST(RequestBodyTest, A47ABodyThatNamesAMethodIsNotSentToItsEnd) {
  const auto last_of = [](std::optional<std::uint64_t> length, std::string_view text) {
    RequestBody body(length);
    body.watch_for(OverrideScanner({"DELETE"}));
    static_cast<void>(body.provide(text));
    if (!length) body.finish();
    std::string sent = drain(body);
    return std::pair(std::move(sent), problem(body));
  };
  for (const std::string text : {"_method=DELETE", "a=b&_method=DELETE&c=d", "method=DELETE"}) {
    for (const bool announced : {false, true}) {
      const auto [sent, reason] =
          last_of(announced ? std::optional<std::uint64_t>(text.size()) : std::nullopt, text);
      EXPECT_EQ(sent, "") << text;
      EXPECT_THAT(reason, HasSubstr("names a method of its own")) << text;
    }
  }
  EXPECT_EQ(last_of(std::nullopt, "a=b&c=d"), std::pair(std::string("a=b&c=d"), std::string()));
}

}  // namespace
}  // namespace belljar::host
