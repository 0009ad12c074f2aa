#include "toolbox/component.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "support/json.h"
#include "testing/component_services.h"

namespace belljar::toolbox {
namespace {

using testing::HasSubstr;

/// A component with these imports and one function, `answer`, that gives 42 or does what `body`
/// says.
std::string component(std::string_view imports = {}, std::string_view exports = {},
                      std::string_view body = "i32.const 42") {
  return fmt::format(R"((component {}
    (core module $m (func (export "answer") (result i32) {}))
    (core instance $i (instantiate $m))
    (func $answer (result u32) (canon lift (core func $i "answer")))
    (export "answer" (func $answer)) {}))",
                     imports, body, exports);
}

constexpr std::string_view files =
    R"((import "wasi:filesystem/types@0.2.6" (instance (export "descriptor" (type (sub resource))))))";
constexpr std::string_view http =
    R"((import "wasi:http/types@0.2.6" (instance (export "fields" (type (sub resource))))))";
constexpr std::string_view sockets =
    R"((import "wasi:sockets/network@0.2.6" (instance (export "network" (type (sub resource))))))";

class ComponentTest : public ServicesTest {
 protected:
  /// The annotations as `read-only destructive idempotent open-world`, as far as they hold.
  [[nodiscard]] std::string annotations(std::string_view imports,
                                        const std::vector<std::string>& grants) {
    const auto loaded = load("tool", component(imports), grants);
    if (!loaded) return "error: " + loaded.error().describe();
    const Annotations annotations = (*loaded)->annotations();
    std::string text;
    const auto add = [&](bool holds, std::string_view name) {
      if (holds) text += (text.empty() ? "" : " ") + std::string(name);
    };
    add(annotations.read_only, "read-only");
    add(annotations.destructive, "destructive");
    add(annotations.idempotent, "idempotent");
    add(annotations.open_world, "open-world");
    return text;
  }

  /// A call of the one tool of a component.
  struct Started {
    std::shared_ptr<std::promise<Result<Outcome>>> ended =
        std::make_shared<std::promise<Result<Outcome>>>();
    std::shared_ptr<CallHandle> handle;
  };
  [[nodiscard]] static Started start(Component& component) {
    Started started;
    started.handle = component.tools().tools[0]->start(
        {.arguments = "{}",
         .client = {},
         .timeout = {},
         .seed = {},
         .on_output = {},
         .on_progress = {},
         .command_arguments = {}},
        [ended = started.ended](Result<Outcome> outcome) { ended->set_value(std::move(outcome)); });
    return started;
  }

  [[nodiscard]] std::string load_error(std::string_view text) {
    const auto loaded = load("tool", text);
    return loaded ? "it was loaded" : loaded.error().describe();
  }
};

TEST_F(ComponentTest, IsHarmlessWithoutPermissionsWhateverItImports) {
  EXPECT_EQ(annotations("", {}), "read-only idempotent");
  for (const std::string_view import : {files, http, sockets}) {
    EXPECT_EQ(annotations(import, {}), "read-only idempotent") << import;
  }
}

TEST_F(ComponentTest, IsHarmlessWithPermissionsThatItCannotUse) {
  EXPECT_EQ(
      annotations("", {"storage=/tmp:/tmp:rw", "network=api.example", "network=tcp:db.example:1"}),
      "read-only idempotent");
  EXPECT_EQ(annotations(http, {"storage=/tmp:/tmp:rw"}), "read-only idempotent");
  EXPECT_EQ(annotations(files, {"network=api.example"}), "read-only idempotent");
}

TEST_F(ComponentTest, OnlyReadsWhereItsFilesAreReadOnly) {
  EXPECT_EQ(annotations(files, {"storage=/tmp:/tmp"}), "read-only idempotent");
}

TEST_F(ComponentTest, MayDestroyWhereItMayWrite) {
  EXPECT_EQ(annotations(files, {"storage=/tmp:/tmp:rw"}), "destructive");
}

