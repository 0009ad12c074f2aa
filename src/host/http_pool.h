// Connections of one pool: a libcurl multi handle on the event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "host/arrival_meter.h"
#include "host/curl_library.h"
#include "host/event_loop.h"

namespace belljar::host {

/// Runs easy handles, each on a connection that no other uses meanwhile. Lives on the event loop
/// and is used only there.
class HttpPool {
 public:
  HttpPool(const CurlLibrary& library, EventLoop& loop, ArrivalMeter& meter);
  ~HttpPool();
  HttpPool(const HttpPool&) = delete;
  HttpPool& operator=(const HttpPool&) = delete;

  using Done = std::move_only_function<void(CURLcode)>;
  /// Starts a handle; `done` gets its result, unless it is removed before. One for which more than
  /// `most` bytes arrive at its socket, by whatever way and for whatever purpose, ends with
  /// CURLE_FILESIZE_EXCEEDED.
  void add(CURL* handle, std::uint64_t most, Done done);
  void remove(CURL* handle);
  [[nodiscard]] const CurlLibrary& library() const noexcept { return library_; }
  [[nodiscard]] bool idle() const noexcept { return running_.empty(); }

 private:
  static int on_socket(CURL* handle, curl_socket_t socket, int what, void* pool, void* data);
  static int on_timer(CURLM* multi, long milliseconds, void* pool);
  /// A handle that runs, and the connection that it has.
  struct Running {
    Done done;
    std::uint64_t most = 0;
    /// The kernel's number for the socket; descriptors are used again.
    std::uint64_t socket = 0;
    /// What had arrived at the socket before the handle got it.
    std::uint64_t before = 0;
    /// More arrived than may, and the connection was shut down for it.
    bool exceeded = false;
  };

  void act(curl_socket_t socket, int events);
  void collect();
  void took(CURL* handle, curl_socket_t socket);
  void count(curl_socket_t socket);

  const CurlLibrary& library_;
  EventLoop& loop_;
  ArrivalMeter& meter_;
  CURLM* multi_;
  EventLoop::TimerId timer_ = 0;
  std::unordered_map<CURL*, Running> running_;
  std::unordered_map<curl_socket_t, CURL*> owners_;
  /// Callbacks hold this weakly: they may come after the pool is gone.
  std::shared_ptr<HttpPool*> self_;
};

}  // namespace belljar::host
