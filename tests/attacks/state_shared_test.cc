// Ten processes on one state directory, which is the normal case.

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "attack.h"

namespace belljar::attacks {
namespace {

constexpr int processes = 10;

class SharedState : public Attack {
 protected:
  /// Ten commands at once; all have to end well.
  void run_at_once(const std::function<std::vector<std::string>(int)>& words) const {
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < processes; ++i) {
      children.push_back(start(words(i)));
      children.back()->end_input();
    }
    for (int i = 0; i < processes; ++i) {
      EXPECT_EQ(children[static_cast<std::size_t>(i)]->wait(soon()), 0)
          << fmt::format("{}", fmt::join(words(i), " ")) << ": "
          << children[static_cast<std::size_t>(i)]->err();
    }
  }
  std::vector<std::unique_ptr<Server>> serve_ten(const ServerOptions& options = {}) const {
    std::vector<std::unique_ptr<Server>> servers;
    for (int i = 0; i < processes; ++i) servers.push_back(serve({}, options));
    return servers;
  }
  static void end(std::vector<std::unique_ptr<Server>>& servers) {
    for (const auto& server : servers) EXPECT_EQ(server->end(), 0) << server->child().err();
  }
  std::size_t grants_of(const std::string& component) const {
    const CommandResult shown = run({"policy", "show", component, "--json"});
    const Json json = Json::parse(shown.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << shown.err;
    return json.is_discarded() ? 0 : json["components"][0]["grants"].size();
  }
};

using A75 = SharedState;

TEST_F(A75, TenServersMakeAFreshStateTogether) {
  auto servers = serve_ten();
  for (const auto& server : servers) expect_healthy(*server);
  end(servers);
  const auto records = audit_log({"--all"});
  const auto starts = std::count_if(records.begin(), records.end(), [](const Json& record) {
    return record["kind"] == "start" && record["role"] == "serve";
  });
  EXPECT_EQ(starts, processes) << "each has a chain of its own";
  const auto calls = std::count_if(records.begin(), records.end(), [](const Json& record) {
    return record["kind"] == "call" && record["tool"] == "healthy_add";
  });
  EXPECT_EQ(calls, processes) << "and none lost a call";
  EXPECT_TRUE(std::any_of(records.begin(), records.end(), [](const Json& record) {
    return record["kind"] == "anchor";
  })) << "the chains do not know of each other";
  expect_sound_log();
  expect_healthy();
}

TEST_F(A75, AGrantAndARevocationReachEveryServerAtItsNextCall) {
  write("data/cities.csv", "city,country\nOslo,Norway\n");
  ASSERT_EQ(run({"load", std::string("csv=") + BELLJAR_EXAMPLES + "/csv-query.wasm"}).code, 0);
  auto servers = serve_ten({.from_state = true});
  const auto works = [](Server& server) {
    const Json result = server.call("csv_columns", {{"file", "/data/cities.csv"}});
    return !result.value("isError", false);
  };
  for (const auto& server : servers) EXPECT_FALSE(works(*server)) << "nothing was granted yet";
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(run({"grant", "csv", "storage=./data:/data"}).code, 0);
    for (const auto& server : servers) EXPECT_TRUE(works(*server)) << "a grant did not arrive";
    ASSERT_EQ(run({"revoke", "csv", "storage=./data:/data"}).code, 0);
    for (const auto& server : servers)
      EXPECT_FALSE(works(*server)) << "a revocation did not arrive";
  }
  expect_record({{"kind", "grant"}, {"component", "csv"}});
  expect_record({{"kind", "revoke"}, {"component", "csv"}});
  expect_record({{"kind", "refusal"}, {"component", "csv"}});
  end(servers);
  expect_sound_log();
  expect_healthy();
}

TEST_F(A75, TenGrantsAndTenRevocationsAtOnceAreAllKept) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  const auto server = serve({}, {.from_state = true});
  const auto grant = [](int i) { return fmt::format("network=h{}.example", i); };
  run_at_once([&](int i) { return std::vector<std::string>{"grant", "healthy", grant(i)}; });
  EXPECT_EQ(grants_of("healthy"), static_cast<std::size_t>(processes));
  expect_healthy(*server);
  run_at_once([&](int i) { return std::vector<std::string>{"revoke", "healthy", grant(i)}; });
  EXPECT_EQ(grants_of("healthy"), 0U);
  expect_healthy(*server);
  for (int i = 0; i < processes; ++i) {
    expect_record({{"kind", "grant"}, {"permission", grant(i)}});
    expect_record({{"kind", "revoke"}, {"permission", grant(i)}});
  }
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A75, TenLoadsOfTheSameAndOfOtherComponentsAtOnce) {
  run_at_once([&](int i) {
    return std::vector<std::string>{"load", fmt::format("c{}=healthy.wat", i % 5)};
  });
  const CommandResult listed = run({"list", "--json"});
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(listed.out, testing::HasSubstr(fmt::format("\"c{}\"", i)));
  const auto server = serve({}, {.from_state = true});
  EXPECT_EQ(text_of(server->call("c4_add", {{"a", 1}, {"b", 2}})), "3");
  EXPECT_EQ(server->end(), 0);
  expect_healthy();
  expect_sound_log();
}

TEST_F(A75, AStateOfANewerProgramIsRefusedByEveryCommandAndLeftAlone) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((home() / "data/state.db").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "PRAGMA user_version = 99", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"list"}, std::vector<std::string>{"serve", "--stdio"},
        std::vector<std::string>{"grant", "healthy", "network=a.example"}}) {
    const CommandResult result = run(words);
    EXPECT_NE(result.code, 0) << words[0];
    EXPECT_THAT(result.err, testing::HasSubstr("newer Belljar (schema 99")) << words[0];
  }
  set_variable("BELLJAR_HOME", (folder() / "other").native());
  expect_healthy();
  expect_sound_log();
}

}  // namespace
}  // namespace belljar::attacks
