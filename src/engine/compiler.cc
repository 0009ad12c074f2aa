#include "engine/compiler.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

Result<std::string> read_back(const UniqueFd& file, Bytes limit) {
  ::lseek(file.get(), 0, SEEK_SET);
  return in_context(read_all(file.get(), limit), "compiled code");
}

}  // namespace

Compiler::Compiler(std::filesystem::path helper, CompilerLimits limits)
    : starter_(std::make_shared<ChildHelpers>(std::move(helper), limits)), limits_(limits) {}

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

  BELLJAR_TRY(const auto run, starter_->start(fuel, {input.get(), code.get(), text.get()}));
  const auto began = steady_clock::now();
  while (!run->ended_within(progress_interval)) {
    const auto passed = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
    if (stop.stop_requested()) return cancelled();
    if (passed > limits_.time) {
      return fail(ErrorCode::load_failed, "compiling takes longer than {} seconds",
                  limits_.time.count());
    }
    if (progress) progress(passed);
  }
  BELLJAR_TRY(const int status, run->status());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    BELLJAR_TRY(std::string compiled, read_back(code, limits_.output));
    BELLJAR_TRY(std::string description, read_back(text, limits_.output));
    return CompiledComponent{std::move(compiled), std::move(description)};
  }
  if (WIFEXITED(status)) {
    BELLJAR_TRY(const std::string message, read_back(text, Bytes{64 * 1024}));
    const std::string words = clean_text(message, 2'000).text;
    if (WEXITSTATUS(status) == 1) return fail(ErrorCode::load_failed, "{}", words);
    return fail(ErrorCode::internal, "the compiler cannot work on this machine: {}",
                words.empty() ? "it does not say why" : words);
  }
  return why_it_was_ended(WTERMSIG(status));
}

std::unexpected<Error> Compiler::why_it_was_ended(int signal) const {
  if (signal == SIGXCPU || signal == SIGALRM) {
    return fail(ErrorCode::load_failed, "compiling takes longer than {} seconds",
                limits_.time.count());
  }
  if (signal == SIGXFSZ) {
    return fail(ErrorCode::load_failed, "its compiled code is larger than {}",
                format_bytes(limits_.output));
  }
  // Running out of memory ends in an abort, nesting too deep in a fault of the stack.
  return fail(ErrorCode::load_failed,
              "the compiler gave up on it ({}): too large, too deeply nested, or malformed beyond "
              "what {} of memory can take",
              ::strsignal(signal), format_bytes(limits_.memory));
}

}  // namespace belljar::engine
