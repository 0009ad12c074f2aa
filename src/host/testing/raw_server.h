// A server on the loopback that says exactly what a test wants it to say, byte for byte.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/file.h"

namespace belljar::host::testing {

/// A client's connection, as the server sees it.
class Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor) {}

  /// False once the client has gone.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// Reads until `text` holds `end`; false where the client goes before.
  bool receive_until(std::string& text, std::string_view end) const {
    while (text.find(end) == std::string::npos) {
      if (!receive_some(text)) return false;
    }
    return true;
  }
  bool receive_some(std::string& text) const {
    std::array<char, 16'384> buffer{};
    const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }
  /// One request's head and, where it has a content-length, its body; empty at the end.
  [[nodiscard]] std::string request() const {
    std::string text;
    if (!receive_until(text, "\r\n\r\n")) return text;
    const std::size_t body = text.find("\r\n\r\n") + 4;
    std::size_t length = 0;
    if (const std::size_t at = text.find("Content-Length: "); at < body) {
      length = std::stoul(text.substr(at + 16));
    }
    while (text.size() < body + length && receive_some(text)) {
    }
    return text;
  }
  /// Waits for the client to go.
  void wait_for_close() const {
    std::string ignored;
    while (receive_some(ignored)) ignored.clear();
  }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

/// Runs `serve` for every connection, on a thread each, until it is destroyed.
class RawServer {
 public:
  using Serve = std::function<void(const Connection&)>;

  explicit RawServer(Serve serve) : serve_(std::move(serve)) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 512) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~RawServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const UniqueFd& connection : connections_) ::shutdown(connection.get(), SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  /// Answers every request on every connection with this text, and keeps what it was asked.
  [[nodiscard]] static Serve answering(std::string response, std::vector<std::string>* requests,
                                       std::mutex* mutex) {
    return [response = std::move(response), requests, mutex](const Connection& connection) {
      while (true) {
        std::string request = connection.request();
        if (request.empty()) return;
        if (requests != nullptr) {
          const std::lock_guard lock(*mutex);
          requests->push_back(std::move(request));
        }
        if (!connection.send(response)) return;
      }
    };
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::size_t connections() const noexcept { return accepted_; }

 private:
  void accept_all() {
    while (true) {
      UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      const int on = 1;
      ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ++accepted_;
      const std::lock_guard lock(mutex_);
      connections_.push_back(std::move(connection));
      threads_.emplace_back([this, descriptor = connections_.back().get()] {
        serve_(Connection(descriptor));
        ::shutdown(descriptor, SHUT_RDWR);
      });
    }
  }

  Serve serve_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> accepted_ = 0;
  std::mutex mutex_;
  std::list<UniqueFd> connections_;
  std::vector<std::thread> threads_;
  std::thread thread_;
};

}  // namespace belljar::host::testing
