// Ends connections at which more arrives than they may get, whatever their owner is doing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "belljar/error.h"

namespace belljar::host {

/// Bytes that have arrived at a socket, as the kernel counts them: what TLS, HTTP/2 and the framing
/// of bodies take is in it, read or not. Nothing where the kernel does not say (before Linux 4.1).
[[nodiscard]] std::optional<std::uint64_t> arrived_at(int socket);

/// Looks at sockets from a thread of its own, for a peer that sends without end keeps a library
/// that reads until nothing is left from ever returning: HTTP/2 has frames that are part of no
/// answer. Any thread.
class ArrivalMeter {
 public:
  /// Starts the thread; fails where there can be none.
  [[nodiscard]] static Result<std::unique_ptr<ArrivalMeter>> make();

  /// Shuts the socket down once more than `most` bytes have arrived at it in all its life.
  void watch(int socket, std::uint64_t most);
  /// To be called before the socket is closed: its number may be another's afterwards. Whether it
  /// was shut down.
  bool forget(int socket);

 private:
  struct Watched {
    std::uint64_t most = 0;
    bool shut = false;
  };

  ArrivalMeter() = default;
  void look(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<int, Watched> watched_;
  /// The last member: it ends before what it uses.
  std::jthread thread_;
};

}  // namespace belljar::host
