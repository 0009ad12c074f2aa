// What a toolbox holds: tools, whatever stands behind them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "belljar/outcome.h"
#include "engine/engine.h"

namespace belljar::toolbox {

/// Hints for clients, derived from what a tool can do, never from what it says of itself.
struct Annotations {
  bool read_only = true;
  bool destructive = false;
  bool idempotent = false;
  bool open_world = false;
  friend bool operator==(const Annotations&, const Annotations&) = default;
};

/// What is known about a tool without calling it.
struct ToolInfo {
  std::string name;
  std::string title;
  std::string description;
  /// Whether characters that could deceive were taken out of the description.
  bool cleaned = false;
  /// The component, or other source, that the tool belongs to.
  std::string group;
  /// JSON Schema, as text.
  std::string input_schema;
  /// Empty for a tool without a result.
  std::string output_schema;
  bool output_is_object = false;
};

/// One call of a tool.
struct ToolCall {
  /// A JSON object.
  std::string_view arguments;
  /// Whom handles of resources are bound to.
  std::string client;
  /// Shorter than the policy's, where somebody waits less long.
  std::optional<std::chrono::nanoseconds> timeout;
  std::optional<engine::Seed> seed;
  /// See host::CallInputs.
  std::function<void(int, std::string_view)> on_output;
  std::function<void(std::uint64_t)> on_progress;
  /// For a command that is run with the process's own standard streams.
  bool inherit_stdio = false;
  std::vector<std::string> command_arguments;
};

/// Fires once, from any thread, perhaps before `start` returns. An error means that Belljar
/// failed, not the tool.
using Completion = std::move_only_function<void(Result<Outcome>)>;

/// A call that was started.
class CallHandle {
 public:
  virtual ~CallHandle() = default;
  /// Stops the call at its next tick or wait. Any thread; does nothing to one that has ended.
  virtual void cancel() = 0;
};

/// A tool. Any thread.
class Tool {
 public:
  virtual ~Tool() = default;
  [[nodiscard]] virtual const ToolInfo& info() const = 0;
  /// May wait for the state, unless `knows_annotations`.
  [[nodiscard]] virtual Annotations annotations() const = 0;
  [[nodiscard]] virtual bool knows_annotations() const { return true; }
  /// Starts a call; never blocks for longer than a tick.
  virtual std::shared_ptr<CallHandle> start(const ToolCall& call, Completion completion) = 0;
};

/// Where tools come from: a component, and later code mode or another server. A source hands its
/// tools to the toolbox as a group, which is added and removed as one.
struct ToolGroup {
  std::string name;
  std::vector<std::shared_ptr<Tool>> tools;
};

}  // namespace belljar::toolbox
