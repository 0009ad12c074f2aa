#include "host/call_host.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "policy/rules.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileReply;
using engine::FileRequest;

/// Bytes of a guest's output that are kept from its beginning and from its end.
constexpr std::size_t kept_output = 64 * 1024;
/// Distinct targets that are counted instead of being recorded each time.
constexpr std::size_t maximum_targets = 4'096;

policy::Decision no_longer() {
  return {false, "revoked", "the permission was taken back while the call was running", {}};
}

/// The variable in which a guest finds the placeholder of a secret: WEATHER_KEY.
std::string variable_name(std::string_view secret) {
  std::string name(secret);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  });
  return name;
}

/// An operation that was cancelled or never began.
class Nothing final : public engine::Pending {};

class NoTransfer final : public engine::HttpTransfer {
 public:
  bool provide(std::string_view) override { return true; }
  void finish() override {}
  void abort() override {}
  void resume() override {}
};

std::string_view verb(const FileRequest& request) {
  switch (request.operation) {
    case FileOperation::open: return request.write || request.truncate ? "write" : "read";
    case FileOperation::status:
    case FileOperation::read_link: return "read";
    default: return "write";
  }
}

}  // namespace

CallHost::CallHost(std::shared_ptr<ComponentHost> component, Grip grip, CallInputs inputs)
    : component_(std::move(component)),
      grip_(std::move(grip)),
      inputs_(std::move(inputs)),
      files_epoch_(grip_.snapshot->epoch()),
      sockets_epoch_(grip_.snapshot->epoch()),
      newer_epoch_(grip_.snapshot->epoch()),
      expires_(grip_.expires.value_or(WallTime::max())) {}

std::uint64_t CallHost::epoch() const {
  // Grants do not run out so often, nor does the epoch move so far, that the two could meet.
  constexpr unsigned room = 40;
  std::uint64_t ran_out = ran_out_.load(std::memory_order_acquire);
  const WallTime expires = expires_.load(std::memory_order_acquire);
  if (expires != WallTime::max() && expires <= component_->services().clock.now()) ++ran_out;
  return component_->permissions().epoch().value() + (ran_out << room);
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
  if (reached.connections.empty()) return;
  // Looked at again soon: the grants may have changed since the last call.
  files_epoch_.store(0);
  sockets_epoch_.store(0);
  const std::lock_guard lock(mutex_);
  reached_ = std::move(reached);
}

Reached CallHost::take_reached() {
  const std::lock_guard lock(mutex_);
  return std::exchange(reached_, {});
}

std::string CallHost::for_the_record(std::string text) const {
  if (!exposed_patterns_) return text;
  return Scrubber(exposed_patterns_).scrub(text);
}

std::shared_ptr<const policy::Snapshot> CallHost::newer() {
  const std::uint64_t now = epoch();
  const std::lock_guard lock(mutex_);
  if (newer_epoch_ == now) return newer_;
  // A short read of the local database, right after somebody changed a grant or one ran out.
  const auto current = component_->permissions().for_running_call(grip_.claimed);
  newer_ = current ? (*current)->snapshot : policy::Snapshot::empty();
  newer_epoch_ = now;
  if (expires_.load() <= component_->services().clock.now()) {
    // In this order: a look in between finds one change too many, and looks again.
    ran_out_.fetch_add(1, std::memory_order_acq_rel);
    expires_.store(current ? (*current)->expires.value_or(WallTime::max()) : WallTime::max(),
                   std::memory_order_release);
  }
  return newer_;
}

template <typename Ask>
policy::Decision CallHost::decide_now(Ask ask) {
  policy::Decision decision = ask(*grip_.snapshot);
  if (!decision) return decision;
  if (const auto now = newer(); now && !ask(*now)) return no_longer();
  return decision;
}

bool CallHost::grants_changed() noexcept { return epoch() != files_epoch_.load(); }

bool CallHost::still_granted() noexcept {
  const std::uint64_t now = epoch();
  const auto snapshot = newer();
  if (snapshot && grip_.mounts) {
    const std::lock_guard lock(mutex_);
    if (!std::all_of(mounts_in_use_.begin(), mounts_in_use_.end(),
                     [&](std::uint32_t number) { return grants_mount(*snapshot, number); })) {
      return false;
    }
  }
  files_epoch_.store(now);
  return true;
}

