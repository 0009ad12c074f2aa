#include "mcp/json_rpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace belljar::mcp {
namespace {

/// A frame with readable bytes behind its end, as transports give it.
class Text {
 public:
  explicit Text(std::string_view text) : size_(text.size()), bytes_(text) {
    bytes_.resize(size_ + simdjson::SIMDJSON_PADDING);
  }
  [[nodiscard]] std::string_view view() const { return std::string_view(bytes_).substr(0, size_); }

 private:
  std::size_t size_;
  std::string bytes_;
};

class RpcParserTest : public testing::Test {
 protected:
  std::variant<RpcParser::Frame, RpcError> parse(std::string_view text) {
    text_.emplace(text);
    return parser_.parse(text_->view());
  }
  /// The one message of a frame that has to be sound.
  RpcMessage message(std::string_view text) {
    auto parsed = parse(text);
    const auto* frame = std::get_if<RpcParser::Frame>(&parsed);
    if (frame == nullptr || frame->members.size() != 1 ||
        !std::holds_alternative<RpcMessage>(frame->members.front())) {
      ADD_FAILURE() << "no message: " << text;
      return {};
    }
    return std::get<RpcMessage>(frame->members.front());
  }
  /// What is wrong with a frame, or with its one message.
  RpcError error(std::string_view text) {
    auto parsed = parse(text);
    if (const auto* whole = std::get_if<RpcError>(&parsed)) return *whole;
    const auto& frame = std::get<RpcParser::Frame>(parsed);
    const auto* one =
        frame.members.empty() ? nullptr : std::get_if<RpcError>(&frame.members.front());
    if (one == nullptr) {
      ADD_FAILURE() << "nothing is wrong with " << text;
      return {};
    }
    return *one;
  }

 private:
  RpcParser parser_;
  std::optional<Text> text_;
};

TEST_F(RpcParserTest, ReadsRequestsInAnyOrderOfTheirMembers) {
  const RpcMessage read =
      message(R"({"params":{"a":[1,{"b":2}]},"id":"x","method":"tools/call","jsonrpc":"2.0"})");
  EXPECT_EQ(read.kind, RpcMessage::Kind::request);
  EXPECT_EQ(read.id, R"("x")");
  EXPECT_EQ(read.method, "tools/call");
  EXPECT_EQ(read.params, R"({"a":[1,{"b":2}]})");
}

TEST_F(RpcParserTest, TellsNotificationsAndAnswersFromRequests) {
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","method":"a"})").kind, RpcMessage::Kind::notification);
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","id":1,"result":{}})").kind, RpcMessage::Kind::response);
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})").kind,
            RpcMessage::Kind::response);
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","id":1,"method":"a"})").kind, RpcMessage::Kind::request);
}

TEST_F(RpcParserTest, AbsentAndNullParamsAreAnEmptyObject) {
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","id":1,"method":"a"})").params, "{}");
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","id":1,"method":"a","params":null})").params, "{}");
}

TEST_F(RpcParserTest, KeepsIdsAsTheyWereWritten) {
  for (const std::string_view id : {"0", "-1", "18446744073709551616", R"("")", R"("\u0041")"}) {
    const std::string text =
        R"({"jsonrpc":"2.0","id": )" + std::string(id) + " \t\r ,\"method\":\"a\"}";
    EXPECT_EQ(message(text).id, id);
  }
}

TEST_F(RpcParserTest, RefusesIdsThatAreNeitherTextNorInteger) {
  for (const std::string_view id : {"null", "true", "1.5", "1e2", "{}", "[]"}) {
    const RpcError wrong =
        error(R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":"a"})");
    EXPECT_EQ(wrong.code, RpcCode::invalid_request) << id;
    EXPECT_FALSE(wrong.id.has_value()) << id;
  }
}

TEST_F(RpcParserTest, A79RefusesIdsThatWouldBeMuchToKeep) {
  const auto request = [](std::size_t length) {
    return R"({"jsonrpc":"2.0","id":")" + std::string(length - 2, 'x') + R"(","method":"a"})";
  };
  EXPECT_EQ(message(request(longest_id)).id.size(), longest_id);
  const RpcError refused = error(request(longest_id + 1));
  EXPECT_EQ(refused.code, RpcCode::invalid_request);
  EXPECT_FALSE(refused.id);
}

