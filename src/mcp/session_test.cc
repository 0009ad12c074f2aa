#include "mcp/session.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::mcp {
namespace {

using testing::SizeIs;

class LargeTool final : public toolbox::Tool {
 public:
  LargeTool(std::string name, std::size_t size) {
    info_.name = std::move(name);
    info_.input_schema = std::string(size, ' ');
  }
  const toolbox::ToolInfo& info() const override { return info_; }
  toolbox::Annotations annotations() const override { return {}; }
  std::shared_ptr<toolbox::CallHandle> start(const toolbox::ToolCall&,
                                             toolbox::Completion) override {
    return nullptr;
  }

 private:
  toolbox::ToolInfo info_;
};

TEST(SessionTest, APageEndsWhereItsSchemasAreLargeEnough) {
  toolbox::Toolbox toolbox;
  toolbox::ToolGroup group{"large", {}};
  for (int i = 0; i < 5; ++i) {
    group.tools.push_back(std::make_shared<LargeTool>(fmt::format("large_{}", i), 600));
  }
  ASSERT_TRUE(toolbox.put(std::move(group)));
  const Session session(toolbox, "client", {.page_size = 500, .page_bytes = Bytes{1'000}});
  std::optional<std::string> cursor;
  std::vector<std::size_t> sizes;
  do {
    const auto page = session.list_tools(cursor);
    ASSERT_TRUE(std::holds_alternative<ToolPage>(page));
    sizes.push_back(std::get<ToolPage>(page).tools.size());
    cursor = std::get<ToolPage>(page).next_cursor;
  } while (cursor);
  EXPECT_THAT(sizes, testing::ElementsAre(2, 2, 1));
}

TEST(SessionTest, AToolThatIsLargerThanAPageIsAPage) {
  toolbox::Toolbox toolbox;
  ASSERT_TRUE(toolbox.put({"large", {std::make_shared<LargeTool>("large_one", 5'000)}}));
  const Session session(toolbox, "client", {.page_size = 500, .page_bytes = Bytes{1'000}});
  const auto page = session.list_tools({});
  EXPECT_THAT(std::get<ToolPage>(page).tools, SizeIs(1));
}

}  // namespace
}  // namespace belljar::mcp
