// The harness itself: an attack proves nothing when the way to the server does not work.

#include <algorithm>

#include "attack.h"

namespace belljar::attacks {
namespace {

using Harness = Attack;

TEST_F(Harness, SpeaksWithAServerInTheStatelessEra) {
  const auto server = serve();
  expect_healthy(*server);
  const std::vector<Json> tools = server->list_tools();
  EXPECT_TRUE(std::any_of(tools.begin(), tools.end(), [](const Json& tool) {
    return tool["name"] == "healthy_add";
  })) << Json(tools);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(Harness, SpeaksWithAServerAfterAHandshake) {
  const auto server = serve({}, {.era = Era::handshake, .version = "2025-03-26"});
  expect_healthy(*server);
  EXPECT_EQ(error_code(server->ask("tools/call", {{"name", "nothing"}})), -32602);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(Harness, ReadsTheAuditLogAsValues) {
  const auto server = serve();
  expect_healthy(*server);
  const Json record = expect_record({{"kind", "call"}, {"tool", "healthy_add"}});
  EXPECT_EQ(record["outcome"], "returned") << record;
  expect_sound_log();
}

TEST_F(Harness, RunsCommandsAndCapturesWhatTheyLeave) {
  expect_healthy();
  write("broken.wasm", "not a module");
  const CommandResult wrong = run({"call", "broken.wasm", "add"});
  EXPECT_EQ(wrong.code, 5);
  EXPECT_TRUE(wrong.out.empty()) << wrong.out;
  EXPECT_THAT(wrong.err, testing::HasSubstr("broken.wasm"));
}

}  // namespace
}  // namespace belljar::attacks
