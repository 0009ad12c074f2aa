#include "toolbox/toolbox.h"

#include <algorithm>
#include <utility>

#include "support/result.h"

namespace belljar::toolbox {

std::shared_ptr<Tool> ToolSet::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Toolbox::Toolbox() : current_(std::make_shared<const ToolSet>()) {}

Result<std::shared_ptr<const ToolSet>> Toolbox::build(std::vector<ToolGroup> groups,
                                                      std::uint64_t generation) {
  auto set = std::make_shared<ToolSet>();
  set->generation_ = generation;
  for (const ToolGroup& group : groups) {
    for (const auto& tool : group.tools) {
      const auto [other, fresh] = set->by_name_.emplace(tool->info().name, tool);
      if (!fresh) {
        return fail(
            ErrorCode::conflict,
            "{} and {} would both have the tool \"{}\"; load one of them under another name: "
            "NAME=FILE",
            other->second->info().group, group.name, tool->info().name);
      }
      set->tools_.push_back(tool);
    }
  }
  std::sort(set->tools_.begin(), set->tools_.end(),
            [](const auto& a, const auto& b) { return a->info().name < b->info().name; });
  set->groups_ = std::move(groups);
  return set;
}

Result<void> Toolbox::put(ToolGroup group) {
  {
    const std::lock_guard lock(mutex_);
    const auto before = current();
    std::vector<ToolGroup> groups = before->groups();
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const ToolGroup& other) {
      return other.name == group.name;
    });
    if (same == groups.end()) {
      groups.push_back(std::move(group));
    } else {
      *same = std::move(group);
    }
    BELLJAR_TRY(auto after, build(std::move(groups), before->generation() + 1));
    current_.store(std::move(after), std::memory_order_release);
  }
  announce();
  return {};
}

bool Toolbox::remove(std::string_view group) {
  {
    const std::lock_guard lock(mutex_);
    const auto before = current();
    std::vector<ToolGroup> groups = before->groups();
    const auto removed =
        std::erase_if(groups, [&](const ToolGroup& other) { return other.name == group; });
    if (removed == 0) return false;
    // Fewer groups cannot clash.
    auto after = build(std::move(groups), before->generation() + 1);
    if (!after) return false;
    current_.store(*std::move(after), std::memory_order_release);
  }
  announce();
  return true;
}

void Toolbox::on_change(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void Toolbox::announce() {
  std::vector<std::function<void()>> listeners;
  {
    const std::lock_guard lock(mutex_);
    listeners = listeners_;
  }
  for (const auto& listener : listeners) listener();
}

}  // namespace belljar::toolbox
