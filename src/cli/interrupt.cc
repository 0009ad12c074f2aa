#include "cli/interrupt.h"

#include <unistd.h>

namespace belljar::cli {
namespace {

/// As shells report a process that Ctrl-C ended.
constexpr int interrupted_exit = 130;

}  // namespace

BlockedSignals::BlockedSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

Interrupt::Interrupt(const BlockedSignals& blocked)
    : thread_([this, signals = blocked.signals()](const std::stop_token& end) {
        while (true) {
          int signal = 0;
          if (::sigwait(&signals, &signal) != 0) continue;
          if (end.stop_requested()) return;
          if (stop_.stop_requested()) ::_exit(interrupted_exit);
          stop_.request_stop();
        }
      }) {}

Interrupt::~Interrupt() {
  thread_.request_stop();
  // Wakes the thread, and only that one.
  ::pthread_kill(thread_.native_handle(), SIGHUP);
}

}  // namespace belljar::cli
