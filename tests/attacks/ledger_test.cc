// A79: as many as can be of each thing that a guest or a client makes the host hold.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "attack.h"
#include "held_database.h"
#include "hoards.h"
#include "hostile_program.h"

namespace belljar::attacks {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
/// Descriptors that the server opens when it first needs them: its state, its log.
constexpr std::size_t spare = 15;

class A79 : public Attack {
 protected:
  /// A server that has done its first call, so that what it has by now is its own.
  std::unique_ptr<Server> serve_warm(std::vector<std::string> words) const {
    auto server = serve(std::move(words));
    expect_healthy(*server);
    return server;
  }

  static std::size_t descriptors(Server& server) {
    const std::filesystem::directory_iterator all(fmt::format("/proc/{}/fd", server.child().pid()));
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  static std::size_t mappings(Server& server) {
    std::ifstream maps(fmt::format("/proc/{}/maps", server.child().pid()));
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
  }

  /// Bytes of memory in use.
  static std::size_t memory(Server& server) {
    std::ifstream statm(fmt::format("/proc/{}/statm", server.child().pid()));
    std::size_t size = 0;
    std::size_t resident = 0;
    statm >> size >> resident;
    return resident * 4'096;
  }

  static void expect_limit(const Json& result, std::string_view limit) {
    EXPECT_TRUE(result.value("isError", false)) << result;
    EXPECT_THAT(text_of(result), testing::HasSubstr(fmt::format("\"{}\"", limit)));
  }
};

TEST_F(A79, WhatTheEngineMakesForAGuestIsBoundedAndNamed) {
  const std::vector<std::pair<std::string, std::string>> hoards{
      {"pollables", hoard_of_pollables()}, {"streams", hoard_of_streams()},
      {"futures", hoard_of_futures()},     {"sets", hoard_of_waitable_sets()},
      {"subtasks", hoard_of_subtasks()},
  };
  std::vector<std::string> words;
  for (const auto& [name, text] : hoards) {
    write(name + ".wat", text);
    words.push_back(name + ".wat");
  }
  const auto server = serve_warm(words);
  const std::size_t before = server->child().peak_memory();
  for (const auto& [name, text] : hoards) {
    SCOPED_TRACE(name);
    EXPECT_EQ(text_of(server->call(name + "_hoard", {{"count", 500}})), "500");
    expect_limit(server->call(name + "_hoard", {{"count", 1'000'000}}), "handles");
    expect_record({{"kind", "call"}, {"component", name}, {"limit", "handles"}});
    expect_healthy(*server);
  }
  EXPECT_LT(server->child().peak_memory(), before + 64 * mebibyte);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A79, HeadersThatAreKeptAreMemoryOfTheGuests) {
  write("fields.wat", hoard_of_fields());
  const auto server = serve_warm({"fields.wat", "--grant", "fields:limit=memory=1Mi"});
  const std::size_t before = server->child().peak_memory();
  EXPECT_EQ(text_of(server->call("fields_hoard", {{"count", 20}})), "20");
  expect_limit(server->call("fields_hoard", {{"count", 900}}), "memory");
  EXPECT_LT(server->child().peak_memory(), before + 32 * mebibyte);
  expect_healthy(*server);
}

TEST_F(A79, BodiesThatAreNotSentAreMemoryOfTheGuests) {
  write("bodies.wat", hoard_of_bodies());
  const auto server = serve_warm({"bodies.wat", "--grant", "bodies:limit=memory=1Mi"});
  const std::size_t before = server->child().peak_memory();
  EXPECT_EQ(text_of(server->call("bodies_hoard", {{"count", 50}})), "50");
  // At once, too: a call that ends before anybody looks at what it keeps.
  for (const int count : {400, 1'000'000}) {
    expect_limit(server->call("bodies_hoard", {{"count", count}}), "memory");
  }
  EXPECT_LT(server->child().peak_memory(), before + 32 * mebibyte);
  expect_healthy(*server);
}

TEST_F(A79, NoSocketIsMadeBeforeADecisionAllowsIt) {
  write("old.wat", hoard_of_sockets());
  write("new.wat", hoard_of_new_sockets());
  const auto server = serve_warm({"old.wat", "new.wat"});
  const std::size_t before = descriptors(*server);
  for (const std::string name : {"old", "new"}) {
    SCOPED_TRACE(name);
    const std::string thing = text_of(server->call(name + "_api_thing-new"));
    const Json arguments{{"self", thing}, {"count", 1'500}};
    EXPECT_EQ(text_of(server->call(name + "_api_thing-sockets", arguments)), "0");
    EXPECT_LE(descriptors(*server), before + spare);
    expect_record({{"kind", "refusal"}, {"component", name}, {"what", "make a tcp socket"}});
    expect_record({{"kind", "refusal"}, {"component", name}, {"what", "make a udp socket"}});
  }
  expect_healthy(*server);
}

TEST_F(A79, SocketsOfLiveInstancesAreCountedOverAllTheirCalls) {
  write("old.wat", hoard_of_sockets());
  write("new.wat", hoard_of_new_sockets());
  std::vector<std::string> words{"old.wat", "new.wat"};
  for (const std::string name : {"old", "new"}) {
    for (const std::string grant :
         {"network=tcp:127.0.0.1:9", "network=udp:127.0.0.1:9", "limit=handles=16"}) {
      words.insert(words.end(), {"--grant", fmt::format("{}:{}", name, grant)});
    }
  }
  const auto server = serve_warm(words);
  const std::size_t before = descriptors(*server);
  for (const std::string name : {"old", "new"}) {
    SCOPED_TRACE(name);
    std::vector<std::string> things;
    for (int i = 0; i < 4; ++i) {
      things.push_back(text_of(server->call(name + "_api_thing-new")));
      const Json arguments{{"self", things.back()}, {"count", 500}};
      EXPECT_EQ(text_of(server->call(name + "_api_thing-sockets", arguments)), "16");
      EXPECT_EQ(text_of(server->call(name + "_api_thing-sockets", arguments)), "0")
          << "a second call has as many again";
    }
    EXPECT_LE(descriptors(*server), before + 4 * 16 + spare);
    for (const std::string& thing : things) {
      EXPECT_FALSE(
          server->call(name + "_api_thing-drop", {{"self", thing}}).value("isError", false));
    }
    EXPECT_LE(descriptors(*server), before + spare) << "what an instance had is open after it";
  }
  expect_healthy(*server);
}

TEST_F(A79, AllInstancesTogetherLeaveDescriptorsToTheProcess) {
  write("old.wat", hoard_of_sockets());
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit few{256, files.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto server = serve_warm({"old.wat", "--grant", "old:network=tcp:127.0.0.1:9", "--grant",
                                  "old:network=udp:127.0.0.1:9"});
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  std::size_t made = 0;
  for (int i = 0; i < 8; ++i) {
    const std::string thing = text_of(server->call("old_api_thing-new"));
    const Json arguments{{"self", thing}, {"count", 1'000}};
    made += std::stoul(text_of(server->call("old_api_thing-sockets", arguments)));
  }
  EXPECT_EQ(made, 128U) << "half of what the process may open";
  // What needs descriptors of its own still gets them.
  expect_healthy(*server);
  expect_healthy();
  expect_record({{"kind", "call"}, {"component", "healthy"}});
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A79, OpenFilesOfAProgramAreCounted) {
  write("data/f", "text");
  HostileProgram program;
  for (int i = 0; i < 40; ++i) program.open("f");
  write("opens.wat", program.text());
  const CommandResult result =
      run({"run", "opens.wat", "--grant", "storage=./data:/data", "--grant", "limit=handles=16"});
  const std::vector<int> ends = results_of(result.out);
  ASSERT_EQ(ends.size(), 40U) << result.err;
  EXPECT_EQ(std::count(ends.begin(), ends.end(), 0), 16);
  // 48 is "not enough space": WASI 0.1 and 0.2 share no error for too many files.
  EXPECT_EQ(std::count(ends.begin(), ends.end(), 48), 24);
  expect_record({{"kind", "call"}, {"limit", "handles"}});
}

TEST_F(A79, InputThatIsWaitedForAndNotTakenIsBounded) {
  write("data/large", std::string(mebibyte, 'x'));
  write("input.wat", hoard_of_input("large"));
  const auto server = serve_warm(
      {"input.wat", "--grant", "input:storage=./data:/data", "--grant", "input:limit=memory=1Mi"});
  const std::size_t before = server->child().peak_memory();
  EXPECT_EQ(text_of(server->call("input_hoard", {{"count", 200}})), "200");
  const Json all = server->call("input_hoard", {{"count", 100'000}});
  expect_limit(all, "handles");
  EXPECT_LT(server->child().peak_memory(), before + 32 * mebibyte)
      << "its memory is 1 MiB, and what the host holds for it at most 8";
  expect_healthy(*server);
}

TEST_F(A79, ComponentsOutsideThePoolLeaveMappingsToTheProcess) {
  write("many.wat", hoard_of_memories(11, 89));
  write("mid.wat", hoard_of_memories(1, 90));
  const auto server = serve_warm({"many.wat", "mid.wat", "--grant", "many:limit=timeout=2s",
                                  "--grant", "mid:limit=timeout=2s"});
  std::vector<int> calls;
  for (int i = 0; i < 16; ++i) calls.push_back(server->start_call("many_spin"));
  for (int i = 0; i < 4; ++i) calls.push_back(server->start_call("mid_spin"));
  // Everything else goes on while they have all that they can get.
  expect_healthy(*server);
  write("later.wat", hoard_of_pollables());
  EXPECT_EQ(run({"load", "later.wat"}).code, 0);
  std::size_t most = 0;
  std::size_t refused = 0;
  for (const int id : calls) {
    most = std::max(most, mappings(*server));
    const std::string text = text_of(server->await_answer(id)["result"]);
    if (text.find("\"mappings\"") != std::string::npos)
      ++refused;
    else
      EXPECT_THAT(text, testing::HasSubstr("\"timeout\""));
  }
  EXPECT_GE(refused, 1U);
  EXPECT_LT(most, 58'000U) << "the kernel's default allows 65,530";
  expect_record({{"kind", "call"}, {"component", "many"}, {"limit", "mappings"}});
  EXPECT_FALSE(server->call("mid_rest").value("isError", false)) << "what it had is not free";
  EXPECT_FALSE(server->call("many_rest").value("isError", false));
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A79, AComponentOfWhichNotOneInstanceFitsIsNotLoaded) {
  write("huge.wat", hoard_of_memories(20, 90));
  const CommandResult result = run({"call", "huge.wat", "rest"});
  EXPECT_NE(result.code, 0);
  EXPECT_THAT(result.err, testing::HasSubstr("1800 memories")) << result.err;
  expect_healthy();
}

TEST_F(A79, ArgumentsOfRunningCallsAreCounted) {
  write("arguments.wat", component_of("(func (export \"f\") (param i32 i32) (loop $l (br $l)))",
                                      lift("f", "(param \"value\" (list u32))")));
  // A budget of the host's that is quickly used up.
  write("home/config/belljar.toml", "[limits]\nmemory = \"64Mi\"\n");
  const auto server = serve_warm({"arguments.wat", "--grant", "arguments:limit=timeout=2s"});
  std::string zeros = "0";
  while (zeros.size() < mebibyte / 4) zeros += ",0";
  const Json list = Json::parse("[" + zeros + "]");
  const std::size_t before = server->child().peak_memory();
  std::vector<int> calls;
  for (int i = 0; i < 24; ++i)
    calls.push_back(server->start_call("arguments_f", {{"value", list}}));
  expect_healthy(*server);
  std::size_t refused = 0;
  for (const int id : calls) {
    const std::string text = text_of(server->await_answer(id)["result"]);
    if (text.find("\"host-memory\"") != std::string::npos) ++refused;
  }
  EXPECT_GE(refused, 8U) << "forty bytes a value, 128 Ki values a call, and 64 MiB for all";
  EXPECT_LT(server->child().peak_memory(), before + 128 * mebibyte);
  expect_healthy(*server);
  // One alone fits.
  EXPECT_THAT(text_of(server->call("arguments_f", {{"value", list}})),
              testing::HasSubstr("\"timeout\""));
}

TEST_F(A79, ArgumentsOfCallsThatWaitForTheirGrantsAreCounted) {
  write("text.wat", component_of("(func (export \"f\") (param i32 i32))",
                                 lift("f", "(param \"value\" string)")));
  ASSERT_EQ(run({"load", "text.wat"}).code, 0);
  ASSERT_EQ(run({"grant", "text", "network=api.example", "--once"}).code, 0);
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  const auto server = serve({}, {.from_state = true});
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  const std::string large(mebibyte, 'x');
  std::vector<int> calls;
  {
    // A grant for one call cannot be used up while somebody else writes.
    const HeldDatabase held(home() / "data/state.db");
    for (int i = 0; i < 200; ++i) calls.push_back(server->start_call("text_f", {{"value", large}}));
    expect_healthy(*server);
    EXPECT_LT(server->child().peak_memory(), before + 130 * mebibyte);
  }
  std::size_t refused = 0;
  for (const int id : calls) {
    const Json answer = server->await_answer(id);
    if (answer.dump().find("calls that wait keep too much already") != std::string::npos) ++refused;
  }
  EXPECT_GE(refused, 130U) << "64 of them, of one MiB each, may wait";
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

TEST_F(A79, ResultsAreMemoryOfTheGuestsBeforeTheyAreWritten) {
  // Ten bytes of the guest's become eleven values of the host's, of forty bytes each.
  write("results.wat",
        component_of(
            "(func (export \"f\") (param $n i32) (result i32)"
            "  (i32.store (i32.const 0) (i32.const 1024))"
            "  (i32.store (i32.const 4) (local.get $n))"
            "  (drop (memory.grow (i32.const 160))) (i32.const 0))",
            lift("f", "(param \"n\" u32) (result (list (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8)))")));
  const auto server = serve_warm({"results.wat", "--grant", "results:limit=memory=16Mi", "--grant",
                                  "results:limit=output=64Mi"});
  const std::size_t before = server->child().peak_memory();
  EXPECT_THAT(text_of(server->call("results_f", {{"n", 10'000}})), testing::StartsWith("[[0,"));
  expect_limit(server->call("results_f", {{"n", 1'000'000}}), "memory");
  EXPECT_LT(server->child().peak_memory(), before + 64 * mebibyte);
  expect_healthy(*server);
}

TEST_F(A79, EmptyWritesTakeNoMemory) {
  write("empty.wat", hoard_of_empty_writes());
  const auto server = serve_warm({"empty.wat"});
  const std::size_t before = server->child().peak_memory();
  EXPECT_EQ(text_of(server->call("empty_hoard", {{"count", 500'000}})), "500000");
  EXPECT_LT(server->child().peak_memory(), before + 16 * mebibyte);
  expect_healthy(*server);
}

TEST_F(A79, ACopyThatIsCancelledAtTheWrongEndHarmsNobodyElse) {
  std::vector<std::string> words;
  for (const bool stream : {true, false}) {
    for (const bool reads : {true, false}) {
      const std::string name =
          fmt::format("{}-{}", stream ? "stream" : "future", reads ? "read" : "write");
      write(name + ".wat", wrong_cancel(stream, reads));
      words.push_back(name + ".wat");
    }
  }
  const auto server = serve_warm(words);
  for (const std::string& file : words) {
    SCOPED_TRACE(file);
    const std::string tool = file.substr(0, file.size() - 4) + "_hoard";
    for (int i = 0; i < 3; ++i) {
      const Json answer = server->await_answer(server->start_call(tool, {{"count", 1}}));
      // This version of the engine takes some of these, and others end the call.
      EXPECT_TRUE(answer.contains("error") || answer.contains("result")) << answer;
      expect_healthy(*server);
    }
  }
  EXPECT_EQ(server->end(), 0);
}

/// Seconds that `tools/soak-ledger` asks for; none in a test.
std::chrono::seconds soak_time() {
  const char* text = std::getenv("BELLJAR_SOAK_SECONDS");
  long seconds = 0;
  if (text != nullptr) {
    const std::string_view digits(text);
    std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  }
  return std::chrono::seconds(seconds);
}

TEST_F(A79, HoardsThatGoOnLeaveTheProcessAsItWas) {
  write("data/large", std::string(mebibyte, 'x'));
  const std::vector<std::pair<std::string, std::string>> hoards{
      {"pollables", hoard_of_pollables()}, {"fields", hoard_of_fields()},
      {"bodies", hoard_of_bodies()},       {"streams", hoard_of_streams()},
      {"futures", hoard_of_futures()},     {"sets", hoard_of_waitable_sets()},
      {"subtasks", hoard_of_subtasks()},   {"input", hoard_of_input("large")},
  };
  std::vector<std::string> words;
  for (const auto& [name, text] : hoards) {
    write(name + ".wat", text);
    words.push_back(name + ".wat");
  }
  words.insert(words.end(), {"--grant", "input:storage=./data:/data"});
  for (const std::string name : {"old", "new"}) {
    write(name + ".wat", name == "old" ? hoard_of_sockets() : hoard_of_new_sockets());
    words.push_back(name + ".wat");
    for (const std::string grant : {"network=tcp:127.0.0.1:9", "network=udp:127.0.0.1:9"}) {
      words.insert(words.end(), {"--grant", fmt::format("{}:{}", name, grant)});
    }
  }
  write("memories.wat", hoard_of_memories(2, 60));
  words.push_back("memories.wat");
  const auto server = serve_warm(words);

  const auto round = [&] {
    std::vector<int> calls;
    for (const auto& [name, text] : hoards) {
      for (const int count : {100, 1'000'000}) {
        calls.push_back(server->start_call(name + "_hoard", {{"count", count}}));
      }
      calls.push_back(server->start_call("memories_rest"));
    }
    for (const std::string name : {"old", "new"}) {
      const std::string thing = text_of(server->call(name + "_api_thing-new"));
      const Json arguments{{"self", thing}, {"count", 200}};
      EXPECT_EQ(text_of(server->call(name + "_api_thing-sockets", arguments)), "64");
      server->call(name + "_api_thing-drop", {{"self", thing}});
    }
    for (const int id : calls) server->await_answer(id);
    expect_healthy(*server);
  };
  round();
  round();
  const std::size_t open = descriptors(*server);
  const std::size_t mapped = mappings(*server);
  const std::size_t used = memory(*server);
  const auto end = std::chrono::steady_clock::now() + soak_time();
  do {
    round();
    ASSERT_LE(descriptors(*server), open + 4);
    ASSERT_LE(mappings(*server), mapped + 1'000);
    ASSERT_LE(memory(*server), used + 64 * mebibyte);
  } while (std::chrono::steady_clock::now() < end);
  EXPECT_EQ(server->end(), 0);
}

}  // namespace
}  // namespace belljar::attacks
