#include "toolbox/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <iterator>
#include <utility>

#include "policy/merge.h"
#include "policy/rules.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::toolbox {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

/// Whether the arguments have the path in them that was refused.
bool names_path_of(std::string_view arguments, const Refusal& refusal) {
  // `read /data/cities.csv`, and as it stands in a string of JSON.
  const std::size_t space = refusal.what.find(' ');
  if (refusal.kind != "storage" || space == std::string::npos) return false;
  const std::string quoted = json_string(std::string_view(refusal.what).substr(space + 1));
  const std::string_view path = std::string_view(quoted).substr(1, quoted.size() - 2);
  if (path.size() < 2) return false;
  for (std::size_t at = arguments.find(path); at != std::string_view::npos;
       at = arguments.find(path, at + 1)) {
    const std::size_t end = at + path.size();
    // Not where it only begins another path.
    const bool goes_on = end < arguments.size() &&
                         (std::isalnum(static_cast<unsigned char>(arguments[end])) != 0 ||
                          std::string_view("/._-").find(arguments[end]) != std::string_view::npos);
    if (!goes_on) return true;
  }
  return false;
}

belljar::LimitReached describe_limit(const engine::Outcome& outcome, const CallSummary& summary) {
  belljar::LimitReached limit;
  limit.limit = outcome.limit;
  const auto bytes = [](std::uint64_t value) { return format_bytes(Bytes{value}); };
  const auto raise = [&](std::string_view amount) {
    if (const auto grant = summary.policy.raise_limit(outcome.limit, amount)) {
      limit.remedy = grant->text();
    }
  };
  if (outcome.limit == "timeout") {
    limit.used = format_duration(microseconds(outcome.used));
    limit.allowed = format_duration(summary.timeout);
    // No grant lengthens what the caller cut short.
    if (summary.timeout == summary.policy.limits().timeout) {
      raise(policy_duration(summary.policy.limits().timeout * 2));
    }
  } else if (outcome.limit == "fuel") {
    limit.used = fmt::format("{}", summary.policy.limits().fuel.value);
    limit.allowed = limit.used;
    raise(fmt::format("{}", summary.policy.limits().fuel.value * 2));
  } else if (outcome.limit == "memory") {
    limit.used = bytes(outcome.used);
    limit.allowed = bytes(outcome.allowed);
    // The next power of two that would have been enough for this request, where there is one.
    const auto& most = summary.policy.most().memory;
    if (outcome.used <= most.value_or(Bytes{std::uint64_t{1} << 62}).value) {
      raise(policy_bytes(
          Bytes{std::bit_ceil(std::max(summary.policy.limits().memory.value * 2, outcome.used))}));
    }
  } else if (outcome.limit == "output") {
    limit.used = "more than " + bytes(summary.policy.limits().output.value);
    limit.allowed = bytes(summary.policy.limits().output.value);
    raise(policy_bytes(Bytes{summary.policy.limits().output.value * 4}));
  } else if (outcome.limit == "handles") {
    limit.used = "more than there is room for";
    limit.allowed = fmt::format("{}", summary.policy.limits().handles);
    raise(fmt::format("{}", std::max(64U, summary.policy.limits().handles * 2)));
  } else if (outcome.limit == "sandboxes") {
    limit.used = "all places of the pool are in use";
    limit.allowed = "those that there are";
  } else if (outcome.limit == "host-handles" || outcome.limit == "mappings" ||
             outcome.limit == "parts") {
    limit.used = fmt::format("{}", outcome.used);
    limit.allowed = fmt::format("{}", outcome.allowed);
  } else {
    // The stack, tables, addresses and the host's own memory are no tool's to raise.
    limit.used = bytes(outcome.used);
    limit.allowed = bytes(outcome.allowed);
  }
  return limit;
}

Json command_result(const engine::Outcome& outcome, const std::string& output,
                    const std::string& error) {
  return {{"exit-code", outcome.exit_code},
          {"stdout", clean_utf8(output)},
          {"stderr", clean_utf8(error)}};
}

}  // namespace

Result<void> command_inputs(const std::string& component, const ToolCall& call,
                            host::CallInputs& inputs) {
  inputs.arguments.push_back(component);
  if (call.inherit_stdio) {
    inputs.arguments.insert(inputs.arguments.end(), call.command_arguments.begin(),
                            call.command_arguments.end());
    return {};
  }
  BELLJAR_TRY(const Json arguments, parse_json(call.arguments, Bytes{64 << 20}));
  if (!arguments.is_object()) {
    return fail(ErrorCode::invalid_argument, "arguments: expected an object of arguments");
  }
  for (const auto& [key, value] : arguments.items()) {
    if (key == "stdin" && value.is_string()) {
      inputs.standard_input = value.get<std::string>();
    } else if (key == "args" && value.is_array() &&
               std::all_of(value.begin(), value.end(),
                           [](const Json& item) { return item.is_string(); })) {
      for (const Json& item : value) inputs.arguments.push_back(item.get<std::string>());
    } else if (key == "stdin") {
      return fail(ErrorCode::invalid_argument, "/stdin: expected a string");
    } else if (key == "args") {
      return fail(ErrorCode::invalid_argument, "/args: expected an array of strings");
    } else {
      return fail(ErrorCode::invalid_argument, "/{}: unknown key; known are \"args\", \"stdin\"",
                  one_line(key, 60));
    }
  }
  return {};
}

