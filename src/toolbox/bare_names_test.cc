#include "toolbox/bare_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "toolbox/toolbox.h"

namespace belljar::toolbox {
namespace {

using testing::ElementsAre;

/// A tool that answers with its first name.
class NamedTool final : public Tool {
 public:
  NamedTool(std::string group, std::string name) {
    info_.group = std::move(group);
    info_.name = std::move(name);
  }
  const ToolInfo& info() const override { return info_; }
  Annotations annotations() const override { return {.read_only = false}; }
  std::shared_ptr<CallHandle> start(const ToolCall&, Completion completion) override {
    Outcome outcome;
    outcome.result = Returned{info_.name};
    completion(std::move(outcome));
    return nullptr;
  }

 private:
  ToolInfo info_;
};

class BareNamesTest : public testing::Test {
 protected:
  void put(const std::string& group, const std::vector<std::string>& names) {
    ToolGroup made{group, {}};
    for (const std::string& name : names) {
      made.tools.push_back(std::make_shared<NamedTool>(group, name));
    }
    const auto added = toolbox_.put(std::move(made));
    ASSERT_TRUE(added) << added.error().describe();
  }

  /// The names after `publish_bare_names`.
  [[nodiscard]] std::vector<std::string> published() {
    publish_bare_names(toolbox_);
    std::vector<std::string> names;
    const auto set = toolbox_.current();
    for (const auto& tool : set->tools()) names.push_back(tool->info().name);
    return names;
  }

  Toolbox toolbox_;
};

TEST_F(BareNamesTest, LeaveTheComponentOut) {
  put("wx", {"wx_get-forecast", "wx_api_list"});
  EXPECT_THAT(published(), ElementsAre("api_list", "get-forecast"));
}

TEST_F(BareNamesTest, LeaveNamesThatWouldCollideAsTheyAre) {
  put("sea", {"sea_get", "sea_tides"});
  put("wx", {"wx_get"});
  EXPECT_THAT(published(), ElementsAre("sea_get", "tides", "wx_get"));
}

TEST_F(BareNamesTest, DoNotTakeTheFullNameOfAnother) {
  put("a", {"a_b_get"});
  put("b", {"b_get"});
  // The bare name of the first is the full name of the second.
  EXPECT_THAT(published(), ElementsAre("a_b_get", "get"));
}

TEST_F(BareNamesTest, LeaveBelljarsOwnToolsTheirs) {
  put("belljar", {"belljar_list"});
  put("wx", {"wx_list"});
  EXPECT_THAT(published(), ElementsAre("belljar_list", "list"));
}

TEST_F(BareNamesTest, LeaveAShortenedNameThatLostItsComponent) {
  const std::string component(48, 'w');
  put(component, {std::string(39, 'w') + "-0123abcd"});
  EXPECT_THAT(published(), ElementsAre(std::string(39, 'w') + "-0123abcd"));
}

TEST_F(BareNamesTest, CallTheSameTool) {
  put("wx", {"wx_get"});
  publish_bare_names(toolbox_);
  const auto tool = toolbox_.current()->find("get");
  ASSERT_TRUE(tool);
  EXPECT_EQ(tool->info().group, "wx");
  EXPECT_FALSE(tool->annotations().read_only);
  std::string answer;
  tool->start({}, [&](Result<Outcome> outcome) {
    ASSERT_TRUE(outcome);
    answer = std::get<Returned>(outcome->result).json;
  });
  EXPECT_EQ(answer, "wx_get");
  EXPECT_FALSE(toolbox_.current()->find("wx_get")) << "a tool has one name";
}

}  // namespace
}  // namespace belljar::toolbox
