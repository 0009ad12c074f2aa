// Compiles components in a process that can do nothing else.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string_view>

#include "belljar/error.h"
#include "engine/engine.h"
#include "support/units.h"

namespace belljar::engine {

/// What the compiler helper may use up.
struct CompilerLimits {
  std::chrono::seconds time{120};
  Bytes memory{std::uint64_t{8} << 30};
  /// Code and description that are taken back.
  Bytes output{std::uint64_t{1} << 30};
};

/// Runs the helper program. Any thread.
class Compiler {
 public:
  /// `helper` is the path of `belljar-compiler`.
  explicit Compiler(std::filesystem::path helper, CompilerLimits limits = {})
      : helper_(std::move(helper)), limits_(limits) {}

  /// Called now and then while the helper works, with the time that has passed.
  using Progress = std::function<void(std::chrono::milliseconds)>;

  /// Compiles a component, a core module, or the text form of either. A request to stop kills the
  /// helper. Errors say what is wrong with the input, or which limit the helper reached.
  [[nodiscard]] Result<CompiledComponent> compile(std::string_view wasm, bool fuel,
                                                  const std::stop_token& stop = {},
                                                  const Progress& progress = {}) const;

 private:
  std::filesystem::path helper_;
  CompilerLimits limits_;
};

/// Where the helper finds its descriptors.
inline constexpr int compiler_input = 3;
inline constexpr int compiler_code = 4;
inline constexpr int compiler_text = 5;

}  // namespace belljar::engine
