// MCP over standard input and output: a JSON text a line.
#pragma once

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "belljar/error.h"
#include "mcp/transport.h"
#include "support/file.h"
#include "support/units.h"

namespace belljar::mcp {

/// Writes lines to a descriptor. What the peer does not take at once waits in a bounded queue, and
/// a peer that lets it overflow is given up.
class LineWriter final : public FrameSink {
 public:
  /// `descriptor` stays the caller's. `given_up` is called once, where the queue overflows.
  explicit LineWriter(
      int descriptor, std::function<void()> given_up = [] {}, Bytes queue_limit = Bytes{64 << 20});
  ~LineWriter() override;
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  bool send(std::string frame) override;
  /// Waits until the queue is empty, or this long.
  void drain(std::chrono::milliseconds patience);

 private:
  /// Writes what can be written without waiting; the number of bytes, or -1 where the peer is gone.
  [[nodiscard]] ssize_t write_some(std::string_view data) const;
  void run();

  int descriptor_;
  bool socket_ = false;
  /// A pipe or terminal, opened again so that not waiting is a matter of ours alone.
  UniqueFd own_;
  std::function<void()> given_up_;
  Bytes limit_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  /// How much of the first one is written.
  std::size_t front_written_ = 0;
  std::size_t queued_bytes_ = 0;
  bool broken_ = false;
  bool stopping_ = false;
  /// Started when something has to wait.
  std::thread thread_;
};

/// Reads lines from a descriptor and hands them over, on the calling thread, until the end of the
/// input or a signal that asks to stop.
class LineReader {
 public:
  LineReader(int descriptor, Bytes frame_limit) : descriptor_(descriptor), limit_(frame_limit) {}
  /// `stop` is looked at after every read that a signal interrupted.
  void run(FrameHandler& handler, const volatile std::sig_atomic_t& stop);

 private:
  int descriptor_;
  Bytes limit_;
};

}  // namespace belljar::mcp
