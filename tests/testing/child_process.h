// Real processes for tests of what processes share, and of what is left when one is killed.
#pragma once

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/file.h"

namespace belljar::test {

/// A forked process that runs a function and ends. Killed when this is destroyed. It and its
/// parent tell each other how far they are in single bytes, so that no test has to sleep.
class ChildProcess {
 public:
  /// The child's end.
  class Parent {
   public:
    /// Says something to the parent, which reads it with `hear`.
    void tell(char word = '.') {
      if (::send(line_.get(), &word, 1, MSG_NOSIGNAL) != 1) ::_exit(99);
    }
    /// Waits for the parent's `tell`; ends the process where the parent is gone.
    void await() {
      char word = 0;
      if (::read(line_.get(), &word, 1) != 1) ::_exit(99);
    }

   private:
    friend class ChildProcess;
    UniqueFd line_;
  };

  /// Runs `body` in a process of its own; what it returns is the exit code. No database may be open
  /// here meanwhile: SQLite's locks do not pass to a child, and it would not know.
  explicit ChildProcess(const std::function<int(Parent&)>& body) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw std::runtime_error("no socket");
    }
    line_ = UniqueFd(ends[0]);
    UniqueFd theirs(ends[1]);
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("no process");
    if (process_ == 0) {
      line_.reset();
      Parent parent;
      parent.line_ = std::move(theirs);
      ::_exit(body(parent));
    }
  }
  ChildProcess(ChildProcess&& other) noexcept
      : process_(std::exchange(other.process_, -1)), line_(std::move(other.line_)) {}
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() {
    if (process_ > 0) static_cast<void>(kill());
  }

  /// Waits for the child's next word; NUL where it ended instead.
  [[nodiscard]] char hear() {
    char word = 0;
    return ::read(line_.get(), &word, 1) == 1 ? word : '\0';
  }
  void tell() {
    const char word = '.';
    if (::send(line_.get(), &word, 1, MSG_NOSIGNAL) != 1)
      throw std::runtime_error("the child is gone");
  }
  /// Waits until it has ended: its exit code, or the negative number of the signal.
  [[nodiscard]] int finish() {
    int status = 0;
    if (::waitpid(std::exchange(process_, -1), &status, 0) < 0) return -1000;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  /// kill -9.
  int kill() {
    ::kill(process_, SIGKILL);
    return finish();
  }
  [[nodiscard]] pid_t id() const noexcept { return process_; }

 private:
  pid_t process_ = -1;
  UniqueFd line_;
};

}  // namespace belljar::test
