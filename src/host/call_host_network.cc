// What a call's guest does with the network: sockets, lookups and requests.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/call_host.h"
#include "policy/rules.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::host {
namespace {

class NoTransfer final : public engine::HttpTransfer {
 public:
  bool provide(std::string_view) override { return true; }
  void finish() override {}
  void abort() override {}
  void resume() override {}
};

}  // namespace

bool CallHost::make_socket(policy::Transport transport) {
  const policy::Decision decision = decide_now(
      [&](const policy::Snapshot& snapshot) { return snapshot.decide_sockets(transport); });
  if (!decision) {
    refuse("network", fmt::format("make a {} socket", policy::name_of(transport)), decision);
  }
  return decision.allowed;
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
    return std::make_unique<engine::Pending>();
  }
  const policy::Decision decision =
      decide_now([&](const policy::Snapshot& snapshot) { return snapshot.decide_lookup(*host); });
  if (!decision) {
    refuse("network", "look up " + host->name, decision);
    done({.failed = true, .denied = true, .addresses = {}});
    return std::make_unique<engine::Pending>();
  }
  use("network", "look up " + host->name, decision.rule);
  auto found = [self = shared_from_this(), host = *host,
                done = std::move(done)](Result<std::vector<policy::Address>> addresses) mutable {
    engine::LookupAnswer answer;
    answer.failed = !addresses.has_value();
    if (addresses) {
      for (const policy::Address& address : *addresses) {
        const policy::Decision allowed = self->decide_now([&](const policy::Snapshot& snapshot) {
          return snapshot.decide_address(host, address);
        });
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
    return std::make_unique<engine::Pending>();
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

policy::Decision CallHost::decide(const EgressRequest& request) {
  return decide_now(
      [&](const policy::Snapshot& snapshot) { return snapshot.decide(request.facts()); });
}

policy::Decision CallHost::decide_address(const EgressRequest& request,
                                          const policy::Address& address) {
  return decide_now([&](const policy::Snapshot& snapshot) {
    return snapshot.decide_address(request.facts(), address);
  });
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

std::vector<std::shared_ptr<const store::SecretValue>> CallHost::secrets_sent_to(
    const EgressRequest& request) {
  return component_->sent_secrets().of(request.server());
}

void CallHost::refused(const EgressRequest& request, const policy::Decision& decision) {
  refuse("network", fmt::format("{} {}", request.method, request.log_url()), decision);
}

void CallHost::allowed(const EgressRequest& request) {
  use("network", fmt::format("{} {}", request.method, request.log_url()), "network.allow");
}

void CallHost::sending(const EgressRequest& request, const std::vector<OutgoingSecret>& secrets,
                       std::move_only_function<void(bool)> durable) {
  if (secrets.empty()) return durable(true);
  Services& services = component_->services();
  std::string url = for_the_record(request.log_url());
  if (url.size() > audit::longest_text) url = one_line(url, audit::longest_text);
  for (const OutgoingSecret& secret : secrets) {
    component_->sent_secrets().remember(request.server(), secret.value);
  }
  std::vector<std::pair<std::string, std::string>> uses;
  std::vector<audit::Record> fresh;
  {
    const std::lock_guard lock(mutex_);
    for (const OutgoingSecret& secret : secrets) {
      Usage::SecretUse use = usage_.note_secret(secret.name, url, request.host.name);
      if (use.fresh) {
        fresh.push_back({audit::RecordKind::use, services.clock.now(), component_->subject(),
                         fmt::format("\"permission\":\"secret\",\"what\":{},\"for\":{}",
                                     json_string(secret.name), json_string(use.target))});
      }
      uses.emplace_back(secret.name, std::move(use.target));
    }
  }
  if (fresh.empty()) {
    // The record that stands for this use may be another request's that is still being written.
    services.log.when_durable([self = shared_from_this(), uses = std::move(uses),
                               durable = std::move(durable)](bool ok) mutable {
      bool known = false;
      {
        const std::lock_guard lock(self->mutex_);
        known = std::all_of(uses.begin(), uses.end(), [&](const auto& use) {
          return self->usage_.has_secret(use.first, use.second);
        });
      }
      durable(ok && known);
    });
    return;
  }
  services.log.append_then(std::move(fresh),
                           [self = shared_from_this(), uses = std::move(uses),
                            durable = std::move(durable)](Result<void> written) mutable {
                             if (!written) {
                               const std::lock_guard lock(self->mutex_);
                               for (const auto& [secret, target] : uses) {
                                 self->usage_.forget_secret(secret, target);
                               }
                             }
                             durable(written.has_value());
                           });
}

void CallHost::finished(const EgressRequest& request, int status, std::uint64_t received) {
  {
    const std::lock_guard lock(mutex_);
    if (!usage_.note_answer(received)) return;
  }
  std::string what = for_the_record(fmt::format("{} {}", request.method, request.log_url()));
  if (what.size() > audit::longest_text) what = one_line(what, audit::longest_text);
  Services& services = component_->services();
  services.log.append({audit::RecordKind::use, services.clock.now(), component_->subject(),
                       fmt::format("\"permission\":\"network\",\"what\":{},\"status\":{},"
                                   "\"received\":{}",
                                   json_string(what), status, received)});
}

}  // namespace belljar::host
