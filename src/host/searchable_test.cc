#include "host/searchable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::host {
namespace {

using ::testing::HasSubstr;

std::string refusal(std::string name, std::string value) {
  const std::vector<engine::HttpHeader> headers{{"accept", "*/*"},
                                                {std::move(name), std::move(value)}};
  return asks_for_what_cannot_be_searched(headers).value_or("");
}

TEST(SearchableTest, A78NoPartOfAnAnswerIsAskedFor) {
  for (const char* const name : {"range", "if-range", "request-range", "x-ms-range", "x_ms_range",
                                 "Range", "RANGE", "range.unit", "x-amz-copy-source-range"}) {
    EXPECT_THAT(refusal(name, "bytes=0-7"), HasSubstr("no part of an answer")) << name;
  }
  for (const char* const name : {"content-range", "x-arrange", "x-orange", "accept-ranges"}) {
    EXPECT_EQ(refusal(name, "bytes 0-7/8"), "") << name;
  }
}

TEST(SearchableTest, A78AToolDoesNotChooseHowAnAnswerIsWritten) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"accept-charset", "utf-16"},
           {"accept_charset", "utf-8"},
           {"x-accept-charset", "utf-7"},
           {"x-accept-encoding", "gzip"},
           {"a-im", "range"},
           {"want-digest", "sha-256"},
           {"want-repr-digest", "sha-256=1"},
           {"accept", "text/plain;charset=utf-16"},
           {"accept", "text/html, text/plain; Charset = \"UTF-32\""},
           {"accept", "multipart/ByteRanges"}}) {
    EXPECT_THAT(refusal(name, value), HasSubstr("does not choose")) << name << ": " << value;
  }
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"accept", "application/json; charset=utf-8"},
           {"accept", "text/html, text/plain;charset=ISO-8859-1;q=0.5"},
           // Answered by the host, which says that nothing is wanted.
           {"accept-encoding", "gzip"},
           {"accept-language", "de"},
           {"content-type", "text/plain; charset=utf-16"}}) {
    EXPECT_EQ(refusal(name, value), "") << name << ": " << value;
  }
  EXPECT_TRUE(asks_for_compression({"accept_encoding", "gzip"}));
  EXPECT_FALSE(asks_for_compression({"accept", "gzip"}));
}

std::string problem(const std::vector<std::string>& lines) {
  ResponseHead head;
  for (const std::string& line : lines) {
    if (!head.take(line + "\r\n")) return "no head";
  }
  EXPECT_TRUE(head.take("\r\n"));
  return why_it_cannot_be_searched(head).value_or("");
}

TEST(SearchableTest, A78AnswersThatAreAPartOfSomethingAreNotLetThrough) {
  for (const std::vector<std::string>& lines : std::vector<std::vector<std::string>>{
           {"HTTP/1.1 206 Partial Content", "Content-Range: bytes 0-7/100"},
           {"HTTP/1.1 206 Partial Content"},
           {"HTTP/1.1 200 OK", "content-range: Bytes 0-7/100"},
           {"HTTP/1.1 206 Partial Content", "Content-Type: multipart/byteranges; boundary=x"},
           {"HTTP/1.1 200 OK", "Content-Type: Multipart/ByteRanges"},
           {"HTTP/1.1 226 IM Used", "IM: range"}}) {
    EXPECT_THAT(problem(lines), HasSubstr("a part of something")) << lines.front();
  }
  // Pages of a list, which is not cut within an entry.
  EXPECT_EQ(problem({"HTTP/1.1 206 Partial Content", "Content-Range: 0-24/100"}), "");
  EXPECT_EQ(problem({"HTTP/1.1 200 OK", "Content-Type: multipart/form-data; boundary=x"}), "");
}

TEST(SearchableTest, A55OtherEncodingsOfAnAnswerAreNotLetThrough) {
  EXPECT_THAT(problem({"HTTP/1.1 200 OK", "Content-Encoding: gzip"}), HasSubstr("compressed"));
  EXPECT_THAT(problem({"HTTP/1.1 200 OK", "content-encoding: identity", "Content-Encoding: br"}),
              HasSubstr("compressed"));
  for (const char* const charset : {"utf-16", "UTF-16LE", "utf-32", "utf-7", "ibm037", "cp500",
                                    "hz-gb-2312", "iso-2022-jp", "\"utf-16\"", "made-up", ""}) {
    EXPECT_THAT(
        problem({"HTTP/1.1 200 OK", "Content-Type: text/plain; charset=" + std::string(charset)}),
        HasSubstr("character set"))
        << charset;
  }
  for (const char* const type :
       {"text/plain", "application/json; charset=UTF-8", "text/html; charset=\"iso-8859-15\"",
        "text/xml;charset=windows-1252", "text/plain; charset=us-ascii; format=flowed"}) {
    EXPECT_EQ(problem({"HTTP/1.1 200 OK", "Content-Type: " + std::string(type)}), "") << type;
  }
  EXPECT_EQ(problem({"HTTP/1.1 200 OK", "Content-Encoding: identity"}), "");
}

}  // namespace
}  // namespace belljar::host
