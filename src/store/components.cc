#include "store/components.h"

#include "support/result.h"

namespace belljar::store {
namespace {

StoredComponent read(const Statement& row) {
  return {row.text(0), row.text(1), row.text(2),
          WallTime(std::chrono::microseconds(row.number(3)))};
}

}  // namespace

Result<void> Components::put(const StoredComponent& component) {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement insert,
              state_.database().prepare("INSERT OR REPLACE INTO components VALUES (?, ?, ?, ?)"));
  insert.bind(component.name).bind(component.reference).bind(component.digest);
  return insert.bind(component.added_at.time_since_epoch().count()).run();
}

Result<bool> Components::remove(std::string_view name) {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement remove,
              state_.database().prepare("DELETE FROM components WHERE name = ? RETURNING name"));
  return remove.bind(name).found();
}

Result<std::vector<StoredComponent>> Components::list() const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement rows, state_.database().prepare(
                                  "SELECT name, reference, digest, added_at FROM components ORDER "
                                  "BY name"));
  std::vector<StoredComponent> components;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return components;
    components.push_back(read(rows));
  }
}

Result<std::optional<StoredComponent>> Components::find(std::string_view name) const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement row, state_.database().prepare(
                                 "SELECT name, reference, digest, added_at FROM components WHERE "
                                 "name = ?"));
  BELLJAR_TRY(const bool found, row.bind(name).step());
  if (!found) return std::nullopt;
  return read(row);
}

}  // namespace belljar::store
