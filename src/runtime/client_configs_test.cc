#include "runtime/client_configs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "testing/temporary_folder.h"

namespace belljar::runtime {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClientConfigsTest : public ::testing::Test {
 protected:
  ClientConfigsTest() : program_(folder_.write("bin/belljar", "")) {
    test::set_mode(program_, 0755);
    variables_["HOME"] = (folder_ / "home").native();
  }
  std::vector<Finding> examine() {
    return examine_clients(
        [this](const char* name) -> std::optional<std::string> {
          const auto found = variables_.find(name);
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
        folder_ / "project", program_);
  }
  /// The findings as lines: how bad, what, and what to do.
  std::vector<std::string> lines() {
    std::vector<std::string> texts;
    const auto findings = examine();
    for (const Finding& finding : findings) {
      const char* const level = finding.level == FindingLevel::good   ? "good: "
                                : finding.level == FindingLevel::note ? "note: "
                                                                      : "problem: ";
      texts.push_back(level + finding.text +
                      (finding.remedy.empty() ? "" : " -> " + finding.remedy));
    }
    return texts;
  }
  std::string entry() const {
    return R"({"command": ")" + program_.native() + R"(", "args": ["serve", "--stdio"]})";
  }

  test::TemporaryFolder folder_;
  std::filesystem::path program_;
  std::map<std::string, std::string> variables_;
};

TEST_F(ClientConfigsTest, WhereNoClientKnowsBelljarTheCommandThatTellsItIsGiven) {
  EXPECT_THAT(lines(), ElementsAre(AllOf(HasSubstr("note: no MCP client is set up"),
                                         HasSubstr("claude mcp add -s user belljar -- " +
                                                   program_.native() + " serve --stdio"))));
}

TEST_F(ClientConfigsTest, EveryClientIsFoundWhereItKeepsItsServers) {
  const std::string json = R"({"mcpServers": {"belljar": )" + entry() + "}}";
  const std::string toml = "[mcp_servers.belljar]\ncommand = \"" + program_.native() +
                           "\"\nargs = [\"serve\", \"--stdio\"]\n";
  const std::string code = R"(// a comment
{"servers": {"belljar": )" +
                           entry() + "}}";
  const std::vector<std::array<std::string, 3>> files{
      {"Claude Code", "home/.claude.json", json},
      {"Claude Code", "project/.mcp.json", json},
      {"Claude Desktop", "home/.config/Claude/claude_desktop_config.json", json},
      {"Codex", "home/.codex/config.toml", toml},
      {"Codex", "project/.codex/config.toml", toml},
      {"Gemini CLI", "home/.gemini/settings.json", "/* c */ " + json},
      {"Gemini CLI", "project/.gemini/settings.json", json},
      {"VS Code", "home/.config/Code/User/mcp.json", code},
      {"VS Code", "project/.vscode/mcp.json", code},
      {"Cursor", "home/.cursor/mcp.json", json},
      {"Cursor", "project/.cursor/mcp.json", json}};
  for (const auto& [client, path, contents] : files) {
    const auto file = folder_.write(path, contents);
    EXPECT_THAT(lines(), ElementsAre("good: " + client + ", " + file.native() +
                                     ": \"belljar\" starts Belljar"));
    std::filesystem::remove(file);
  }
}

TEST_F(ClientConfigsTest, TheVariablesThatMoveAClientsFileAreFollowed) {
  variables_["CLAUDE_CONFIG_DIR"] = (folder_ / "elsewhere").native();
  variables_["CODEX_HOME"] = (folder_ / "codex").native();
  folder_.write("elsewhere/.claude.json", R"({"mcpServers": {"belljar": )" + entry() + "}}");
  folder_.write("codex/config.toml", "[mcp_servers.belljar]\ncommand = \"" + program_.native() +
                                         "\"\nargs = [\"serve\"]\n");
  EXPECT_THAT(lines(),
              ElementsAre(HasSubstr("elsewhere/.claude.json"), HasSubstr("codex/config.toml")));
}

TEST_F(ClientConfigsTest, ServersOfAProjectInsideTheUsersFileAreFound) {
  folder_.write("home/.claude.json", R"({"projects": {"/p": {"mcpServers": {"belljar": )" +
                                         entry() + R"(}}, "/q": 7, "/r": {"mcpServers": []}}})");
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("good: Claude Code")));
}

TEST_F(ClientConfigsTest, WhatWillNotWorkIsToldWithWhatMendsIt) {
  const auto with = [&](const std::string& server, const std::string& alias = "belljar") {
    folder_.write("home/.claude.json", R"({"mcpServers": {")" + alias + "\": " + server + "}}");
    return lines();
  };
  EXPECT_THAT(with(R"({"command": "belljar", "args": ["serve"]})"),
              ElementsAre(AllOf(HasSubstr("note: "), HasSubstr("names no full path"),
                                HasSubstr("-> set its command to " + program_.native()))));
  EXPECT_THAT(
      with(R"({"command": "/gone/belljar", "args": ["serve"]})"),
      ElementsAre(AllOf(HasSubstr("problem: "), HasSubstr("/gone/belljar, which is not there"))));
  EXPECT_THAT(with(R"({"command": ")" + program_.native() + R"(", "args": ["--stdio"]})"),
              ElementsAre(AllOf(HasSubstr("problem: "), HasSubstr("does not say \"serve\""))));
  EXPECT_THAT(with(entry(), "my-belljar-server"), ElementsAre(HasSubstr("is 17 characters long")));
  folder_.write("other/belljar", "");
  test::set_mode(folder_ / "other/belljar", 0755);
  EXPECT_THAT(
      with(R"({"command": ")" + (folder_ / "other/belljar").native() + R"(", "args": ["serve"]})"),
      ElementsAre(HasSubstr("starts another belljar")));
  EXPECT_THAT(
      with(R"({"command": ")" + program_.native() + R"(", "args": ["serve"], "disabled": true})"),
      ElementsAre(HasSubstr("is switched off there")));
  EXPECT_THAT(with(R"({"command": "bwrap", "args": ["--", "/usr/bin/belljar", "serve"]})"),
              ElementsAre(HasSubstr("good: ")))
      << "a program in front of it is the user's business";
}