Outcome make_outcome(engine::Outcome outcome, host::CallHost& host, const CallSummary& summary) {
  using engine::OutcomeKind;
  Outcome result;
  result.refusals = host.refusals();
  // Programs look for many files that need not be there, so that to look in vain is no more than a
  // hint. But one that ends with an error after it looked for what the caller named, was denied it.
  const bool failed = outcome.kind == OutcomeKind::tool_error || outcome.exit_code != 0;
  for (Refusal& refusal : result.refusals) {
    if (failed && refusal.hint && names_path_of(summary.arguments, refusal)) refusal.hint = false;
  }
  if (outcome.kind != OutcomeKind::limit && !outcome.limit.empty()) {
    result.reached = describe_limit(outcome, summary);
  }
  result.usage.memory = outcome.peak_memory.value;
  result.usage.fuel = outcome.fuel_used.value;
  result.standard_output = host.take_output(1);
  result.standard_error = host.take_output(2);
  result.exit_code = outcome.exit_code;
  const bool refused = std::any_of(result.refusals.begin(), result.refusals.end(),
                                   [](const Refusal& refusal) { return !refusal.hint; });
  switch (outcome.kind) {
    case OutcomeKind::returned: result.result = Returned{std::move(outcome.value)}; break;
    case OutcomeKind::tool_error:
      if (refused) {
        result.result = Denied{std::move(outcome.value), {}};
      } else {
        result.result = ToolError{std::move(outcome.value), {}};
      }
      break;
    case OutcomeKind::bad_arguments:
      result.result = ToolError{{}, std::move(outcome.message)};
      break;
    case OutcomeKind::limit: result.result = describe_limit(outcome, summary); break;
    case OutcomeKind::cancelled: result.result = Cancelled{}; break;
    case OutcomeKind::exited:
      if (!summary.command) {
        result.result =
            Trapped{fmt::format("the tool ended itself with exit code {}", outcome.exit_code), {}};
      } else if (result.standard_output.size() > summary.policy.limits().output.value) {
        outcome.limit = "output";
        result.result = describe_limit(outcome, summary);
      } else {
        std::string json =
            command_result(outcome, result.standard_output, result.standard_error).dump();
        if (outcome.exit_code == 0) {
          result.result = Returned{std::move(json)};
        } else if (refused) {
          result.result = Denied{std::move(json), {}};
        } else {
          result.result = ToolError{std::move(json), {}};
        }
      }
      break;
    case OutcomeKind::trapped:
    case OutcomeKind::fault:
      if (refused) {
        result.result = Denied{{}, std::move(outcome.message)};
      } else {
        Trapped trapped{std::move(outcome.message), {}};
        for (engine::Frame& frame : outcome.frames) {
          trapped.frames.push_back({std::move(frame.module), std::move(frame.function),
                                    std::move(frame.file), frame.line, frame.column});
        }
        result.result = std::move(trapped);
      }
      break;
  }
  return result;
}

std::string_view outcome_name(const Outcome& outcome) {
  constexpr std::array<std::string_view, 6> names{"returned", "tool-error", "denied",
                                                  "trapped",  "limit",      "cancelled"};
  return names[outcome.result.index()];
}

std::string call_details(std::string_view tool, const Result<Outcome>& result,
                         const host::CallHost* host) {
  std::string details = fmt::format("\"tool\":{}", json_string(tool));
  const auto out = std::back_inserter(details);
  if (!result) {
    fmt::format_to(out, ",\"outcome\":\"fault\",\"message\":{}",
                   json_string(one_line(result.error().message(), 500)));
    return details;
  }
  fmt::format_to(out, ",\"outcome\":\"{}\",\"us\":{},\"memory\":{}", outcome_name(*result),
                 std::chrono::duration_cast<microseconds>(result->usage.duration).count(),
                 result->usage.memory);
  if (result->usage.fuel > 0) fmt::format_to(out, ",\"fuel\":{}", result->usage.fuel);
  if (const auto* limit = std::get_if<belljar::LimitReached>(&result->result)) {
    fmt::format_to(out, ",\"limit\":\"{}\"", limit->limit);
  } else if (result->reached) {
    fmt::format_to(out, ",\"limit\":\"{}\"", result->reached->limit);
  }
  if (const auto* trapped = std::get_if<Trapped>(&result->result)) {
    fmt::format_to(out, ",\"message\":{}", json_string(one_line(trapped->message, 500)));
  }
  if (!result->refusals.empty()) {
    std::uint64_t times = 0;
    for (const Refusal& refusal : result->refusals) times += refusal.times;
    fmt::format_to(out, ",\"refused\":{}", times);
  }
  const std::string uses = host != nullptr ? host->usage_details() : std::string();
  if (!uses.empty()) fmt::format_to(out, ",\"uses\":{{{}}}", uses);
  return details;
}

}  // namespace belljar::toolbox
