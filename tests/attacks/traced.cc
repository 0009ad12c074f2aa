#include "traced.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <set>
#include <stdexcept>

namespace belljar::attacks {
namespace {

constexpr std::array<std::uint64_t, 22> writes{
    SYS_write,     SYS_pwrite64, SYS_writev,    SYS_pwritev,  SYS_pwritev2, SYS_ftruncate,
    SYS_truncate,  SYS_fsync,    SYS_fdatasync, SYS_msync,    SYS_rename,   SYS_renameat,
    SYS_renameat2, SYS_link,     SYS_linkat,    SYS_unlink,   SYS_unlinkat, SYS_mkdir,
    SYS_mkdirat,   SYS_symlink,  SYS_fallocate, SYS_utimensat};

/// Opening may make a file.
bool makes_file(const __ptrace_syscall_info& call) {
  return call.entry.nr == SYS_openat && (call.entry.args[2] & O_CREAT) != 0;
}

bool is_write(const __ptrace_syscall_info& call) {
  return makes_file(call) || std::find(writes.begin(), writes.end(), call.entry.nr) != writes.end();
}

[[noreturn]] void run_child(const std::vector<std::string>& arguments,
                            const std::map<std::string, std::string>& environment,
                            const std::filesystem::path& folder, int input) {
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(input, STDIN_FILENO);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
  std::vector<char*> words;
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  if (::chdir(folder.c_str()) != 0 || ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
    ::_exit(97);
  ::raise(SIGSTOP);
  ::execv(words[0], words.data());
  ::_exit(98);
}

}  // namespace

TracedEnd kill_at_write(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& environment,
                        const std::filesystem::path& folder, std::string_view input, int at) {
  const int in = ::memfd_create("input", MFD_CLOEXEC);
  if (in < 0 || ::write(in, input.data(), input.size()) != static_cast<ssize_t>(input.size()) ||
      ::lseek(in, 0, SEEK_SET) != 0) {
    throw std::runtime_error("no input for the traced program");
  }
  const pid_t main = ::fork();
  if (main == 0) run_child(arguments, environment, folder, in);
  ::close(in);
  int status = 0;
  if (main < 0 || ::waitpid(main, &status, 0) != main || !WIFSTOPPED(status)) {
    throw std::runtime_error("the traced program does not start");
  }
  constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                           PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
  ::ptrace(PTRACE_SETOPTIONS, main, nullptr, options);
  ::ptrace(PTRACE_SYSCALL, main, nullptr, nullptr);
  std::set<pid_t> traced{main};
  TracedEnd end;
  int seen = 0;
  while (!traced.empty()) {
    const pid_t task = ::waitpid(-1, &status, __WALL);
    if (task < 0 && errno == EINTR) continue;
    if (task < 0) break;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (task == main && WIFEXITED(status)) end.code = WEXITSTATUS(status);
      traced.erase(task);
      continue;
    }
    traced.insert(task);
    // One that was being made when the others were killed goes as well.
    if (end.killed) ::kill(task, SIGKILL);
    long signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info call{};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof(call), &call);
      if (call.op == PTRACE_SYSCALL_INFO_ENTRY && is_write(call) && ++seen == at) {
        end.killed = true;
        for (const pid_t one : traced) ::kill(one, SIGKILL);
      }
    } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
      signal = WSTOPSIG(status);
    }
    if (!end.killed) ::ptrace(PTRACE_SYSCALL, task, nullptr, signal);
  }
  return end;
}

}  // namespace belljar::attacks
