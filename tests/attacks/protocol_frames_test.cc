// A56, A57: what a client writes before there is any message: endless lines, NULs, nesting.

#include <string>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A56 = Attack;
using A57 = Attack;

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr int parse_error = -32700;
constexpr int invalid_request = -32600;
constexpr int invalid_params = -32602;

std::string repeat(std::string_view text, std::size_t times) {
  std::string whole;
  whole.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) whole += text;
  return whole;
}

/// Waits for an error that names no request, which is what an unreadable frame gets.
int await_unaddressed_error(Server& server) {
  return error_code(server.await(
      [](const Json& frame) {
        return frame.contains("error") && (!frame.contains("id") || frame["id"].is_null());
      },
      "an error without an id"));
}

/// A request whose arguments are this text, however wrong it is.
std::string call_with(std::string_view arguments, int id = 900) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
         R"(,"method":"tools/call","params":{"_meta":)" + Server::meta().dump() +
         R"(,"name":"healthy_add","arguments":)" + std::string(arguments) + "}}\n";
}

/// Nothing that was tried reached a tool: the log has the one healthy call.
void expect_only_healthy_calls(const std::vector<Json>& records, std::size_t calls) {
  std::size_t seen = 0;
  for (const Json& record : records) {
    if (record["kind"] != "call") continue;
    ++seen;
    EXPECT_EQ(record["outcome"], "returned") << record;
  }
  EXPECT_EQ(seen, calls) << Json(records);
}

TEST_F(A56, ALineOfAGigabyteIsSkippedWithoutKeepingIt) {
  const auto server = serve();
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  const std::string piece(mebibyte, 'a');
  server->send_raw(R"({"jsonrpc":"2.0","id":7,"method":")");
  for (int i = 0; i < 1'024; ++i) {
    server->send_raw(piece);
    server->flush();
  }
  server->send_raw("\"}\n");
  EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  EXPECT_LT(server->child().peak_memory(), before + 64 * mebibyte)
      << "the server kept what it should have skipped";
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_only_healthy_calls(audit_log(), 2);
}

TEST_F(A56, AGigabyteWithoutALineEndLeavesTheServerAbleToEnd) {
  const auto server = serve();
  expect_healthy(*server);
  const std::string piece(mebibyte, '[');
  for (int i = 0; i < 1'024; ++i) {
    server->send_raw(piece);
    server->flush();
  }
  EXPECT_EQ(server->end(), 0);
  expect_only_healthy_calls(audit_log(), 1);
  expect_sound_log();
}

TEST_F(A56, NulsAreNoJson) {
  const auto server = serve();
  server->send_raw(std::string(64 * mebibyte, '\0') + "\n");
  EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  constexpr int lines = 1'000;
  for (int i = 0; i < lines; ++i) server->send_raw(std::string("\0\n", 2));
  for (int i = 0; i < lines; ++i) ASSERT_EQ(await_unaddressed_error(*server), parse_error);
  // A NUL behind a complete message does not end it early.
  server->send_raw(R"({"jsonrpc":"2.0","id":1,"method":"ping"})" + std::string("\0 {}\n", 5));
  EXPECT_EQ(await_unaddressed_error(*server), parse_error);
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_only_healthy_calls(audit_log(), 1);
}

