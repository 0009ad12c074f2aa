// Somebody to send requests for, and somebody to get the responses.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/egress.h"
#include "host/sent_secrets.h"
#include "policy/snapshot.h"
#include "store/pinned_places.h"

namespace belljar::host::testing {

/// What a policy in text allows.
[[nodiscard]] inline std::shared_ptr<const policy::Snapshot> snapshot_of(std::string_view text) {
  auto given = store::read_given_policy(text, "policy.yaml", "/");
  if (!given) throw std::runtime_error(given.error().describe());
  policy::Sources sources;
  sources.granted.push_back(std::move(given->document));
  return policy::Snapshot::compile(std::move(sources));
}

/// A component that may do what its policy says, in memory.
class PolicyPrincipal final : public EgressPrincipal {
 public:
  struct Binding {
    std::string name;
    policy::SecretPlace place;
    std::string detail;
    std::string value;
    /// Where it goes to; everywhere if this is empty.
    std::string host;
  };

  explicit PolicyPrincipal(std::string_view policy, std::string pool = "tool")
      : pool_(std::move(pool)), snapshot_(snapshot_of(policy)) {}

  void bind(Binding binding) {
    const std::lock_guard lock(mutex_);
    bindings_.push_back(std::move(binding));
  }
  /// Takes all secrets back.
  void unbind() {
    const std::lock_guard lock(mutex_);
    bindings_.clear();
  }
  /// What a person may do while a request is under way.
  void replace_policy(std::string_view policy) {
    auto snapshot = snapshot_of(policy);
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(snapshot);
    ++epoch_;
  }

  const std::string& pool() const override { return pool_; }
  policy::Decision decide(const EgressRequest& request) override {
    return snapshot()->decide(request.facts());
  }
  policy::Decision decide_address(const EgressRequest& request,
                                  const policy::Address& address) override {
    return snapshot()->decide_address(request.facts(), address);
  }
  Result<std::vector<OutgoingSecret>> secrets_for(const EgressRequest& request) override {
    const std::lock_guard lock(mutex_);
    std::vector<OutgoingSecret> secrets;
    for (const Binding& binding : bindings_) {
      if (!binding.host.empty() && binding.host != request.host.name) continue;
      secrets.push_back({binding.name, binding.place, binding.detail,
                         std::make_shared<const store::SecretValue>(std::string(binding.value))});
    }
    return secrets;
  }
  std::vector<std::shared_ptr<const store::SecretValue>> secrets_sent_to(
      const EgressRequest& request) override {
    return sent_secrets_.of(request.server());
  }
  void refused(const EgressRequest& request, const policy::Decision& decision) override {
    const std::lock_guard lock(mutex_);
    refusals_.push_back(request.log_url() + ": " + decision.reason);
  }
  void allowed(const EgressRequest&) override {}
  void sending(const EgressRequest& request, const std::vector<OutgoingSecret>& secrets,
               std::move_only_function<void(bool)> durable) override {
    for (const OutgoingSecret& secret : secrets) {
      sent_secrets_.remember(request.server(), secret.value);
    }
    {
      const std::lock_guard lock(mutex_);
      sent_.push_back(request.log_url());
    }
    durable(true);
  }
  void finished(const EgressRequest&, int, std::uint64_t received) override {
    const std::lock_guard lock(mutex_);
    received_ += received;
  }
  std::uint64_t epoch() const override {
    const std::lock_guard lock(mutex_);
    return epoch_;
  }
  const policy::Limits& limits() const override { return snapshot()->limits(); }

  [[nodiscard]] std::vector<std::string> refusals() const {
    const std::lock_guard lock(mutex_);
    return refusals_;
  }
  [[nodiscard]] std::vector<std::string> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  std::shared_ptr<const policy::Snapshot> snapshot() const {
    const std::lock_guard lock(mutex_);
    // Kept, because limits are lent.
    kept_.push_back(snapshot_);
    return snapshot_;
  }
  std::string pool_;
  mutable std::mutex mutex_;
  std::shared_ptr<const policy::Snapshot> snapshot_;
  mutable std::vector<std::shared_ptr<const policy::Snapshot>> kept_;
  std::vector<Binding> bindings_;
  SentSecrets sent_secrets_;
  std::uint64_t epoch_ = 1;
  std::vector<std::string> refusals_;
  std::vector<std::string> sent_;
  std::uint64_t received_ = 0;
};

/// What came of a request.
struct Response {
  std::uint16_t status = 0;
  std::vector<engine::HttpHeader> headers;
  std::string body;
  bool ended = false;
  std::optional<engine::HttpFailure> failure;
  std::string message;

  [[nodiscard]] std::string header(std::string_view name) const {
    std::string values;
    for (const engine::HttpHeader& header : headers) {
      if (header.name == name) values += (values.empty() ? "" : ", ") + header.value;
    }
    return values;
  }
};

/// What the sink and the test share.
class Inbox {
 public:
  /// Waits for the end, which every request has.
  [[nodiscard]] Response wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return response_.ended || response_.failure; });
    return response_;
  }
  /// Waits for so much of the body, or the end.
  [[nodiscard]] std::size_t wait_for_bytes(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return response_.body.size() >= count || response_.ended || response_.failure;
    });
    return response_.body.size();
  }
  [[nodiscard]] bool over() {
    const std::lock_guard lock(mutex_);
    return response_.ended || response_.failure;
  }
  /// Asks the sender to wait after every chunk.
  void pause_always() {
    const std::lock_guard lock(mutex_);
    pauses_ = true;
  }
  void pause_never() {
    const std::lock_guard lock(mutex_);
    pauses_ = false;
  }
  /// Chunks that came while the sender was asked to wait.
  [[nodiscard]] std::size_t chunks() const {
    const std::lock_guard lock(mutex_);
    return chunks_;
  }

 private:
  friend class InboxSink;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Response response_;
  bool pauses_ = false;
  std::size_t chunks_ = 0;
};

class InboxSink final : public engine::HttpSink {
 public:
  explicit InboxSink(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}

  void head(std::uint16_t status, std::span<const engine::HttpHeader> headers) override {
    update([&](Response& response) {
      response.status = status;
      response.headers.assign(headers.begin(), headers.end());
    });
  }
  bool chunk(std::string_view bytes) override {
    update([&](Response& response) { response.body += bytes; });
    const std::lock_guard lock(inbox_->mutex_);
    ++inbox_->chunks_;
    return !inbox_->pauses_;
  }
  void end() override {
    update([](Response& response) { response.ended = true; });
  }
  void fail(engine::HttpFailure failure, std::string_view message) override {
    update([&](Response& response) {
      response.failure = failure;
      response.message = message;
    });
  }
  void want_body() override {}

 private:
  template <typename Change>
  void update(Change change) {
    {
      const std::lock_guard lock(inbox_->mutex_);
      change(inbox_->response_);
    }
    inbox_->changed_.notify_all();
  }

  std::shared_ptr<Inbox> inbox_;
};

}  // namespace belljar::host::testing
