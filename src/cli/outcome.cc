#include "cli/outcome.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/host.h"
#include "policy/snapshot.h"
#include "support/text.h"
#include "toolbox/call.h"

namespace belljar::cli {
namespace {

constexpr std::size_t shown_frames = 8;
constexpr std::size_t longest_text = 4'000;

Json value_of(const std::string& json) {
  auto parsed = parse_json(json, Bytes{256 << 20});
  return parsed ? *std::move(parsed) : Json(json);
}

/// A tool's own words, quoted: a string as itself, a case of a variant as
/// `unreadable: no such file`, anything else as JSON.
std::string own_words(const std::string& json) {
  const auto plain = [](const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  const Json value = value_of(json);
  const bool variant = value.is_object() && value.size() == 2 && value.contains("val") &&
                       value.contains("tag") && value["tag"].is_string();
  if (variant) {
    return quoted(plain(value["tag"]) + ": " + plain(value["val"]), longest_text);
  }
  // What a value has of words, JSON quotes already.
  return value.is_string() ? quoted(plain(value), longest_text) : one_line(json, longest_text);
}

Json refusal_json(const Refusal& refusal) {
  Json json = {{"kind", refusal.kind},
               {"what", refusal.what},
               {"rule", refusal.rule},
               {"reason", refusal.reason},
               {"times", refusal.times}};
  if (!refusal.remedy.empty()) json["grant"] = refusal.remedy;
  if (!refusal.request_id.empty()) json["request"] = refusal.request_id;
  return json;
}

std::string frame_text(const TraceFrame& frame) {
  std::string text = frame.function.empty() ? "an unnamed function" : one_line(frame.function, 160);
  if (!frame.file.empty()) {
    text += fmt::format(" ({}:{})", one_line(frame.file, 160), frame.line);
  } else if (!frame.module.empty()) {
    text += fmt::format(" in {}", one_line(frame.module, 80));
  }
  return text;
}

/// Writes what the person can do about refusals.
void explain_refusals(const Outcome& outcome, const std::filesystem::path& policy,
                      Terminal& terminal, bool hints) {
  const Style& style = terminal.error_style();
  for (const Refusal& refusal : outcome.refusals) {
    if (refusal.hint != hints) continue;
    terminal.note(fmt::format("  {} {}: {}", style.bad("refused"),
                              policy::with_name_notes(quoted(refusal.what, 200)),
                              policy::with_name_notes(one_line(refusal.reason, 500))));
    if (refusal.remedy.empty()) continue;
    const bool folder = policy::wants_folder(refusal.remedy);
    std::string advice = "--grant " + shell_word(one_line(refusal.remedy, 1'000));
    if (!refusal.request_id.empty()) {
      advice = fmt::format("belljar grant {}{}, or for one call {}", refusal.request_id,
                           folder ? " FOLDER" : "", advice);
    }
    if (folder) advice += "; FOLDER is one of yours";
    terminal.note(fmt::format("  {} {}", style.good("to allow it:"), advice));
  }
  if (!policy.empty()) {
    terminal.note(
        fmt::format("  a policy lies beside the component; read it, and to use it: --policy {}",
                    shell_word(one_line(policy.native(), 4'096))));
  }
}

/// Writes which limit refused a tool something that it went on without.
void explain_reached(const Outcome& outcome, Terminal& terminal) {
  if (!outcome.reached) return;
  terminal.note(fmt::format("  it ran into its limit \"{}\": {} used, {} allowed",
                            outcome.reached->limit, outcome.reached->used,
                            outcome.reached->allowed));
  if (!outcome.reached->remedy.empty()) {
    terminal.note(fmt::format("  {} --grant {}", terminal.error_style().good("to raise it:"),
                              outcome.reached->remedy));
  }
}

struct Explain {
  std::string_view tool;
  const Outcome& outcome;
  const std::filesystem::path& policy;
  Terminal& terminal;

  void operator()(const Returned&) const { explain_reached(outcome, terminal); }
  void operator()(const ToolError& error) const {
    if (error.json.empty()) {
      terminal.warn(
          fmt::format("the arguments do not fit {}: {}", tool, one_line(error.message, 1'000)));
      terminal.note("  belljar inspect shows what it takes");
    } else {
      terminal.warn(fmt::format("{} returned an error: {}", tool, own_words(error.json)));
      explain_reached(outcome, terminal);
      explain_refusals(outcome, policy, terminal, true);
    }
  }
  void operator()(const Denied& denied) const {
    const std::string words =
        denied.json.empty() ? quoted(denied.message, 500) : own_words(denied.json);
    const bool silent = denied.json.empty() && denied.message.empty();
    terminal.warn(fmt::format("{} was denied what it needs{}{}", tool,
                              silent ? "" : ", and ended with: ", silent ? "" : words));
    explain_refusals(outcome, policy, terminal, false);
  }
  void operator()(const Trapped& trapped) const {
    terminal.warn(fmt::format("{} trapped: {}", tool, one_line(trapped.message, 500)));
    for (std::size_t i = 0; i < std::min(trapped.frames.size(), shown_frames); ++i) {
      terminal.note("  at " + frame_text(trapped.frames[i]));
    }
    if (trapped.frames.size() > shown_frames) {
      terminal.note(fmt::format("  and {} frames more", trapped.frames.size() - shown_frames));
    }
    explain_refusals(outcome, policy, terminal, true);
  }
  void operator()(const LimitReached& limit) const {
    terminal.warn(fmt::format("{} went over its limit \"{}\": {} used, {} allowed", tool,
                              limit.limit, limit.used, limit.allowed));
    if (!limit.remedy.empty()) {
      terminal.note(fmt::format("  {} --grant {}", terminal.error_style().good("to raise it:"),
                                shell_word(one_line(limit.remedy, 200))));
    }
    explain_refusals(outcome, policy, terminal, false);
  }
  void operator()(const Cancelled&) const { terminal.warn(fmt::format("{} was stopped", tool)); }
};

}  // namespace

Json outcome_json(std::string_view tool, const Outcome& outcome) {
  Json json = {{"tool", tool}, {"outcome", toolbox::outcome_name(outcome)}};
  if (const auto* returned = std::get_if<Returned>(&outcome.result)) {
    json["result"] = returned->json.empty() ? Json(nullptr) : value_of(returned->json);
  } else if (const auto* error = std::get_if<ToolError>(&outcome.result)) {
    if (error->json.empty()) {
      json["message"] = error->message;
    } else {
      json["error"] = value_of(error->json);
    }
  } else if (const auto* denied = std::get_if<Denied>(&outcome.result)) {
    if (!denied->json.empty()) json["error"] = value_of(denied->json);
    if (!denied->message.empty()) json["message"] = denied->message;
  } else if (const auto* trapped = std::get_if<Trapped>(&outcome.result)) {
    json["message"] = trapped->message;
    json["frames"] = Json::array();
    for (const TraceFrame& frame : trapped->frames) json["frames"].push_back(frame_text(frame));
  } else if (const auto* limit = std::get_if<LimitReached>(&outcome.result)) {
    json["limit"] = limit->limit;
    json["used"] = limit->used;
    json["allowed"] = limit->allowed;
    if (!limit->remedy.empty()) json["grant"] = limit->remedy;
  }
  if (outcome.reached) {
    json["reached"] = {{"limit", outcome.reached->limit},
                       {"used", outcome.reached->used},
                       {"allowed", outcome.reached->allowed}};
    if (!outcome.reached->remedy.empty()) json["reached"]["grant"] = outcome.reached->remedy;
  }
  json["refusals"] = Json::array();
  for (const Refusal& refusal : outcome.refusals) json["refusals"].push_back(refusal_json(refusal));
  json["usage"] = {
      {"microseconds",
       std::chrono::duration_cast<std::chrono::microseconds>(outcome.usage.duration).count()},
      {"memory", outcome.usage.memory}};
  if (outcome.usage.fuel > 0) json["usage"]["fuel"] = outcome.usage.fuel;
  if (!outcome.standard_output.empty()) json["stdout"] = clean_utf8(outcome.standard_output);
  if (!outcome.standard_error.empty()) json["stderr"] = clean_utf8(outcome.standard_error);
  return json;
}

void explain_outcome(std::string_view tool, const Outcome& outcome,
                     const std::filesystem::path& policy_beside, Terminal& terminal) {
  std::visit(Explain{tool, outcome, policy_beside, terminal}, outcome.result);
  // What the tool itself wrote helps where it failed.
  const bool arguments = std::holds_alternative<ToolError>(outcome.result) &&
                         std::get<ToolError>(outcome.result).json.empty();
  if (!outcome.ok() && !arguments && !outcome.standard_error.empty()) {
    terminal.note(terminal.error_style().dim("  its standard error:\n" +
                                             quoted_lines(outcome.standard_error, longest_text)));
  }
}

ExitCode exit_code_of(const Outcome& outcome) {
  struct Code {
    ExitCode operator()(const Returned&) const { return ExitCode::done; }
    ExitCode operator()(const ToolError&) const { return ExitCode::tool_error; }
    ExitCode operator()(const Denied&) const { return ExitCode::denied; }
    ExitCode operator()(const Trapped&) const { return ExitCode::stopped; }
    ExitCode operator()(const LimitReached&) const { return ExitCode::stopped; }
    ExitCode operator()(const Cancelled&) const { return ExitCode::stopped; }
  };
  return std::visit(Code{}, outcome.result);
}

}  // namespace belljar::cli
