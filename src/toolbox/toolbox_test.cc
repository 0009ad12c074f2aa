#include "toolbox/toolbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace belljar::toolbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class EmptyTool final : public Tool {
 public:
  explicit EmptyTool(std::string name) { info_.name = std::move(name); }
  const ToolInfo& info() const override { return info_; }
  Annotations annotations() const override { return {}; }
  std::shared_ptr<CallHandle> start(const ToolCall&, Completion completion) override {
    completion(Outcome{});
    return nullptr;
  }

 private:
  ToolInfo info_;
};

ToolGroup group(std::string name, const std::vector<std::string>& tools) {
  ToolGroup made{std::move(name), {}};
  for (const std::string& tool : tools) made.tools.push_back(std::make_shared<EmptyTool>(tool));
  return made;
}

std::vector<std::string> names(const ToolSet& set) {
  std::vector<std::string> names;
  for (const auto& tool : set.tools()) names.push_back(tool->info().name);
  return names;
}

TEST(ToolboxTest, ListsToolsByNameWhateverTheOrderTheyCameIn) {
  Toolbox toolbox;
  ASSERT_TRUE(toolbox.put(group("b", {"b_2", "b_1"})));
  ASSERT_TRUE(toolbox.put(group("a", {"a_1"})));
  EXPECT_THAT(names(*toolbox.current()), ElementsAre("a_1", "b_1", "b_2"));
}

TEST(ToolboxTest, ReplacesAGroupOfTheSameName) {
  Toolbox toolbox;
  ASSERT_TRUE(toolbox.put(group("a", {"a_1", "a_2"})));
  ASSERT_TRUE(toolbox.put(group("a", {"a_3"})));
  EXPECT_THAT(names(*toolbox.current()), ElementsAre("a_3"));
}

TEST(ToolboxTest, RefusesANameThatAnotherGroupHasAndChangesNothing) {
  Toolbox toolbox;
  ASSERT_TRUE(toolbox.put(group("a", {"a_b_c"})));
  const auto before = toolbox.current();
  const auto put = toolbox.put(group("a-b", {"a_b_d", "a_b_c"}));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), ErrorCode::conflict);
  EXPECT_THAT(put.error().message(), HasSubstr("a_b_c"));
  EXPECT_EQ(toolbox.current(), before);
}

TEST(ToolboxTest, FindsATool) {
  Toolbox toolbox;
  ASSERT_TRUE(toolbox.put(group("a", {"a_1"})));
  ASSERT_TRUE(toolbox.current()->find("a_1"));
  EXPECT_EQ(toolbox.current()->find("a_1")->info().name, "a_1");
  EXPECT_FALSE(toolbox.current()->find("1"));
}

TEST(ToolboxTest, LeavesASetThatSomebodyHoldsAsItWas) {
  Toolbox toolbox;
  ASSERT_TRUE(toolbox.put(group("a", {"a_1"})));
  const auto held = toolbox.current();
  EXPECT_TRUE(toolbox.remove("a"));
  EXPECT_FALSE(toolbox.remove("a"));
  EXPECT_THAT(names(*toolbox.current()), IsEmpty());
  EXPECT_TRUE(held->find("a_1"));
}

TEST(ToolboxTest, TellsOfEveryChange) {
  Toolbox toolbox;
  std::vector<std::uint64_t> generations;
  toolbox.on_change([&] { generations.push_back(toolbox.current()->generation()); });
  ASSERT_TRUE(toolbox.put(group("a", {"a_1"})));
  toolbox.remove("a");
  toolbox.remove("a");
  EXPECT_EQ(generations.size(), 2U);
  EXPECT_LT(generations.front(), generations.back());
}

}  // namespace
}  // namespace belljar::toolbox
