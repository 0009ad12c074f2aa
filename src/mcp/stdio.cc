#include "mcp/stdio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <utility>

#include "support/result.h"

namespace belljar::mcp {
namespace {

/// Readable bytes behind every frame; see FrameHandler.
constexpr std::size_t padding = 64;
constexpr std::size_t read_step = 64 * 1024;

}  // namespace

LineWriter::LineWriter(int descriptor, std::function<void()> given_up, Bytes queue_limit)
    : descriptor_(descriptor), given_up_(std::move(given_up)), limit_(queue_limit) {
  struct stat status{};
  if (::fstat(descriptor, &status) == 0) {
    socket_ = S_ISSOCK(status.st_mode);
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
      const std::string path = fmt::format("/proc/self/fd/{}", descriptor);
      own_.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    }
  }
  prompt_ = socket_ || own_;
}

Result<void> LineWriter::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
  }
  return {};
}

LineWriter::~LineWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

ssize_t LineWriter::write_some(std::string_view data) const {
  while (true) {
    const ssize_t count =
        socket_ ? ::send(descriptor_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                : ::write(own_ ? own_.get() : descriptor_, data.data(),
                          prompt_ ? data.size() : std::min<std::size_t>(data.size(), PIPE_BUF));
    if (count >= 0) return count;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -1;
  }
}

bool LineWriter::send(std::string frame) {
  frame.push_back('\n');
  std::unique_lock lock(mutex_);
  if (broken_) return false;
  std::size_t written = 0;
  if (queue_.empty() && prompt_) {
    const ssize_t count = write_some(frame);
    if (count < 0) {
      broken_ = true;
      return false;
    }
    written = static_cast<std::size_t>(count);
    if (written == frame.size()) return true;
  }
  if (queued_bytes_ + frame.size() > limit_.value) {
    broken_ = true;
    lock.unlock();
    given_up_();
    return false;
  }
  queued_bytes_ += frame.size() - written;
  queue_.push_back(frame.substr(written));
  changed_.notify_all();
  return true;
}

void LineWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || (!queue_.empty() && !broken_); });
    if (stopping_) return;
    pollfd entry{.fd = own_ ? own_.get() : descriptor_, .events = POLLOUT, .revents = 0};
    lock.unlock();
    // Short, so that the end of the process need not wait for the peer.
    const bool ready = ::poll(&entry, 1, 100) > 0;
    lock.lock();
    if (!ready) continue;
    while (!queue_.empty() && !stopping_) {
      // Only this thread takes from the queue, and what is at its front stays where it is.
      const std::string_view rest = std::string_view(queue_.front()).substr(front_written_);
      // What may wait after all lets nobody else wait for the lock.
      if (!prompt_) lock.unlock();
      const ssize_t count = write_some(rest);
      if (!prompt_) lock.lock();
      if (count < 0) broken_ = true;
      if (count <= 0) break;
      queued_bytes_ -= static_cast<std::size_t>(count);
      front_written_ += static_cast<std::size_t>(count);
      if (front_written_ < queue_.front().size()) continue;
      queue_.pop_front();
      front_written_ = 0;
      if (!prompt_) break;
    }
    changed_.notify_all();
  }
}

void LineWriter::drain(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return queue_.empty() || broken_; });
}

void Wakefulness::note(bool awake, bool in_time, std::chrono::nanoseconds wait) noexcept {
  if (awake && in_time) {
    pause_ = 1;
  } else if (awake) {
    paused_ = pause_;
    pause_ = std::min(2 * pause_, longest_pause);
  } else if (quick_ && paused_ > 0) {
    --paused_;
  }
  quick_ = wait < quick_wait;
}

std::optional<ssize_t> PromptReader::read_awake(std::span<char> into, Moment begin) {
  const iovec buffer{.iov_base = into.data(), .iov_len = into.size()};
  do {
    const ssize_t count = ::preadv2(descriptor_, &buffer, 1, -1, RWF_NOWAIT);
    if (count >= 0) return count;
    if (errno != EAGAIN) {
      able_ = errno == EINTR;
      break;
    }
  } while (std::chrono::steady_clock::now() - begin < Wakefulness::awake_time);
  return std::nullopt;
}

ssize_t PromptReader::read(std::span<char> into) {
  const Moment begin = std::chrono::steady_clock::now();
  const bool awake = able_ && wakefulness_.stays_awake();
  const auto early = awake ? read_awake(into, begin) : std::nullopt;
  const ssize_t count = early ? *early : ::read(descriptor_, into.data(), into.size());
  wakefulness_.note(awake, early.has_value(), std::chrono::steady_clock::now() - begin);
  return count;
}

void LineReader::run(FrameHandler& handler, const volatile std::sig_atomic_t& stop) {
  std::string buffer;
  std::size_t filled = 0;
  /// How far was looked for a line's end.
  std::size_t searched = 0;
  bool skipping = false;
  while (stop == 0) {
    if (buffer.size() < filled + read_step + padding) buffer.resize(filled + read_step + padding);
    const ssize_t count = input_.read({buffer.data() + filled, read_step});
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    filled += static_cast<std::size_t>(count);
    std::size_t begin = 0;
    while (true) {
      const void* const found = std::memchr(buffer.data() + searched, '\n', filled - searched);
      if (found == nullptr) {
        searched = filled;
        break;
      }
      const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - buffer.data());
      std::string_view line(buffer.data() + begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      const bool oversized = std::exchange(skipping, false) || line.size() > limit_.value;
      if (oversized) {
        handler.on_oversized_frame();
      } else if (line.find_first_not_of(" \t") != std::string_view::npos) {
        handler.on_frame(line);
      }
      begin = end + 1;
      searched = begin;
    }
    // What is left is the beginning of a line. One that is too long already is not kept.
    filled -= begin;
    searched -= begin;
    if (begin > 0 && filled > 0) std::memmove(buffer.data(), buffer.data() + begin, filled);
    if (filled > limit_.value) {
      skipping = true;
      filled = 0;
      searched = 0;
    }
  }
  handler.on_end();
}

}  // namespace belljar::mcp
