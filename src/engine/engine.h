// The seam to the WebAssembly engine: everything above speaks these types and names no engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "engine/host.h"
#include "support/units.h"

namespace belljar::engine {

/// One frame of a wasm backtrace, innermost first. Empty strings and zeros are unknown.
struct Frame {
  std::string module;
  std::string function;
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint64_t offset = 0;
};

enum class OutcomeKind {
  returned,
  /// The function's own `err`.
  tool_error,
  /// The arguments did not fit the function's type; nothing ran.
  bad_arguments,
  trapped,
  limit,
  cancelled,
  /// The guest ended itself with an exit code.
  exited,
  /// Belljar failed.
  fault,
};

/// How a call ended.
struct Outcome {
  OutcomeKind kind = OutcomeKind::fault;
  /// The result, or the function's `err`, as JSON text.
  std::string value;
  std::string message;
  std::vector<Frame> frames;
  /// With a limit: its policy key, what was used, what was allowed. `timeout` counts microseconds,
  /// `handles`, `host-handles`, `mappings` and `parts` themselves, all others bytes. With any other
  /// kind: the first limit that refused the guest something.
  std::string limit;
  std::uint64_t used = 0;
  std::uint64_t allowed = 0;
  int exit_code = 0;
  Fuel fuel_used;
  Bytes peak_memory;
  /// The live instance that resource handles belong to; zero where there is none (any more).
  std::uint64_t live = 0;
  /// Handles that the result gives out.
  std::vector<std::string> handles;
};

/// Deterministic clocks and randomness.
struct Seed {
  std::uint64_t value = 0;
  std::chrono::nanoseconds start{0};
};

/// The bounds and circumstances of one call.
struct CallSettings {
  Bytes memory;
  Fuel fuel;
  std::chrono::nanoseconds timeout{0};
  Bytes output;
  std::uint32_t handles = 0;
  Bytes written;
  std::optional<Seed> seed;
  std::chrono::nanoseconds clock_resolution{0};
  /// Joins the standard streams with the process's own.
  bool inherit_stdio = false;
  /// The live instance to call; zero for a fresh one.
  std::uint64_t live = 0;
  /// Drops this handle of the live instance instead of calling.
  std::string_view drop_handle;
};

/// Fires once, from any thread, perhaps before `start` returns.
using Completion = std::move_only_function<void(Outcome)>;

/// A call under way. Destroying it does not stop the call.
class Invocation {
 public:
  virtual ~Invocation() = default;
  /// Stops the call at the guest's next tick or wait. Any thread.
  virtual void cancel() = 0;
};

/// A function as a component exports it.
struct FunctionName {
  std::string interface;
  std::string name;
};

/// A component that is ready to be called. Any thread.
class Program {
 public:
  virtual ~Program() = default;
  /// Starts a call of the function with this index in the list that the program was loaded with.
  /// The guest runs on this thread for at most one tick. Never blocks on anything else.
  [[nodiscard]] virtual std::unique_ptr<Invocation> start(std::uint32_t function,
                                                          std::string_view arguments,
                                                          const CallSettings& settings,
                                                          std::shared_ptr<Host> host,
                                                          Completion completion) = 0;
};

/// Runs programs. Any thread.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Maps compiled code. The caller vouches for the file: it is native code.
  [[nodiscard]] virtual Result<std::unique_ptr<Program>> load(
      const std::filesystem::path& code, std::span<const FunctionName> functions, bool fuel) = 0;
  /// Lets programs that are loaded later import functions of the embedder's.
  [[nodiscard]] virtual Result<void> add_capability(std::string_view interface,
                                                    std::span<const std::string> functions) = 0;
  /// Ends a live instance; false where there is none of this number.
  virtual bool drop_live(std::uint64_t live) = 0;
};

struct EngineOptions {
  /// Sandboxes that can exist at once.
  std::uint32_t instances = 1'000;
  /// Threads for guests that do not finish at once.
  std::uint32_t workers = 2;
  /// Linear memory of all guests together, and what the host holds for them.
  Bytes memory;
  /// Descriptors that all guests together may have open; zero for half of what the process may.
  std::uint64_t handles = 0;
};

/// The engine that runs WebAssembly for real.
[[nodiscard]] Result<std::unique_ptr<Engine>> make_engine(const EngineOptions& options);

/// Opens the kernel's map of this process's pages, by which the engine cleans used sandboxes in
/// half the time. To be called before the process confines itself: after that it is out of reach.
/// False where the kernel has none (before Linux 6.7), and all goes on without it.
bool open_page_map();

/// Everything that compiled code depends on, as a short text: part of the key of a cache.
[[nodiscard]] Result<std::string> engine_fingerprint(bool fuel);
/// For `belljar --version`.
[[nodiscard]] std::string engine_version();

/// Compiled code and the description (JSON, see wit.h) of a component.
struct CompiledComponent {
  std::string code;
  std::string description;
};

/// Compiles in this process. Only the compiler helper does: what it is given may be hostile.
[[nodiscard]] Result<CompiledComponent> compile_here(std::string_view wasm, bool fuel);

/// Puts the documentation of the WIT package at `wit` into a component.
[[nodiscard]] Result<std::string> inject_docs(const std::filesystem::path& wit,
                                              std::string_view component);

}  // namespace belljar::engine
