#include "mcp/connection.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "support/json.h"
#include "toolbox/toolbox.h"

namespace belljar::mcp {
namespace {

/// A transport in memory. `refuse` makes it a peer that is gone.
class MemorySink final : public FrameSink {
 public:
  bool send(std::string frame) override {
    const std::lock_guard lock(mutex_);
    if (gone_) return false;
    frames_.push_back(std::move(frame));
    return true;
  }
  /// The oldest frame that was not taken yet; null where there is none.
  Json next() {
    const std::lock_guard lock(mutex_);
    if (frames_.empty()) return nullptr;
    const std::string text = std::exchange(frames_.front(), {});
    frames_.pop_front();
    return Json::parse(text);
  }
  void refuse() {
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> frames_;
  bool gone_ = false;
};

/// A tool that answers at once, or when the test says so, and ends when it is cancelled.
class FakeTool final : public toolbox::Tool {
 public:
  class Call final : public toolbox::CallHandle {
   public:
    Call(const toolbox::ToolCall& call, toolbox::Completion completion)
        : arguments(call.arguments),
          on_output(call.on_output),
          on_progress(call.on_progress),
          completion_(std::move(completion)) {}
    void cancel() override {
      cancelled = true;
      end({.result = Cancelled{},
           .refusals = {},
           .reached = {},
           .usage = {},
           .standard_output = {},
           .standard_error = {}});
    }
    void end(Outcome outcome) {
      if (auto completion = std::exchange(completion_, {})) completion(std::move(outcome));
    }
    void end(std::string json) {
      end({.result = Returned{std::move(json)},
           .refusals = {},
           .reached = {},
           .usage = {},
           .standard_output = {},
           .standard_error = {}});
    }
    std::string arguments;
    std::function<void(int, std::string_view)> on_output;
    std::function<void(std::uint64_t)> on_progress;
    bool cancelled = false;

   private:
    toolbox::Completion completion_;
  };

  explicit FakeTool(std::string name, bool at_once = true) : at_once_(at_once) {
    info_.name = std::move(name);
    info_.title = "Fake";
    info_.input_schema = R"({"type":"object"})";
    info_.output_schema = R"({"type":"integer"})";
  }
  const toolbox::ToolInfo& info() const override { return info_; }
  toolbox::Annotations annotations() const override { return {}; }
  std::shared_ptr<toolbox::CallHandle> start(const toolbox::ToolCall& call,
                                             toolbox::Completion completion) override {
    auto started = std::make_shared<Call>(call, std::move(completion));
    calls.push_back(started);
    if (at_once_) started->end("1");
    return started;
  }
  std::vector<std::shared_ptr<Call>> calls;

 private:
  toolbox::ToolInfo info_;
  bool at_once_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    EXPECT_TRUE(toolbox_.put({"fast", {fast_}}));
    EXPECT_TRUE(toolbox_.put({"slow", {slow_}}));
    restart({});
    connection_->tools_ready();
  }
  ~ConnectionTest() override {
    // A call that never ends would hold its connection, and that the call.
    for (const auto& tool : {fast_, slow_}) {
      for (const auto& call : tool->calls) call->cancel();
    }
  }

  void restart(ConnectionOptions options) {
    connection_ = std::make_shared<Connection>(sink_, session_, identity_, options);
  }
  void receive(std::string text) const {
    const std::size_t size = text.size();
    text.resize(size + simdjson::SIMDJSON_PADDING);
    connection_->on_frame(std::string_view(text).substr(0, size));
  }
  void notify(std::string_view method, const Json& params) const {
    receive(Json({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}}).dump());
  }
  static Json meta() {
    return {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
            {"io.modelcontextprotocol/clientCapabilities", Json::object()}};
  }
  /// A request that needs no handshake.
  void request(const Json& id, std::string_view method, Json params = Json::object()) const {
    Json all = meta();
    if (params.contains("_meta")) all.update(params["_meta"]);
    params["_meta"] = std::move(all);
    plain_request(id, method, params);
  }
  void plain_request(const Json& id, std::string_view method,
                     const Json& params = Json::object()) const {
    receive(Json({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}).dump());
  }
  void shake_hands(std::string_view version) {
    plain_request("hello", "initialize",
                  {{"protocolVersion", version}, {"capabilities", Json::object()}});
    const Json answer = sink_.next();
    ASSERT_EQ(answer["result"]["protocolVersion"], version) << answer;
    notify("notifications/initialized", Json::object());
  }
  /// The code of the next frame, which has to be an error.
  int next_error() {
    const Json frame = sink_.next();
    if (!frame.is_object() || !frame.contains("error")) {
      ADD_FAILURE() << "expected an error, got " << frame;
      return 0;
    }
    return frame["error"]["code"].get<int>();
  }

