// Compiles components in a process that can do nothing else.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <utility>

#include "belljar/error.h"
#include "engine/compiler_helper.h"
#include "engine/engine.h"

namespace belljar::engine {

/// Runs the helper program. Any thread.
class Compiler {
 public:
  /// `helper` is the path of `belljar-compiler`, which is started as a child of this process.
  explicit Compiler(std::filesystem::path helper, CompilerLimits limits = {});
  /// For a process that cannot start others itself; `starter` has the same limits.
  Compiler(std::shared_ptr<HelperStarter> starter, CompilerLimits limits)
      : starter_(std::move(starter)), limits_(limits) {}

  /// Called now and then while the helper works, with the time that has passed.
  using Progress = std::function<void(std::chrono::milliseconds)>;

  /// Compiles a component, a core module, or the text form of either. A request to stop kills the
  /// helper. Errors say what is wrong with the input, or which limit the helper reached.
  [[nodiscard]] Result<CompiledComponent> compile(std::string_view wasm, bool fuel,
                                                  const std::stop_token& stop = {},
                                                  const Progress& progress = {}) const;

 private:
  [[nodiscard]] std::unexpected<Error> why_it_was_ended(int signal) const;

  std::shared_ptr<HelperStarter> starter_;
  CompilerLimits limits_;
};

}  // namespace belljar::engine