TEST_F(ComponentTest, TalksToTheWorldWhereItMayFetch) {
  EXPECT_EQ(annotations(http, {"network=GET,HEAD api.example"}), "read-only idempotent open-world");
}

TEST_F(ComponentTest, MayDestroyElsewhereWhereItMaySend) {
  EXPECT_EQ(annotations(http, {"network=api.example"}), "destructive open-world")
      << "a rule without methods allows every method";
  EXPECT_EQ(annotations(http, {"network=GET a.example", "network=POST b.example"}),
            "destructive open-world");
  EXPECT_EQ(annotations(sockets, {"network=tcp:db.example:5432"}), "destructive open-world");
}

TEST_F(ComponentTest, AResourceRemembersSoItsToolsDoNotOnlyRead) {
  const auto loaded = load("held", R"((component
    (type $counter (resource (rep i32)))
    (core func $new (canon resource.new $counter))
    (core module $m
      (import "host" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 1))))
    (core instance $i (instantiate $m (with "host" (instance (export "new" (func $new))))))
    (func $make (result (own $counter)) (canon lift (core func $i "make")))
    (component $interface
      (import "counter-type" (type $counter (sub resource)))
      (import "make" (func $make (result (own $counter))))
      (export $exported "counter" (type $counter))
      (export "[constructor]counter" (func $make) (func (result (own $exported)))))
    (instance $counters (instantiate $interface
      (with "counter-type" (type $counter)) (with "make" (func $make))))
    (export "acme:held/counters" (instance $counters))))");
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const ToolGroup group = (*loaded)->tools();
  ASSERT_EQ(group.tools.size(), 2U);
  for (const auto& tool : group.tools) {
    const Annotations hints = tool->annotations();
    EXPECT_FALSE(hints.read_only || hints.idempotent) << tool->info().name;
    EXPECT_EQ(hints.destructive, tool->info().name.ends_with("drop")) << tool->info().name;
  }
}

TEST_F(ComponentTest, CannotBeLoadedWithSchemasThatFillTheMemory) {
  std::string numbers;
  for (int i = 0; i < 1'000; ++i) numbers += " u32";
  std::string functions;
  for (int i = 0; i < 300; ++i) {
    functions += fmt::format(
        "(func $f{0} (param \"x\" $many) (canon lift (core func $i \"take\") (memory $memory) "
        "(realloc (func $i \"realloc\"))))(export \"f{0}\" (func $f{0}))",
        i);
  }
  EXPECT_THAT(load_error(fmt::format(R"((component
        (core module $m
          (memory (export "memory") 1)
          (func (export "take") (param i32))
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (alias core export $i "memory" (core memory $memory))
        (type $many (tuple{}))
        {}))",
                                     numbers, functions)),
              HasSubstr("the schemas of its tools are larger than 8 MiB together"));
}

TEST_F(ComponentTest, FollowsItsPermissionsWhileItIsLoaded) {
  const auto loaded = load("tool", component(files));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  EXPECT_TRUE((*loaded)->annotations().read_only);
  const auto grant = policy::parse_grant("storage=/tmp:/tmp:rw", folder_);
  ASSERT_TRUE(grant);
  store::Grants grants(*state_);
  const auto id =
      grants.add({"tool", (*loaded)->artifact().digest}, *grant, {}, {"somebody", "a test"});
  ASSERT_TRUE(id) << id.error().describe();
  EXPECT_FALSE((*loaded)->annotations().read_only);
  ASSERT_TRUE(grants.revoke(*id));
  EXPECT_TRUE((*loaded)->annotations().read_only);
}

