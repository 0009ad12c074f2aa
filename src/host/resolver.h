// Names to addresses: one resolver for everything, with a deadline.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
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

  /// Calls `done` with every address of the name, of both families. Once `asker` is gone, nobody
  /// has to be told.
  void lookup(const policy::Host& host, std::weak_ptr<const void> asker, Done done);

 private:
  struct Channel;
  struct Asker {
    std::weak_ptr<const void> self;
    Done done;
  };
  [[nodiscard]] Result<void> use_settings();
  void ask_more();
  void answer(const std::string& name, const Result<std::vector<policy::Address>>& addresses);

  EventLoop& loop_;
  std::vector<std::string> name_servers_;
  std::chrono::milliseconds timeout_;
  std::shared_ptr<Channel> channel_;
  /// Who wants to know a name that is asked for or waits to be.
  std::map<std::string, std::vector<Asker>> askers_;
  std::deque<std::string> waiting_;
  std::size_t asked_ = 0;
};

}  // namespace belljar::host