bool CallHost::grants_mount(const policy::Snapshot& snapshot, std::uint32_t number) const {
  const policy::StorageRule& used = grip_.mounts->mounts()[number];
  return std::any_of(
      snapshot.mounts().begin(), snapshot.mounts().end(), [&](const policy::Mount& mount) {
        return mount.rule.host == used.host && (!used.access.read || mount.rule.access.read) &&
               (!used.access.write || mount.rule.access.write);
      });
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

std::vector<engine::Preopen> CallHost::preopens() {
  std::vector<engine::Preopen> preopens;
  bool has_root = false;
  if (grip_.mounts) {
    for (const policy::StorageRule& rule : grip_.mounts->mounts()) {
      has_root = has_root || rule.guest == "/";
      preopens.push_back(
          {static_cast<std::uint32_t>(preopens.size()), rule.guest, rule.access.write});
    }
  }
  // An empty root, so that a path that nothing was granted for is refused by name instead of
  // getting lost in the guest's C library.
  if (!has_root) preopens.push_back({static_cast<std::uint32_t>(preopens.size()), "/", false});
  return preopens;
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

std::string CallHost::shown_path(std::uint32_t mount, std::string_view path) const {
  const bool known = grip_.mounts && mount < grip_.mounts->mounts().size();
  const std::string guest = known ? grip_.mounts->mounts()[mount].guest : "/";
  if (path == ".") return guest;
  return fmt::format("{}/{}", guest == "/" ? "" : guest, one_line(path, 300));
}

FileReply CallHost::file(const FileRequest& request) {
  const std::uint32_t mounts =
      grip_.mounts ? static_cast<std::uint32_t>(grip_.mounts->mounts().size()) : 0;
  const bool two =
      request.operation == FileOperation::rename || request.operation == FileOperation::link;
  if (request.mount >= mounts) return no_mount(request, request.path);
  if (two && request.to_mount >= mounts) return no_mount(request, request.to_path);
  const auto now = newer();
  if (now &&
      (!grants_mount(*now, request.mount) || (two && !grants_mount(*now, request.to_mount)))) {
    refuse("storage", fmt::format("{} {}", verb(request), shown_path(request.mount, request.path)),
           no_longer());
    FileReply reply;
    reply.error = EACCES;
    return reply;
  }
  const bool creates = request.create || request.operation == FileOperation::create_directory ||
                       request.operation == FileOperation::symbolic_link ||
                       request.operation == FileOperation::link;
  bool full = false;
  if (creates) {
    const std::lock_guard lock(mutex_);
    full = files_created_ >= limits().files;
  }
  FileAnswer answer = full ? perform_without_creating(request) : grip_.mounts->perform(request);
  const std::string shown = shown_path(request.mount, request.path);
  if (answer.refusal) {
    const policy::StorageRule& rule = grip_.mounts->mounts()[request.mount];
    policy::Decision decision{false, answer.refusal->rule, answer.refusal->reason, std::nullopt};
    if (answer.refusal->write && answer.refusal->rule == "storage.allow") {
      decision.remedy = policy::storage_grant(rule.host, rule.guest, true);
    }
    refuse("storage", fmt::format("{} {}", verb(request), shown), decision);
    return std::move(answer.reply);
  }
  if (answer.reply.error == 0) {
    {
      const std::lock_guard lock(mutex_);
      if (answer.created) ++files_created_;
      if (std::find(mounts_in_use_.begin(), mounts_in_use_.end(), request.mount) ==
          mounts_in_use_.end()) {
        mounts_in_use_.push_back(request.mount);
      }
    }
    // Looking at what a file is like is no use of it worth a line of its own.
    if (request.operation != FileOperation::status) {
      use("storage", fmt::format("{} {}", verb(request), shown), "storage.allow");
    }
  }
  return std::move(answer.reply);
}

FileAnswer CallHost::perform_without_creating(const FileRequest& request) const {
  FileAnswer no_more;
  no_more.reply.error = EDQUOT;
  if (request.exclusive || request.operation != FileOperation::open) return no_more;
  // What is there already can still be opened.
  FileRequest existing = request;
  existing.create = false;
  FileAnswer answer = grip_.mounts->perform(existing);
  if (answer.reply.error == ENOENT) return no_more;
  return answer;
}

FileReply CallHost::no_mount(const FileRequest& request, std::string_view path) {
  FileReply reply;
  std::string guest = "/";
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (guest.size() > 1) guest += '/';
    guest += part;
  }
  const bool is_above_mount =
      guest == "/" ||
      (grip_.mounts && std::any_of(grip_.mounts->mounts().begin(), grip_.mounts->mounts().end(),
                                   [&](const policy::StorageRule& rule) {
                                     return rule.guest.starts_with(guest + "/");
                                   }));
  if (is_above_mount && request.operation == FileOperation::status) {
    reply.status.mode = S_IFDIR | 0555;
    reply.status.links = 1;
    return reply;
  }
  if (request.operation == FileOperation::read_link) {
    reply.error = EINVAL;
    return reply;
  }
  policy::Decision decision{false, "no rule", fmt::format("no folder is granted at {}", guest), {}};
  // A granted folder that is not there is another story.
  if (grip_.mounts) {
    for (const MountProblem& problem : grip_.mounts->problems()) {
      if (guest == problem.guest || guest.starts_with(problem.guest + "/")) {
        decision.reason = problem.text;
      }
    }
  }
  const bool write = verb(request) == "write";
  const std::string what = fmt::format("{} {}", verb(request), one_line(guest, 300));
  const bool hint = request.operation == FileOperation::status;
  for (const policy::ClosedMount& closed : grip_.snapshot->closed_mounts()) {
    if (guest != closed.guest && !guest.starts_with(closed.guest + "/")) continue;
    refuse("storage", what,
           {false,
            closed.by,
            fmt::format("{} does not allow what is granted at {}", closed.by, closed.guest),
            {}},
           hint);
    reply.error = hint ? ENOENT : EACCES;
    return reply;
  }
  const std::size_t end = guest.find('/', 1);
  const std::string folder = end == std::string::npos ? "/" : guest.substr(0, end);
  decision.remedy = policy::storage_grant(policy::unknown_folder, folder, write);
  refuse("storage", what, decision, hint);
  reply.error = hint ? ENOENT : EACCES;
  return reply;
}

bool CallHost::socket(const policy::Address& address, std::uint16_t port, engine::SocketUse use) {
  using engine::SocketUse;
  const bool tcp = use == SocketUse::tcp_bind || use == SocketUse::tcp_connect ||
                   use == SocketUse::tcp_listen || use == SocketUse::tcp_accept;
  const policy::Transport transport = tcp ? policy::Transport::tcp : policy::Transport::udp;
  if (use == SocketUse::tcp_bind || use == SocketUse::udp_bind) {
    // What the system does by itself before a connection, which is asked about next; a chosen port
    // would be a service.
    const auto& bytes = address.bytes();
    const bool unspecified =
        port == 0 && std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; });
    return unspecified;
  }
  const std::string target =
      fmt::format("{}:{}:{}", policy::name_of(transport), address.text(), port);
  if (use == SocketUse::tcp_listen || use == SocketUse::tcp_accept) {
    refuse("network", fmt::format("listen on {}", target),
           {false, "never", "a tool cannot offer a service on the network", {}});
    return false;
  }
  std::vector<policy::Host> names;
  {
    const std::lock_guard lock(mutex_);
    const auto known = reached_.names_of(address);
    names.assign(known.begin(), known.end());
  }
  const policy::Decision decision = decide_now([&](const policy::Snapshot& snapshot) {
    return snapshot.decide_socket(transport, address, port, names);
  });
  if (!decision) {
    // What others send unasked is dropped without a word.
    if (use != SocketUse::udp_receive) refuse("network", "connect to " + target, decision);
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    // A set, for each datagram comes by here.
    reached_.connections.insert({transport, address, port});
  }
  this->use("network", target, decision.rule);
  return true;
}

