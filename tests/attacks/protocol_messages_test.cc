// A58, A59: messages that two readers could read differently, and messages that break the rules.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A58 = Attack;
using A59 = Attack;

constexpr int parse_error = -32700;
constexpr int invalid_request = -32600;
constexpr int method_not_found = -32601;
constexpr int invalid_params = -32602;

std::string frame(std::string_view id, std::string_view method, std::string_view params) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":")" + std::string(method) +
         R"(","params":)" + std::string(params) + "}\n";
}

std::string call(std::string_view id, std::string_view arguments,
                 std::string_view name = R"("healthy_add")") {
  return frame(id, "tools/call",
               R"({"_meta":)" + Server::meta().dump() + R"(,"name":)" + std::string(name) +
                   R"(,"arguments":)" + std::string(arguments) + "}");
}

/// The next error that names no request.
int await_unaddressed_error(Server& server) {
  return error_code(server.await(
      [](const Json& message) {
        return message.contains("error") && (!message.contains("id") || message["id"].is_null());
      },
      "an error without an id"));
}

/// The answer's `isError` text, or a failed test.
std::string tool_error(const Json& answer) {
  if (!answer.contains("result") || !answer["result"].value("isError", false)) {
    ADD_FAILURE() << "expected the tool's own error, got " << answer;
    return {};
  }
  return text_of(answer["result"]);
}

std::size_t count_calls(const std::vector<Json>& records, std::string_view outcome) {
  return static_cast<std::size_t>(
      std::count_if(records.begin(), records.end(), [&](const Json& record) {
        return record["kind"] == "call" && record["outcome"] == outcome;
      }));
}

TEST_F(A58, DuplicateKeysAreRefusedSinceReadersDisagreeOnWhichCounts) {
  const auto server = serve();
  const std::string meta = Server::meta().dump();
  // In the envelope.
  server->send_raw(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})"
                   "\n");
  EXPECT_EQ(
      error_code(server->await([](const Json& m) { return m.contains("error"); }, "an error")),
      invalid_request);
  server->send_raw(R"({"jsonrpc":"2.0","id":3,"method":"ping","m\u0065thod":"tools/list"})"
                   "\n");
  EXPECT_EQ(error_code(server->await_answer(3)), invalid_request);
  // In the parameters: what a filter in front has let through must be what is done.
  const std::array<std::string, 5> twice{
      R"("name":"nothing","name":"healthy_add","arguments":{"a":1,"b":2})",
      R"("name":"healthy_add","n\u0061me":"healthy_add","arguments":{"a":1,"b":2})",
      R"("name":"healthy_add","arguments":{"a":0,"b":0},"arguments":{"a":1,"b":2})",
      R"("name":"healthy_add","arguments":null,"arguments":{"a":1,"b":2})",
      R"("name":"healthy_add","arguments":{"a":1,"b":2},"_meta":{})"};
  for (const std::string& members : twice) {
    SCOPED_TRACE(members);
    server->send_raw(frame("4", "tools/call", fmt::format(R"({{"_meta":{},{}}})", meta, members)));
    EXPECT_EQ(error_code(server->await_answer(4)), invalid_params);
  }
  // In `_meta`.
  server->send_raw(frame("5", "tools/list",
                         R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"1999-01-01",)" +
                             meta.substr(1) + "}"));
  EXPECT_EQ(error_code(server->await_answer(5)), invalid_params);
  // In the arguments: the tool's own error.
  server->send_raw(call("6", R"({"a":1,"b":2,"a":3})"));
  EXPECT_THAT(tool_error(server->await_answer(6)), testing::HasSubstr("/a"));
  server->send_raw(call("7", R"({"a":1,"b":2,"\u0061":3})"));
  EXPECT_THAT(tool_error(server->await_answer(7)), testing::HasSubstr("/a"));
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  EXPECT_EQ(count_calls(audit_log(), "returned"), 1U) << "a doubtful call was carried out";
}

