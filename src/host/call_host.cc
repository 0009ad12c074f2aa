#include "host/call_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::host {
namespace {

/// Bytes of a guest's output that are kept from its beginning and from its end.
constexpr std::size_t kept_output = 64 * 1024;

/// The variable in which a guest finds the placeholder of a secret: WEATHER_KEY.
std::string variable_name(std::string_view secret) {
  std::string name(secret);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  });
  return name;
}

}  // namespace

CallHost::CallHost(std::shared_ptr<ComponentHost> component, Grip grip, CallInputs inputs)
    : component_(std::move(component)),
      grip_(std::move(grip)),
      inputs_(std::move(inputs)),
      sockets_epoch_(grip_.snapshot->epoch()),
      newer_epoch_(grip_.snapshot->epoch()),
      expires_(grip_.expires.value_or(WallTime::max())),
      usage_(component_->use_budget()) {}

std::uint64_t CallHost::epoch() const {
  // Grants do not run out so often, nor does the epoch move so far, that the two could meet.
  constexpr unsigned room = 40;
  std::uint64_t ran_out = ran_out_.load(std::memory_order_acquire);
  const WallTime expires = expires_.load(std::memory_order_acquire);
  if (expires != WallTime::max() && expires <= component_->services().clock.now()) ++ran_out;
  return component_->permissions().epoch().value() + (ran_out << room);
}

bool CallHost::has_to_prepare() const {
  const auto& secrets = grip_.snapshot->secrets();
  return std::any_of(secrets.begin(), secrets.end(),
                     [](const policy::SecretRule& rule) { return rule.expose; });
}

Result<void> CallHost::prepare() {
  Services& services = component_->services();
  for (const policy::SecretRule& rule : grip_.snapshot->secrets()) {
    if (!rule.expose) continue;
    BELLJAR_TRY(auto value, services.secrets.get(rule.name));
    if (!value) continue;
    audit::Record record{
        audit::RecordKind::use, services.clock.now(), component_->subject(),
        fmt::format("\"permission\":\"secret\",\"what\":{},\"rule\":\"secrets.allow "
                    "expose\"",
                    json_string(rule.name))};
    BELLJAR_CHECK(services.log.append_durably(std::move(record)));
    exposed_.push_back({rule.name, rule.place, rule.detail,
                        std::make_shared<const store::SecretValue>(*std::move(value))});
  }
  if (exposed_.empty()) return {};
  std::vector<std::string_view> values;
  for (const OutgoingSecret& secret : exposed_) values.push_back(secret.value->reveal());
  exposed_patterns_ = std::make_shared<const SecretPatterns>(values);
  return {};
}

void CallHost::resume(Reached reached) {
  // Looked at again soon: the grants may have changed since the last call.
  sockets_epoch_.store(0);
  const std::lock_guard lock(mutex_);
  reached_ = std::move(reached);
  known_mounts_ = std::exchange(reached_.mounts, {});
  if (!grip_.mounts) return;
  for (const policy::StorageRule& rule : grip_.mounts->mounts()) {
    if (std::none_of(known_mounts_.begin(), known_mounts_.end(),
                     [&](const auto& known) { return is_same_place(known, rule); })) {
      known_mounts_.push_back(rule);
    }
  }
}

Reached CallHost::take_reached() {
  const std::lock_guard lock(mutex_);
  Reached reached = std::exchange(reached_, {});
  if (!known_mounts_.empty()) {
    reached.mounts = known_mounts_;
  } else if (grip_.mounts) {
    reached.mounts = grip_.mounts->mounts();
  }
  return reached;
}

std::string CallHost::for_the_record(std::string text) const {
  if (!exposed_patterns_) return text;
  return Scrubber(exposed_patterns_).scrub(text);
}

std::shared_ptr<const policy::Snapshot> CallHost::newer() {
  const std::uint64_t now = epoch();
  const std::lock_guard lock(mutex_);
  if (newer_epoch_ == now) return newer_;
  // A short read of the local database, right after somebody changed a grant or one ran out. Where
  // that fails, nothing is allowed now, and the next who asks looks again.
  const auto current = component_->permissions().for_running_call(grip_.claimed);
  if (!current) return policy::Snapshot::empty();
  newer_ = (*current)->snapshot;
  newer_epoch_ = now;
  // In this order: a look in between finds one change too many, and looks again.
  if (expires_.load() <= component_->services().clock.now()) {
    ran_out_.fetch_add(1, std::memory_order_acq_rel);
  }
  // Also where no grant ran out: one that replaced another may end sooner.
  expires_.store((*current)->expires.value_or(WallTime::max()), std::memory_order_release);
  return newer_;
}

bool CallHost::sockets_revoked() noexcept {
  const std::uint64_t now = epoch();
  if (sockets_epoch_.load() == now) return false;
  // Connections of a live instance can be older than what this call began with.
  auto snapshot = newer();
  if (!snapshot) snapshot = grip_.snapshot;
  {
    const std::lock_guard lock(mutex_);
    for (const Reached::Connection& connection : reached_.connections) {
      if (!snapshot->decide_socket(connection.transport, connection.address, connection.port,
                                   reached_.names_of(connection.address))) {
        return true;
      }
    }
  }
  sockets_epoch_.store(now);
  return false;
}

