#include "runtime/client_configs.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "support/file.h"
#include "support/json.h"
#include "support/text.h"

namespace belljar::runtime {
namespace {

constexpr Bytes file_limit{8 << 20};
/// Clients put the server's name in front of tools' names, and count 64 characters or fewer.
constexpr std::size_t longest_alias = 9;

/// A client's file and where in it servers are listed.
struct ClientFile {
  std::string client;
  std::filesystem::path path;
  enum class Format { json, toml } format = Format::json;
  std::string key = "mcpServers";
};

/// One server as a client is told to start it.
struct Entry {
  std::string alias;
  std::string command;
  std::vector<std::string> arguments;
  bool enabled = true;
};

std::vector<ClientFile> client_files(const store::GetVariable& variable,
                                     const std::filesystem::path& project) {
  const std::filesystem::path home = variable("HOME").value_or("/");
  const std::filesystem::path config =
      variable("XDG_CONFIG_HOME").value_or((home / ".config").native());
  const std::filesystem::path claude = variable("CLAUDE_CONFIG_DIR").value_or(home.native());
  const std::filesystem::path codex = variable("CODEX_HOME").value_or((home / ".codex").native());
  using Format = ClientFile::Format;
  return {{"Claude Code", claude / ".claude.json", Format::json, "mcpServers"},
          {"Claude Code", project / ".mcp.json", Format::json, "mcpServers"},
          {"Claude Desktop", config / "Claude" / "claude_desktop_config.json", Format::json,
           "mcpServers"},
          {"Codex", codex / "config.toml", Format::toml, "mcp_servers"},
          {"Codex", project / ".codex" / "config.toml", Format::toml, "mcp_servers"},
          {"Gemini CLI", home / ".gemini" / "settings.json", Format::json, "mcpServers"},
          {"Gemini CLI", project / ".gemini" / "settings.json", Format::json, "mcpServers"},
          {"VS Code", config / "Code" / "User" / "mcp.json", Format::json, "servers"},
          {"VS Code", project / ".vscode" / "mcp.json", Format::json, "servers"},
          {"Cursor", home / ".cursor" / "mcp.json", Format::json, "mcpServers"},
          {"Cursor", project / ".cursor" / "mcp.json", Format::json, "mcpServers"}};
}

/// The entries of a JSON object of servers.
void read_json_servers(const Json& servers, std::vector<Entry>& entries) {
  if (!servers.is_object()) return;
  for (const auto& [alias, server] : servers.items()) {
    if (!server.is_object() || !server.contains("command") || !server["command"].is_string())
      continue;
    Entry entry{alias, server["command"].get<std::string>(), {}, true};
    if (const auto arguments = server.find("args");
        arguments != server.end() && arguments->is_array()) {
      for (const Json& argument : *arguments) {
        if (argument.is_string()) entry.arguments.push_back(argument.get<std::string>());
      }
    }
    const auto disabled = server.find("disabled");
    entry.enabled = disabled == server.end() || *disabled != true;
    entries.push_back(std::move(entry));
  }
}

std::optional<std::string> read_json_entries(const ClientFile& file, const std::string& text,
                                             std::vector<Entry>& entries) {
  // Gemini CLI and VS Code take comments; for the others they are an error they report themselves.
  const Json json = Json::parse(text, nullptr, false, true);
  if (json.is_discarded() || !json.is_object()) return "it is not a JSON object";
  read_json_servers(json.value(file.key, Json()), entries);
  // Claude Code keeps the servers of a project inside its own file.
  const auto projects = json.find("projects");
  if (projects != json.end() && projects->is_object()) {
    for (const auto& [folder, settings] : projects->items()) {
      if (settings.is_object()) read_json_servers(settings.value(file.key, Json()), entries);
    }
  }
  return std::nullopt;
}

std::optional<std::string> read_toml_entries(const ClientFile& file, const std::string& text,
                                             std::vector<Entry>& entries) {
  try {
    const toml::table root = toml::parse(text);
    const toml::table* const servers = root[file.key].as_table();
    if (servers == nullptr) return std::nullopt;
    for (const auto& [alias, node] : *servers) {
      const toml::table* const server = node.as_table();
      if (server == nullptr) continue;
      Entry entry{std::string(alias.str()),
                  (*server)["command"].value_or(std::string()),
                  {},
                  (*server)["enabled"].value_or(true)};
      if (const toml::array* const arguments = (*server)["args"].as_array()) {
        for (const toml::node& argument : *arguments) {
          entry.arguments.push_back(argument.value_or(std::string()));
        }
      }
      entries.push_back(std::move(entry));
    }
    return std::nullopt;
  } catch (const toml::parse_error& error) {
    return std::string(error.description());
  }
}

bool is_belljar(const Entry& entry) {
  const auto named = [](const std::string& text) {
    return std::filesystem::path(text).filename() == "belljar";
  };
  return named(entry.command) || std::any_of(entry.arguments.begin(), entry.arguments.end(), named);
}

bool same_file(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code error;
  return std::filesystem::equivalent(one, other, error);
}

/// What will not work about one entry.
std::vector<Finding> examine_entry(const ClientFile& file, const Entry& entry,
                                   const std::filesystem::path& program) {
  std::vector<Finding> findings;
  const std::string where =
      fmt::format("{}, {}: \"{}\"", file.client, file.path.native(), one_line(entry.alias, 60));
  const auto add = [&](FindingLevel level, std::string text, std::string remedy) {
    findings.push_back({level, "clients", where + " " + text, std::move(remedy)});
  };
  const std::filesystem::path command(entry.command);
  const bool direct = command.filename() == "belljar";
  if (direct && !command.is_absolute()) {
    add(FindingLevel::note, "names no full path; clients that a desktop starts will not find it",
        fmt::format("set its command to {}", program.native()));
  } else if (direct && ::access(command.c_str(), X_OK) != 0) {
    add(FindingLevel::problem, fmt::format("starts {}, which is not there", entry.command),
        fmt::format("set its command to {}", program.native()));
  } else if (direct && !same_file(command, program)) {
    add(FindingLevel::note, fmt::format("starts another belljar ({})", entry.command), {});
  }
  if (std::find(entry.arguments.begin(), entry.arguments.end(), "serve") == entry.arguments.end()) {
    add(FindingLevel::problem, "does not say \"serve\"", R"(set its args to ["serve", "--stdio"])");
  }
  if (entry.alias.size() > longest_alias) {
    add(FindingLevel::note,
        fmt::format("is {} characters long; with long tool names some clients cut or drop tools",
                    entry.alias.size()),
        fmt::format("use a name of at most {} characters", longest_alias));
  }
  if (file.client == "Gemini CLI" && entry.alias.find('_') != std::string::npos) {
    add(FindingLevel::note, "has a _ in its name, which confuses Gemini CLI's policies",
        "use - instead");
  }
  if (!entry.enabled) add(FindingLevel::note, "is switched off there", {});
  if (findings.empty()) {
    findings.push_back({FindingLevel::good, "clients", where + " starts Belljar", {}});
  }
  return findings;
}

}  // namespace

std::vector<Finding> examine_clients(const store::GetVariable& variable,
                                     const std::filesystem::path& project,
                                     const std::filesystem::path& program) {
  std::vector<Finding> findings;
  bool found = false;
  for (const ClientFile& file : client_files(variable, project)) {
    const auto text = read_file(file.path, file_limit);
    if (!text) continue;
    std::vector<Entry> entries;
    const auto problem = file.format == ClientFile::Format::json
                             ? read_json_entries(file, *text, entries)
                             : read_toml_entries(file, *text, entries);
    if (problem) {
      findings.push_back({FindingLevel::problem, "clients",
                          fmt::format("{}, {}: cannot be read: {}", file.client, file.path.native(),
                                      one_line(*problem, 200)),
                          "mend the file; the client ignores it, or all of its servers"});
      continue;
    }
    for (const Entry& entry : entries) {
      if (!is_belljar(entry)) continue;
      found = true;
      auto more = examine_entry(file, entry, program);
      findings.insert(findings.end(), more.begin(), more.end());
    }
  }
  if (!found) {
    findings.push_back({FindingLevel::note, "clients", "no MCP client is set up to start Belljar",
                        fmt::format("for Claude Code: claude mcp add -s user belljar -- {} serve "
                                    "--stdio (others: README)",
                                    program.native())});
  }
  return findings;
}

}  // namespace belljar::runtime