TEST_F(A58, NumbersThatAreNoneOrDoNotFitAreNeverRounded) {
  const auto server = serve();
  for (const std::string_view number :
       {"NaN", "-Infinity", "Infinity", "0x10", "01", "+1", ".5", "1.", "1e", "- 1", "1_000"}) {
    SCOPED_TRACE(number);
    server->send_raw(call("10", R"({"a":)" + std::string(number) + R"(,"b":1})"));
    const Json answer = server->await(
        [](const Json& m) { return m.contains("error") || m.contains("result"); }, "an answer");
    EXPECT_TRUE(error_code(answer) == parse_error || answer["result"].value("isError", false))
        << answer;
  }
  for (const std::string_view number :
       {"18446744073709551616", "4294967296", "-1", "-0.5", "1.5", "1e400",
        "123456789012345678901234567890123456789012345678901234567890"}) {
    SCOPED_TRACE(number);
    server->send_raw(call("11", R"({"a":)" + std::string(number) + R"(,"b":1})"));
    tool_error(server->await_answer(11));
  }
  // The largest that fits still does, and the sum wraps as the guest's own arithmetic says.
  server->send_raw(call("12", R"({"a":4294967295,"b":0})"));
  EXPECT_EQ(text_of(server->await_answer(12)["result"]), "4294967295");
  // An id beyond every integer type comes back as it was written, to the digit.
  server->send_raw(
      frame("18446744073709551617", "tools/list", R"({"_meta":)" + Server::meta().dump() + "}"));
  server->child().pump(soon());
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A58, AnIdComesBackAsItWasWritten) {
  const auto server = serve();
  const std::string params = R"({"_meta":)" + Server::meta().dump() + "}";
  for (const std::string_view id : {"18446744073709551617", "-9223372036854775809", R"("\u0000")",
                                    R"("a\r\nb")", R"("")", R"("\ud83d\ude00")"}) {
    SCOPED_TRACE(id);
    server->child().out().clear();
    server->send_raw(frame(id, "server/discover", params));
    while (server->child().out().find('\n') == std::string::npos && server->child().pump(soon())) {
    }
    EXPECT_THAT(server->child().out(), testing::HasSubstr("\"id\":" + std::string(id) + ","));
    server->child().out().clear();
  }
  // White space around it is no part of it, whichever of the four it is.
  server->send_raw(
      "{\"jsonrpc\":\"2.0\",\"id\": \t\r77 \t\r,\"method\":\"server/discover\",\"params\":" +
      params + "}\n");
  EXPECT_TRUE(server->await_answer(77).contains("result"));
  server->send_raw(
      "{\"jsonrpc\":\"2.0\",\"id\":\"x\"\r,\"method\":\"server/discover\",\"params\":" + params +
      "}\n");
  EXPECT_TRUE(server->await_answer("x").contains("result"));
}

TEST_F(A58, LoneSurrogatesAndBrokenUtf8AreRefused) {
  const auto server = serve();
  for (const std::string_view text :
       {R"("\ud800")", R"("\udc00\ud800")", R"("\ud800\u0041")", "\"\xff\"", "\"\xed\xa0\x80\"",
        "\"\xc0\xaf\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\""}) {
    SCOPED_TRACE(Json(std::string(text)).dump(-1, ' ', true, Json::error_handler_t::replace));
    const std::string value(text);
    // As the name of the tool, an id, a key and a value.
    server->send_raw(call("20", "{}", value));
    Json answer = server->await([](const Json&) { return true; }, "an answer");
    EXPECT_NE(error_code(answer), 0) << answer;
    server->send_raw(frame(value, "server/discover", R"({"_meta":)" + Server::meta().dump() + "}"));
    answer = server->await([](const Json&) { return true; }, "an answer");
    EXPECT_NE(error_code(answer), 0) << answer;
    server->send_raw(call("21", "{" + value + R"(:1,"a":1,"b":2})"));
    answer = server->await([](const Json&) { return true; }, "an answer");
    EXPECT_TRUE(error_code(answer) != 0 || answer["result"].value("isError", false)) << answer;
  }
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  EXPECT_EQ(count_calls(audit_log(), "returned"), 1U);
}

