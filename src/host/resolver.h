// Names to addresses: one resolver for everything, with a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belljar/error.h"
#include "host/event_loop.h"
#include "policy/address.h"
#include "policy/host.h"

namespace belljar::host {

/// Looks up names with c-ares, on an event loop and only there.
class Resolver {
 public:
  using Done = std::move_only_function<void(Result<std::vector<policy::Address>>)>;

  /// `name_servers` are `ADDRESS[:PORT]`; none takes the system's.
  Resolver(EventLoop& loop, std::vector<std::string> name_servers,
           std::chrono::milliseconds timeout);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Calls `done` with every address of the name, of both families.
  void lookup(const policy::Host& host, Done done);

 private:
  struct Channel;
  [[nodiscard]] Result<std::shared_ptr<Channel>> channel();

  EventLoop& loop_;
  std::vector<std::string> name_servers_;
  std::chrono::milliseconds timeout_;
  std::shared_ptr<Channel> channel_;
};

}  // namespace belljar::host
