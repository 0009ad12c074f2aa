#include "host/response_head.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::host {
namespace {

using engine::HttpFailure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Whether all of these lines were taken.
bool take(ResponseHead& head, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    if (!head.take(line + "\r\n")) return false;
  }
  return true;
}

TEST(ResponseHeadTest, IsCompleteWithItsBlankLine) {
  ResponseHead head;
  EXPECT_TRUE(take(head, {"HTTP/1.1 204 No Content", "X-One:  a b ", "x-one: c"}));
  EXPECT_FALSE(head.complete());
  EXPECT_TRUE(take(head, {""}));
  EXPECT_TRUE(head.complete());
  EXPECT_EQ(head.status(), 204);
  EXPECT_THAT(head.values("X-one"), ElementsAre("a b", "c"));
  EXPECT_EQ(head.headers().front().name, "X-One");
}

TEST(ResponseHeadTest, InterimResponsesComeBeforeItAndAreNotIt) {
  ResponseHead head;
  EXPECT_TRUE(take(head, {"HTTP/1.1 103 Early Hints", "Link: x", "", "HTTP/1.1 100 Continue", ""}));
  EXPECT_FALSE(head.complete());
  EXPECT_TRUE(take(head, {"HTTP/2 200 ", "a: b", ""}));
  EXPECT_TRUE(head.complete());
  EXPECT_EQ(head.status(), 200);
  EXPECT_THAT(head.values("link"), IsEmpty());
}

TEST(ResponseHeadTest, OfInterimResponsesThereAreFew) {
  ResponseHead head;
  for (std::size_t i = 0; i < ResponseHead::maximum_interim; ++i) {
    ASSERT_TRUE(take(head, {"HTTP/1.1 100 Continue", ""}));
  }
  EXPECT_FALSE(take(head, {"HTTP/1.1 100 Continue"}));
  EXPECT_THAT(head.problem().second, HasSubstr("more than 8 interim responses"));
}

TEST(ResponseHeadTest, AStatusIsWhatAHeadBeginsWithAndNothingElse) {
  for (const char* const line :
       {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 abc", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 -20",
        "HTTP/1.1 099 X", "HTTP/1.1 000 X", "X-Header: 1", "", "SSH-2.0", "http/1.1 200"}) {
    ResponseHead head;
    EXPECT_FALSE(take(head, {line})) << line;
    EXPECT_EQ(head.problem().first, HttpFailure::protocol);
  }
  // Within a head it is no header.
  ResponseHead head;
  EXPECT_FALSE(take(head, {"HTTP/1.1 200 OK", "HTTP/1.1 100 x: y"}));
  EXPECT_FALSE(head.complete());
}

TEST(ResponseHeadTest, NobodySwitchesProtocols) {
  ResponseHead head;
  EXPECT_FALSE(take(head, {"HTTP/1.1 101 Switching Protocols"}));
  EXPECT_EQ(head.problem().first, HttpFailure::protocol);
  EXPECT_THAT(head.problem().second, HasSubstr("101"));
}

TEST(ResponseHeadTest, LinesThatAreNoHeadersAreNotPassedOver) {
  for (const char* const line :
       {" folded: text", "\tfolded", "no colon", ": no name", "a b: c", "a\x01: b", "a : b"}) {
    ResponseHead head;
    EXPECT_FALSE(take(head, {"HTTP/1.1 200 OK", "X: sk-Tr0", line})) << line;
    EXPECT_EQ(head.problem().first, HttpFailure::protocol);
  }
}

TEST(ResponseHeadTest, HeadersOfAllHeadsAndTrailersAreCountedTogether) {
  ResponseHead head;
  std::size_t fields = 0;
  const auto field = [&] { return fmt::format("X-{}: 1", fields++); };
  ASSERT_TRUE(take(
      head, {"HTTP/1.1 103 Early Hints", field(), field(), "", "HTTP/1.1 200 OK", field(), ""}));
  while (fields < ResponseHead::maximum_fields) ASSERT_TRUE(take(head, {field()})) << fields;
  EXPECT_FALSE(take(head, {field()}));
  EXPECT_EQ(head.problem().first, HttpFailure::headers_too_large);
  EXPECT_THAT(head.problem().second, HasSubstr("256 headers and trailers"));
}

TEST(ResponseHeadTest, BytesOfAllHeadsAndTrailersAreCountedTogether) {
  for (const bool trailers : {false, true}) {
    ResponseHead head;
    ASSERT_TRUE(take(head, {"HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK"}));
    ASSERT_TRUE(!trailers || take(head, {""}));
    const std::string line = "X: " + std::string(1'000, 'x');
    std::size_t taken = 0;
    while (taken < 100 && take(head, {line})) ++taken;
    EXPECT_EQ(taken, 65U);
    EXPECT_EQ(head.problem().first, HttpFailure::headers_too_large);
    EXPECT_THAT(head.problem().second, HasSubstr("64 KiB"));
  }
}

TEST(ResponseHeadTest, SaysWhetherTheBodyEndsWithTheConnection) {
  for (const auto& [lines, says] : std::vector<std::pair<std::vector<std::string>, bool>>{
           {{"HTTP/1.1 200 OK", ""}, false},
           {{"HTTP/1.0 200 OK", "Connection: close", ""}, false},
           {{"HTTP/1.1 200 OK", "content-length: 5", ""}, true},
           {{"HTTP/1.1 200 OK", "Transfer-Encoding: chunked", ""}, true},
           {{"HTTP/1.1 204 No Content", ""}, true},
           {{"HTTP/2 200 ", ""}, true}}) {
    ResponseHead head;
    ASSERT_TRUE(take(head, lines));
    EXPECT_EQ(head.says_where_it_ends(), says) << lines.front();
  }
}

TEST(ResponseHeadTest, TrailersAreNotKept) {
  ResponseHead head;
  ASSERT_TRUE(take(head, {"HTTP/1.1 200 OK", "a: b", "", "c: d", "e: f", ""}));
  EXPECT_EQ(head.headers().size(), 1U);
}

}  // namespace
}  // namespace belljar::host
