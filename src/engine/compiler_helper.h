// The compiler helper as a process: how it is started, watched and ended.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <utility>

#include "belljar/error.h"
#include "support/file.h"
#include "support/units.h"

namespace belljar::engine {

/// What the compiler helper may use up.
struct CompilerLimits {
  std::chrono::seconds time{120};
  Bytes memory{std::uint64_t{8} << 30};
  /// Code and description that are taken back.
  Bytes output{std::uint64_t{1} << 30};
};

/// Where the helper finds its descriptors.
inline constexpr int compiler_input = 3;
inline constexpr int compiler_code = 4;
inline constexpr int compiler_text = 5;

/// What one run works on: WebAssembly to read, and two files of memory to write to. They may have
/// any numbers.
struct HelperFiles {
  int input = -1;
  int code = -1;
  /// The description, or what is wrong with the input.
  int text = -1;
};

/// One run of the helper. It does not outlive this object.
class HelperRun {
 public:
  virtual ~HelperRun() = default;
  /// Whether it ended within this time.
  [[nodiscard]] virtual bool ended_within(std::chrono::milliseconds time) = 0;
  /// How it ended, as waitpid tells it. To be asked when it has ended, and once.
  [[nodiscard]] virtual Result<int> status() = 0;
};

/// Starts helpers. Any thread.
class HelperStarter {
 public:
  virtual ~HelperStarter() = default;
  /// `fuel` makes code that counts it.
  [[nodiscard]] virtual Result<std::unique_ptr<HelperRun>> start(bool fuel,
                                                                 const HelperFiles& files) = 0;
};

/// Starts the helper as a child of this process, or returns the errno of what failed. It gets the
/// three files, no other descriptor, no variable, and signals as they are by default, whatever this
/// process has.
[[nodiscard]] std::expected<pid_t, int> spawn_helper(const std::filesystem::path& helper,
                                                     const CompilerLimits& limits, bool fuel,
                                                     const HelperFiles& files);
/// What a person is told if it does not start.
[[nodiscard]] Error helper_not_started(const std::filesystem::path& helper, int error);

/// Starts helpers as children of this process. The kernel ends a helper with the thread that
/// started it, so that thread has to live as long as the run.
class ChildHelpers final : public HelperStarter {
 public:
  ChildHelpers(std::filesystem::path helper, const CompilerLimits& limits)
      : helper_(std::move(helper)), limits_(limits) {}
  [[nodiscard]] Result<std::unique_ptr<HelperRun>> start(bool fuel,
                                                         const HelperFiles& files) override;

 private:
  std::filesystem::path helper_;
  CompilerLimits limits_;
};

}  // namespace belljar::engine
