// Connections of one pool: a libcurl multi handle on the event loop.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "host/curl_library.h"
#include "host/event_loop.h"

namespace belljar::host {

/// Runs easy handles. Lives on the event loop and is used only there.
class HttpPool {
 public:
  HttpPool(const CurlLibrary& library, EventLoop& loop);
  ~HttpPool();
  HttpPool(const HttpPool&) = delete;
  HttpPool& operator=(const HttpPool&) = delete;

  /// Starts a handle; `done` gets its result, unless it is removed before.
  void add(CURL* handle, std::move_only_function<void(CURLcode)> done);
  void remove(CURL* handle);
  [[nodiscard]] const CurlLibrary& library() const noexcept { return library_; }
  [[nodiscard]] bool idle() const noexcept { return running_.empty(); }

 private:
  static int on_socket(CURL* handle, curl_socket_t socket, int what, void* pool, void* data);
  static int on_timer(CURLM* multi, long milliseconds, void* pool);
  void act(curl_socket_t socket, int events);
  void collect();

  const CurlLibrary& library_;
  EventLoop& loop_;
  CURLM* multi_;
  EventLoop::TimerId timer_ = 0;
  std::unordered_map<CURL*, std::move_only_function<void(CURLcode)>> running_;
  /// Callbacks hold this weakly: they may come after the pool is gone.
  std::shared_ptr<HttpPool*> self_;
};

}  // namespace belljar::host
