#include "host/usage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class UsageTest : public ::testing::Test {
 protected:
  audit::Budget budget_{audit::uses_a_minute};
  Usage usage_{budget_};
};

TEST_F(UsageTest, RecordsATargetOnceAndCountsTheRest) {
  EXPECT_TRUE(usage_.note("storage", "read /data/a"));
  EXPECT_FALSE(usage_.note("storage", "read /data/a"));
  EXPECT_TRUE(usage_.note("network", "read /data/a")) << "of another kind";
  EXPECT_EQ(usage_.totals(), R"("network":1,"storage":2)");
  EXPECT_THAT(usage_.take_rest(), IsEmpty()) << "all of it has a record";
}

TEST_F(UsageTest, A80_ACallHasSoManyRecordsOfAKindAndOneThatCountsTheOthers) {
  std::size_t recorded = 0;
  for (int i = 0; i < 10'000; ++i) {
    recorded += usage_.note("storage", fmt::format("read /data/{}", i)) ? 1 : 0;
  }
  EXPECT_EQ(recorded, audit::records_of_call);
  EXPECT_TRUE(usage_.note("network", "GET https://api.example/")) << "each kind has its own";
  EXPECT_THAT(usage_.take_rest(), ElementsAre(R"("permission":"storage","more":9744)"));
  EXPECT_THAT(usage_.take_rest(), IsEmpty()) << "it is said once";
  EXPECT_EQ(usage_.totals(), R"("network":1,"storage":10000)");
}

TEST_F(UsageTest, A80_ManyCallsShareWhatTheirComponentMayHave) {
  std::size_t recorded = 0;
  constexpr int calls = 1'000;
  for (int call = 0; call < calls; ++call) {
    Usage usage(budget_);
    for (int i = 0; i < 300; ++i) {
      recorded += usage.note("storage", fmt::format("{}/{}", call, i)) ? 1 : 0;
    }
  }
  EXPECT_EQ(recorded, audit::uses_a_minute + calls * audit::records_kept_for_call)
      << "each call has its first, and the others come out of the minute's";
}

TEST_F(UsageTest, A80_AnswersAreRecordedUpToTheLimitAndThenSummedUp) {
  std::size_t recorded = 0;
  for (int i = 0; i < 300; ++i) recorded += usage_.note_answer(10) ? 1 : 0;
  EXPECT_EQ(recorded, audit::records_of_call);
  EXPECT_THAT(usage_.take_rest(),
              ElementsAre(R"("permission":"network","more_answers":44,"received":440)"));
}

TEST_F(UsageTest, A80_EveryUseOfASecretIsCoveredByARecordHoweverManyThereAre) {
  std::size_t recorded = 0;
  for (int host = 0; host < 1'000; ++host) {
    const std::string name = fmt::format("h{}.example", host);
    for (int path = 0; path < 3; ++path) {
      const auto use = usage_.note_secret("key", fmt::format("https://{}/{}", name, path), name);
      recorded += use.fresh ? 1 : 0;
      EXPECT_TRUE(usage_.has_secret("key", use.target)) << use.target;
    }
  }
  EXPECT_EQ(recorded, 2 * audit::records_of_call + 1);
}

TEST_F(UsageTest, ASecretsRecordThatCouldNotBeWrittenIsWrittenByTheNextUse) {
  const auto first = usage_.note_secret("key", "https://a.example/", "a.example");
  EXPECT_TRUE(first.fresh);
  EXPECT_FALSE(usage_.note_secret("key", "https://a.example/", "a.example").fresh);
  usage_.forget_secret("key", first.target);
  EXPECT_FALSE(usage_.has_secret("key", first.target));
  EXPECT_TRUE(usage_.note_secret("key", "https://a.example/", "a.example").fresh);
}

TEST(Budget, GivesSoManyAMinute) {
  audit::Budget budget(2);
  const std::chrono::steady_clock::time_point start{std::chrono::hours(1)};
  EXPECT_TRUE(budget.take(start));
  EXPECT_TRUE(budget.take(start));
  EXPECT_FALSE(budget.take(start + std::chrono::seconds(59)));
  EXPECT_TRUE(budget.take(start + std::chrono::seconds(60)));
}

}  // namespace
}  // namespace belljar::host
