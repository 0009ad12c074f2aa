// How a call ended: a value, never an exception.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace belljar {

/// Something that a tool wanted and policy did not allow.
struct Refusal {
  /// storage, network, environment, secret, capability
  std::string kind;
  /// What was asked for: `GET https://api.example/v1`.
  std::string what;
  /// The rule that refused: `no rule`, `network.deny …`.
  std::string rule;
  /// Why, in a sentence.
  std::string reason;
  /// The grant that would allow it, as `belljar grant` takes it; empty where none would. For the
  /// person's channels only: a model is told the request's id.
  std::string remedy;
  /// Names the request in `belljar grant` and `belljar policy show`. Carries no authority.
  std::string request_id;
  /// How often the call ran into it.
  std::uint32_t times = 1;
  /// The tool only looked whether something is there. Told to people when the tool fails.
  bool hint = false;
};

/// The tool's result.
struct Returned {
  /// JSON text.
  std::string json;
};

/// The tool's own error, or what was wrong with the arguments.
struct ToolError {
  /// JSON text; empty where the arguments were wrong.
  std::string json;
  /// What was wrong with the arguments, with the path of the value.
  std::string message;
};

/// The tool failed after something was refused; see `Outcome::refusals`.
struct Denied {
  /// What the tool itself said about it: its error as JSON text, or the reason of its trap.
  std::string json;
  std::string message;
};

/// One frame of a wasm backtrace, innermost first. Empty strings and zeros are unknown.
struct TraceFrame {
  std::string module;
  std::string function;
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// The tool did what WebAssembly forbids, or gave up.
struct Trapped {
  std::string message;
  std::vector<TraceFrame> frames;
};

/// The tool went over a limit and was stopped.
struct LimitReached {
  /// The policy key: timeout, fuel, memory, output, stack, instances, handles; `tables` and
  /// `parts`, which no policy raises; or `sandboxes`, `host-memory`, `host-handles`, `mappings` and
  /// `addresses`, which all components share.
  std::string limit;
  /// With units: `5 s`, `64 MiB`.
  std::string used;
  std::string allowed;
  /// How to raise it, for people; empty where it cannot be raised.
  std::string remedy;
};

/// The caller stopped it.
struct Cancelled {};

/// What a call used up.
struct Usage {
  std::chrono::nanoseconds duration{0};
  /// Bytes of linear memory.
  std::uint64_t memory = 0;
  /// Zero where fuel is not counted.
  std::uint64_t fuel = 0;
};

/// How a call ended, what was refused meanwhile, and what it used.
struct Outcome {
  std::variant<Returned, ToolError, Denied, Trapped, LimitReached, Cancelled> result;
  std::vector<Refusal> refusals;
  /// The first limit that refused the tool something, where it went on in spite of it.
  std::optional<LimitReached> reached;
  Usage usage;
  /// What the guest wrote to its standard output and error, cut in the middle where it is long.
  std::string standard_output;
  std::string standard_error;
  /// The exit code of a command, where the guest was one.
  int exit_code = 0;

  /// Whether the tool gave a result.
  [[nodiscard]] bool ok() const noexcept { return std::holds_alternative<Returned>(result); }
};

}  // namespace belljar
