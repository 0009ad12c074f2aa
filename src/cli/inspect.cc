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

/// `"metric" or "imperial"`, `integer from 0 to 255`: a schema in a few words.
std::string type_words(const Json& schema) {
  if (schema.contains("prefixItems")) {
    std::string words;
    for (const Json& one : schema["prefixItems"]) {
      words += (words.empty() ? "" : ", ") + type_words(one);
    }
    return "[" + words + "]";
  }
  if (schema.contains("enum")) {
    std::string words;
    for (const Json& one : schema["enum"]) words += (words.empty() ? "" : " | ") + one.dump();
    return words;
  }
  for (const char* const alternatives : {"anyOf", "oneOf"}) {
    if (!schema.contains(alternatives)) continue;
    std::string words;
    for (const Json& one : schema[alternatives]) {
      words += (words.empty() ? "" : " | ") + type_words(one);
    }
    return words;
  }
  const Json type = schema.value("type", Json());
  if (type.is_string() && type == "array" && schema.contains("items")) {
    return "list of " + type_words(schema["items"]);
  }
  if (type.is_string()) return type.get<std::string>();
  if (type.is_array()) {
    std::string words;
    for (const Json& one : type) words += (words.empty() ? "" : " | ") + one.get<std::string>();
    return words;
  }
  return "any value";
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
      for (const auto& line : policy::summarize(**snapshot)) json["may"].push_back(line.sentence());
    }
    return json;
  }

  void print(const LoadedComponent& loaded, Terminal& terminal) const {
    const Style& style = terminal.out_style();
    const artifact::Artifact& artifact = loaded.component->artifact();
    terminal.print(fmt::format("{}  {}", style.bold(loaded.component->name()),
                               style.dim(artifact.path.native())));
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
      terminal.print(indent(clean_text(info.description, longest_description).text, "  "));
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
      const std::string said = one_line(schema.value("description", ""), 300);
      terminal.print(fmt::format("    {}{} {}{}{}", style.bold(one_line(name, 60)),
                                 needed ? "" : "?",
                                 style.dim(fmt::format("({})", one_line(type_words(schema), 160))),
                                 said.empty() ? "" : ": ", said));
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
