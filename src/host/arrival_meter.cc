#include "host/arrival_meter.h"

#include <netinet/in.h>
// Not netinet/tcp.h, whose tcp_info ends too early.
#include <linux/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include <chrono>
#include <system_error>

#include "support/result.h"

namespace belljar::host {
namespace {

/// How often it is looked: what a fast peer can send meanwhile is the memory of its connection.
constexpr std::chrono::milliseconds interval{20};

}  // namespace

std::optional<std::uint64_t> arrived_at(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
    return std::nullopt;
  }
  return info.tcpi_bytes_received;
}

Result<std::unique_ptr<ArrivalMeter>> ArrivalMeter::make() {
  std::unique_ptr<ArrivalMeter> meter(new ArrivalMeter);
  try {
    meter->thread_ =
        std::jthread([own = meter.get()](const std::stop_token& stop) { own->look(stop); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::internal, "no thread for counting what arrives: {}", error.what());
  }
  ::pthread_setname_np(meter->thread_.native_handle(), "belljar-arrivals");
  return meter;
}

void ArrivalMeter::watch(int socket, std::uint64_t most) {
  const std::lock_guard lock(mutex_);
  const bool sleeps = watched_.empty();
  watched_.insert_or_assign(socket, Watched{.most = most});
  if (sleeps) changed_.notify_one();
}

bool ArrivalMeter::forget(int socket) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(socket);
  if (found == watched_.end()) return false;
  const bool shut = found->second.shut;
  watched_.erase(found);
  return shut;
}

void ArrivalMeter::look(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait(lock, stop, [&] { return !watched_.empty(); });
    // Nothing ends it early but the end: there is no hurry for those that come meanwhile.
    changed_.wait_for(lock, stop, interval, [] { return false; });
    for (auto& [socket, watched] : watched_) {
      if (watched.shut || arrived_at(socket).value_or(0) <= watched.most) continue;
      // Whoever reads comes to an end now, and asks why when it forgets the socket.
      ::shutdown(socket, SHUT_RDWR);
      watched.shut = true;
    }
  }
}

}  // namespace belljar::host
