// The one way out: every HTTP request of every guest, and Belljar's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/host.h"
#include "policy/snapshot.h"
#include "store/secrets.h"
#include "support/units.h"

namespace belljar::host {

/// A request that was checked for form and is about to be decided about.
struct EgressRequest {
  policy::Scheme scheme = policy::Scheme::https;
  policy::Host host;
  std::uint16_t port = 443;
  std::string method;
  /// `/path?query`
  std::string target;
  std::vector<engine::HttpHeader> headers;
  /// Methods that it names besides its own, on which servers may act.
  std::vector<std::string> overriding_methods;
  bool has_body = false;
  /// The body's length, where the sender has said it.
  std::optional<std::uint64_t> content_length;
  std::chrono::nanoseconds connect_timeout{0};
  std::chrono::nanoseconds first_byte_timeout{0};
  std::chrono::nanoseconds between_bytes_timeout{0};

  /// The facts that a decision is made about.
  [[nodiscard]] policy::HttpFacts facts() const;
  /// For the log: without query, user or fragment.
  [[nodiscard]] std::string log_url() const;
  /// Whom it is for: `https://api.example:443`.
  [[nodiscard]] std::string server() const;
};

/// Checks a guest's request: scheme, authority, method, target, headers. The message says what is
/// wrong with it.
[[nodiscard]] Result<EgressRequest> check_request(const engine::HttpRequest& request);

/// A secret that goes out with a request.
struct OutgoingSecret {
  std::string name;
  policy::SecretPlace place = policy::SecretPlace::header;
  std::string detail;
  std::shared_ptr<const store::SecretValue> value;
};

/// On whose behalf a request is made. Calls come from the egress thread, which they may block
/// for a moment; the last of them may come while the egress is destroyed, and what they use must
/// outlive it.
class EgressPrincipal {
 public:
  virtual ~EgressPrincipal() = default;
  /// Connections are shared only between requests of the same pool.
  [[nodiscard]] virtual const std::string& pool() const = 0;
  [[nodiscard]] virtual policy::Decision decide(const EgressRequest& request) = 0;
  /// About an address that the request's host has, or is.
  [[nodiscard]] virtual policy::Decision decide_address(const EgressRequest& request,
                                                        const policy::Address& address) = 0;
  /// The secrets that go with a request to this host.
  [[nodiscard]] virtual Result<std::vector<OutgoingSecret>> secrets_for(
      const EgressRequest& request) = 0;
  /// Secrets that went to the same server with earlier requests, and that it may send back.
  [[nodiscard]] virtual std::vector<std::shared_ptr<const store::SecretValue>> secrets_sent_to(
      const EgressRequest& request) = 0;
  virtual void refused(const EgressRequest& request, const policy::Decision& decision) = 0;
  /// Notes that a request was allowed, before anything of it leaves: its name is the first.
  virtual void allowed(const EgressRequest& request) = 0;
  /// Notes that the request and these secrets are about to be sent. `durable` is called once that
  /// is safe to do.
  virtual void sending(const EgressRequest& request, const std::vector<OutgoingSecret>& secrets,
                       std::move_only_function<void(bool)> durable) = 0;
  /// Notes how the request ended, before its sink is told.
  virtual void finished(const EgressRequest& request, int status, std::uint64_t received) = 0;
  /// The grant epoch now; when it moves, a request under way is decided about again.
  [[nodiscard]] virtual std::uint64_t epoch() const = 0;
  [[nodiscard]] virtual const policy::Limits& limits() const = 0;
};

struct EgressOptions {
  /// `ADDRESS[:PORT]` of name servers; empty takes the system's.
  std::vector<std::string> name_servers;
  /// A file of certificates to trust besides the system's.
  std::string certificates;
  /// Requests that all tools together have under way; more wait.
  std::size_t concurrency = 256;
  /// Requests that wait; more are refused.
  std::size_t waiting = 4'096;
  /// Requests of one pool that wait.
  std::size_t waiting_of_one = 512;
  /// Requests that may speak HTTP/2 at a time; the others speak HTTP/1.1. libcurl 7.88 goes on
  /// taking a stream that its guest does not read, up to 32 MiB of it: this bounds what that costs.
  std::size_t http2_exchanges = 2;
  std::chrono::milliseconds name_timeout{5'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds head_timeout{30'000};
  std::chrono::milliseconds idle_timeout{30'000};
};

/// Sends requests and looks up names, on a thread of its own.
class Egress {
 public:
  virtual ~Egress() = default;
  /// Starts a request. The sink hears of its end unless the transfer is destroyed before.
  [[nodiscard]] virtual std::unique_ptr<engine::HttpTransfer> send(
      EgressRequest request, std::shared_ptr<EgressPrincipal> principal,
      std::unique_ptr<engine::HttpSink> sink) = 0;
  /// Looks up a name that was decided about. The answer has every address that the name has.
  [[nodiscard]] virtual std::unique_ptr<engine::Pending> lookup(
      const policy::Host& host,
      std::move_only_function<void(Result<std::vector<policy::Address>>)> done) = 0;
};

[[nodiscard]] Result<std::unique_ptr<Egress>> make_egress(const EgressOptions& options);

}  // namespace belljar::host
