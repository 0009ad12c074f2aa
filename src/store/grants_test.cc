#include "store/grants.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/snapshot.h"
#include "support/host_place.h"
#include "testing/child_process.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::store {
namespace {

using test::ChildProcess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GrantsTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    auto state = State::open(paths(), clock_);
    ASSERT_TRUE(state) << state.error().describe();
    state_ = *std::move(state);
    grants_ = std::make_unique<Grants>(*state_);
  }
  /// Processes with a state of their own, as servers and commands have.
  std::vector<ChildProcess> start(
      int count, const std::function<int(ChildProcess::Parent&, State&, int)>& body) {
    grants_.reset();
    state_.reset();
    std::vector<ChildProcess> children;
    for (int i = 0; i < count; ++i) {
      children.emplace_back([&](ChildProcess::Parent& parent) {
        const auto state = State::open(paths(), clock_);
        return state ? body(parent, **state, i) : 100;
      });
    }
    open();
    return children;
  }

  Paths paths() const {
    return {folder_ / "data", folder_ / "config", folder_ / "cache", folder_ / "run"};
  }
  static policy::Grant grant(std::string_view text) { return *policy::parse_grant(text, "/p"); }

  std::int64_t give(std::string_view text, const GrantScope& scope = {},
                    const ComponentKey& component = weather) {
    const auto id = grants_->add(component, grant(text), scope, {"me", "terminal"});
    EXPECT_TRUE(id) << id.error().describe();
    return id ? *id : 0;
  }
  /// The id of the request for this permission.
  std::string note(const ComponentKey& component, const policy::Grant& wanted,
                   const std::string& reason) {
    const std::vector<Wish> wishes{{wanted, reason}};
    const auto noted = grants_->note_requests(component, wishes);
    EXPECT_TRUE(noted) << noted.error().describe();
    return noted ? noted->ids.front() : std::string();
  }
  /// The hosts that the component may ask in this session.
  std::vector<std::string> hosts(std::string_view session = "s1",
                                 const ComponentKey& component = weather) {
    const auto effective = grants_->effective(component, session);
    EXPECT_TRUE(effective) << effective.error().describe();
    std::vector<std::string> texts;
    if (!effective) return texts;
    for (const policy::Document& document : effective->documents) {
      for (const policy::NetworkRule& rule : document.network) texts.push_back(rule.host.text());
    }
    return texts;
  }

  static inline const ComponentKey weather{"weather", "aaaa"};

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Grants> grants_;
};

TEST_F(GrantsTest, AGrantIsKeptWithWhoWhenAndHow) {
  const std::int64_t id = give("network=GET api.example");
  const auto list = *grants_->list(weather);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].id, id);
  EXPECT_EQ(list[0].grant.text(), "network=GET api.example");
  EXPECT_EQ(list[0].by.who, "me");
  EXPECT_EQ(list[0].by.channel, "terminal");
  EXPECT_EQ(list[0].granted_at, clock_.now());
  EXPECT_EQ(list[0].scope.until, std::nullopt);
}

TEST_F(GrantsTest, AGrantHoldsForThatContentOfThatNameOnly) {
  give("network=api.example");
  EXPECT_THAT(hosts(), ElementsAre("api.example"));
  EXPECT_THAT(hosts("s1", {"weather", "bbbb"}), IsEmpty()) << "other content under the same name";
  EXPECT_THAT(hosts("s1", {"other", "aaaa"}), IsEmpty()) << "the same content under another name";
  EXPECT_THAT(*grants_->list(std::nullopt), ::testing::SizeIs(1));
}

TEST_F(GrantsTest, AGrantForASessionHoldsInThatSession) {
  give("network=api.example", {.until = {}, .session = "s1", .uses = {}});
  EXPECT_THAT(hosts("s1"), ElementsAre("api.example"));
  EXPECT_THAT(hosts("s2"), IsEmpty());
  EXPECT_THAT(hosts(""), IsEmpty());
}