TEST_F(A58, AByteOrderMarkAndOtherEncodingsAreNoJson) {
  const auto server = serve();
  const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  std::string wide;
  for (const char c : ping) wide += std::string{c, '\0'};
  for (const std::string& text : {"\xef\xbb\xbf" + ping, "\xff\xfe" + wide, "\xfe\xff" + ping}) {
    server->send_raw(text + "\n");
    EXPECT_EQ(await_unaddressed_error(*server), parse_error);
  }
  // Two messages on one line, a comment, a trailing comma, single quotes.
  for (const std::string& text :
       {ping + ping, ping + " // hello", std::string(R"({"jsonrpc":"2.0",})"),
        std::string("{'jsonrpc':'2.0'}"), std::string("ping"),
        std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping")")}) {
    SCOPED_TRACE(text);
    server->send_raw(text + "\n");
    const Json answer =
        server->await([](const Json& m) { return m.contains("error"); }, "an error");
    EXPECT_EQ(error_code(answer), parse_error) << answer;
  }
  expect_healthy(*server);
}

TEST_F(A59, MessagesThatAreNoneAreAnsweredOnceAndForgotten) {
  const auto server = serve();
  for (const std::string_view text :
       {R"({"jsonrpc":"1.0","method":"ping"})", R"({"jsonrpc":2.0,"method":"ping"})",
        R"({"method":"ping"})", R"({"jsonrpc":"2.0"})", R"({"jsonrpc":"2.0","method":1})",
        R"({"jsonrpc":"2.0","id":null,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":true,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1e3,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":{},"method":"ping"})",
        R"({"jsonrpc":"2.0","id":[1],"method":"ping"})", R"("ping")", "1", "null", "true", "{}",
        "[]", R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])"}) {
    SCOPED_TRACE(text);
    server->send_raw(std::string(text) + "\n");
    EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  }
  expect_healthy(*server);
  EXPECT_TRUE(server->frames().empty()) << server->frames().front();
}

TEST_F(A59, ParametersOfTheWrongKindAreRefusedByName) {
  const auto server = serve();
  const std::string meta = R"("_meta":)" + Server::meta().dump();
  for (const std::string& params :
       {std::string("[]"), std::string("1"), std::string(R"("x")"), "{" + meta + R"(,"name":1})",
        "{" + meta + "}", "{" + meta + R"(,"name":"healthy_add","arguments":[]})",
        "{" + meta + R"(,"name":"healthy_add","arguments":"{}"})",
        "{" + meta + R"(,"name":null,"arguments":{}})", std::string(R"({"_meta":1})"),
        std::string(R"({"_meta":{"io.modelcontextprotocol/protocolVersion":1}})"),
        std::string(R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}})")}) {
    SCOPED_TRACE(params);
    server->send_raw(frame("30", "tools/call", params));
    EXPECT_EQ(error_code(server->await_answer(30)), invalid_params);
  }
  expect_healthy(*server);
}

