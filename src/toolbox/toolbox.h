// The live set of tools.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "belljar/error.h"
#include "toolbox/tool.h"

namespace belljar::toolbox {

/// The tools at one moment. Immutable.
class ToolSet {
 public:
  /// Nothing where there is no tool of this name.
  [[nodiscard]] std::shared_ptr<Tool> find(std::string_view name) const;
  /// In the order of their names.
  [[nodiscard]] const std::vector<std::shared_ptr<Tool>>& tools() const noexcept { return tools_; }
  [[nodiscard]] const std::vector<ToolGroup>& groups() const noexcept { return groups_; }
  /// Grows with every change.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

 private:
  friend class Toolbox;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::vector<ToolGroup> groups_;
  std::vector<std::shared_ptr<Tool>> tools_;
  std::unordered_map<std::string, std::shared_ptr<Tool>, Hash, std::equal_to<>> by_name_;
  std::uint64_t generation_ = 0;
};

/// Holds the current set and swaps it atomically: a call that has found its tool keeps it,
/// whatever is loaded or unloaded meanwhile. Any thread.
class Toolbox {
 public:
  Toolbox();

  [[nodiscard]] std::shared_ptr<const ToolSet> current() const {
    return current_.load(std::memory_order_acquire);
  }

  /// Adds a group, or replaces the one of the same name. A tool name that another group has is an
  /// error, and nothing is changed.
  [[nodiscard]] Result<void> put(ToolGroup group);
  /// False where there is no group of this name.
  bool remove(std::string_view group);

  /// Calls `listener` after every change, from the thread that made it.
  void on_change(std::function<void()> listener);
  /// Tells the listeners that tools say something else of themselves, as after a grant: what they
  /// may do shows in their annotations.
  void announce();

 private:
  [[nodiscard]] static Result<std::shared_ptr<const ToolSet>> build(std::vector<ToolGroup> groups,
                                                                    std::uint64_t generation);

  std::atomic<std::shared_ptr<const ToolSet>> current_;
  std::mutex mutex_;
  std::vector<std::function<void()>> listeners_;
};

}  // namespace belljar::toolbox