std::unique_ptr<engine::Pending> CallHost::begin_lookup(
    std::string_view name, std::move_only_function<void(engine::LookupAnswer)> done) {
  const auto host = policy::normalize_host(name);
  if (!host) {
    done({.failed = true, .denied = false, .addresses = {}});
    return std::make_unique<Nothing>();
  }
  const policy::Decision decision =
      decide_now([&](const policy::Snapshot& snapshot) { return snapshot.decide_lookup(*host); });
  if (!decision) {
    refuse("network", "look up " + host->name, decision);
    done({.failed = true, .denied = true, .addresses = {}});
    return std::make_unique<Nothing>();
  }
  use("network", "look up " + host->name, decision.rule);
  auto found = [self = shared_from_this(), host = *host,
                done = std::move(done)](Result<std::vector<policy::Address>> addresses) mutable {
    engine::LookupAnswer answer;
    answer.failed = !addresses.has_value();
    if (addresses) {
      for (const policy::Address& address : *addresses) {
        const policy::Decision allowed = self->decide_address(address);
        if (!allowed) {
          self->refuse("network", fmt::format("{} has the address {}", host.name, address.text()),
                       allowed);
          continue;
        }
        const std::lock_guard lock(self->mutex_);
        // A guest that looks names up for ever gets no more of them.
        if (self->reached_.names.size() >= maximum_targets) break;
        auto& names = self->reached_.names[address];
        if (std::find(names.begin(), names.end(), host) == names.end()) names.push_back(host);
        answer.addresses.push_back(address);
      }
      answer.denied = answer.addresses.empty() && !addresses->empty();
      answer.failed = answer.denied;
    }
    done(std::move(answer));
  };
  if (host->address) {
    found(std::vector{*host->address});
    return std::make_unique<Nothing>();
  }
  return component_->services().egress.lookup(*host, std::move(found));
}

