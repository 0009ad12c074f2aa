#include "child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace belljar::attacks {
namespace {

/// Both ends of a pipe; ours does not block.
std::pair<int, int> make_pipe(bool ours_writes) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const int ours = ours_writes ? ends[1] : ends[0];
  const int theirs = ours_writes ? ends[0] : ends[1];
  ::fcntl(ours, F_SETFL, O_NONBLOCK);
  return {ours, theirs};
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (!added.contains(text.substr(0, text.find('=')))) merged.push_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(fmt::format("{}={}", name, value));
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

void Pipe::reset(int descriptor) {
  close();
  descriptor_ = descriptor;
}

void Pipe::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

Child::Child(const Options& options) {
  // A peer that is gone is an error of a write, not the end of the test.
  std::signal(SIGPIPE, SIG_IGN);
  const auto [input, child_input] = make_pipe(true);
  const auto [output, child_output] = make_pipe(false);
  const auto [errors, child_errors] = make_pipe(false);
  to_.reset(input);
  from_.reset(output);
  errors_.reset(errors);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_errors, STDERR_FILENO);
  if (!options.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> words = options.arguments;
  std::vector<std::string> variables = merged_environment(options.environment);
  // The kernel counts what a child has used at most from what this process had when it began.
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  const int failed = ::posix_spawn(&pid_, words.front().c_str(), &actions, &attributes,
                                   pointers(words).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  for (const int theirs : {child_input, child_output, child_errors}) ::close(theirs);
  if (failed != 0) {
    throw std::runtime_error(words.front() + " does not start: " + std::strerror(failed));
  }
  handle_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Child::~Child() {
  if (ended_ || pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

void Child::read_some(Pipe& pipe, std::string& into) {
  std::array<char, 65'536> buffer{};
  const ssize_t count = ::read(pipe.get(), buffer.data(), buffer.size());
  if (count > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    pipe.close();
  }
}

void Child::write(std::string_view bytes) {
  input_ += bytes;
  // What the pipe has room for goes at once, so that a message without an answer needs no pump.
  if (to_.is_open() && !input_.empty()) write_some();
}

void Child::write_some() {
  const ssize_t count = ::write(to_.get(), input_.data() + written_, input_.size() - written_);
  if (count > 0) {
    written_ += static_cast<std::size_t>(count);
    if (written_ == input_.size()) {
      input_.clear();
      written_ = 0;
    }
  } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
    input_.clear();
    written_ = 0;
    to_.close();
  }
}

bool Child::pump(Deadline deadline) {
  if (input_ends_ && unwritten() == 0) to_.close();
  // A closed descriptor is negative, which poll() passes over.
  std::array<pollfd, 3> entries{
      pollfd{.fd = unwritten() > 0 ? to_.get() : -1, .events = POLLOUT, .revents = 0},
      pollfd{.fd = reading_ ? from_.get() : -1, .events = POLLIN, .revents = 0},
      pollfd{.fd = errors_.get(), .events = POLLIN, .revents = 0}};
  if (std::all_of(entries.begin(), entries.end(), [](const pollfd& e) { return e.fd < 0; })) {
    return false;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  const int ready =
      ::poll(entries.data(), entries.size(), static_cast<int>(std::max<long>(0, left.count())));
  if (ready <= 0) return ready < 0 && errno == EINTR;
  if (entries[0].revents != 0) write_some();
  if (entries[1].revents != 0) read_some(from_, out_);
  if (entries[2].revents != 0) read_some(errors_, err_);
  return true;
}

std::optional<int> Child::wait(Deadline deadline) {
  while (pump(deadline)) {
  }
  if (ended_) return ended_;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd entry{.fd = handle_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, static_cast<int>(std::max<long>(0, left.count()))) <= 0) {
    return std::nullopt;
  }
  int status = 0;
  rusage usage{};
  if (::wait4(pid_, &status, 0, &usage) != pid_) return std::nullopt;
  peak_ = static_cast<std::size_t>(usage.ru_maxrss) * 1'024;
  ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended_;
}

bool Child::wait_until_full(Deadline deadline) const {
  const int size = ::fcntl(from_.get(), F_GETPIPE_SZ);
  while (std::chrono::steady_clock::now() < deadline) {
    int waiting = 0;
    if (::ioctl(from_.get(), FIONREAD, &waiting) != 0) return false;
    if (waiting >= size) return true;
    // No call waits for a pipe to be full.
    std::this_thread::yield();
  }
  return false;
}

void Child::signal(int number) const {
  if (!ended_) ::kill(pid_, number);
}

std::size_t Child::peak_memory() const {
  if (ended_) return peak_;
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1'024;
  }
  return 0;
}

}  // namespace belljar::attacks
