// From the engine's outcome to the caller's, and to the record.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "belljar/outcome.h"
#include "engine/engine.h"
#include "host/call_host.h"
#include "policy/snapshot.h"
#include "toolbox/tool.h"

namespace belljar::toolbox {

/// What the outcome of a call depends on besides the engine's.
struct CallSummary {
  bool command = false;
  std::chrono::nanoseconds timeout{0};
  const policy::Snapshot& policy;
  /// The call's arguments, or as much of them as is looked at: a path in them that was refused is
  /// what the call was about.
  std::string_view arguments;
};

/// Reads `{"args": […], "stdin": "…"}`, the arguments of a command, unless the call brings its own.
[[nodiscard]] Result<void> command_inputs(const std::string& component, const ToolCall& call,
                                          host::CallInputs& inputs);

/// Says how the call ended: a tool that failed after it was refused something was denied, a limit
/// has units and a remedy, a command's output is its result.
[[nodiscard]] Outcome make_outcome(engine::Outcome outcome, host::CallHost& host,
                                   const CallSummary& summary);

/// The name of an outcome, as records have it: returned, tool-error, denied, trapped, limit,
/// cancelled.
[[nodiscard]] std::string_view outcome_name(const Outcome& outcome);

/// The details of a call's record.
[[nodiscard]] std::string call_details(std::string_view tool, const Result<Outcome>& result,
                                       const host::CallHost* host);

}  // namespace belljar::toolbox
