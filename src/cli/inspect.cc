// belljar inspect: what a component is, offers, wants and may do.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/component_input.h"
#include "cli/progress.h"
#include "policy/summary.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

constexpr std::size_t longest_description = 4'000;

std::string indent(std::string_view text, std::string_view with) {
  std::string indented;
  for (const std::string_view line : split(text, '\n')) {
    indented += line.empty() ? "\n" : fmt::format("{}{}\n", with, line);
  }
  return indented;
}

/// How deep the types within a type are shown; --schemas shows all of it.
constexpr int shown_depth = 2;

/// `"metric" | "imperial"`, `list of integer`, `{url: string, method?: "get" | "head"}`: a schema
/// in a few words.
std::string type_words(const Json& schema, int depth = 0) {
  const auto alternatives = [](const Json& all, auto words_of) {
    std::string words;
    for (const Json& one : all) words += (words.empty() ? "" : " | ") + words_of(one);
    return words;
  };
  if (schema.contains("const")) return schema["const"].dump();
  if (schema.contains("prefixItems")) {
    std::string words;
    for (const Json& one : schema["prefixItems"]) {
      words += (words.empty() ? "" : ", ") + type_words(one, depth + 1);
    }
    return "[" + words + "]";
  }
  if (schema.contains("enum")) {
    return alternatives(schema["enum"], [](const Json& one) { return one.dump(); });
  }
  for (const char* const key : {"anyOf", "oneOf"}) {
    if (!schema.contains(key)) continue;
    return alternatives(schema[key], [&](const Json& one) { return type_words(one, depth); });
  }
  const auto words_of = [&](const Json& type) -> std::string {
    if (type == "array" && schema.contains("items")) {
      return "list of " + type_words(schema["items"], depth + 1);
    }
    if (type == "object" && depth < shown_depth && schema.contains("properties")) {
      const Json required = schema.value("required", Json::array());
      std::string words;
      for (const auto& [name, member] : schema["properties"].items()) {
        const bool needed = std::find(required.begin(), required.end(), name) != required.end();
        words += fmt::format("{}{}{}: {}", words.empty() ? "" : ", ", name, needed ? "" : "?",
                             type_words(member, depth + 1));
      }
      return "{" + words + "}";
    }
    return type.get<std::string>();
  };
  const Json type = schema.value("type", Json());
  if (type.is_string()) return words_of(type);
  if (type.is_array()) return alternatives(type, words_of);
  return "any value";
}

/// Several sentences on one line; those of a parameter and of its type come one behind the other.
std::string sentences(std::string_view text) {
  std::string line;
  for (const std::string_view part : split(text, '\n')) {
    const std::string_view sentence = trim(part);
    if (sentence.empty()) continue;
    const bool ended =
        line.empty() || std::string_view(".!?:;").find(line.back()) != std::string::npos;
    line += fmt::format("{}{}{}", ended ? "" : ".", line.empty() ? "" : " ", sentence);
  }
  return one_line(line, 300);
}

class InspectCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    input_.declare(app);
    app.add_flag("--schemas", schemas_, "Show the JSON Schemas of the tools in full");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const LoadedComponent loaded, load_component(input_, "inspect", terminal));
    if (terminal.json) {
      terminal.print_json(describe(loaded));
    } else {
      print(loaded, terminal);
    }
    return ExitCode::done;
  }

 private:
  static Json tool_json(const toolbox::Tool& tool) {
    const toolbox::ToolInfo& info = tool.info();
    const toolbox::Annotations hints = tool.annotations();
    Json json = {{"name", info.name},
                 {"title", info.title},
                 {"description", info.description},
                 {"inputSchema", Json::parse(info.input_schema)}};
    if (!info.output_schema.empty()) json["outputSchema"] = Json::parse(info.output_schema);
    json["annotations"] = {{"readOnlyHint", hints.read_only},
                           {"destructiveHint", hints.destructive},
                           {"idempotentHint", hints.idempotent},
                           {"openWorldHint", hints.open_world}};
    return json;
  }

  static Json describe(const LoadedComponent& loaded) {
    const artifact::Artifact& artifact = loaded.component->artifact();
    Json tools = Json::array();
    const auto set = loaded.core->toolbox().current();
    for (const auto& tool : set->tools()) {
      tools.push_back(tool_json(*tool));
    }
    Json json = {{"name", loaded.component->name()},
                 {"path", artifact.path.native()},
                 {"digest", "sha256:" + artifact.digest},
                 {"size", artifact.size.value},
                 {"kind", artifact.description.is_component ? "component" : "module"},
                 {"signatures", Json::array()},
                 {"imports", artifact.description.imports},
                 {"tools", std::move(tools)}};
    if (artifact.description.manifest) json["declares"] = *artifact.description.manifest;
    json["may"] = Json::array();
    if (const auto snapshot = loaded.component->host().permissions().current()) {
      json["may"] = policy::sentences(policy::summarize(**snapshot));
    }
    return json;
  }

  void print(const LoadedComponent& loaded, Terminal& terminal) const {
    const Style& style = terminal.out_style();
    const artifact::Artifact& artifact = loaded.component->artifact();
    terminal.print(fmt::format("{}  {}", style.bold(loaded.component->name()),
                               style.dim(shown_name(artifact.path.native()))));
    const auto field = [&](std::string_view name, std::string_view text) {
      terminal.print(fmt::format("  {:<11} {}", name, text));
    };
    field("digest", "sha256:" + artifact.digest);
    field("size", fmt::format("{}, {}", format_bytes(artifact.size),
                              artifact.description.is_component ? "a component" : "a core module"));
    field("signatures", "none; this version checks no signatures");
    std::string imports;
    for (const std::string& import : artifact.description.imports) {
      imports += (imports.empty() ? "" : ", ") + one_line(import, 120);
    }
    field("imports", imports.empty() ? "nothing" : imports);
    field("declares",
          artifact.description.manifest ? "a policy of its own (see --json)" : "no policy");
    print_permissions(loaded, terminal);
    const auto set = loaded.core->toolbox().current();
    for (const auto& tool : set->tools()) {
      print_tool(*tool, terminal);
    }
  }

  static void print_permissions(const LoadedComponent& loaded, Terminal& terminal) {
    const auto snapshot = loaded.component->host().permissions().current();
    if (!snapshot) return;
    const auto lines = policy::summarize(**snapshot);
    const char* label = "may";
    for (const auto& line : lines) {
      terminal.print(fmt::format("  {:<11} {}", std::exchange(label, ""), line.sentence()));
    }
    if (lines.empty()) terminal.print("  may         compute, and nothing else");
  }

  void print_tool(const toolbox::Tool& tool, Terminal& terminal) const {
    const Style& style = terminal.out_style();
    const toolbox::ToolInfo& info = tool.info();
    terminal.print("");
    terminal.print(style.name(info.name));
    if (!info.description.empty()) {
      terminal.print("  it says of itself:");
      terminal.print(quoted_lines(info.description, longest_description));
    }
    if (info.cleaned) {
      terminal.print(
          style.warning("  (its description held hidden characters, which were taken out)"));
    }
    const Json input = Json::parse(info.input_schema);
    const Json required = input.value("required", Json::array());
    const Json properties = input.value("properties", Json::object());
    for (const auto& [name, schema] : properties.items()) {
      const bool needed = std::find(required.begin(), required.end(), name) != required.end();
      const std::string said = sentences(schema.value("description", ""));
      terminal.print(fmt::format("    {}{} {}{}{}", style.bold(one_line(name, 60)),
                                 needed ? "" : "?",
                                 style.dim(fmt::format("({})", one_line(type_words(schema), 240))),
                                 said.empty() ? "" : ": ", said.empty() ? "" : quoted(said, 300)));
    }
    if (!schemas_) return;
    terminal.print(indent(input.dump(2), "    "));
    if (!info.output_schema.empty()) {
      terminal.print(indent(Json::parse(info.output_schema).dump(2), "    "));
    }
  }

  ComponentInput input_;
  bool schemas_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect() { return std::make_unique<InspectCommand>(); }

}  // namespace belljar::cli
