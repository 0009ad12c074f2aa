// A small internet on the loopback: a name server, and the egress that asks it.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "host/testing/egress_peers.h"
#include "host/testing/name_server.h"
#include "host/testing/raw_server.h"

namespace belljar::host::testing {

/// A request under way. Destroying it cancels.
struct Flight {
  std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  std::unique_ptr<engine::HttpTransfer> transfer;

  [[nodiscard]] Response response() const { return inbox->wait(); }
};

class Network {
 public:
  /// Every name has the loopback's address unless `answer` says otherwise.
  explicit Network(EgressOptions options = {}, NameServer::Answer answer = loopback)
      : names_(std::move(answer)) {
    if (options.name_servers.empty()) options.name_servers = {names_.text()};
    auto egress = make_egress(options);
    if (!egress) throw std::runtime_error(egress.error().describe());
    egress_ = *std::move(egress);
  }

  static std::vector<policy::Address> loopback(const std::string&) {
    return {*policy::Address::parse("127.0.0.1")};
  }

  /// A policy that allows everything to a host, on the loopback. `more` are lines of the rule.
  static std::string policy_for(std::string_view host, std::string_view more = {}) {
    return fmt::format(
        "version: \"1.1\"\npermissions:\n  network:\n    allow:\n      - host: \"{}\"\n{}"
        "      - cidr: 127.0.0.1/32\n",
        host, more);
  }

  static engine::HttpRequest get(std::string_view authority, std::string_view target = "/") {
    engine::HttpRequest request;
    request.method = "GET";
    request.scheme = "http";
    request.authority = authority;
    request.path_and_query = target;
    return request;
  }

  Flight send(std::shared_ptr<EgressPrincipal> principal, const engine::HttpRequest& request,
              bool slow_guest = false) {
    auto checked = check_request(request);
    if (!checked) throw std::runtime_error(checked.error().describe());
    Flight flight;
    if (slow_guest) flight.inbox->pause_always();
    flight.transfer = egress_->send(*std::move(checked), std::move(principal),
                                    std::make_unique<InboxSink>(flight.inbox));
    return flight;
  }

  /// Sends a request and waits for its end.
  Response fetch(std::shared_ptr<EgressPrincipal> principal, const engine::HttpRequest& request) {
    return send(std::move(principal), request).response();
  }

  [[nodiscard]] NameServer& names() noexcept { return names_; }
  [[nodiscard]] Egress& egress() noexcept { return *egress_; }

 private:
  NameServer names_;
  std::unique_ptr<Egress> egress_;
};

}  // namespace belljar::host::testing