std::vector<engine::Variable> CallHost::environment() {
  std::vector<engine::Variable> variables;
  for (const policy::EnvironmentRule& rule : grip_.snapshot->environment()) {
    auto value = rule.value ? rule.value : component_->services().variable(rule.key.c_str());
    if (!value) continue;
    use("environment", rule.key, "environment.allow");
    variables.push_back({rule.key, *std::move(value)});
  }
  for (const policy::SecretRule& rule : grip_.snapshot->secrets()) {
    const auto exposed = std::find_if(
        exposed_.begin(), exposed_.end(),
        [&](const OutgoingSecret& secret) { return rule.expose && secret.name == rule.name; });
    variables.push_back({variable_name(rule.name), exposed != exposed_.end()
                                                       ? exposed->value->reveal()
                                                       : "belljar-secret:" + rule.name});
  }
  return variables;
}

std::vector<std::string> CallHost::arguments() { return inputs_.arguments; }

std::string CallHost::standard_input() { return std::exchange(inputs_.standard_input, {}); }

void CallHost::output(int stream, std::string_view bytes) {
  if (inputs_.on_output) inputs_.on_output(stream, bytes);
  const std::lock_guard lock(mutex_);
  Captured& captured = captured_[stream == 2 ? 1 : 0];
  // A command's standard output is its result, so it is kept up to the output limit and a byte
  // more, by which a longer one is told.
  const std::size_t kept =
      stream == 1 ? std::max<std::size_t>(kept_output, limits().output.value + 1) : kept_output;
  const std::size_t room = kept - std::min(kept, captured.head.size());
  captured.head += bytes.substr(0, room);
  bytes.remove_prefix(std::min(room, bytes.size()));
  captured.tail += bytes;
  if (captured.tail.size() > 2 * kept_output) {
    const std::size_t excess = captured.tail.size() - kept_output;
    captured.tail.erase(0, excess);
    captured.dropped += excess;
  }
}

std::string CallHost::take_output(int stream) {
  const std::lock_guard lock(mutex_);
  Captured& captured = captured_[stream == 2 ? 1 : 0];
  std::string text = std::move(captured.head);
  if (captured.dropped > 0) text += fmt::format("\n… {} bytes left out …\n", captured.dropped);
  text += captured.tail;
  captured = {};
  return text;
}

void CallHost::progress(std::uint64_t items) {
  if (inputs_.on_progress) inputs_.on_progress(items);
}

std::unique_ptr<engine::Pending> CallHost::begin_capability(
    std::string_view interface, std::string_view function, std::string_view arguments,
    std::move_only_function<void(engine::CapabilityAnswer)> done) {
  const policy::Decision decision = decide_now(
      [&](const policy::Snapshot& snapshot) { return snapshot.decide_capability(interface); });
  if (!decision) {
    refuse("capability", fmt::format("{}#{}", interface, function), decision);
    done({.ok = false, .denied = true, .text = decision.reason});
    return std::make_unique<engine::Pending>();
  }
  use("capability", fmt::format("{}#{}", interface, function), decision.rule);
  const auto& capabilities = component_->services().capabilities;
  const auto found =
      std::find_if(capabilities.begin(), capabilities.end(),
                   [&](const Capability& known) { return known.interface == interface; });
  if (found == capabilities.end()) {
    done({.ok = false, .denied = false, .text = "the host does not offer this interface"});
    return std::make_unique<engine::Pending>();
  }
  CapabilityReply reply([done = std::move(done)](bool ok, std::string text) mutable {
    done({.ok = ok, .denied = false, .text = std::move(text)});
  });
  found->call({interface, function, arguments, component_->subject()->component}, std::move(reply));
  return std::make_unique<engine::Pending>();
}

policy::Decision CallHost::no_longer() {
  return {false, "revoked", "the permission was taken back while the call was running", {}};
}

policy::Decision CallHost::unrecordable() const {
  return {false, std::string(log_rule), component_->services().log.refusal().message(), {}};
}

void CallHost::refuse(std::string_view kind, std::string what, const policy::Decision& decision,
                      bool hint) {
  what = for_the_record(std::move(what));
  const std::lock_guard lock(mutex_);
  for (Refusal& known : refusals_) {
    if (known.kind == kind && known.what == what) {
      ++known.times;
      known.hint = known.hint && hint;
      return;
    }
  }
  // A guest that tries everything gets no longer answer than one that tries a hundred things.
  constexpr std::size_t maximum_refusals = 100;
  if (refusals_.size() >= maximum_refusals) return;
  refusals_.push_back(
      {.kind = std::string(kind),
       .what = std::move(what),
       .rule = decision.rule,
       .reason = for_the_record(decision.reason),
       .remedy = for_the_record(decision.remedy ? decision.remedy->text() : std::string()),
       .request_id = {},
       .times = 1,
       .hint = hint});
}

void CallHost::use(std::string_view kind, std::string_view used, std::string_view rule) {
  std::string what = for_the_record(std::string(used));
  if (what.size() > audit::longest_text) what = one_line(what, audit::longest_text);
  {
    const std::lock_guard lock(mutex_);
    if (!usage_.note(kind, what)) return;
  }
  Services& services = component_->services();
  services.log.append({audit::RecordKind::use, services.clock.now(), component_->subject(),
                       fmt::format("\"permission\":\"{}\",\"what\":{},\"rule\":{}", kind,
                                   json_string(what), json_string(rule))});
}

void CallHost::record_rest() {
  std::vector<std::string> rest;
  {
    const std::lock_guard lock(mutex_);
    rest = usage_.take_rest();
  }
  Services& services = component_->services();
  for (std::string& details : rest) {
    services.log.append(
        {audit::RecordKind::use, services.clock.now(), component_->subject(), std::move(details)});
  }
}

std::vector<Refusal> CallHost::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

std::string CallHost::usage_details() const {
  const std::lock_guard lock(mutex_);
  return usage_.totals();
}

}  // namespace belljar::host