TEST_F(GrantsTest, TheSameGrantForAnotherSessionTakesNothingFromTheFirst) {
  give("network=api.example", {.until = {}, .session = "s1", .uses = {}});
  give("network=api.example", {.until = {}, .session = "s2", .uses = {}});
  EXPECT_THAT(hosts("s1"), ElementsAre("api.example"));
  EXPECT_THAT(hosts("s2"), ElementsAre("api.example"));
  give("network=api.example");
  EXPECT_THAT(*grants_->list(weather), ::testing::SizeIs(1))
      << "one that always holds replaces both";
}

TEST_F(GrantsTest, AGrantWithAnEndEndsAtThatMoment) {
  const WallTime end = clock_.now() + std::chrono::hours(1);
  give("network=api.example", {.until = end, .session = {}, .uses = {}});
  give("network=later.example", {.until = end + std::chrono::hours(1), .session = {}, .uses = {}});
  EXPECT_EQ(grants_->effective(weather, "s1")->next_expiry, end) << "the earlier one";
  clock_.advance(std::chrono::hours(1) - std::chrono::microseconds(1));
  EXPECT_THAT(hosts(), ElementsAre("api.example", "later.example"));
  clock_.advance(std::chrono::microseconds(1));
  EXPECT_THAT(hosts(), ElementsAre("later.example"));
  EXPECT_THAT(*grants_->list(weather), ::testing::SizeIs(1)) << "and is no longer listed";
}

TEST_F(GrantsTest, AGrantForOneCallIsUsedUpByIt) {
  const std::int64_t id = give("network=api.example", {.until = {}, .session = {}, .uses = 1});
  const auto effective = *grants_->effective(weather, "s1");
  EXPECT_THAT(effective.counted, ElementsAre(id));
  EXPECT_TRUE(*grants_->use_up(effective.counted));
  EXPECT_THAT(hosts(), IsEmpty());
  EXPECT_FALSE(*grants_->use_up({id})) << "it cannot be used twice";
}

TEST_F(GrantsTest, OfSeveralCountedGrantsAllAreUsedOrNone) {
  const std::int64_t one = give("network=a.example", {.until = {}, .session = {}, .uses = 1});
  const std::int64_t two = give("network=b.example", {.until = {}, .session = {}, .uses = 2});
  EXPECT_TRUE(*grants_->use_up({one, two}));
  EXPECT_FALSE(*grants_->use_up({two, one})) << "one has none left";
  EXPECT_TRUE(*grants_->use_up({two})) << "and the failed attempt took nothing";
  EXPECT_FALSE(*grants_->use_up({two}));
}

TEST_F(GrantsTest, A75_AGrantForOneCallIsUsedByOneOfTenProcesses) {
  const std::int64_t id = give("network=api.example", {.until = {}, .session = {}, .uses = 1});
  auto children = start(10, [&](ChildProcess::Parent& parent, State& state, int) {
    parent.await();
    const auto used = Grants(state).use_up({id});
    if (!used) return 100;
    return *used ? 1 : 0;
  });
  for (ChildProcess& child : children) child.tell();
  int uses = 0;
  for (ChildProcess& child : children) uses += child.finish();
  EXPECT_EQ(uses, 1);
}

TEST_F(GrantsTest, EveryChangeMovesTheEpochOnAndALookDoesNot) {
  std::uint64_t last = state_->epoch().value();
  const auto moved = [&] {
    const std::uint64_t before = std::exchange(last, state_->epoch().value());
    return before != last;
  };
  const std::int64_t id = give("network=api.example");
  EXPECT_TRUE(moved()) << "a grant";
  EXPECT_TRUE(*grants_->revoke(id));
  EXPECT_TRUE(moved()) << "a revocation";
  ASSERT_TRUE(grants_->approve_policy(weather, "/p/p.yaml", "version: \"1.1\"\npermissions: {}\n",
                                      {"me", "t"}));
  EXPECT_TRUE(moved()) << "a policy";
  EXPECT_EQ(*grants_->revoke_all("weather"), 1);
  EXPECT_TRUE(moved()) << "a revocation of everything";
  ASSERT_TRUE(grants_->carry_over(weather, {"weather", "bbbb"}));
  EXPECT_TRUE(moved()) << "an upgrade";
  static_cast<void>(hosts());
  note(weather, grant("network=a.example"), "why");
  EXPECT_FALSE(moved());
}