TEST_F(A56, EmptyLinesAreNothingAtAll) {
  const auto server = serve();
  server->send_raw(std::string(4 * mebibyte, '\n'));
  server->send_raw(repeat(" \t\r\n", 100'000));
  expect_healthy(*server);
  EXPECT_TRUE(server->frames().empty()) << server->frames().front();
}

TEST_F(A56, TheLimitIsExact) {
  const auto server = serve();
  constexpr std::size_t limit = 4 * mebibyte;
  std::string call = call_with(R"({"a":1,"b":2})", 71);
  call.pop_back();
  server->send_raw(call + std::string(limit - call.size(), ' ') + "\n");
  EXPECT_EQ(text_of(server->await_answer(71)["result"]), "3");
  server->send_raw(call + std::string(limit + 1 - call.size(), ' ') + "\n");
  EXPECT_EQ(await_unaddressed_error(*server), invalid_request);
  expect_healthy(*server);
}

TEST_F(A56, AFrameCutOffByTheEndOfTheInputIsNotCarriedOut) {
  const auto server = serve();
  expect_healthy(*server);
  std::string call = call_with(R"({"a":1,"b":2})");
  call.pop_back();
  server->send_raw(call);
  EXPECT_EQ(server->end(), 0);
  expect_only_healthy_calls(audit_log(), 1);
}

TEST_F(A56, AClientThatNeverReadsCostsABoundedAmountOfMemory) {
  const auto server = serve();
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  server->child().set_reading(false);
  // Every one of these is answered with more than it is long.
  const std::string flood = repeat("x\n", mebibyte);
  server->send_raw(flood);
  // It gives the client up, and need not be told to end.
  const auto code = server->child().wait(soon());
  ASSERT_TRUE(code.has_value()) << "the server hangs on a client that does not read";
  EXPECT_LT(server->child().peak_memory(), before + 256 * mebibyte)
      << "answers that nobody reads pile up";
  EXPECT_EQ(*code, 0);
  EXPECT_THAT(server->child().err(), testing::HasSubstr("the client reads none of its answers"));
  expect_healthy();
  expect_sound_log();
}

class A57InBothEras : public Attack, public testing::WithParamInterface<Era> {};

TEST_P(A57InBothEras, DeepNestingIsAnErrorWhereverItStands) {
  const auto server = serve({}, {.era = GetParam()});
  constexpr std::size_t depth = 100'000;
  const std::string arrays = repeat("[", depth) + repeat("]", depth);
  const std::string objects = repeat(R"({"a":)", depth) + "1" + repeat("}", depth);
  for (const std::string& deep : {arrays, objects, repeat("[", depth), repeat(R"({"a":)", depth)}) {
    SCOPED_TRACE(deep.substr(0, 20));
    // As the whole frame, the id, the parameters, a member of them, and a member nobody knows.
    server->send_raw(deep + "\n");
    server->send_raw(R"({"jsonrpc":"2.0","id":)" + deep + R"(,"method":"ping"})" + "\n");
    server->send_raw(R"({"jsonrpc":"2.0","id":501,"method":"tools/list","params":)" + deep + "}\n");
    server->send_raw(R"({"jsonrpc":"2.0","id":502,"method":"tools/list","params":{"_meta":)" +
                     deep + "}}\n");
    server->send_raw(R"({"jsonrpc":"2.0","id":503,"result":)" + deep + "}\n");
    server->send_raw(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" + deep +
        "}}\n");
    expect_healthy(*server);
  }
  server->send_raw(call_with(arrays, 600));
  EXPECT_EQ(error_code(server->await_answer(600)), invalid_params);
  // Where a value is wanted, it is the tool's own error, so that a model can mend its call.
  server->send_raw(call_with(R"({"a":)" + arrays + R"(,"b":1})", 601));
  EXPECT_TRUE(server->await_answer(601)["result"].value("isError", false));
  server->send_raw(call_with(R"({"a":1,"b":)" + objects + "}", 602));
  EXPECT_TRUE(server->await_answer(602)["result"].value("isError", false));
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

INSTANTIATE_TEST_SUITE_P(Protocol, A57InBothEras, testing::Values(Era::stateless, Era::handshake),
                         [](const auto& era) {
                           return era.param == Era::stateless ? "Stateless" : "Handshake";
                         });

TEST_F(A57, DeepArgumentsOnTheCommandLineAreATidyRefusal) {
  constexpr std::size_t depth = 30'000;
  const std::string deep = R"({"a":)" + repeat("[", depth) + repeat("]", depth) + R"(,"b":1})";
  const CommandResult result = run({"call", "healthy.wat", "add", deep});
  EXPECT_EQ(result.code, 1) << result.err.substr(0, 1'000);
  const CommandResult piped = run({"call", "healthy.wat", "add", "-"}, deep);
  EXPECT_EQ(piped.code, 1) << piped.err.substr(0, 1'000);
  expect_healthy();
}

}  // namespace
}  // namespace belljar::attacks
