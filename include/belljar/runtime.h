// Runs components' functions in sandboxes: the way in for programs that embed Belljar.
//
// Every field of what is handed in has an initializer, so that a program may name those that it
// wants to set and compile without a warning.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/capability.h"
#include "belljar/error.h"
#include "belljar/outcome.h"

namespace belljar {

/// How a runtime is set up. The defaults are those of the command line.
struct Options {
  /// Where grants, secrets, the audit log and compiled code are kept. Empty takes BELLJAR_HOME or
  /// the XDG base directories.
  std::filesystem::path home = {};
  /// The program that compiles components: `belljar-compiler`. Empty looks for it in
  /// `../libexec/belljar` beside the library, and beside the running program.
  std::filesystem::path compiler = {};
  /// Sandboxes that can exist at once.
  std::uint32_t sandboxes = 1'000;
  /// Threads for guests that do not finish at once. Zero takes one for each processor.
  std::uint32_t workers = 0;
  /// Bytes of linear memory of all sandboxes together. Zero takes three quarters of the machine's.
  std::uint64_t memory = 0;
  /// Interfaces of your own that components may import.
  std::vector<Capability> capabilities = {};
  /// Policy YAML that nothing may go beyond. Where the user's belljar.toml names a ceiling, that
  /// one holds as well.
  std::string ceiling = {};
};

/// How a component is loaded.
struct LoadOptions {
  /// Policy YAML that you grant to it; relative `fs://` paths are relative to `policy_folder`.
  std::string policy = {};
  std::filesystem::path policy_folder = {};
  /// Single grants, as `belljar grant` takes them: `storage=./data:/data`, `network=api.example`.
  std::vector<std::string> grants = {};
};

/// A tool, as it would be shown to a model.
struct ToolDescription {
  std::string name;
  std::string title;
  std::string description;
  /// JSON Schema 2020-12, as text.
  std::string input_schema;
  /// Empty for a tool without a result.
  std::string output_schema;
  std::string component;
};

/// One call of a tool.
struct Call {
  /// The tool's full name.
  std::string tool;
  /// A JSON object.
  std::string arguments = "{}";
  /// Whom handles of resources are bound to.
  std::string client = {};
  /// Shorter than the policy's timeout, where you wait less long.
  std::optional<std::chrono::nanoseconds> timeout = {};
  /// Makes clocks and randomness deterministic, for tests.
  std::optional<std::uint64_t> seed = {};
};

/// Told how a call ended, once, from any thread, perhaps before `start` returns. It must not
/// throw. An error means that Belljar failed, not the tool.
using Completion = std::move_only_function<void(Result<Outcome>)>;

/// A call under way. Destroying it does not stop the call.
class RunningCall {
 public:
  virtual ~RunningCall() = default;
  /// Stops the call at the guest's next tick or wait. Any thread.
  virtual void cancel() = 0;
};

/// Loads components and calls their tools. Any thread.
class Runtime {
 public:
  /// Opens the user's state and starts the engine. Errors: the state cannot be used (`storage`), or
  /// a configuration file is wrong (`invalid_policy`). What `belljar.toml` says of the ceiling and
  /// the network holds here as well; how many sandboxes, workers and how much memory there are is
  /// said in the options alone.
  [[nodiscard]] static Result<std::unique_ptr<Runtime>> create(Options options = {});
  /// Waits for the calls under way; cancel those that may take long. Not within a completion.
  virtual ~Runtime() = default;

  /// Loads a component from `PATH` or `NAME=PATH` and gives its name. A component of the same
  /// name is replaced; its calls under way go on. It may do what the options say, and what people
  /// granted to it by `belljar grant`.
  [[nodiscard]] virtual Result<std::string> load(std::string_view reference,
                                                 const LoadOptions& options = {}) = 0;
  /// False where nothing of this name is loaded.
  virtual bool unload(std::string_view name) = 0;
  /// In the order of their names.
  [[nodiscard]] virtual std::vector<ToolDescription> tools() const = 0;

  /// Starts a call. The guest runs on this thread for at most a millisecond.
  virtual std::unique_ptr<RunningCall> start(const Call& call, Completion completion) = 0;
  /// Calls and waits.
  [[nodiscard]] Result<Outcome> call(const Call& call);
};

}  // namespace belljar