  MemorySink sink_;
  toolbox::Toolbox toolbox_;
  std::shared_ptr<FakeTool> fast_ = std::make_shared<FakeTool>("fast_run");
  std::shared_ptr<FakeTool> slow_ = std::make_shared<FakeTool>("slow_run", false);
  Session session_{toolbox_, "client", SessionOptions{.page_size = 2}};
  ServerIdentity identity_{.version = "1.2.3", .instructions = "Ask."};
  std::shared_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, TellsAStatelessClientWhatItSpeaks) {
  request(1, "server/discover");
  const Json result = sink_.next()["result"];
  EXPECT_EQ(result["resultType"], "complete");
  EXPECT_EQ(result["supportedVersions"], Json::array({"2026-07-28"}));
  EXPECT_TRUE(result["capabilities"].contains("tools")) << result;
  EXPECT_TRUE(result.contains("ttlMs") && result.contains("cacheScope")) << result;
  EXPECT_EQ(result["_meta"]["io.modelcontextprotocol/serverInfo"]["version"], "1.2.3");
}

TEST_F(ConnectionTest, NegotiatesTheVersionAndOffersItsNewestForOneItDoesNotKnow) {
  for (const auto& [asked, got] :
       {std::pair{"2025-03-26", "2025-03-26"}, std::pair{"2025-06-18", "2025-06-18"},
        std::pair{"2025-11-25", "2025-11-25"}, std::pair{"2026-07-28", "2025-11-25"},
        std::pair{"1999-01-01", "2025-11-25"}}) {
    plain_request(1, "initialize", {{"protocolVersion", asked}});
    EXPECT_EQ(sink_.next()["result"]["protocolVersion"], got);
  }
}

TEST_F(ConnectionTest, EachEraHasItsOwnMethods) {
  request(1, "ping");
  EXPECT_EQ(next_error(), -32601);
  request(2, "logging/setLevel", {{"level", "info"}});
  EXPECT_EQ(next_error(), -32601);
  plain_request(3, "ping");
  EXPECT_EQ(sink_.next()["result"], Json::object());
  shake_hands("2025-11-25");
  plain_request(4, "server/discover");
  EXPECT_EQ(next_error(), -32601);
  // Both eras live side by side in one process.
  request(5, "tools/call", {{"name", "fast_run"}});
  EXPECT_EQ(sink_.next()["result"]["resultType"], "complete");
  plain_request(6, "tools/call", {{"name", "fast_run"}});
  EXPECT_FALSE(sink_.next()["result"].contains("resultType"));
}

TEST_F(ConnectionTest, ChecksWhatAStatelessRequestSaysOfItself) {
  plain_request(1, "tools/list");
  EXPECT_EQ(next_error(), -32602);
  plain_request(2, "tools/list",
                {{"_meta", {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"}}}});
  EXPECT_EQ(next_error(), -32602);
  request(3, "tools/list", {{"_meta", {{"io.modelcontextprotocol/logLevel", "loud"}}}});
  EXPECT_EQ(next_error(), -32602);
  request(4, "tools/list",
          {{"_meta", {{"io.modelcontextprotocol/protocolVersion", "2027-01-01"}}}});
  const Json frame = sink_.next();
  EXPECT_EQ(frame["error"]["code"], -32022);
  EXPECT_EQ(frame["error"]["data"]["requested"], "2027-01-01");
  EXPECT_EQ(frame["error"]["data"]["supported"], Json::array({"2026-07-28"}));
}

TEST_F(ConnectionTest, ListsToolsInPagesThatStandStillWhileToolsComeAndGo) {
  for (const char* const name : {"a_x", "b_x", "c_x"}) {
    ASSERT_TRUE(toolbox_.put({name, {std::make_shared<FakeTool>(name)}}));
  }
  request(1, "tools/list");
  Json page = sink_.next()["result"];
  ASSERT_EQ(page["tools"].size(), 2U) << page;
  EXPECT_EQ(page["tools"][1]["name"], "b_x");
  toolbox_.remove("a_x");
  request(2, "tools/list", {{"cursor", page["nextCursor"]}});
  page = sink_.next()["result"];
  EXPECT_EQ(page["tools"][0]["name"], "c_x");
  EXPECT_EQ(page["tools"][1]["name"], "fast_run");
  request(3, "tools/list", {{"cursor", page["nextCursor"]}});
  page = sink_.next()["result"];
  EXPECT_EQ(page["tools"].size(), 1U);
  EXPECT_FALSE(page.contains("nextCursor")) << page;
  request(4, "tools/list", {{"cursor", "made-up"}});
  EXPECT_EQ(next_error(), -32602);
}

TEST_F(ConnectionTest, WrapsWhatIsNoObjectWhereTheOlderEraWantsOne) {
  request(1, "tools/call", {{"name", "fast_run"}, {"arguments", {{"x", 1}}}});
  EXPECT_EQ(sink_.next()["result"]["structuredContent"], 1);
  EXPECT_EQ(fast_->calls.back()->arguments, R"({"x":1})");
  shake_hands("2025-11-25");
  plain_request(2, "tools/call", {{"name", "fast_run"}});
  EXPECT_EQ(sink_.next()["result"]["structuredContent"], Json({{"result", 1}}));
  shake_hands("2025-03-26");
  plain_request(3, "tools/call", {{"name", "fast_run"}});
  const Json result = sink_.next()["result"];
  EXPECT_FALSE(result.contains("structuredContent"));
  EXPECT_EQ(result["content"][0]["text"], "1");
}

TEST_F(ConnectionTest, AnswersNeverWaitForOneAnother) {
  request(1, "tools/call", {{"name", "slow_run"}});
  request(2, "tools/call", {{"name", "fast_run"}});
  EXPECT_EQ(sink_.next()["id"], 2);
  EXPECT_EQ(connection_->in_flight(), 1U);
  slow_->calls[0]->end("5");
  EXPECT_EQ(sink_.next()["id"], 1);
  EXPECT_EQ(connection_->in_flight(), 0U);
}

TEST_F(ConnectionTest, AnUnknownToolIsAnErrorAndAFailureIsAResult) {
  request(1, "tools/call", {{"name", "nothing"}});
  EXPECT_EQ(next_error(), -32602);
  request(2, "tools/call", Json::object());
  EXPECT_EQ(next_error(), -32602);
  request(3, "tools/call", {{"name", "slow_run"}});
  slow_->calls[0]->end(Outcome{.result = Trapped{"unreachable", {{"m", "a\nb", "", 0, 0}}},
                               .refusals = {},
                               .reached = {},
                               .usage = {},
                               .standard_output = {},
                               .standard_error = {}});
  const Json result = sink_.next()["result"];
  EXPECT_EQ(result["isError"], true);
  EXPECT_FALSE(result.contains("structuredContent")) << result;
  EXPECT_THAT(result["content"][0]["text"].get<std::string>(),
              testing::Not(testing::HasSubstr("\n")));
}

TEST_F(ConnectionTest, ACancelledRequestIsStoppedAndNeverAnswered) {
  request(1, "tools/call", {{"name", "slow_run"}, {"_meta", {{"progressToken", "p"}}}});
  // Another type of id is another request.
  notify("notifications/cancelled", {{"requestId", "1"}});
  EXPECT_FALSE(slow_->calls[0]->cancelled);
  notify("notifications/cancelled", {{"requestId", 1}});
  EXPECT_TRUE(slow_->calls[0]->cancelled);
  slow_->calls[0]->on_progress(5);
  EXPECT_EQ(sink_.next(), nullptr);
  // Unknown and malformed ones are nothing.
  notify("notifications/cancelled", {{"requestId", 99}});
  notify("notifications/cancelled", {{"requestId", {{"x", 1}}}});
  notify("notifications/cancelled", Json::object());
  EXPECT_EQ(sink_.next(), nullptr);
  // The id is free again.
  request(1, "tools/call", {{"name", "fast_run"}});
  EXPECT_TRUE(sink_.next().contains("result"));
}

TEST_F(ConnectionTest, AnIdThatIsUnderWayCannotBeUsedAgain) {
  request(1, "tools/call", {{"name", "slow_run"}});
  request(1, "tools/call", {{"name", "fast_run"}});
  EXPECT_EQ(next_error(), -32600);
  EXPECT_TRUE(fast_->calls.empty());
  slow_->calls[0]->end("5");
  EXPECT_EQ(sink_.next()["result"]["structuredContent"], 5);
}

TEST_F(ConnectionTest, TellsProgressWithTheCallersTokenAndOnlyWhereItGrows) {
  request(1, "tools/call", {{"name", "slow_run"}, {"_meta", {{"progressToken", 0}}}});
  slow_->calls[0]->on_progress(3);
  const Json frame = sink_.next();
  EXPECT_EQ(frame["method"], "notifications/progress");
  EXPECT_EQ(frame["params"]["progressToken"], 0);
  EXPECT_EQ(frame["params"]["progress"], 3);
  slow_->calls[0]->on_progress(3);
  slow_->calls[0]->on_progress(2);
  EXPECT_EQ(sink_.next(), nullptr);
  request(2, "tools/call", {{"name", "slow_run"}});
  EXPECT_FALSE(slow_->calls[1]->on_progress) << "nobody asked for it";
}

TEST_F(ConnectionTest, SendsLogMessagesOnlyToThoseWhoAskAndBeforeTheAnswer) {
  request(1, "tools/call", {{"name", "slow_run"}});
  EXPECT_FALSE(slow_->calls[0]->on_output) << "nobody asked for it";
  slow_->calls[0]->end("1");
  sink_.next();
  request(2, "tools/call",
          {{"name", "slow_run"}, {"_meta", {{"io.modelcontextprotocol/logLevel", "info"}}}});
  slow_->calls[1]->on_output(1, "one\ntw");
  slow_->calls[1]->on_output(2, "error\x1b[31m\n");
  Json frame = sink_.next();
  EXPECT_EQ(frame["params"]["data"], "one");
  EXPECT_EQ(frame["params"]["level"], "info");
  EXPECT_EQ(frame["params"]["logger"], "slow_run");
  frame = sink_.next();
  EXPECT_EQ(frame["params"]["level"], "warning");
  EXPECT_THAT(frame.dump(-1, ' ', true), testing::Not(testing::HasSubstr("001b")));
  slow_->calls[1]->end("1");
  EXPECT_EQ(sink_.next()["params"]["data"], "tw");
  EXPECT_EQ(sink_.next()["id"], 2);
}

TEST_F(ConnectionTest, TheHandshakeEraSetsTheLevelOnce) {
  shake_hands("2025-06-18");
  plain_request(1, "logging/setLevel", {{"level", "loud"}});
  EXPECT_EQ(next_error(), -32602);
  plain_request(2, "logging/setLevel", {{"level", "error"}});
  EXPECT_EQ(sink_.next()["result"], Json::object());
  plain_request(3, "tools/call", {{"name", "slow_run"}});
  EXPECT_FALSE(slow_->calls[0]->on_output) << "nothing of a guest is an error of ours";
}

TEST_F(ConnectionTest, TellsOfChangedToolsInTheWayThatEachEraWants) {
  connection_->tools_changed();
  EXPECT_EQ(sink_.next(), nullptr) << "nobody asked";
  request("s", "subscriptions/listen", {{"notifications", {{"toolsListChanged", true}}}});
  Json frame = sink_.next();
  EXPECT_EQ(frame["method"], "notifications/subscriptions/acknowledged");
  EXPECT_EQ(frame["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
  EXPECT_EQ(frame["params"]["notifications"], Json({{"toolsListChanged", true}}));
  connection_->tools_changed();
  frame = sink_.next();
  EXPECT_EQ(frame["method"], "notifications/tools/list_changed");
  EXPECT_EQ(frame["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
  notify("notifications/cancelled", {{"requestId", "s"}});
  connection_->tools_changed();
  EXPECT_EQ(sink_.next(), nullptr) << "the subscription has ended";
  shake_hands("2025-11-25");
  connection_->tools_changed();
  frame = sink_.next();
  EXPECT_EQ(frame["method"], "notifications/tools/list_changed");
  EXPECT_FALSE(frame["params"].contains("_meta"));
}

TEST_F(ConnectionTest, SubscriptionsEndWithAResultAndAreLimited) {
  restart({.in_flight = 8, .subscriptions = 1});
  connection_->tools_ready();
  request(1, "subscriptions/listen", Json::object());
  EXPECT_EQ(next_error(), -32602);
  request(2, "subscriptions/listen", {{"notifications", Json::object()}});
  EXPECT_EQ(sink_.next()["params"]["notifications"], Json::object());
  request(3, "subscriptions/listen", {{"notifications", Json::object()}});
  EXPECT_EQ(next_error(), -32603);
  connection_->close(std::chrono::milliseconds(0));
  const Json frame = sink_.next();
  EXPECT_EQ(frame["id"], 2);
  EXPECT_EQ(frame["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 2);
}

TEST_F(ConnectionTest, AnswersABatchOnceAllItsMembersHaveEnded) {
  shake_hands("2025-03-26");
  receive(
      R"([{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow_run"}},
          {"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","method":"x"},7])");
  EXPECT_EQ(sink_.next(), nullptr) << "a member is still running";
  slow_->calls[0]->end("5");
  EXPECT_EQ(sink_.next().size(), 3U);
  shake_hands("2025-06-18");
  receive(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])");
  EXPECT_EQ(next_error(), -32600);
}

TEST_F(ConnectionTest, LimitsTheRequestsThatAreUnderWay) {
  restart({.in_flight = 2, .subscriptions = 1});
  connection_->tools_ready();
  for (int id = 1; id <= 3; ++id) request(id, "tools/call", {{"name", "slow_run"}});
  EXPECT_EQ(next_error(), -32603);
  EXPECT_EQ(slow_->calls.size(), 2U);
  slow_->calls[0]->end("1");
  sink_.next();
  request(4, "tools/call", {{"name", "slow_run"}});
  EXPECT_EQ(slow_->calls.size(), 3U);
}

TEST_F(ConnectionTest, RequestsAboutToolsWaitUntilTheToolsAreThere) {
  restart({});
  request(1, "tools/call", {{"name", "late_run"}});
  request(2, "tools/call", {{"name", "late_run"}});
  request(3, "tools/list");
  notify("notifications/cancelled", {{"requestId", 1}});
  request(4, "server/discover");
  EXPECT_EQ(sink_.next()["id"], 4) << "what asks for no tool does not wait";
  const auto late = std::make_shared<FakeTool>("late_run");
  ASSERT_TRUE(toolbox_.put({"late", {late}}));
  connection_->tools_changed();
  EXPECT_EQ(sink_.next(), nullptr) << "more may come";
  connection_->tools_ready();
  EXPECT_EQ(sink_.next()["id"], 2);
  EXPECT_EQ(sink_.next()["id"], 3);
  EXPECT_EQ(sink_.next(), nullptr) << "what was cancelled meanwhile is not run";
}

TEST_F(ConnectionTest, AToolThatIsThereDoesNotWaitForOthers) {
  restart({});
  request(1, "tools/call", {{"name", "fast_run"}});
  EXPECT_EQ(sink_.next()["id"], 1) << "another component may take a minute to compile";
}

TEST_F(ConnectionTest, TheEndOfTheInputCancelsWhatRunsAndStartsNothingNew) {
  request(1, "tools/call", {{"name", "slow_run"}});
  connection_->on_end();
  EXPECT_TRUE(slow_->calls[0]->cancelled);
  request(2, "tools/call", {{"name", "fast_run"}});
  EXPECT_TRUE(fast_->calls.empty());
  connection_->close(std::chrono::milliseconds(0));
  EXPECT_EQ(sink_.next(), nullptr);
}

TEST_F(ConnectionTest, APeerThatIsGoneIsNoReasonToFail) {
  sink_.refuse();
  request(1, "tools/call", {{"name", "fast_run"}});
  connection_->on_oversized_frame();
  connection_->on_end();
  EXPECT_EQ(connection_->in_flight(), 0U);
}

}  // namespace
}  // namespace belljar::mcp
