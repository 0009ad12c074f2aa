// A small process that starts the compiler helper for a server that can start nothing.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "engine/compiler_helper.h"

namespace belljar::engine {

/// The server's side. The other side knows which program to start and with which limits, so that a
/// server that was taken over can have components compiled and nothing else. It ends with the
/// server, however that ends, and takes the helpers along.
class CompilerKeeper final : public HelperStarter {
 public:
  /// Forks. Call it before the process has threads, and from the thread that lives longest.
  [[nodiscard]] static Result<std::unique_ptr<CompilerKeeper>> start(
      const std::filesystem::path& helper, const CompilerLimits& limits);

  /// Never waits: a process that does not answer costs its caller the time that the caller gives.
  [[nodiscard]] Result<std::unique_ptr<HelperRun>> start(bool fuel,
                                                         const HelperFiles& files) override;
  [[nodiscard]] pid_t process() const noexcept { return child_; }

 private:
  CompilerKeeper(std::filesystem::path helper, pid_t child, UniqueFd socket)
      : helper_(std::move(helper)), child_(child), socket_(std::move(socket)) {}

  std::filesystem::path helper_;
  pid_t child_;
  /// The process at its other end ends when it is closed, and is not waited for.
  UniqueFd socket_;
};

}  // namespace belljar::engine
