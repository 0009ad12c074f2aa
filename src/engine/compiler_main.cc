// belljar-compiler: reads WebAssembly from descriptor 3, writes native code to 4 and the
// component's description, or what is wrong with it, to 5. It is started by spawn_helper and by
// nothing else, and gives up every right before it looks at its input.

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/compiler_helper.h"
#include "engine/engine.h"
#include "support/file.h"
#include "support/system_call_filter.h"

namespace {

using belljar::errno_text;
using belljar::write_all;
using belljar::engine::compile_here;
using belljar::engine::compiler_code;
using belljar::engine::compiler_input;
using belljar::engine::compiler_text;

constexpr int exit_refused = 1;
constexpr int exit_broken = 2;
constexpr std::size_t longest_message = 16 * 1024;

/// What the command line says. It is Belljar's own, so that numbers need no further check.
struct Task {
  bool fuel = false;
  rlim_t memory = 0;
  rlim_t seconds = 0;
  rlim_t output = 0;
  pid_t parent = 0;
};

Task read_task(char** argv) {
  const auto number = [&](int index) { return std::strtoull(argv[index], nullptr, 10); };
  return {.fuel = std::string_view(argv[1]) == "fuel",
          .memory = number(2),
          .seconds = number(3),
          .output = number(4),
          .parent = static_cast<pid_t>(number(5))};
}

/// Sets a limit, or keeps the narrower one that this process was started with.
bool limit(__rlimit_resource resource, rlim_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  const rlim_t narrower = std::min(value, now.rlim_max);
  const rlimit both{.rlim_cur = narrower, .rlim_max = narrower};
  return ::setrlimit(resource, &both) == 0;
}

/// Ends with whoever started it, however that ends. The kernel sees to it, unless the parent has
/// gone before this; and after the time that the parent would give it, it ends in any case.
bool end_with(const Task& task) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
  if (::getppid() != task.parent) ::_exit(exit_broken);
  ::alarm(static_cast<unsigned>(std::min<rlim_t>(task.seconds + 1, 1U << 30)));
  return true;
}

bool limit_resources(const Task& task) {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && limit(RLIMIT_CORE, 0) &&
         limit(RLIMIT_AS, task.memory) && limit(RLIMIT_CPU, task.seconds * 2) &&
         limit(RLIMIT_FSIZE, task.output) && limit(RLIMIT_NOFILE, 32);
}

/// Leaves what computing needs: memory, threads, the open descriptors. All else fails; libraries
/// probe for files and cope without them.
bool restrict_system_calls() {
  belljar::SystemCallFilter filter;
  filter.allow_threads();
  filter.allow_signals_to_itself();
  filter.allow({
      SCMP_SYS(read),
      SCMP_SYS(write),
      SCMP_SYS(close),
      SCMP_SYS(fstat),
      SCMP_SYS(lseek),
      SCMP_SYS(mmap),
      SCMP_SYS(munmap),
      SCMP_SYS(mprotect),
      SCMP_SYS(mremap),
      SCMP_SYS(madvise),
      SCMP_SYS(brk),
      SCMP_SYS(getpid),
      SCMP_SYS(getrandom),
      SCMP_SYS(clock_gettime),
      SCMP_SYS(clock_nanosleep),
      SCMP_SYS(nanosleep),
      SCMP_SYS(membarrier),
      SCMP_SYS(poll),
  });
  // The C library's fstat.
  filter.allow(SCMP_SYS(newfstatat), {belljar::argument_bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
  // Names of threads, and nothing else of what it does.
  filter.allow(SCMP_SYS(prctl), {belljar::argument_is(0, PR_SET_NAME)});
  return filter.load();
}

/// Says what is wrong, as far as it goes.
int end_with_message(std::string_view message, int code) {
  // A message can quote the input, and be as long.
  const auto written = write_all(compiler_text, message.substr(0, longest_message));
  return written ? code : exit_broken;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return exit_broken;
  const Task task = read_task(argv);
  struct stat status{};
  const bool restricted = end_with(task) && limit_resources(task) &&
                          ::fstat(compiler_input, &status) == 0 && restrict_system_calls();
  if (!restricted) {
    return end_with_message("it cannot give up its rights: " + errno_text(errno), exit_broken);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string_view wasm;
  if (size > 0) {
    void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, compiler_input, 0);
    if (data == MAP_FAILED) {
      return end_with_message("it cannot read its input: " + errno_text(errno), exit_broken);
    }
    wasm = {static_cast<const char*>(data), size};
  }
  const auto compiled = compile_here(wasm, task.fuel);
  if (!compiled) return end_with_message(compiled.error().message(), exit_refused);
  const bool written = write_all(compiler_code, compiled->code).has_value() &&
                       write_all(compiler_text, compiled->description).has_value();
  // Not exit(): there is nothing to tidy up, and tearing down gigabytes takes time.
  ::_exit(written ? 0 : exit_broken);
}
