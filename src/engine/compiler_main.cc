// belljar-compiler: reads WebAssembly from descriptor 3, writes native code to 4 and the
// component's description, or what is wrong with it, to 5. It is started by Compiler and by
// nothing else, and gives up every right before it looks at its input.

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "engine/compiler.h"
#include "engine/engine.h"
#include "support/file.h"

namespace {

using belljar::write_all;
using belljar::engine::compile_here;
using belljar::engine::compiler_code;
using belljar::engine::compiler_input;
using belljar::engine::compiler_text;

constexpr int exit_refused = 1;
constexpr int exit_broken = 2;
constexpr std::size_t longest_message = 16 * 1024;

bool limit(int resource, rlim_t value) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0;
}

/// Leaves what computing needs: memory, threads, the open descriptors. All else fails.
bool restrict_system_calls() {
  constexpr std::array allowed{
      SCMP_SYS(read),
      SCMP_SYS(write),
      SCMP_SYS(close),
      SCMP_SYS(fstat),
      SCMP_SYS(newfstatat),
      SCMP_SYS(lseek),
      SCMP_SYS(mmap),
      SCMP_SYS(munmap),
      SCMP_SYS(mprotect),
      SCMP_SYS(mremap),
      SCMP_SYS(madvise),
      SCMP_SYS(brk),
      SCMP_SYS(futex),
      SCMP_SYS(clone3),
      SCMP_SYS(clone),
      SCMP_SYS(exit),
      SCMP_SYS(exit_group),
      SCMP_SYS(rt_sigaction),
      SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(rt_sigreturn),
      SCMP_SYS(sigaltstack),
      SCMP_SYS(sched_yield),
      SCMP_SYS(sched_getaffinity),
      SCMP_SYS(set_robust_list),
      SCMP_SYS(rseq),
      SCMP_SYS(gettid),
      SCMP_SYS(getpid),
      SCMP_SYS(tgkill),
      SCMP_SYS(getrandom),
      SCMP_SYS(clock_gettime),
      SCMP_SYS(clock_nanosleep),
      SCMP_SYS(nanosleep),
      SCMP_SYS(restart_syscall),
      SCMP_SYS(prctl),
      SCMP_SYS(get_robust_list),
      SCMP_SYS(set_tid_address),
      SCMP_SYS(membarrier),
      SCMP_SYS(poll),
      SCMP_SYS(fcntl),
  };
  // Not a kill: libraries probe for files and cope without them.
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool loaded = true;
  for (const int call : allowed) {
    loaded = loaded && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  }
  loaded = loaded && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return loaded;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return exit_broken;
  const bool fuel = std::string_view(argv[1]) == "fuel";
  const auto number = [&](int index) { return std::strtoull(argv[index], nullptr, 10); };
  struct stat status{};
  // How it ends says which limit it met, whatever its parent did with these signals.
  std::signal(SIGXCPU, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);
  const bool restricted = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                          ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && limit(RLIMIT_CORE, 0) &&
                          limit(RLIMIT_AS, number(2)) && limit(RLIMIT_CPU, number(3) * 2) &&
                          limit(RLIMIT_FSIZE, number(4)) && limit(RLIMIT_NOFILE, 32) &&
                          ::fstat(compiler_input, &status) == 0 && restrict_system_calls();
  if (!restricted) return exit_broken;

  const auto size = static_cast<std::size_t>(status.st_size);
  std::string_view wasm;
  if (size > 0) {
    void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, compiler_input, 0);
    if (data == MAP_FAILED) return exit_broken;
    wasm = {static_cast<const char*>(data), size};
  }
  const auto compiled = compile_here(wasm, fuel);
  if (!compiled) {
    // A message can quote the input, and be as long.
    const std::string_view message = compiled.error().message();
    const auto written = write_all(compiler_text, message.substr(0, longest_message));
    return written ? exit_refused : exit_broken;
  }
  const bool written = write_all(compiler_code, compiled->code).has_value() &&
                       write_all(compiler_text, compiled->description).has_value();
  // Not exit(): there is nothing to tidy up, and tearing down gigabytes takes time.
  ::_exit(written ? 0 : exit_broken);
}
