// MCP over standard input and output: a JSON text a line.
#pragma once

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "belljar/error.h"
#include "mcp/transport.h"
#include "support/file.h"
#include "support/units.h"

namespace belljar::mcp {

/// Writes lines to a descriptor. What the peer does not take at once waits in a bounded queue, and
/// a peer that lets it overflow is given up. Only the writer's own thread ever waits for the peer,
/// or for the disk that a file is on.
class LineWriter final : public FrameSink {
 public:
  /// `descriptor` stays the caller's. `given_up` is called once, if the queue overflows.
  explicit LineWriter(
      int descriptor, std::function<void()> given_up = [] {}, Bytes queue_limit = Bytes{64 << 20});
  ~LineWriter() override;
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Starts the thread that writes what has to wait. Until then it waits, too.
  [[nodiscard]] Result<void> start();

  bool send(std::string frame) override;
  /// Waits until the queue is empty, or this long.
  void drain(std::chrono::milliseconds patience);

 private:
  /// Writes what can be written without waiting, or, on the writer's own thread, a piece of the
  /// rest; the number of bytes, or -1 if the peer is gone.
  [[nodiscard]] ssize_t write_some(std::string_view data) const;
  void run();

  int descriptor_;
  bool socket_ = false;
  /// Whether writing can be tried without waiting. Not so for a file, and for a pipe or terminal
  /// that could not be opened again.
  bool prompt_ = false;
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
  std::thread thread_;
};

/// Decides whether to stay awake for the next message: to sleep and be woken takes a processor
/// longer than a small call does. Worth it only with a peer whose last message came quickly, and
/// less and less often where it is in vain, as with one processor for both.
class Wakefulness {
 public:
  /// About twice what a processor takes to wake: waiting in vain costs no more than it could save.
  static constexpr std::chrono::microseconds awake_time{50};
  /// A message that comes within this time, in which peer and reader are woken, is a quick one.
  static constexpr std::chrono::microseconds quick_wait{100};
  static constexpr std::uint32_t longest_pause = 1'024;

  [[nodiscard]] bool stays_awake() const noexcept { return quick_ && paused_ == 0; }
  /// A wait has ended: whether it began awake, whether the message came meanwhile, and how long it
  /// took in all.
  void note(bool awake, bool in_time, std::chrono::nanoseconds wait) noexcept;

 private:
  bool quick_ = false;
  /// How many waits are slept through after the next that is in vain, and how many now.
  std::uint32_t pause_ = 1;
  std::uint32_t paused_ = 0;
};

/// Reads from a descriptor, awake for a short while where that is worth it.
class PromptReader {
 public:
  explicit PromptReader(int descriptor) : descriptor_(descriptor) {}
  /// As read(2).
  [[nodiscard]] ssize_t read(std::span<char> into);

 private:
  using Moment = std::chrono::steady_clock::time_point;
  /// Reads what comes soon; nothing where it has to be waited for longer.
  [[nodiscard]] std::optional<ssize_t> read_awake(std::span<char> into, Moment begin);

  int descriptor_;
  Wakefulness wakefulness_;
  /// Whether the descriptor can be read without waiting.
  bool able_ = true;
};

/// Reads lines from a descriptor and hands them over, on the calling thread, until the end of the
/// input or a signal that asks to stop.
class LineReader {
 public:
  LineReader(int descriptor, Bytes frame_limit) : input_(descriptor), limit_(frame_limit) {}
  /// `stop` is looked at after every read that a signal interrupted.
  void run(FrameHandler& handler, const volatile std::sig_atomic_t& stop);

 private:
  PromptReader input_;
  Bytes limit_;
};

}  // namespace belljar::mcp
