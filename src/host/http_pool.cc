#include "host/http_pool.h"

#include <sys/epoll.h>

#include <utility>

namespace belljar::host {
namespace {

/// Idle connections that a pool keeps.
constexpr long idle_connections = 8;

}  // namespace

HttpPool::HttpPool(const CurlLibrary& library, EventLoop& loop)
    : library_(library),
      loop_(loop),
      multi_(library.curl_multi_init()),
      self_(std::make_shared<HttpPool*>(this)) {
  library_.curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  library_.curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  library_.curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  library_.curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  library_.curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections);
}

HttpPool::~HttpPool() {
  self_.reset();
  for (auto& [handle, done] : running_) library_.curl_multi_remove_handle(multi_, handle);
  library_.curl_multi_cleanup(multi_);
  if (timer_ != 0) loop_.cancel(timer_);
}

void HttpPool::add(CURL* handle, std::move_only_function<void(CURLcode)> done) {
  running_.emplace(handle, std::move(done));
  library_.curl_multi_add_handle(multi_, handle);
}

void HttpPool::remove(CURL* handle) {
  if (running_.erase(handle) > 0) library_.curl_multi_remove_handle(multi_, handle);
}

int HttpPool::on_socket(CURL*, curl_socket_t socket, int what, void* pool, void*) {
  auto* const self = static_cast<HttpPool*>(pool);
  std::uint32_t events = 0;
  if (what != CURL_POLL_REMOVE && (what & CURL_POLL_IN) != 0) events |= EPOLLIN;
  if (what != CURL_POLL_REMOVE && (what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
  self->loop_.watch(socket, events,
                    [weak = std::weak_ptr(self->self_), socket](std::uint32_t ready) {
                      const auto held = weak.lock();
                      if (!held) return;
                      int action = 0;
                      if ((ready & EPOLLIN) != 0) action |= CURL_CSELECT_IN;
                      if ((ready & EPOLLOUT) != 0) action |= CURL_CSELECT_OUT;
                      if ((ready & (EPOLLERR | EPOLLHUP)) != 0) action |= CURL_CSELECT_ERR;
                      (*held)->act(socket, action);
                    });
  return 0;
}

int HttpPool::on_timer(CURLM*, long milliseconds, void* pool) {
  auto* const self = static_cast<HttpPool*>(pool);
  if (self->timer_ != 0) self->loop_.cancel(std::exchange(self->timer_, 0));
  if (milliseconds < 0) return 0;
  self->timer_ = self->loop_.at(EventLoop::Clock::now() + std::chrono::milliseconds(milliseconds),
                                [weak = std::weak_ptr(self->self_)] {
                                  const auto held = weak.lock();
                                  if (!held) return;
                                  (*held)->timer_ = 0;
                                  (*held)->act(CURL_SOCKET_TIMEOUT, 0);
                                });
  return 0;
}

void HttpPool::act(curl_socket_t socket, int events) {
  const std::weak_ptr alive(self_);
  int running = 0;
  library_.curl_multi_socket_action(multi_, socket, events, &running);
  if (alive.lock()) collect();
}

void HttpPool::collect() {
  const std::weak_ptr alive(self_);
  int left = 0;
  while (CURLMsg* const message = library_.curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const handle = message->easy_handle;
    const CURLcode code = message->data.result;
    const auto found = running_.find(handle);
    if (found == running_.end()) continue;
    auto done = std::move(found->second);
    running_.erase(found);
    library_.curl_multi_remove_handle(multi_, handle);
    done(code);
    // The last one to be done may have ended the pool.
    if (!alive.lock()) return;
  }
}

}  // namespace belljar::host