TEST_F(GrantsTest, ARevocationIsSeenInAnotherProcessThatIsRunning) {
  const std::int64_t id = give("network=api.example");
  auto servers = start(1, [&](ChildProcess::Parent& parent, State& state, int) {
    const auto before = Grants(state).effective(weather, "s1");
    if (!before || before->documents.back().network.size() != 1) return 2;
    parent.tell();
    parent.await();
    if (state.epoch().value() == before->epoch) return 3;
    const auto after = Grants(state).effective(weather, "s1");
    if (!after || !after->documents.back().network.empty()) return 4;
    return after->epoch == state.epoch().value() ? 0 : 5;
  });
  ASSERT_EQ(servers[0].hear(), '.');
  EXPECT_TRUE(*grants_->revoke(id));
  servers[0].tell();
  EXPECT_EQ(servers[0].finish(), 0);
}

TEST_F(GrantsTest, RevokingWhatIsNotThereSaysSo) {
  EXPECT_FALSE(*grants_->revoke(12'345));
  const std::int64_t id = give("network=api.example");
  EXPECT_TRUE(*grants_->revoke(id));
  EXPECT_FALSE(*grants_->revoke(id));
  EXPECT_EQ(*grants_->revoke_all("nobody"), 0);
}

TEST_F(GrantsTest, RevokingEverythingTakesThePolicyAndEveryContentOfTheName) {
  give("network=a.example");
  give("network=b.example", {}, {"weather", "bbbb"});
  give("network=c.example", {}, {"other", "cccc"});
  ASSERT_TRUE(grants_->approve_policy(weather, "/p/p.yaml", "version: \"1.1\"\npermissions: {}\n",
                                      {"me", "t"}));
  EXPECT_EQ(*grants_->revoke_all("weather"), 3);
  EXPECT_THAT(hosts(), IsEmpty());
  EXPECT_THAT(hosts("s1", {"weather", "bbbb"}), IsEmpty());
  EXPECT_EQ(*grants_->policy(weather), std::nullopt);
  EXPECT_THAT(hosts("s1", {"other", "cccc"}), ElementsAre("c.example"));
}

TEST_F(GrantsTest, TheSameGrantAgainReplacesTheFirst) {
  give("network=api.example",
       {.until = clock_.now() + std::chrono::hours(1), .session = {}, .uses = {}});
  const std::int64_t again = give("network=api.example");
  const auto list = *grants_->list(weather);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].id, again);
  EXPECT_EQ(list[0].scope.until, std::nullopt);
}

TEST_F(GrantsTest, AnApprovedPolicyHoldsAsItWasWhenItWasApproved) {
  const std::string text =
      "version: \"1.1\"\npermissions: {network: {allow: [{host: api.example}]}}\n";
  ASSERT_TRUE(grants_->approve_policy(weather, "/p/p.yaml", text, {"me", "terminal"}));
  EXPECT_THAT(hosts(), ElementsAre("api.example"));
  const auto policy = *grants_->policy(weather);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->text, text);
  EXPECT_EQ(policy->policy_digest, to_hex(sha256(text)));
  EXPECT_EQ(policy->path, "/p/p.yaml");
  EXPECT_EQ(*grants_->policy({"weather", "bbbb"}), std::nullopt);
}

TEST_F(GrantsTest, APolicyThatWasDamagedInTheStoreIsAnErrorAndNotAnEmptyPolicy) {
  ASSERT_TRUE(grants_->approve_policy(weather, "/p/p.yaml", "version: [", {}, {"me", "t"}));
  const auto effective = grants_->effective(weather, "s1");
  ASSERT_FALSE(effective);
  EXPECT_THAT(effective.error().message(), HasSubstr("/p/p.yaml:1:"));
}

