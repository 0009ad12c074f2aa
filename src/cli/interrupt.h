// Ctrl-C, as a request to stop.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace belljar::cli {

/// Keeps SIGINT, SIGTERM and SIGHUP from ending the process, in this thread and those that it
/// starts. Made before there are others.
class BlockedSignals {
 public:
  BlockedSignals();
  [[nodiscard]] const sigset_t& signals() const noexcept { return signals_; }

 private:
  sigset_t signals_{};
};

/// Turns the first such signal into a request to stop; the second ends the process.
class Interrupt {
 public:
  explicit Interrupt(const BlockedSignals& blocked);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::jthread thread_;
};

}  // namespace belljar::cli
