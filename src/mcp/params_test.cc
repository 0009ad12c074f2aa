#include "mcp/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace belljar::mcp {
namespace {

class ParamsReaderTest : public testing::Test {
 protected:
  std::variant<RequestParams, std::string> read(std::string_view text) {
    text_ = text;
    text_.resize(text.size() + simdjson::SIMDJSON_PADDING);
    return reader_.read(std::string_view(text_).substr(0, text.size()));
  }
  RequestParams params(std::string_view text) {
    auto result = read(text);
    if (const auto* problem = std::get_if<std::string>(&result)) {
      ADD_FAILURE() << text << ": " << *problem;
      return {};
    }
    return std::get<RequestParams>(std::move(result));
  }
  std::string problem(std::string_view text) {
    auto result = read(text);
    const auto* found = std::get_if<std::string>(&result);
    if (found == nullptr) ADD_FAILURE() << "nothing is wrong with " << text;
    return found == nullptr ? std::string() : *found;
  }

 private:
  std::string text_;
  ParamsReader reader_;
};

TEST_F(ParamsReaderTest, ReadsWhatEveryMethodTakes) {
  const RequestParams read = params(
      R"({"name":"a_b","arguments":{"x":[1]},"cursor":"c","level":"info","protocolVersion":"v",
          "requestId":"r","notifications":{"toolsListChanged":true,"other":1},"unknown":{"y":2}})");
  EXPECT_EQ(read.name, "a_b");
  EXPECT_EQ(read.arguments, R"({"x":[1]})");
  EXPECT_EQ(read.cursor, "c");
  EXPECT_EQ(read.level, "info");
  EXPECT_EQ(read.protocol_version, "v");
  EXPECT_EQ(read.request_id, R"("r")");
  EXPECT_TRUE(read.has_notifications);
  EXPECT_TRUE(read.tools_list_changed);
}

TEST_F(ParamsReaderTest, ReadsWhatAStatelessRequestSaysOfItself) {
  const RequestParams read = params(
      R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
          "io.modelcontextprotocol/clientCapabilities":{"roots":{}},
          "io.modelcontextprotocol/logLevel":"debug","progressToken":0,"traceparent":"x"}})");
  EXPECT_EQ(read.meta.version, "2026-07-28");
  EXPECT_TRUE(read.meta.has_capabilities);
  EXPECT_EQ(read.meta.log_level, "debug");
  EXPECT_EQ(read.meta.progress_token, "0");
}

TEST_F(ParamsReaderTest, AProgressTokenKeepsItsTypeAndANumberWithAFractionIsNone) {
  EXPECT_EQ(params(R"({"_meta":{"progressToken":"0"}})").meta.progress_token, R"("0")");
  EXPECT_EQ(params(R"({"_meta":{"progressToken": 7 }})").meta.progress_token, "7");
  EXPECT_FALSE(params(R"({"_meta":{"progressToken":1.5}})").meta.progress_token.has_value());
  const std::string long_token = R"({"_meta":{"progressToken":")" + std::string(longest_id, 'x');
  EXPECT_FALSE(params(long_token + "\"}}").meta.progress_token.has_value());
}

TEST_F(ParamsReaderTest, NullArgumentsAreNone) {
  EXPECT_EQ(params(R"({"arguments":null})").arguments, "{}");
}

TEST_F(ParamsReaderTest, RefusesMembersOfTheWrongType) {
  EXPECT_THAT(problem(R"({"name":1})"), testing::HasSubstr("\"name\""));
  EXPECT_THAT(problem(R"({"arguments":[]})"), testing::HasSubstr("\"arguments\""));
  EXPECT_THAT(problem(R"({"cursor":{}})"), testing::HasSubstr("\"cursor\""));
  EXPECT_THAT(problem(R"({"_meta":[]})"), testing::HasSubstr("\"_meta\""));
  EXPECT_THAT(problem(R"({"notifications":true})"), testing::HasSubstr("\"notifications\""));
}

TEST_F(ParamsReaderTest, RefusesMembersThatAreGivenTwiceButNotThoseThatNobodyReads) {
  EXPECT_THAT(problem(R"({"name":"a","name":"a"})"), testing::HasSubstr("twice"));
  EXPECT_THAT(problem(R"({"name":"a","n\u0061me":"b"})"), testing::HasSubstr("twice"));
  EXPECT_THAT(problem(R"({"_meta":{"progressToken":1,"progressToken":2}})"),
              testing::HasSubstr("twice"));
  EXPECT_EQ(params(R"({"x":1,"x":2,"name":"a"})").name, "a");
}

}  // namespace
}  // namespace belljar::mcp
