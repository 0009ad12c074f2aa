#include "host/arrival_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "support/file.h"

namespace belljar::host {
namespace {

/// Two ends of a connection over the loopback.
struct Connection {
  Connection() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    ours.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(ours.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    theirs.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  UniqueFd ours;
  UniqueFd theirs;
};

TEST(ArrivalMeterTest, EndsAReaderThatWouldNeverBeDone) {
  auto meter = ArrivalMeter::make();
  ASSERT_TRUE(meter) << meter.error().describe();
  const Connection connection;
  (*meter)->watch(connection.ours.get(), 100'000);
  // The peer sends for as long as somebody listens, and this end reads until there is nothing.
  std::jthread peer([&](const std::stop_token& stop) {
    const std::string piece(10'000, 'x');
    while (!stop.stop_requested() &&
           ::send(connection.theirs.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  std::array<char, 4096> buffer{};
  std::size_t read = 0;
  while (true) {
    const ssize_t count = ::recv(connection.ours.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    read += static_cast<std::size_t>(count);
  }
  EXPECT_GT(read, 0U);
  EXPECT_TRUE((*meter)->forget(connection.ours.get()));
  EXPECT_FALSE((*meter)->forget(connection.ours.get())) << "what is forgotten is not known";
}

TEST(ArrivalMeterTest, LeavesAConnectionThatKeepsToItsBound) {
  auto meter = ArrivalMeter::make();
  ASSERT_TRUE(meter) << meter.error().describe();
  const Connection kept;
  (*meter)->watch(kept.ours.get(), 5);
  ASSERT_EQ(::send(kept.theirs.get(), "hello", 5, 0), 5);
  // Looked at in the same turns: when this one has ended, the other was looked at as well.
  const Connection ended;
  (*meter)->watch(ended.ours.get(), 0);
  ASSERT_EQ(::send(ended.theirs.get(), "x", 1, 0), 1);
  char c = 0;
  while (::recv(ended.theirs.get(), &c, 1, 0) > 0) {
  }
  EXPECT_TRUE((*meter)->forget(ended.ours.get()));
  EXPECT_FALSE((*meter)->forget(kept.ours.get()));
  EXPECT_EQ(::send(kept.theirs.get(), "more", 4, 0), 4);
}

}  // namespace
}  // namespace belljar::host
