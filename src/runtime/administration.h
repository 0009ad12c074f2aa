// What a person changes: permissions, secrets, the components that servers start with.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/loader.h"
#include "audit/writer.h"
#include "belljar/error.h"
#include "policy/grant.h"
#include "runtime/control.h"
#include "runtime/launch.h"
#include "store/components.h"
#include "store/grants.h"
#include "store/secrets.h"
#include "store/state.h"

namespace belljar::runtime {

/// The state of one user, opened to be changed or looked at. Every change is on disk and in the
/// audit log when its function returns.
class Administration {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Administration>> open(const Settings& settings);
  /// Where permissions were changed, has running servers tell their clients to look at the tools
  /// again, whose annotations say what they may do. A server that does not hear it does as it is
  /// permitted all the same.
  ~Administration();
  Administration(const Administration&) = delete;
  Administration& operator=(const Administration&) = delete;

  /// The component that a person means by the name of something loaded, known or running, or by a
  /// REF. Errors say what there is.
  [[nodiscard]] Result<store::ComponentKey> find_component(std::string_view text) const;

  [[nodiscard]] Result<std::int64_t> grant(const store::ComponentKey& component,
                                           const policy::Grant& given,
                                           const store::GrantScope& scope);
  /// Takes back one permission by its number; false where there is none.
  [[nodiscard]] Result<bool> revoke(std::int64_t id);
  /// Takes back everything that a component of this name has; gives how much that was.
  [[nodiscard]] Result<std::int64_t> revoke_all(std::string_view component);
  /// Approves a policy file as it is now; gives what it says.
  [[nodiscard]] Result<policy::Document> approve_policy(const store::ComponentKey& component,
                                                        const std::filesystem::path& path);

  enum class CarryOver { no, yes };
  /// Takes back what the old content of an upgraded component was given, unless a server still
  /// runs it; true where it did.
  [[nodiscard]] Result<bool> retire(const store::ComponentKey& component);
  /// Makes a component part of every server. Permissions of other content under this name pass to
  /// it where `carry_over` says so.
  [[nodiscard]] Result<void> keep(const artifact::Reference& reference, std::string_view digest,
                                  CarryOver carry_over);
  /// False where nothing of this name was kept.
  [[nodiscard]] Result<bool> forget(std::string_view name);

  [[nodiscard]] Result<void> set_secret(std::string_view name, const store::SecretValue& value);
  [[nodiscard]] Result<bool> remove_secret(std::string_view name);

  /// Notes that the state was taken from an archive: what was revoked after it was made may hold
  /// again.
  [[nodiscard]] Result<void> note_restored(const std::filesystem::path& file);

  /// Asks every running server of this user.
  [[nodiscard]] std::vector<ControlAnswer> ask(const Json& request) const;
  /// The sessions of running servers that have this component loaded.
  [[nodiscard]] std::vector<std::string> sessions_with(const store::ComponentKey& component) const;

  [[nodiscard]] store::Grants& grants() noexcept { return grants_; }
  [[nodiscard]] store::Components& components() noexcept { return components_; }
  [[nodiscard]] store::Secrets& secrets() noexcept { return secrets_; }
  [[nodiscard]] const Clock& clock() const noexcept { return state_->clock(); }
  [[nodiscard]] const artifact::Loader& loader() const noexcept { return *loader_; }
  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

 private:
  Administration(const Settings& settings, std::unique_ptr<store::State> state,
                 std::filesystem::path compiler);
  [[nodiscard]] Result<void> record(audit::RecordKind kind,
                                    const std::optional<store::ComponentKey>& component,
                                    std::string details);
  /// Records a change, then makes it. If it fails the log says that it was undone, as far as the
  /// log can still be written.
  template <typename Change>
  [[nodiscard]] auto recorded(audit::RecordKind kind, const store::ComponentKey& component,
                              const std::string& details, Change change) -> decltype(change());

  Settings settings_;
  bool permissions_changed_ = false;
  std::unique_ptr<store::State> state_;
  /// Opened with the first record.
  std::unique_ptr<audit::Log> log_;
  store::Grants grants_;
  store::Components components_;
  store::Secrets secrets_;
  engine::Compiler compiler_;
  std::unique_ptr<artifact::Loader> loader_;
  store::Grantor grantor_;
};

}  // namespace belljar::runtime
