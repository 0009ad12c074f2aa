#include "engine/compiler.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "support/file.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds progress_interval{100};

Result<UniqueFd> memory_file(const char* name) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail(ErrorCode::storage, "no memory for compiling: {}", errno_text(errno));
  return file;
}

/// A child process that is killed and waited for, whatever happens.
class Child {
 public:
  explicit Child(pid_t pid)
      : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }

  /// Whether the child ended within this time.
  [[nodiscard]] bool ended_within(milliseconds time) const {
    pollfd entry{.fd = handle_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
  }

  int wait() {
    int status = 0;
    while (::waitpid(std::exchange(pid_, -1), &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

 private:
  pid_t pid_;
  UniqueFd handle_;
};

Result<std::string> read_back(const UniqueFd& file, Bytes limit) {
  ::lseek(file.get(), 0, SEEK_SET);
  return in_context(read_all(file.get(), limit), "compiled code");
}

}  // namespace

Result<CompiledComponent> Compiler::compile(std::string_view wasm, bool fuel,
                                            const std::stop_token& stop,
                                            const Progress& progress) const {
  const auto cancelled = [] { return fail(ErrorCode::unavailable, "compiling was cancelled"); };
  if (stop.stop_requested()) return cancelled();
  BELLJAR_TRY(const UniqueFd input, memory_file("belljar-input"));
  BELLJAR_CHECK(write_all(input.get(), wasm));
  ::fcntl(input.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  BELLJAR_TRY(const UniqueFd code, memory_file("belljar-code"));
  BELLJAR_TRY(const UniqueFd text, memory_file("belljar-description"));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  // Above the targets first: a source could be one of them.
  constexpr int parked = 64;
  const std::array files{input.get(), code.get(), text.get()};
  for (int i = 0; i < 3; ++i) {
    posix_spawn_file_actions_adddup2(&actions, files[static_cast<std::size_t>(i)], parked + i);
  }
  for (int i = 0; i < 3; ++i) {
    posix_spawn_file_actions_adddup2(&actions, parked + i, compiler_input + i);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, compiler_text + 1);
  const std::string memory = std::to_string(limits_.memory.value);
  const std::string seconds = std::to_string(limits_.time.count());
  const std::string output = std::to_string(limits_.output.value);
  std::string program = helper_.native();
  std::array<const char*, 6> arguments{program.c_str(), fuel ? "fuel" : "plain", memory.c_str(),
                                       seconds.c_str(), output.c_str(),          nullptr};
  // No variable of ours means anything to the helper, and some mean much to libraries.
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const int spawned = ::posix_spawn(&pid, program.c_str(), &actions, nullptr,
                                    const_cast<char* const*>(arguments.data()), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) {
    return fail(ErrorCode::internal,
                "the compiler {} does not start: {}; is Belljar fully installed?", program,
                errno_text(spawned));
  }
  Child child(pid);
  const auto began = steady_clock::now();
  while (!child.ended_within(progress_interval)) {
    const auto passed = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
    if (stop.stop_requested()) return cancelled();
    if (passed > limits_.time) {
      return fail(ErrorCode::load_failed, "compiling takes longer than {} seconds",
                  limits_.time.count());
    }
    if (progress) progress(passed);
  }
  const int status = child.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    BELLJAR_TRY(std::string compiled, read_back(code, limits_.output));
    BELLJAR_TRY(std::string description, read_back(text, limits_.output));
    return CompiledComponent{std::move(compiled), std::move(description)};
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) {
    BELLJAR_TRY(const std::string message, read_back(text, Bytes{64 * 1024}));
    return fail(ErrorCode::load_failed, "{}", clean_text(message, 2'000).text);
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    return fail(ErrorCode::load_failed, "compiling takes longer than {} seconds",
                limits_.time.count());
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) {
    return fail(ErrorCode::load_failed, "its compiled code is larger than {}",
                format_bytes(limits_.output));
  }
  if (WIFSIGNALED(status)) {
    // Running out of memory ends in an abort, nesting too deep in a fault of the stack.
    return fail(
        ErrorCode::load_failed,
        "the compiler gave up on it ({}): too large, too deeply nested, or malformed beyond "
        "what {} of memory can take",
        ::strsignal(WTERMSIG(status)), format_bytes(limits_.memory));
  }
  return fail(ErrorCode::internal, "the compiler {} ended with code {}", program,
              WEXITSTATUS(status));
}

}  // namespace belljar::engine