TEST_F(GrantsTest, AnUpgradeCarriesOverWhatAPersonGaveAndNotWhatWasTakenBack) {
  const ComponentKey fresh{"weather", "bbbb"};
  give("network=kept.example");
  EXPECT_TRUE(*grants_->revoke(give("network=gone.example")));
  give("network=other.example", {}, {"other", "aaaa"});
  ASSERT_TRUE(grants_->approve_policy(weather, "/p/p.yaml", "version: \"1.1\"\npermissions: {}\n",
                                      {"me", "t"}));
  ASSERT_TRUE(grants_->carry_over(weather, fresh));
  EXPECT_THAT(hosts("s1", fresh), ElementsAre("kept.example"));
  EXPECT_NE(*grants_->policy(fresh), std::nullopt);
  EXPECT_THAT(hosts(), ElementsAre("kept.example")) << "a server may still run the old content";
  ASSERT_TRUE(grants_->retire(weather));
  EXPECT_THAT(hosts(), IsEmpty());
  EXPECT_EQ(*grants_->policy(weather), std::nullopt);
  EXPECT_THAT(hosts("s1", fresh), ElementsAre("kept.example"));
  EXPECT_THAT(hosts("s1", {"other", "aaaa"}), ElementsAre("other.example"));
}

// Folders.

TEST_F(GrantsTest, AGrantKeepsTheFolderThatItsLinksLedTo) {
  folder_.make_folder("real");
  std::filesystem::create_directory_symlink("real", folder_ / "link");
  const auto real = std::filesystem::canonical(folder_ / "real");
  give(fmt::format("storage={}:/data:rw", (folder_ / "link").native()));
  const auto rule = [&] { return grants_->effective(weather, "s1")->documents.back().storage[0]; };
  EXPECT_EQ(rule().host, real);
  EXPECT_EQ(rule().identity, find_target(real).identity);
  // What happens to the link, or to the folder, does not change what was granted.
  std::filesystem::remove(folder_ / "link");
  std::filesystem::create_directory_symlink("/", folder_ / "link");
  const std::string before = rule().identity;
  std::filesystem::rename(real, folder_ / "moved");
  folder_.make_folder("real");
  EXPECT_EQ(rule().identity, before);
  EXPECT_EQ((*grants_->list(weather))[0].grant.value, real.native() + ":/data:rw");
}

TEST_F(GrantsTest, AnApprovedPolicyKeepsWhatItsPathsLedTo) {
  folder_.make_folder("project/real/private");
  std::filesystem::create_directory_symlink("real", folder_ / "project/data");
  const auto file = (folder_ / "project/policy.yaml").native();
  const auto real = std::filesystem::canonical(folder_ / "project/real");
  ASSERT_TRUE(grants_->approve_policy(
      weather, file,
      "version: \"1.1\"\npermissions:\n  storage:\n    allow: [{uri: \"fs://./data\", access: "
      "[read]}, {uri: \"fs://./later\", access: [read]}]\n    deny: [{uri: "
      "\"fs://./data/private\"}]\n",
      {"me", "t"}));
  const std::string identity = find_target(real).identity;
  std::filesystem::remove(folder_ / "project/data");
  std::filesystem::create_directory_symlink("/", folder_ / "project/data");
  folder_.make_folder("project/later");
  const auto effective = *grants_->effective(weather, "s1");
  const policy::Document& document = effective.documents.front();
  ASSERT_EQ(document.storage.size(), 2U);
  EXPECT_EQ(document.storage[0].host, real);
  EXPECT_EQ(document.storage[0].guest, "/data");
  EXPECT_EQ(document.storage[0].identity, identity);
  EXPECT_EQ(document.storage[1].identity, "") << "nobody has seen the folder that is there now";
  // The denial by its own words, and where they led to.
  ASSERT_EQ(document.storage_denied.size(), 2U);
  EXPECT_EQ(document.storage_denied[0].host, folder_ / "project/data/private");
  EXPECT_EQ(document.storage_denied[1].host, real / "private");
  EXPECT_EQ(document.storage_denied[1].identity, find_target(real / "private").identity);
}

TEST_F(GrantsTest, AFolderThatIsNotThereIsNotGranted) {
  const auto id =
      grants_->add(weather, grant(fmt::format("storage={}:/data", (folder_ / "none").native())), {},
                   {"me", "t"});
  ASSERT_FALSE(id);
  EXPECT_THAT(id.error().message(), HasSubstr("make it first"));
}