TEST_F(ClientConfigsTest, AnUnderscoreInANameIsToldWhereItConfuses) {
  folder_.write("home/.gemini/settings.json", R"({"mcpServers": {"bell_jar": )" + entry() + "}}");
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("has a _ in its name")));
}

TEST_F(ClientConfigsTest, OtherServersAreNobodysBusiness) {
  folder_.write(
      "home/.claude.json",
      R"({"mcpServers": {"x": {"command": "/usr/bin/other", "args": ["belljars"]}, "y": {"url": "https://a.example"}}})");
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("no MCP client is set up")));
}

TEST_F(ClientConfigsTest, AFileThatCannotBeReadIsAProblemOfItsOwn) {
  folder_.write("home/.claude.json", "{\"mcpServers\": {");
  folder_.write("home/.codex/config.toml", "[mcp_servers.belljar\n");
  EXPECT_THAT(lines(),
              ElementsAre(AllOf(HasSubstr("problem: Claude Code"), HasSubstr("cannot be read")),
                          AllOf(HasSubstr("problem: Codex"), HasSubstr("cannot be read")),
                          HasSubstr("no MCP client is set up")));
}

TEST_F(ClientConfigsTest, AFileOfAnyShapeIsNoCrash) {
  for (
      const char* text :
      {"[]", "7", "null", "\"x\"", "{}", R"({"mcpServers": 7})", R"({"mcpServers": [1]})",
       R"({"projects": []})", R"({"mcpServers": {"belljar": 7}})",
       R"({"mcpServers": {"belljar": {"command": 7}}})",
       R"({"mcpServers": {"belljar": {"command": "belljar", "args": "serve"}}})",
       R"({"mcpServers": {"belljar": {"command": "belljar", "args": [7, null]}}})",
       R"({"mcpServers": {"belljar": {"command": "belljar", "args": null, "disabled": "yes"}}})"}) {
    folder_.write("home/.claude.json", text);
    EXPECT_FALSE(lines().empty()) << text;
  }
  std::filesystem::remove(folder_ / "home/.claude.json");
  for (const char* text : {"mcp_servers = 7\n", "[mcp_servers]\nbelljar = 7\n",
                           "[mcp_servers.belljar]\ncommand = 7\nargs = 7\nenabled = \"x\"\n",
                           "[mcp_servers.belljar]\ncommand = \"belljar\"\nargs = [7]\n"}) {
    folder_.write("home/.codex/config.toml", text);
    EXPECT_FALSE(lines().empty()) << text;
  }
}

}  // namespace
}  // namespace belljar::runtime