std::unique_ptr<engine::HttpTransfer> CallHost::begin_http(engine::HttpRequest request,
                                                           std::unique_ptr<engine::HttpSink> sink) {
  auto checked = check_request(request);
  if (!checked) {
    refuse("network",
           fmt::format("{} {}://{}", one_line(request.method, 20), one_line(request.scheme, 20),
                       one_line(request.authority, 200)),
           {false, "form", checked.error().message(), {}});
    sink->fail(engine::HttpFailure::bad_request, checked.error().message());
    return std::make_unique<NoTransfer>();
  }
  return component_->services().egress.send(*std::move(checked), shared_from_this(),
                                            std::move(sink));
}

std::unique_ptr<engine::Pending> CallHost::begin_capability(
    std::string_view interface, std::string_view function, std::string_view arguments,
    std::move_only_function<void(engine::CapabilityAnswer)> done) {
  const policy::Decision decision = decide_now(
      [&](const policy::Snapshot& snapshot) { return snapshot.decide_capability(interface); });
  if (!decision) {
    refuse("capability", fmt::format("{}#{}", interface, function), decision);
    done({.ok = false, .denied = true, .text = decision.reason});
    return std::make_unique<Nothing>();
  }
  use("capability", fmt::format("{}#{}", interface, function), decision.rule);
  const auto& capabilities = component_->services().capabilities;
  const auto found =
      std::find_if(capabilities.begin(), capabilities.end(),
                   [&](const Capability& known) { return known.interface == interface; });
  if (found == capabilities.end()) {
    done({.ok = false, .denied = false, .text = "the host does not offer this interface"});
    return std::make_unique<Nothing>();
  }
  CapabilityReply reply([done = std::move(done)](bool ok, std::string text) mutable {
    done({.ok = ok, .denied = false, .text = std::move(text)});
  });
  found->call({interface, function, arguments, component_->subject()->component}, std::move(reply));
  return std::make_unique<Nothing>();
}

policy::Decision CallHost::decide(const EgressRequest& request) {
  return decide_now(
      [&](const policy::Snapshot& snapshot) { return snapshot.decide(request.facts()); });
}

policy::Decision CallHost::decide_address(const policy::Address& address) {
  return decide_now(
      [&](const policy::Snapshot& snapshot) { return snapshot.decide_address(address); });
}