TEST_F(GrantsTest, AGrantThatHasEndedStaysEndedWhenTheClockIsSetBack) {
  const WallTime end = clock_.now() + std::chrono::hours(1);
  give("network=api.example", {.until = end, .session = {}, .uses = {}});
  clock_.advance(std::chrono::hours(2));
  EXPECT_THAT(hosts(), IsEmpty());
  clock_.advance(-std::chrono::hours(2));
  EXPECT_THAT(hosts(), IsEmpty());
  open();
  EXPECT_THAT(hosts(), IsEmpty()) << "nor for another process";
}

// Requests.

TEST_F(GrantsTest, ARequestGivesNoRight) {
  const std::string id = note(weather, grant("network=api.example"), "please");
  EXPECT_THAT(id, ::testing::MatchesRegex("r-[0-9a-f]{8}"));
  EXPECT_THAT(hosts(), IsEmpty());
  const auto request = *grants_->request(id);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->grant_text, "network=api.example");
  EXPECT_EQ(request->reason, "please");
}

TEST_F(GrantsTest, TheSameWishIsTheSameRequestCounted) {
  const std::string id = note(weather, grant("network=api.example"), "a");
  clock_.advance(std::chrono::seconds(5));
  EXPECT_EQ(note(weather, grant("network=api.example"), "b"), id);
  EXPECT_NE(note({"weather", "bbbb"}, grant("network=api.example"), "b"), id);
  const auto request = **grants_->request(id);
  EXPECT_EQ(request.times, 2);
  EXPECT_EQ(request.last_at - request.first_at, std::chrono::seconds(5));
  EXPECT_EQ(*grants_->request("r-00000000"), std::nullopt);
}

TEST_F(GrantsTest, GrantingAWishSettlesIt) {
  const std::string id = note(weather, grant("network=api.example"), "a");
  give("network=api.example");
  EXPECT_EQ(*grants_->request(id), std::nullopt);
}

TEST_F(GrantsTest, GrantingAFolderSettlesTheWishThatCouldNotNameIt) {
  const auto wish = [&](const std::filesystem::path& host, bool write) {
    note(weather, policy::storage_grant(host, "/data", write), "");
  };
  wish(policy::unknown_folder, false);
  wish(policy::unknown_folder, true);
  const std::string data = (folder_ / "stuff").native();
  folder_.make_folder("stuff");
  give(fmt::format("storage={}:/data", data));
  ASSERT_EQ(grants_->requests()->size(), 1U) << "it wants to write as well";
  wish(policy::unknown_folder, false);
  give(fmt::format("storage={}:/data:rw", data));
  EXPECT_THAT(*grants_->requests(), IsEmpty());
}

