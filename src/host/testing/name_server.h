// A name server on the loopback whose answers a test chooses, question by question.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "policy/address.h"
#include "support/file.h"

namespace belljar::host::testing {

/// Speaks as much of DNS as address lookups need (RFC 1035, over UDP).
class NameServer {
 public:
  /// Gives the addresses of a name; an empty list answers that there is no such name.
  using Answer = std::function<std::vector<policy::Address>(const std::string& name)>;

  explicit NameServer(Answer answer) : answer_(std::move(answer)) {
    socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no name server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    stop_ = true;
    // An empty datagram wakes the thread.
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    ::sendto(socket_.get(), "", 0, 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
    thread_.join();
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  [[nodiscard]] std::string text() const { return "127.0.0.1:" + std::to_string(port_); }
  /// Questions for IPv4 addresses: one for each lookup.
  [[nodiscard]] std::size_t lookups() const noexcept { return lookups_; }

 private:
  static constexpr std::uint16_t type_a = 1;
  static constexpr std::uint16_t type_aaaa = 28;

  void serve() {
    std::array<std::uint8_t, 2'048> buffer{};
    while (true) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t count = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &size);
      if (stop_) return;
      if (count < 17) continue;
      const std::vector<std::uint8_t> reply =
          reply_to({buffer.data(), static_cast<std::size_t>(count)});
      ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
               size);
    }
  }

  std::vector<std::uint8_t> reply_to(std::basic_string_view<std::uint8_t> question) {
    std::string name;
    std::size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      const std::size_t length = question[at];
      if (!name.empty()) name += '.';
      for (std::size_t i = 1; i <= length && at + i < question.size(); ++i) {
        name += static_cast<char>(question[at + i]);
      }
      at += length + 1;
    }
    const std::size_t end = at + 5;
    const std::uint16_t type = static_cast<std::uint16_t>(question[at + 1] << 8 | question[at + 2]);
    // Both families are asked for; the test's answer is made once for the pair.
    if (type == type_a) {
      ++lookups_;
      addresses_ = answer_(name);
    }
    std::vector<std::uint8_t> answers;
    std::uint8_t count = 0;
    for (const policy::Address& address : type == type_a ? addresses_ : answer_six(name)) {
      if (address.is_v4() != (type == type_a)) continue;
      ++count;
      const std::uint8_t length = address.is_v4() ? 4 : 16;
      // The name by a pointer to the question, the type, the class, no time to live.
      for (const std::uint8_t byte : std::array<std::uint8_t, 12>{
               0xC0, 12, 0, static_cast<std::uint8_t>(type), 0, 1, 0, 0, 0, 0, 0, length}) {
        answers.push_back(byte);
      }
      answers.insert(answers.end(), address.bytes().begin(), address.bytes().begin() + length);
    }
    std::vector<std::uint8_t> reply(question.begin(),
                                    question.begin() + static_cast<std::ptrdiff_t>(end));
    reply[2] = 0x81;
    reply[3] = 0x80;
    for (const std::size_t field : {6U, 8U, 10U}) reply[field] = reply[field + 1] = 0;
    reply[7] = count;
    reply.insert(reply.end(), answers.begin(), answers.end());
    return reply;
  }

  /// IPv6 answers come from names that have some, which tests give by a name of their own.
  std::vector<policy::Address> answer_six(const std::string& name) const {
    return name.starts_with("six") ? answer_(name) : std::vector<policy::Address>();
  }

  Answer answer_;
  UniqueFd socket_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> lookups_ = 0;
  std::vector<policy::Address> addresses_;
  std::thread thread_;
};

}  // namespace belljar::host::testing