TEST_F(A59, UnknownMethodsAreRefusedAndQuotedShortly) {
  const auto server = serve();
  const std::string params = R"({"_meta":)" + Server::meta().dump() + "}";
  for (const std::string& method :
       {std::string("rpc.discover"), std::string(""), std::string("tools/List"),
        std::string("notifications/cancelled"), std::string("initialized"), std::string("ping"),
        std::string("../tools/list"), std::string(1 << 20, 'm')}) {
    SCOPED_TRACE(method.substr(0, 40));
    server->send_raw(frame("40", method, params));
    const Json answer = server->await_answer(40);
    EXPECT_EQ(error_code(answer), method_not_found);
    EXPECT_LT(answer.dump().size(), 1'000U);
  }
  // An escape sequence in a method's name does not come back as one.
  server->send_raw(frame("41", R"(\u001b[31m\u202e)", params));
  const std::string quoted = server->await_answer(41).dump(-1, ' ', true);
  EXPECT_THAT(quoted, testing::Not(testing::HasSubstr("001b")));
  EXPECT_THAT(quoted, testing::Not(testing::HasSubstr("202e")));
  expect_healthy(*server);
}

TEST_F(A59, NotificationsNeverRunAnything) {
  const auto server = serve();
  server->notify(
      "tools/call",
      {{"_meta", Server::meta()}, {"name", "healthy_add"}, {"arguments", {{"a", 1}, {"b", 2}}}});
  server->notify("server/discover", {{"_meta", Server::meta()}});
  server->notify("notifications/nobody-knows-this");
  // Answers to questions that were never asked.
  server->send({{"jsonrpc", "2.0"}, {"id", 1}, {"result", Json::object()}});
  server->send({{"jsonrpc", "2.0"}, {"id", 1}, {"error", {{"code", 1}, {"message", "x"}}}});
  expect_healthy(*server);
  EXPECT_TRUE(server->frames().empty()) << server->frames().front();
  EXPECT_EQ(server->end(), 0);
  EXPECT_EQ(count_calls(audit_log(), "returned"), 1U) << "a notification ran a tool";
}

TEST_F(A59, NothingRunsBeforeTheHandshakeWithoutASelfContainedRequest) {
  const auto server = serve();
  server->send_raw(
      frame("50", "tools/call", R"({"name":"healthy_add","arguments":{"a":1,"b":2}})"));
  EXPECT_EQ(error_code(server->await_answer(50)), invalid_params);
  server->send_raw(frame("51", "ping", "{}"));
  EXPECT_TRUE(server->await_answer(51).contains("result"));
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  EXPECT_EQ(count_calls(audit_log(), "returned"), 1U);
}

TEST_F(A59, BatchesAreTakenOnlyWhereTheyExistAndNeverTwice) {
  const auto server = serve({}, {.era = Era::handshake, .version = "2025-03-26"});
  const auto member = [](int id, int a) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
           R"(,"method":"tools/call","params":{"name":"healthy_add","arguments":{"a":)" +
           std::to_string(a) + R"(,"b":1}}})";
  };
  const auto await_batch = [&] {
    return server->await([](const Json& m) { return m.is_array(); }, "the answer to a batch");
  };
  server->send_raw("[" + member(1'001, 1) +
                   R"(,1,{"jsonrpc":"2.0","method":"notifications/x"},[],)" + member(1'002, 2) +
                   "]\n");
  Json answers = await_batch();
  EXPECT_EQ(answers.size(), 4U) << answers;
  // A member cannot start a new handshake under the feet of the others.
  server->send_raw(
      R"([{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}])"
      "\n");
  EXPECT_EQ(error_code(await_batch()[0]), invalid_request);
  std::string many = "[1";
  for (int i = 0; i < 100'000; ++i) many += ",1";
  server->send_raw(many + "]\n");
  EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  server->send_raw("[]\n");
  EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  // Only notifications: no answer at all.
  server->send_raw(R"([{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}])"
                   "\n");
  // A batch cut off anywhere is carried out nowhere.
  server->send_raw("[" + member(1'003, 3) + "," + member(1'004, 4) + "\n");
  EXPECT_EQ(await_unaddressed_error(*server), parse_error);
  server->send_raw("[" + member(1'005, 3) + ",{\"jsonrpc\":}]\n");
  EXPECT_EQ(await_unaddressed_error(*server), parse_error);
  expect_healthy(*server);
  EXPECT_TRUE(std::none_of(server->frames().begin(), server->frames().end(),
                           [](const Json& message) { return !message.contains("method"); }))
      << Json(server->frames());
  EXPECT_EQ(server->end(), 0);
  EXPECT_EQ(count_calls(audit_log(), "returned"), 3U) << "a broken batch was carried out in part";
}

TEST_F(A59, ABatchOfALaterVersionIsRefusedWhole) {
  const auto server = serve({}, {.era = Era::handshake, .version = "2025-06-18"});
  server->send_raw(
      R"([{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"healthy_add","arguments":{"a":1,"b":2}}}])"
      "\n");
  EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  EXPECT_EQ(count_calls(audit_log(), "returned"), 1U);
}

}  // namespace
}  // namespace belljar::attacks