TEST_F(ComponentTest, MakesATitleOfTheName) {
  const auto loaded = load("my-tool", component("", R"((export "get-it-now" (func $answer)))"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const ToolGroup group = (*loaded)->tools();
  ASSERT_EQ(group.tools.size(), 2U);
  EXPECT_EQ(group.tools[0]->info().name, "my-tool_answer");
  EXPECT_EQ(group.tools[0]->info().title, "Answer");
  EXPECT_EQ(group.tools[1]->info().title, "Get it now");
  EXPECT_EQ(group.tools[1]->info().group, "my-tool");
  EXPECT_FALSE(group.tools[1]->info().cleaned);
}

TEST_F(ComponentTest, MakesATitleOfTheWholeNameWhereTheNameIsShortened) {
  const auto loaded = load("my-tool", component("", R"((export
    "get-what-the-weather-was-like-yesterday-morning" (func $answer)))"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const ToolGroup group = (*loaded)->tools();
  EXPECT_EQ(group.tools[1]->info().name.size(), 48U);
  EXPECT_EQ(group.tools[1]->info().title, "Get what the weather was like yesterday morning");
}

/// `component`, with documentation as `belljar docs inject` puts it in: a version byte, then JSON.
std::string documented(std::string_view docs) {
  const std::string json =
      Json{{"worlds", {{"root", {{"func_exports", {{"answer", {{"docs", docs}}}}}}}}}}.dump();
  std::string escaped = "\\00";
  for (const char byte : json) escaped += fmt::format("\\{:02x}", static_cast<unsigned char>(byte));
  return component("", fmt::format("(@custom \"package-docs\" \"{}\")", escaped));
}

TEST_F(ComponentTest, DescribesItsToolsAsTheDocumentationDoes) {
  const auto loaded = load("tool", documented("Gives the answer.\n\nAlways the same one."));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const ToolGroup group = (*loaded)->tools();
  EXPECT_EQ(group.tools[0]->info().description, "Gives the answer.\n\nAlways the same one.");
  EXPECT_FALSE(group.tools[0]->info().cleaned);
}

TEST_F(ComponentTest, SaysThatItsDocumentationHeldWhatCouldDeceive) {
  const auto loaded = load("tool", documented("Gives \x1b[8mthe\x1b[0m answer\u202e."));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const ToolGroup group = (*loaded)->tools();
  EXPECT_EQ(group.tools[0]->info().description, "Gives the answer.");
  EXPECT_TRUE(group.tools[0]->info().cleaned);
}

TEST_F(ComponentTest, AnswersCalls) {
  const auto loaded = load("tool", component());
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const Started call = start(**loaded);
  const auto outcome = call.ended->get_future().get();
  ASSERT_TRUE(outcome) << outcome.error().describe();
  ASSERT_TRUE(outcome->ok());
  EXPECT_EQ(std::get<Returned>(outcome->result).json, "42");
}

TEST_F(ComponentTest, A80_IsNotCalledWhileTheLogCannotBeWritten) {
  auto loaded = load("tool", component(""));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const std::size_t before = log_.records().size();
  log_.accepting = false;
  const auto refused = start(**loaded).ended->get_future().get();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("the log cannot be written"));
  EXPECT_EQ(log_.records().size(), before) << "there is no room for a record of it either";
  log_.accepting = true;
  EXPECT_TRUE(start(**loaded).ended->get_future().get());
}

TEST_F(ComponentTest, ACallThatWaitsForItsPlaceCanBeCancelled) {
  const auto loaded = load("tool", component({}, {}, "(loop br 0) unreachable"),
                           {"limit=instances=1", "limit=timeout=1h"});
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const Started running = start(**loaded);
  const Started waiting = start(**loaded);
  waiting.handle->cancel();
  const auto withdrawn = waiting.ended->get_future().get();
  ASSERT_TRUE(withdrawn) << withdrawn.error().describe();
  EXPECT_TRUE(std::holds_alternative<Cancelled>(withdrawn->result));
  running.handle->cancel();
  const auto stopped = running.ended->get_future().get();
  ASSERT_TRUE(stopped) << stopped.error().describe();
  EXPECT_TRUE(std::holds_alternative<Cancelled>(stopped->result));
}

TEST_F(ComponentTest, AGuestThatHoldsTooMuchOfTheHostReachesTheLimitOfHandles) {
  const auto loaded = load("tool", R"((component
    (import "wasi:io/poll@0.2.6" (instance $poll (export "pollable" (type (sub resource)))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
      (alias outer 1 $pollable (type $outer))
      (export "pollable" (type $timer (eq $outer)))
      (export "subscribe-duration" (func (param "when" u64) (result (own $timer))))))
    (core func $subscribe (canon lower (func $clock "subscribe-duration")))
    (core module $m
      (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
      (func (export "answer") (result i32)
        (loop (drop (call $subscribe (i64.const 1))) (br 0)) unreachable))
    (core instance $i (instantiate $m
      (with "clock" (instance (export "subscribe" (func $subscribe))))))
    (func $answer (result u32) (canon lift (core func $i "answer")))
    (export "answer" (func $answer))))",
                           {"limit=handles=8"});
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const auto outcome = start(**loaded).ended->get_future().get();
  ASSERT_TRUE(outcome) << outcome.error().describe();
  const auto* const limit = std::get_if<LimitReached>(&outcome->result);
  ASSERT_TRUE(limit) << "it ended in another way";
  EXPECT_EQ(limit->limit, "handles");
  EXPECT_EQ(limit->allowed, "8");
  EXPECT_EQ(limit->remedy, "limit=handles=64");
}