Result<std::vector<OutgoingSecret>> CallHost::secrets_for(const EgressRequest& request) {
  std::vector<OutgoingSecret> secrets;
  const auto now = newer();
  for (const policy::SecretRule& rule : grip_.snapshot->secrets()) {
    if (!rule.host || !rule.host->matches(request.host)) continue;
    if (now &&
        std::find(now->secrets().begin(), now->secrets().end(), rule) == now->secrets().end()) {
      refuse("secret", rule.name, no_longer());
      continue;
    }
    // A credential over a clear connection is a credential for everybody.
    const bool own_machine = request.host.name == "localhost" ||
                             (request.host.address && request.host.address->is_loopback());
    if (request.scheme != policy::Scheme::https && !own_machine) {
      refuse("secret", rule.name,
             {false,
              "secrets go over https",
              fmt::format("a secret goes out over https only, and {} was asked over http",
                          request.host.name),
              {}});
      continue;
    }
    BELLJAR_TRY(auto value, component_->services().secrets.get(rule.name));
    if (!value) {
      refuse(
          "secret", rule.name,
          {false,
           "secret.allow",
           fmt::format("it is granted, but not set; to set it: belljar secret set {}", rule.name),
           {}});
      return fail(ErrorCode::not_found, "a secret that the request needs is not there");
    }
    secrets.push_back({rule.name, rule.place, rule.detail,
                       std::make_shared<const store::SecretValue>(*std::move(value))});
  }
  return secrets;
}

std::vector<OutgoingSecret> CallHost::secrets_to_hide() {
  std::vector<OutgoingSecret> secrets;
  for (const policy::SecretRule& rule : grip_.snapshot->secrets()) {
    // What was exposed is in the guest's hands anyway.
    if (rule.expose) continue;
    auto value = component_->services().secrets.get(rule.name);
    if (!value || !*value) continue;
    secrets.push_back({rule.name, rule.place, rule.detail,
                       std::make_shared<const store::SecretValue>(**std::move(value))});
  }
  return secrets;
}

void CallHost::refused(const EgressRequest& request, const policy::Decision& decision) {
  refuse("network", fmt::format("{} {}", request.method, request.log_url()), decision);
}

void CallHost::allowed(const EgressRequest& request) {
  use("network", fmt::format("{} {}", request.method, request.log_url()), "network.allow");
}

void CallHost::sending(const EgressRequest& request, const std::vector<OutgoingSecret>& secrets,
                       std::move_only_function<void(bool)> durable) {
  Services& services = component_->services();
  for (const OutgoingSecret& secret : secrets) {
    services.log.append(
        {audit::RecordKind::use, services.clock.now(), component_->subject(),
         fmt::format("\"permission\":\"secret\",\"what\":{},\"for\":{}", json_string(secret.name),
                     json_string(for_the_record(request.log_url())))});
  }
  if (secrets.empty()) {
    durable(true);
  } else {
    services.log.when_durable(std::move(durable));
  }
}

void CallHost::finished(const EgressRequest& request, int status, std::uint64_t received) {
  Services& services = component_->services();
  services.log.append(
      {audit::RecordKind::use, services.clock.now(), component_->subject(),
       fmt::format(
           "\"permission\":\"network\",\"what\":{},\"status\":{},\"received\":{}",
           json_string(for_the_record(fmt::format("{} {}", request.method, request.log_url()))),
           status, received)});
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
  const std::string what = for_the_record(std::string(used));
  {
    const std::lock_guard lock(mutex_);
    const auto key = std::pair(std::string(kind), what);
    const auto known = uses_.find(key);
    if (known != uses_.end()) {
      ++known->second;
      return;
    }
    if (uses_.size() < maximum_targets) uses_.emplace(key, 1);
  }
  Services& services = component_->services();
  services.log.append({audit::RecordKind::use, services.clock.now(), component_->subject(),
                       fmt::format("\"permission\":\"{}\",\"what\":{},\"rule\":{}", kind,
                                   json_string(what), json_string(rule))});
}

std::vector<Refusal> CallHost::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

std::string CallHost::usage_details() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string_view, std::uint64_t> totals;
  for (const auto& [key, times] : uses_) totals[key.first] += times;
  std::string details;
  for (const auto& [kind, times] : totals) {
    details += fmt::format("{}\"{}\":{}", details.empty() ? "" : ",", kind, times);
  }
  return details;
}

}  // namespace belljar::host
