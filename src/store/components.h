// The components that `belljar load` made part of every server.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "store/state.h"

namespace belljar::store {

struct StoredComponent {
  std::string name;
  /// What it was loaded from, as an absolute path.
  std::string reference;
  std::string digest;
  WallTime added_at;
};

/// The persistent list. Any thread.
class Components {
 public:
  explicit Components(State& state) : state_(state) {}

  /// Adds a component, or replaces the one of this name.
  [[nodiscard]] Result<void> put(const StoredComponent& component);
  /// False where there is none of this name.
  [[nodiscard]] Result<bool> remove(std::string_view name);
  /// In the order of their names.
  [[nodiscard]] Result<std::vector<StoredComponent>> list() const;
  [[nodiscard]] Result<std::optional<StoredComponent>> find(std::string_view name) const;

 private:
  State& state_;
};

}  // namespace belljar::store