TEST_F(GrantsTest, AReasonFromAModelCannotFoolTheTerminalItIsShownOn) {
  const std::string id =
      note(weather, grant("network=api.example"),
           "harmless\n\x1b[2Kyou already agreed\u202E" + std::string(5'000, 'x'));
  const auto request = **grants_->request(id);
  EXPECT_EQ(request.reason.find('\x1b'), std::string::npos);
  EXPECT_EQ(request.reason.find('\n'), std::string::npos);
  EXPECT_LT(request.reason.size(), 400U);
}

TEST_F(GrantsTest, AnAgentThatAsksForEverythingFillsNoDisk) {
  std::string first;
  for (int i = 0; i < requests_of_component + 5; ++i) {
    clock_.advance(std::chrono::seconds(1));
    const auto id = note(weather, grant("network=h" + std::to_string(i) + ".example"), "");
    if (i == 0) first = id;
  }
  const auto requests = *grants_->requests();
  ASSERT_EQ(requests.size(), static_cast<std::size_t>(requests_of_component));
  EXPECT_EQ(requests.front().grant_text,
            "network=h" + std::to_string(requests_of_component + 4) + ".example")
      << "the newest come first";
  const auto ended = *grants_->ended_request(first);
  ASSERT_TRUE(ended) << "an id that was told says what became of it";
  EXPECT_EQ(ended->how, EndedRequest::How::ran_out);
  EXPECT_EQ(ended->component.name, "weather");
}

TEST_F(GrantsTest, A87_AComponentPushesOutItsOwnRequestsAndNoOthers) {
  const std::string kept = note({"other", "cccc"}, grant("network=api.example"), "needed");
  std::vector<Wish> wishes;
  for (int i = 0; i < 64; ++i) {
    wishes.push_back({grant("network=h" + std::to_string(i) + ".example"), ""});
  }
  // Also by other contents of its name.
  for (int round = 0; round < 40; ++round) {
    clock_.advance(std::chrono::seconds(1));
    ASSERT_TRUE(grants_->note_requests({"weather", std::to_string(round)}, wishes));
  }
  ASSERT_TRUE(*grants_->request(kept)) << "it was pushed out by another component";
  EXPECT_EQ(grants_->requests()->size(), static_cast<std::size_t>(requests_of_component) + 1);
}

TEST_F(GrantsTest, A87_WhereThereIsRoomForNoMoreAComponentStillPushesOutItsOwnOnly) {
  const std::string own = note(weather, grant("network=api.example"), "");
  {
    const auto lock = state_->database().lock();
    ASSERT_TRUE(state_->database().execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16383) "
        "INSERT INTO requests SELECT 'r-' || i, 'c' || (i / 200), 'd', 'network=h' || i, '', 1, 1, "
        "1 FROM n"));
  }
  const std::vector<Wish> wishes{{grant("network=another.example"), ""}};
  EXPECT_FALSE(grants_->note_requests({"newcomer", "aaaa"}, wishes))
      << "somebody else's request would have to go";
  const auto noted = grants_->note_requests(weather, wishes);
  ASSERT_TRUE(noted) << noted.error().describe();
  EXPECT_THAT(noted->ran_out, ElementsAre(own));
  EXPECT_EQ(grants_->requests()->size(), static_cast<std::size_t>(requests_in_all));
}

TEST_F(GrantsTest, ARequestThatWasGrantedSaysSo) {
  const std::string id = note(weather, grant("network=api.example"), "a");
  give("network=api.example");
  const auto ended = *grants_->ended_request(id);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->how, EndedRequest::How::answered);
  EXPECT_EQ(*grants_->ended_request("r-00000000"), std::nullopt);
}

// Crashes and crowds.

TEST_F(GrantsTest, A71_AGrantThatWasAcknowledgedOutlivesAKill) {
  for (int round = 0; round < 10; ++round) {
    auto givers = start(1, [&](ChildProcess::Parent& parent, State& state, int) {
      Grants grants(state);
      const ComponentKey key{"round" + std::to_string(round), "00"};
      for (int i = 0;; ++i) {
        if (!grants.add(key, grant("network=h" + std::to_string(i) + ".example"), {}, {"me", "t"}))
          return 2;
        parent.tell();
      }
    });
    std::size_t acknowledged = 0;
    for (; acknowledged < static_cast<std::size_t>(round) + 1; ++acknowledged) {
      ASSERT_EQ(givers[0].hear(), '.');
    }
    givers[0].kill();
    const auto list = grants_->list(ComponentKey{"round" + std::to_string(round), "00"});
    ASSERT_TRUE(list) << list.error().describe();
    EXPECT_GE(list->size(), acknowledged);
  }
}

TEST_F(GrantsTest, A75_TenProcessesGrantAndRevokeAtOnceAndNothingIsLost) {
  auto children = start(10, [&](ChildProcess::Parent& parent, State& state, int i) {
    Grants grants(state);
    parent.await();
    for (int j = 0; j < 5; ++j) {
      const auto text = "network=h" + std::to_string(i) + "-" + std::to_string(j) + ".example";
      const auto id = grants.add(weather, grant(text), {}, {"me", "t"});
      if (!id) return 2;
      // Every other one is taken back.
      if (j % 2 == 1 && !grants.revoke(*id).value_or(false)) return 3;
    }
    return 0;
  });
  const std::uint64_t before = state_->epoch().value();
  for (ChildProcess& child : children) child.tell();
  for (ChildProcess& child : children) EXPECT_EQ(child.finish(), 0);
  EXPECT_EQ(grants_->list(weather)->size(), 30U);
  EXPECT_EQ(state_->epoch().value() - before, 70U) << "every change moved the epoch";
}

}  // namespace
}  // namespace belljar::store
