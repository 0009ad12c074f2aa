#include "engine/compiler_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "support/result.h"

namespace belljar::engine {
namespace {

/// A child process that is killed and waited for, whatever happens.
class ChildRun final : public HelperRun {
 public:
  ChildRun(pid_t pid, UniqueFd handle) : pid_(pid), handle_(std::move(handle)) {}
  ChildRun(const ChildRun&) = delete;
  ChildRun& operator=(const ChildRun&) = delete;
  ~ChildRun() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }

  bool ended_within(std::chrono::milliseconds time) override {
    pollfd entry{.fd = handle_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
  }

  Result<int> status() override { return wait(); }

 private:
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  pid_t pid_;
  UniqueFd handle_;
};

/// The lists that posix_spawn takes.
class SpawnLists {
 public:
  SpawnLists() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnLists() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnLists(const SpawnLists&) = delete;
  SpawnLists& operator=(const SpawnLists&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

/// What this process ignores or blocks is its own affair: a limit that ends the helper by a signal
/// has to end it. Only the signals of a terminal and of a supervisor are kept from it, for they are
/// meant for whoever started it, who ends it.
void set_signals(posix_spawnattr_t& attributes) {
  sigset_t all;
  sigfillset(&all);
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&blocked, signal);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &blocked);
  posix_spawnattr_setflags(&attributes,
                           static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
}

}  // namespace

Error helper_not_started(const std::filesystem::path& helper, int error) {
  return fail(ErrorCode::internal,
              "the compiler {} does not start: {}; is Belljar fully installed?", helper.native(),
              errno_text(error))
      .error();
}

std::expected<pid_t, int> spawn_helper(const std::filesystem::path& helper,
                                       const CompilerLimits& limits, bool fuel,
                                       const HelperFiles& files) {
  // Copies at numbers that the kernel finds free and that none of the targets below is: no matter
  // which numbers the files themselves have, none is overwritten before it is in its place.
  std::array<UniqueFd, 3> copies;
  const std::array sources{files.input, files.code, files.text};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    copies[i].reset(::fcntl(sources[i], F_DUPFD_CLOEXEC, compiler_text + 1));
    if (!copies[i]) return std::unexpected(errno);
  }
  SpawnLists lists;
  posix_spawn_file_actions_addopen(&lists.actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&lists.actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&lists.actions, 2, "/dev/null", O_WRONLY, 0);
  constexpr std::array targets{compiler_input, compiler_code, compiler_text};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    posix_spawn_file_actions_adddup2(&lists.actions, copies[i].get(), targets[i]);
  }
  posix_spawn_file_actions_addclosefrom_np(&lists.actions, compiler_text + 1);
  set_signals(lists.attributes);
  const std::string& program = helper.native();
  const std::string memory = std::to_string(limits.memory.value);
  const std::string seconds = std::to_string(limits.time.count());
  const std::string output = std::to_string(limits.output.value);
  const std::string parent = std::to_string(::getpid());
  const std::array<const char*, 7> arguments{
      program.c_str(), fuel ? "fuel" : "plain", memory.c_str(), seconds.c_str(),
      output.c_str(),  parent.c_str(),          nullptr};
  // No variable of ours means anything to the helper, and some mean much to libraries.
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const int spawned = ::posix_spawn(&pid, program.c_str(), &lists.actions, &lists.attributes,
                                    const_cast<char* const*>(arguments.data()), environment.data());
  if (spawned != 0) return std::unexpected(spawned);
  return pid;
}

Result<std::unique_ptr<HelperRun>> ChildHelpers::start(bool fuel, const HelperFiles& files) {
  const auto pid = spawn_helper(helper_, limits_, fuel, files);
  if (!pid) return std::unexpected(helper_not_started(helper_, pid.error()));
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  const int error = errno;
  const bool watched = static_cast<bool>(handle);
  auto run = std::make_unique<ChildRun>(*pid, std::move(handle));
  if (!watched) {
    return fail(ErrorCode::internal, "the compiler cannot be watched: {}", errno_text(error));
  }
  return run;
}

}  // namespace belljar::engine
