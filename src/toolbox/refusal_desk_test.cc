#include "toolbox/refusal_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "testing/component_services.h"

namespace belljar::toolbox {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view empty_tool = R"((component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f")))))";

class RefusalDeskTest : public ServicesTest {
 protected:
  void SetUp() override {
    ServicesTest::SetUp();
    auto loaded = load("wx", empty_tool);
    ASSERT_TRUE(loaded) << loaded.error().describe();
    component_ = *std::move(loaded);
  }

  struct Settled {
    std::vector<Refusal> refusals;
    bool durable = false;
  };
  [[nodiscard]] Settled settle(std::vector<Refusal> refusals) {
    std::promise<Settled> ended;
    refusals_.settle(component_->shared_host(), "wx_f", std::move(refusals),
                     [&](std::vector<Refusal> settled, const Result<void>& noted) {
                       ended.set_value({std::move(settled), noted.has_value()});
                     });
    return ended.get_future().get();
  }

  [[nodiscard]] static Refusal refusal(std::string remedy) {
    Refusal refusal;
    refusal.kind = "network";
    refusal.what = "GET https://api.example/";
    refusal.rule = "no rule";
    refusal.reason = "nothing allows it";
    refusal.remedy = std::move(remedy);
    return refusal;
  }

  std::shared_ptr<Component> component_;
};

TEST_F(RefusalDeskTest, GivesARequestIdUnderWhichAPersonFindsTheWish) {
  const Settled settled = settle({refusal("network=api.example")});
  ASSERT_TRUE(settled.durable);
  ASSERT_THAT(settled.refusals, SizeIs(1));
  const std::string& id = settled.refusals[0].request_id;
  ASSERT_THAT(id, Not(IsEmpty()));
  const auto request = store::Grants(*state_).request(id);
  ASSERT_TRUE(request) << request.error().describe();
  ASSERT_TRUE(*request);
  EXPECT_EQ((*request)->component.name, "wx");
  EXPECT_EQ((*request)->grant_text, "network=api.example");
  EXPECT_EQ((*request)->reason, "nothing allows it");
}

TEST_F(RefusalDeskTest, GivesTheSameWishTheSameId) {
  const Settled once = settle({refusal("network=api.example")});
  const Settled again = settle({refusal("network=api.example"), refusal("network=other.example")});
  EXPECT_EQ(once.refusals[0].request_id, again.refusals[0].request_id);
  EXPECT_NE(again.refusals[0].request_id, again.refusals[1].request_id);
}

TEST_F(RefusalDeskTest, GivesNoIdWhereNoGrantWouldHelp) {
  const Settled settled = settle({refusal("")});
  EXPECT_TRUE(settled.durable);
  EXPECT_THAT(settled.refusals[0].request_id, IsEmpty());
}

TEST_F(RefusalDeskTest, WritesWhatWasRefusedIntoTheLog) {
  const Settled settled = settle({refusal("network=api.example")});
  const auto records = log_.records();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].kind, audit::RecordKind::refusal);
  EXPECT_THAT(records[0].details, HasSubstr("\"tool\":\"wx_f\""));
  EXPECT_THAT(records[0].details, HasSubstr("GET https://api.example/"));
  EXPECT_THAT(records[0].details, HasSubstr(settled.refusals[0].request_id));
}

TEST_F(RefusalDeskTest, SaysWhereTheRecordDidNotReachTheDisk) {
  log_.durable = false;
  EXPECT_FALSE(settle({refusal("network=api.example")}).durable);
}

TEST_F(RefusalDeskTest, NotesWhatAnAgentAsksForWithoutGivingIt) {
  const auto grant = policy::parse_grant("network=api.example", folder_);
  ASSERT_TRUE(grant);
  std::promise<Result<std::string>> ended;
  refusals_.note_request(component_->shared_host(), *grant, "to look up the weather",
                         [&](Result<std::string> id) { ended.set_value(std::move(id)); });
  const auto id = ended.get_future().get();
  ASSERT_TRUE(id) << id.error().describe();
  const auto request = store::Grants(*state_).request(*id);
  ASSERT_TRUE(request);
  ASSERT_TRUE(*request);
  EXPECT_EQ((*request)->reason, "to look up the weather");
  ASSERT_THAT(log_.records(), SizeIs(1));
  EXPECT_EQ(log_.records()[0].kind, audit::RecordKind::request);
  const auto held = store::Grants(*state_).list(component_->host().permissions().component());
  ASSERT_TRUE(held);
  EXPECT_THAT(*held, IsEmpty());
}

TEST_F(RefusalDeskTest, FailsWhereARequestCannotBeRecorded) {
  log_.durable = false;
  const auto grant = policy::parse_grant("network=api.example", folder_);
  ASSERT_TRUE(grant);
  std::promise<Result<std::string>> ended;
  refusals_.note_request(component_->shared_host(), *grant, "",
                         [&](Result<std::string> id) { ended.set_value(std::move(id)); });
  const auto id = ended.get_future().get();
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code(), ErrorCode::storage);
}

TEST_F(RefusalDeskTest, FinishesWhatItWasGivenBeforeItEnds) {
  std::atomic<int> finished = 0;
  {
    RefusalDesk desk;
    for (int i = 0; i < 20; ++i) {
      desk.settle(component_->shared_host(), "wx_f", {refusal("network=api.example")},
                  [&](const std::vector<Refusal>&, const Result<void>&) { ++finished; });
    }
  }
  EXPECT_EQ(finished, 20);
}

}  // namespace
}  // namespace belljar::toolbox
