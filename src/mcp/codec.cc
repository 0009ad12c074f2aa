#include "mcp/codec.h"

#include <fmt/format.h>

#include "support/json.h"
#include "support/text.h"

namespace belljar::mcp {
namespace {

/// Of a function or source file, as a crash names it.
constexpr std::size_t longest_name = 120;
constexpr std::size_t longest_refusal = 400;

constexpr std::string_view server_info_key = "io.modelcontextprotocol/serverInfo";

/// The members that every stateless result carries, with a comma behind them.
std::string stateless_members(const ServerIdentity& server) {
  return fmt::format(
      R"("resultType":"complete","_meta":{{"{}":{{"name":{},"title":{},"version":{}}}}},)",
      server_info_key, json_string(server.name), json_string(server.title),
      json_string(server.version));
}

/// Appends, because a list may have thousands of tools.
void append_tool(std::string& json, const toolbox::Tool& tool, Version version) {
  const toolbox::ToolInfo& info = tool.info();
  const auto member = [&](std::string_view name, std::string_view text) {
    json += name;
    append_json_string(json, text);
  };
  member("{\"name\":", info.name);
  if (version >= Version::v2025_06_18) member(",\"title\":", info.title);
  if (!info.description.empty()) member(",\"description\":", info.description);
  json += ",\"inputSchema\":";
  json += info.input_schema;
  if (!info.output_schema.empty() && version >= Version::v2025_06_18) {
    json += ",\"outputSchema\":";
    if (is_stateless(version) || info.output_is_object) {
      json += info.output_schema;
    } else {
      json += R"({"type":"object","properties":{"result":)";
      json += info.output_schema;
      json += R"(},"required":["result"],"additionalProperties":false})";
    }
  }
  const toolbox::Annotations hints = tool.annotations();
  const auto hint = [&](std::string_view name, bool value) {
    json += name;
    json += value ? "true" : "false";
  };
  hint(R"(,"annotations":{"readOnlyHint":)", hints.read_only);
  hint(R"(,"destructiveHint":)", hints.destructive);
  hint(R"(,"idempotentHint":)", hints.idempotent);
  hint(R"(,"openWorldHint":)", hints.open_world);
  json += "}}";
}

/// A JSON value as plain text: a string as itself, anything else as it is written. The result is
/// a JSON string literal.
std::string text_literal(std::string_view json) {
  if (json.starts_with('"')) return std::string(json);
  return json_string(json);
}

std::string plain_text(std::string_view json) {
  if (!json.starts_with('"')) return std::string(json);
  const auto parsed = parse_json(json, Bytes{64 << 20});
  return parsed && parsed->is_string() ? parsed->get<std::string>() : std::string(json);
}

std::string refusals_text(const Outcome& outcome) {
  std::string text;
  for (const Refusal& refusal : outcome.refusals) {
    if (refusal.hint) continue;
    // What was asked for is the guest's text: a line break in it would begin a sentence of ours.
    text += fmt::format("\n- {}: {}", one_line(refusal.what, longest_refusal),
                        one_line(refusal.reason, longest_refusal));
    if (!refusal.request_id.empty()) text += fmt::format(" (request {})", refusal.request_id);
  }
  return text;
}

}  // namespace

std::string describe_failure(const toolbox::ToolInfo& tool, const Outcome& outcome) {
  struct Describe {
    const toolbox::ToolInfo& tool;
    const Outcome& outcome;

    std::string operator()(const Returned& returned) const { return returned.json; }
    std::string operator()(const ToolError& error) const {
      if (!error.message.empty()) return error.message;
      std::string text = plain_text(error.json);
      if (outcome.reached) {
        text += fmt::format("\nIt ran into its limit \"{}\" ({}; allowed are {}){}.",
                            outcome.reached->limit, outcome.reached->used, outcome.reached->allowed,
                            outcome.reached->remedy.empty() ? "" : ", which the user can raise");
      }
      return text;
    }
    std::string operator()(const Denied& denied) const {
      const std::string own = denied.json.empty() ? denied.message : plain_text(denied.json);
      return fmt::format(
          "{} was not allowed to do what it tried:{}\nOnly the user can allow this, not you. Tell "
          "the user what is needed and why, and let them decide; they find the request in "
          "Belljar.\nThe tool itself said: {}",
          tool.name, refusals_text(outcome), own.empty() ? "nothing" : own);
    }
    std::string operator()(const Trapped& trapped) const {
      std::string text = fmt::format("{} crashed: {}", tool.name, trapped.message);
      if (!trapped.frames.empty()) {
        const TraceFrame& frame = trapped.frames.front();
        // Names are the guest's: they must not pass for words of ours.
        text += fmt::format(" in {}", one_line(frame.function, longest_name));
        if (!frame.file.empty()) {
          text += fmt::format(" ({}:{})", one_line(frame.file, longest_name), frame.line);
        }
      }
      return text;
    }
    std::string operator()(const belljar::LimitReached& limit) const {
      return fmt::format(
          "{} was stopped: it went over its limit \"{}\" ({}; allowed are {}). Try a smaller "
          "request{}.{}",
          tool.name, limit.limit, limit.used, limit.allowed,
          limit.remedy.empty() ? "" : "; the user can raise the limit", refusals_text(outcome));
    }
    std::string operator()(const Cancelled&) const {
      return fmt::format("{} was cancelled", tool.name);
    }
  };
  return std::visit(Describe{tool, outcome}, outcome.result);
}

std::string encode_initialize(const ServerIdentity& server, Version version) {
  std::string info = fmt::format("\"name\":{},\"version\":{}", json_string(server.name),
                                 json_string(server.version));
  if (version >= Version::v2025_06_18)
    info += fmt::format(",\"title\":{}", json_string(server.title));
  return fmt::format(
      R"({{"protocolVersion":"{}","capabilities":{{"tools":{{"listChanged":true}},"logging":{{}}}},"serverInfo":{{{}}},"instructions":{}}})",
      name_of(version), info, json_string(server.instructions));
}

std::string encode_discover(const ServerIdentity& server) {
  // What is spoken does not change while the server runs; tools may at any time.
  return fmt::format(
      R"({{{}"supportedVersions":["{}"],"capabilities":{{"tools":{{"listChanged":true}},"logging":{{}}}},"instructions":{},"ttlMs":3600000,"cacheScope":"private"}})",
      stateless_members(server), name_of(Version::v2026_07_28), json_string(server.instructions));
}

std::string encode_tools(const ServerIdentity& server, const ToolPage& page, Version version) {
  std::string json = "{";
  // A list that could be cached would hide a tool that was just loaded from clients that do not
  // listen for changes.
  if (is_stateless(version)) {
    json += stateless_members(server);
    json += R"("ttlMs":0,"cacheScope":"private",)";
  }
  json += "\"tools\":[";
  for (const auto& tool : page.tools) {
    if (&tool != &page.tools.front()) json += ',';
    append_tool(json, *tool, version);
  }
  json += ']';
  if (page.next_cursor) json += fmt::format(",\"nextCursor\":{}", json_string(*page.next_cursor));
  return json + "}";
}

std::string encode_call(const ServerIdentity& server, const toolbox::ToolInfo& tool,
                        const Outcome& outcome, Version version) {
  std::string json = "{";
  if (is_stateless(version)) json += stateless_members(server);
  json += R"("content":[{"type":"text","text":)";
  const auto* returned = std::get_if<Returned>(&outcome.result);
  if (returned == nullptr) {
    append_json_string(json, describe_failure(tool, outcome));
    return json + "}],\"isError\":true}";
  }
  if (tool.output_schema.empty()) return json + "\"done\"}]}";
  json += text_literal(returned->json);
  json += "}]";
  if (version >= Version::v2025_06_18) {
    json += ",\"structuredContent\":";
    if (is_stateless(version) || tool.output_is_object) {
      json += returned->json;
    } else {
      json += "{\"result\":";
      json += returned->json;
      json += '}';
    }
  }
  return json + "}";
}

std::string encode_empty(const ServerIdentity& server, Version version) {
  // Older clients refuse unknown members in the results of ping and logging/setLevel.
  if (!is_stateless(version)) return "{}";
  std::string members = stateless_members(server);
  members.pop_back();
  return "{" + members + "}";
}

std::string encode_listen_end(const ServerIdentity& server, std::string_view id) {
  return fmt::format(
      R"({{"resultType":"complete","_meta":{{"{}":{{"name":{},"version":{}}},"io.modelcontextprotocol/subscriptionId":{}}}}})",
      server_info_key, json_string(server.name), json_string(server.version), id);
}

}  // namespace belljar::mcp
