#include "toolbox/bare_names.h"

#include <map>
#include <utility>

namespace belljar::toolbox {
namespace {

/// Components cannot have this name; see artifact::is_component_name.
constexpr std::string_view own_group = "belljar";

/// A tool under another name.
class RenamedTool final : public Tool {
 public:
  RenamedTool(std::shared_ptr<Tool> tool, std::string name)
      : tool_(std::move(tool)), info_(tool_->info()) {
    info_.name = std::move(name);
  }
  const ToolInfo& info() const override { return info_; }
  Annotations annotations() const override { return tool_->annotations(); }
  std::shared_ptr<CallHandle> start(const ToolCall& call, Completion completion) override {
    return tool_->start(call, std::move(completion));
  }

 private:
  std::shared_ptr<Tool> tool_;
  ToolInfo info_;
};

/// The name behind `component_`; empty where a shortened name has lost it.
std::string bare_name(const Tool& tool) {
  const ToolInfo& info = tool.info();
  if (!info.name.starts_with(info.group + "_")) return {};
  return info.name.substr(info.group.size() + 1);
}

}  // namespace

void publish_bare_names(Toolbox& toolbox) {
  const auto set = toolbox.current();
  std::map<std::string, int> uses;
  for (const auto& tool : set->tools()) {
    ++uses[tool->info().name];
    if (tool->info().group != own_group) ++uses[bare_name(*tool)];
  }
  for (const ToolGroup& group : set->groups()) {
    if (group.name == own_group) continue;
    ToolGroup renamed{group.name, {}};
    for (const auto& tool : group.tools) {
      std::string name = bare_name(*tool);
      const bool unique = !name.empty() && uses[name] == 1;
      renamed.tools.push_back(unique ? std::make_shared<RenamedTool>(tool, std::move(name)) : tool);
    }
    // Names that nobody else has cannot clash.
    static_cast<void>(toolbox.put(std::move(renamed)));
  }
}

}  // namespace belljar::toolbox
