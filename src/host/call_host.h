// The host as one call sees it: every question is decided by the call's snapshot and recorded.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/outcome.h"
#include "engine/host.h"
#include "host/component_host.h"
#include "host/egress.h"
#include "host/scrubber.h"
#include "host/usage.h"

namespace belljar::host {

/// What a call brings along.
struct CallInputs {
  /// For a command.
  std::vector<std::string> arguments;
  std::string standard_input;
  /// Told of every piece that the guest writes to standard output (1) or error (2), and of the
  /// items of a stream result. May be empty. Must neither block nor throw.
  std::function<void(int, std::string_view)> on_output;
  std::function<void(std::uint64_t)> on_progress;
};

/// One call's host. Any thread.
class CallHost final : public engine::Host,
                       public EgressPrincipal,
                       public std::enable_shared_from_this<CallHost> {
 public:
  /// The rule of a refusal because the log cannot be written.
  static constexpr std::string_view log_rule = "log";

  CallHost(std::shared_ptr<ComponentHost> component, Grip grip, CallInputs inputs);
  /// Whether there is anything for `prepare` to do.
  [[nodiscard]] bool has_to_prepare() const;
  /// Fetches what the policy gives to the guest itself. May block; called before the call starts.
  [[nodiscard]] Result<void> prepare();
  /// For a call on a live instance: goes on with what the last one reached.
  void resume(Reached reached);
  [[nodiscard]] Reached take_reached();

  // engine::Host
  std::uint64_t grants_epoch() noexcept override { return epoch(); }
  bool still_granted(const engine::FileRequest& opened, std::uint64_t device,
                     std::uint64_t inode) noexcept override;
  bool sockets_revoked() noexcept override;
  std::vector<engine::Preopen> preopens() override;
  std::vector<engine::Variable> environment() override;
  std::vector<std::string> arguments() override;
  std::string standard_input() override;
  void output(int stream, std::string_view bytes) override;
  void progress(std::uint64_t items) override;
  engine::FileReply file(const engine::FileRequest& request) override;
  bool make_socket(policy::Transport transport) override;
  bool socket(const policy::Address& address, std::uint16_t port, engine::SocketUse use) override;
  std::unique_ptr<engine::Pending> begin_lookup(
      std::string_view name, std::move_only_function<void(engine::LookupAnswer)> done) override;
  std::unique_ptr<engine::HttpTransfer> begin_http(engine::HttpRequest request,
                                                   std::unique_ptr<engine::HttpSink> sink) override;
  std::unique_ptr<engine::Pending> begin_capability(
      std::string_view interface, std::string_view function, std::string_view arguments,
      std::move_only_function<void(engine::CapabilityAnswer)> done) override;

  // EgressPrincipal
  const std::string& pool() const override { return component_->pool(); }
  policy::Decision decide(const EgressRequest& request) override;
  policy::Decision decide_address(const EgressRequest& request,
                                  const policy::Address& address) override;
  Result<std::vector<OutgoingSecret>> secrets_for(const EgressRequest& request) override;
  std::vector<std::shared_ptr<const store::SecretValue>> secrets_sent_to(
      const EgressRequest& request) override;
  void refused(const EgressRequest& request, const policy::Decision& decision) override;
  void allowed(const EgressRequest& request) override;
  void sending(const EgressRequest& request, const std::vector<OutgoingSecret>& secrets,
               std::move_only_function<void(bool)> durable) override;
  void finished(const EgressRequest& request, int status, std::uint64_t received) override;
  /// The grant epoch, which here moves also when a grant of this call runs out.
  std::uint64_t epoch() const override;
  const policy::Limits& limits() const override { return grip_.snapshot->limits(); }

  /// What was refused so far, in the order of its first time.
  [[nodiscard]] std::vector<Refusal> refusals() const;
  /// What the guest wrote; see `Outcome`.
  [[nodiscard]] std::string take_output(int stream);
  /// How often each kind of permission was used: `"files":2,"requests":1`, for the record.
  [[nodiscard]] std::string usage_details() const;
  /// Records how often was used what has no record of its own. At the end of the call.
  void record_rest();

 private:
  /// Addresses of which the names are known.
  static constexpr std::size_t maximum_targets = 4'096;

  /// The decision of the call's snapshot, and of what holds now if that has changed. May block.
  template <typename Ask>
  policy::Decision decide_now(Ask ask) {
    policy::Decision decision = ask(*grip_.snapshot);
    if (!decision) return decision;
    if (!component_->services().log.accepts()) return unrecordable();
    if (const auto now = newer(); now && !ask(*now)) return no_longer();
    return decision;
  }
  /// For what was granted when the call began.
  static policy::Decision no_longer();
  /// For what would be allowed, and cannot be recorded now.
  [[nodiscard]] policy::Decision unrecordable() const;
  /// What holds now, where that is not the call's own snapshot any more.
  std::shared_ptr<const policy::Snapshot> newer();
  void refuse(std::string_view kind, std::string what, const policy::Decision& decision,
              bool hint = false);
  void use(std::string_view kind, std::string_view used, std::string_view rule);
  /// Without the secrets that the guest itself has: it may put them into a path or a URL.
  [[nodiscard]] std::string for_the_record(std::string text) const;
  /// A request with the table that decides about it now, and its mounts by their numbers there.
  struct PlacedRequest {
    std::shared_ptr<const MountTable> table;
    engine::FileRequest request;
  };
  /// Nothing where a folder is not granted any more. May block.
  [[nodiscard]] std::optional<PlacedRequest> place(const engine::FileRequest& request);
  /// The call's mounts, narrowed to what is granted now. May block.
  [[nodiscard]] std::shared_ptr<const MountTable> mounts_now();
  /// What the guest knows by this number; null where nothing.
  [[nodiscard]] const policy::StorageRule* mount_rule(std::uint32_t mount) const;
  /// For a call that has made as many files as it may.
  [[nodiscard]] static FileAnswer perform_without_creating(const PlacedRequest& placed);
  engine::FileReply no_mount(const engine::FileRequest& request, std::string_view path);
  [[nodiscard]] std::string shown_path(std::uint32_t mount, std::string_view path) const;

  std::shared_ptr<ComponentHost> component_;
  Grip grip_;
  CallInputs inputs_;
  /// The epoch at which connections were last found to be granted still.
  std::atomic<std::uint64_t> sockets_epoch_;
  /// Of a live instance in its second call or later: the mounts by the numbers that it knows.
  std::vector<policy::StorageRule> known_mounts_;

  /// Secrets that the policy gives to the guest itself. Set before the call starts.
  std::vector<OutgoingSecret> exposed_;
  std::shared_ptr<const SecretPatterns> exposed_patterns_;

  mutable std::mutex mutex_;
  std::uint64_t newer_epoch_;
  /// When the next grant runs out, and how many have since the call began.
  std::atomic<WallTime> expires_;
  std::atomic<std::uint64_t> ran_out_{0};
  std::shared_ptr<const policy::Snapshot> newer_;
  std::vector<Refusal> refusals_;
  Usage usage_;
  Reached reached_;
  std::uint32_t files_created_ = 0;
  struct Captured {
    std::string head;
    std::string tail;
    std::uint64_t dropped = 0;
  };
  std::array<Captured, 2> captured_;

  std::mutex files_mutex_;
  /// The mounts as they were opened after a change, and what holds since that change.
  std::shared_ptr<const policy::Snapshot> narrowed_for_;
  std::shared_ptr<const MountTable> narrowed_;
};

}  // namespace belljar::host