TEST_F(RpcParserTest, AnErrorNamesTheRequestWhereverItsIdStands) {
  for (const std::string_view text :
       {R"({"method":1,"jsonrpc":"2.0","id":7})", R"({"jsonrpc":"1.0","method":"a","id":7})",
        R"({"jsonrpc":"2.0","id":7})", R"({"jsonrpc":"2.0","method":"a","method":"b","id":7})",
        R"({"jsonrpc":"2.0","params":[1],"method":"a","id":7})"}) {
    EXPECT_EQ(error(text).id, "7") << text;
  }
}

TEST_F(RpcParserTest, RefusesMembersThatAreGivenTwice) {
  for (const std::string_view text :
       {R"({"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"a"})",
        R"({"jsonrpc":"2.0","id":1,"id":1,"method":"a"})",
        R"({"jsonrpc":"2.0","id":1,"method":"a","method":"a"})",
        R"({"jsonrpc":"2.0","id":1,"method":"a","params":{},"p\u0061rams":{}})"}) {
    EXPECT_EQ(error(text).code, RpcCode::invalid_request) << text;
    EXPECT_THAT(error(text).message, testing::HasSubstr("twice"));
  }
}

TEST(IntegerTokenTest, IsAnIntegerAsJsonWritesIt) {
  for (const char* const token : {"0", "-0", "7", "-12", "18446744073709551616"}) {
    EXPECT_TRUE(is_integer_token(token)) << token;
  }
  for (const char* const token : {"", "-", "01", "-01", "1-2", "--1", "1.0", "1e3", "+1", " 1",
                                  "123456789012345678901234567890123"}) {
    EXPECT_FALSE(is_integer_token(token)) << token;
  }
}

TEST_F(RpcParserTest, RefusesWhatIsNoJson) {
  for (const std::string_view text :
       {"", "ping", "{", R"({"jsonrpc":"2.0")", R"({"jsonrpc":"2.0","id":1,"method":"a"}x)",
        R"({"jsonrpc":"2.0","id":1,"method":"a"}{})", "{'a':1}", "\xff", "\xef\xbb\xbf{}",
        R"([{"jsonrpc":"2.0","id":1,"method":"a"})",
        R"({"jsonrpc":"2.0","id":1,"method":"a","params":na})",
        R"({"jsonrpc":"2.0","method":"a","params":nul})", "nonsense", "true story", "12ab",
        "\"open"}) {
    EXPECT_EQ(error(text).code, RpcCode::parse_error) << text;
  }
  for (const std::string_view text : {"null", "true", "12", "\"a\""}) {
    EXPECT_EQ(error(text).code, RpcCode::invalid_request) << text << " is JSON, but no message";
  }
}

TEST_F(RpcParserTest, RefusesParamsThatAreNoObjectButNeverAnswersANotification) {
  EXPECT_EQ(error(R"({"jsonrpc":"2.0","id":1,"method":"a","params":[1]})").code,
            RpcCode::invalid_params);
  EXPECT_EQ(message(R"({"jsonrpc":"2.0","method":"a","params":"x"})").kind,
            RpcMessage::Kind::notification);
}

TEST_F(RpcParserTest, TakesBatchesApart) {
  auto parsed =
      parse(R"([{"jsonrpc":"2.0","id":1,"method":"a"},2,{"jsonrpc":"2.0","method":"b"}])");
  const auto& frame = std::get<RpcParser::Frame>(parsed);
  EXPECT_TRUE(frame.is_batch);
  ASSERT_EQ(frame.members.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<RpcMessage>(frame.members[0]));
  EXPECT_TRUE(std::holds_alternative<RpcError>(frame.members[1]));
  EXPECT_EQ(std::get<RpcMessage>(frame.members[2]).kind, RpcMessage::Kind::notification);
}

TEST(RpcFrameTest, ErrorsCarryTheirIdAndDataOnlyWhereThereAreAny) {
  EXPECT_EQ(error_frame({RpcCode::parse_error, "a \"b\"", {}, {}}),
            R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"a \"b\""}})");
  EXPECT_EQ(error_frame({RpcCode::unsupported_version, "a", R"({"x":1})", "7"}),
            R"({"jsonrpc":"2.0","id":7,"error":{"code":-32022,"message":"a","data":{"x":1}}})");
}

}  // namespace
}  // namespace belljar::mcp