TEST_F(ComponentTest, AGuestThatAsksForMoreMemoryThanThereIsGetsNoAdviceToGiveIt) {
  const auto loaded = load("tool", R"((component
    (core module $m (memory i64 1)
      (func (export "answer") (result i32)
        (drop (memory.grow (i64.const 0xFFFFFFFFFFFE))) unreachable))
    (core instance $i (instantiate $m))
    (func $answer (result u32) (canon lift (core func $i "answer")))
    (export "answer" (func $answer))))");
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const auto outcome = start(**loaded).ended->get_future().get();
  ASSERT_TRUE(outcome) << outcome.error().describe();
  const auto* const limit = std::get_if<LimitReached>(&outcome->result);
  ASSERT_TRUE(limit) << "it ended in another way";
  EXPECT_EQ(limit->limit, "memory");
  EXPECT_EQ(limit->remedy, "");
}

TEST_F(ComponentTest, ACallThatFoundNoRoomAmongAllSaysSoAndNotThatItsOwnLimitIsReached) {
  const auto busy = load("busy", component({}, {}, "(loop br 0) unreachable"),
                         {"limit=instances=8", "limit=timeout=1h"});
  const auto late = load("late", component(), {"limit=timeout=1ms"});
  ASSERT_TRUE(busy && late);
  std::vector<Started> running;
  for (int i = 0; i < 8; ++i) running.push_back(start(**busy));
  const auto outcome = start(**late).ended->get_future().get();
  for (const Started& call : running) call.handle->cancel();
  for (const Started& call : running) {
    EXPECT_TRUE(call.ended->get_future().get());
  }
  ASSERT_TRUE(outcome) << outcome.error().describe();
  const auto* const limit = std::get_if<LimitReached>(&outcome->result);
  ASSERT_TRUE(limit) << "it ended in another way";
  EXPECT_EQ(limit->limit, "sandboxes");
  EXPECT_EQ(limit->allowed, "8 for all components together");
  EXPECT_EQ(limit->remedy, "");
}

TEST_F(ComponentTest, CannotBeLoadedWithImportsThatNobodyOffers) {
  EXPECT_THAT(
      load_error(component(R"((import "acme:kv/store@1.0.0" (instance (export "get" (func)))))")),
      HasSubstr("it imports acme:kv/store@1.0.0, which this host does not offer"));
}

TEST_F(ComponentTest, CannotBeLoadedWithoutATool) {
  EXPECT_THAT(load_error("(component)"), HasSubstr("exports no function that could be a tool"));
}

TEST_F(ComponentTest, CannotBeLoadedWithTwoToolsOfOneName) {
  EXPECT_THAT(load_error(component("", R"(
                (instance $api (export "get" (func $answer)))
                (export "acme:wx/api@1.0.0" (instance $api))
                (export "acme:wx/api@2.0.0" (instance $api)))")),
              HasSubstr("would both be the tool \"tool_acme-wx_api_get\""));
}

}  // namespace
}  // namespace belljar::toolbox
