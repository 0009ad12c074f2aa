#include "host/http_pool.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <optional>
#include <utility>

namespace belljar::host {
namespace {

/// Idle connections that a pool keeps.
constexpr long idle_connections = 8;

/// What no other socket of this machine is called by; nothing where the kernel does not say.
std::uint64_t number_of(curl_socket_t socket) {
  std::uint64_t number = 0;
  socklen_t size = sizeof number;
  return ::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &number, &size) == 0 ? number : 0;
}

}  // namespace

HttpPool::HttpPool(const CurlLibrary& library, EventLoop& loop, ArrivalMeter& meter)
    : library_(library),
      loop_(loop),
      meter_(meter),
      multi_(library.curl_multi_init()),
      self_(std::make_shared<HttpPool*>(this)) {
  library_.curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  library_.curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  library_.curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  library_.curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  library_.curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections);
  // Streams of one connection would share what arrives, and with it their limits.
  library_.curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
}

HttpPool::~HttpPool() {
  self_.reset();
  for (auto& [handle, running] : running_) library_.curl_multi_remove_handle(multi_, handle);
  library_.curl_multi_cleanup(multi_);
  if (timer_ != 0) loop_.cancel(timer_);
}

void HttpPool::add(CURL* handle, std::uint64_t most, Done done) {
  running_.emplace(handle, Running{.done = std::move(done), .most = most});
  library_.curl_multi_add_handle(multi_, handle);
}

void HttpPool::remove(CURL* handle) {
  if (running_.erase(handle) > 0) library_.curl_multi_remove_handle(multi_, handle);
}

int HttpPool::on_socket(CURL* handle, curl_socket_t socket, int what, void* pool, void*) {
  auto* const self = static_cast<HttpPool*>(pool);
  if (what == CURL_POLL_REMOVE) {
    const bool shut = self->meter_.forget(socket);
    const auto owner = self->owners_.extract(socket);
    if (shut && owner) {
      const auto running = self->running_.find(owner.mapped());
      if (running != self->running_.end()) running->second.exceeded = true;
    }
  } else {
    self->took(handle, socket);
  }
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

void HttpPool::took(CURL* handle, curl_socket_t socket) {
  const auto found = running_.find(handle);
  if (found == running_.end()) return;
  owners_[socket] = handle;
  const std::uint64_t number = number_of(socket);
  if (found->second.socket == number) return;
  found->second.socket = number;
  found->second.before = arrived_at(socket).value_or(0);
  meter_.watch(socket, found->second.before + found->second.most);
}

void HttpPool::count(curl_socket_t socket) {
  const auto owner = owners_.find(socket);
  if (owner == owners_.end()) return;
  const auto found = running_.find(owner->second);
  if (found == running_.end()) return;
  const auto arrived = arrived_at(socket);
  if (!arrived || *arrived <= found->second.before ||
      *arrived - found->second.before <= found->second.most) {
    return;
  }
  auto done = std::move(found->second.done);
  remove(owner->second);
  done(CURLE_FILESIZE_EXCEEDED);
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
  if (alive.lock()) count(socket);
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
    auto done = std::move(found->second.done);
    const bool exceeded = found->second.exceeded;
    running_.erase(found);
    library_.curl_multi_remove_handle(multi_, handle);
    done(exceeded ? CURLE_FILESIZE_EXCEEDED : code);
    // The last one to be done may have ended the pool.
    if (!alive.lock()) return;
  }
}

}  // namespace belljar::host
