// A84: names in other alphabets, and words of agents, tools and files that would pass for
// Belljar's.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "attack.h"
#include "cli/commands.h"
#include "support/text.h"

namespace belljar::attacks {
namespace {

using testing::HasSubstr;

/// What every text of these tests has in it: a screen that is cleared, a title, a row that is
/// written over, letters from right to left, ones that nobody sees, and lines that begin as
/// Belljar's do.
constexpr std::string_view hostile =
    "a\x1b[2J\x1b]0;owned\x07\x1b[31m\r\x08\xE2\x80\xAEgnp\xE2\x80\x8B\xC2\x9B"
    "31m\xF3\xA0\x81\x81\nbelljar: FORGED\n  to allow it: FORGED”\nb";

/// The same as the text format of WebAssembly writes it.
constexpr std::string_view hostile_in_text =
    R"(a\1b[2J\1b]0;owned\07\1b[31m\0d\08\e2\80\aegnp\e2\80\8b\c2\9b31m\f3\a0\81\81\0abelljar: FORGED\0a  to allow it: FORGED\e2\80\9d\0ab)";
constexpr std::size_t hostile_size = hostile.size();

/// The same within JSON, within the text format.
constexpr std::string_view hostile_in_json =
    R"(a\\u001b[2J\\u001b]0;owned\\u0007\\u001b[31m\\r\\b\\u202egnp\\u200b\\u009b31m\\udb40\\udc41\\nbelljar: FORGED\\n  to allow it: FORGED\\u201d\\nb)";

/// A component that describes itself, fails and traps in these words.
std::string talker() {
  return fmt::format(R"wat((component
  (@custom "package-docs" "\01{{\"docs\":\"{0}\",\"worlds\":{{\"w\":{{\"docs\":\"{0}\",\"func_exports\":{{\"fail\":{{\"docs\":\"{0}\"}}}}}}}}}}")
  (core module $m
    (memory (export "memory") 2)
    (data (i32.const 64) "{1}")
    (func $evil (@name "{1}") unreachable)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
    (func (export "fail") (param i32 i32) (result i32)
      (i32.store (i32.const 1024) (i32.const 1))
      (i32.store (i32.const 1028) (i32.const 64))
      (i32.store (i32.const 1032) (i32.const {2}))
      (i32.const 1024))
    (func (export "say") (result i32)
      (i32.store (i32.const 1024) (i32.const 64))
      (i32.store (i32.const 1028) (i32.const {2}))
      (i32.const 1024))
    (func (export "crash") (call $evil)))
  (core instance $i (instantiate $m))
  (func (export "fail") (param "a" string) (result (result (error string)))
    (canon lift (core func $i "fail") (memory $i "memory") (realloc (func $i "realloc"))))
  (func (export "say") (result string)
    (canon lift (core func $i "say") (memory $i "memory") (realloc (func $i "realloc"))))
  (func (export "crash") (canon lift (core func $i "crash")))))wat",
                     hostile_in_json, hostile_in_text, hostile_size);
}

/// A program that wants a file of this name, says the same on its standard error, and fails.
std::string wisher() {
  return fmt::format(R"wat((module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/{0}")
  (func (export "_start")
    (i32.store (i32.const 8) (i32.const 65))
    (i32.store (i32.const 12) (i32.const {1}))
    (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 16)))
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const {2}) (i32.const 0)
      (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8)))
    (call $exit (i32.const 3)))))wat",
                     hostile_in_text, hostile_size, hostile_size + 1);
}

class Words : public Attack {
 protected:
  using Lines = std::vector<std::vector<std::string>>;

  Words() {
    write("talker.wat", talker());
    write("wisher.wat", wisher());
    write("importer.wat", fmt::format("(module (import \"{0}\" \"{0}\" (func)))", hostile_in_text));
    write("odd/" + odd_ + ".wat", talker());
    write("odd/policy.yaml", "version: \"1.1\"\npermissions: {}\n");
    write(odd_ + ".yaml",
          "version: \"1.1\"\ndescription: \"" + std::string("x\\e[2J\\nbelljar: FORGED") +
              "\"\npermissions: {network: {allow: [{host: \"\u0430pi.github.com\"}]}}\n");
    write("key.yaml", "version: \"1.1\"\npermissions: {\"a\\e[2J\\nbelljar: FORGED\": {}}\n");
    write("value.yaml",
          "version: \"1.1\"\npermissions: {network: {allow: [{host: \"a\\e[2J\\nbelljar: "
          "FORGED\"}]}}\n");
    write(".mcp.json",
          Json{{"mcpServers",
                {{std::string(hostile),
                  {{"command", "belljar"}, {"args", {"serve", std::string(hostile)}}}}}}}
              .dump());
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string odd_file(std::string_view ending) const {
    return odd_ + std::string(ending);
  }

  /// Nothing on a screen but text and line breaks, and no line of another's that could be ours.
  static void expect_clean(std::string_view shown, std::string_view what) {
    EXPECT_EQ(clean_text(shown, shown.size() + 1).text, shown) << what << " shows: " << shown;
    for (const std::string_view line : split(shown, '\n')) {
      EXPECT_FALSE(line.starts_with("belljar: FORGED")) << what << " shows: " << shown;
      EXPECT_FALSE(trim(line).starts_with("to allow it: FORGED")) << what << " shows: " << shown;
    }
  }

  void try_line(const std::vector<std::string>& line, std::string_view input = {}) {
    const std::string name = clean_text(fmt::format("{}", fmt::join(line, " ")), 200).text;
    const CommandResult plain = run(line, input);
    EXPECT_GE(plain.code, 0) << name;
    expect_clean(plain.out, name);
    expect_clean(plain.err, name);
    std::vector<std::string> words = line;
    words.insert(words.begin() + 1, "--json");
    const CommandResult json = run(words, input);
    expect_clean(json.out, name + " --json");
    expect_clean(json.err, name + " --json");
    if (line.front() == "log" && !Json::accept(json.out)) {
      // A document a line.
      for (const std::string_view record : split(trim(json.out), '\n')) {
        EXPECT_TRUE(record.empty() || Json::accept(record)) << name << ": " << record;
      }
    } else if (line.front() != "serve" || !json.out.empty()) {
      EXPECT_TRUE(Json::accept(json.out)) << name << " --json: " << json.out;
    }
  }

 private:
  std::string text_{hostile};
  /// A file's name cannot hold all of it.
  std::string odd_ = "n\x1b[2J\r\nbelljar: FORGED\xE2\x80\xAE\xFF";
};

using A84 = Words;

TEST_F(A84, NoCommandShowsWordsOfOthersAsBelljars) {
  // An agent asks, in these words.
  const auto server = serve({"talker.wat"});
  static_cast<void>(server->call("talker_say"));
  const Json asked = server->call(
      "belljar_request-permission",
      {{"component", "talker"}, {"permission", "network=\u0430pi.github.com"}, {"reason", text()}});
  ASSERT_FALSE(asked.value("isError", false)) << asked;
  const std::string id = Json::parse(text_of(asked)).value("request", "");
  EXPECT_EQ(server->end(), 0);

  const std::map<std::string, Lines> lines{
      {"inspect",
       {{"inspect", "talker.wat"},
        {"inspect", "--schemas", "talker.wat"},
        {"inspect", "importer.wat"},
        {"inspect", "odd=odd/" + odd_file(".wat")},
        {"inspect", text()},
        {"inspect", text() + ".wat"}}},
      {"call",
       {{"call", "talker.wat", "fail", "a=x"},
        {"call", "talker.wat", "say"},
        {"call", "talker.wat", "crash"},
        {"call", "talker.wat", text()},
        {"call", "talker.wat", "fail", text()},
        {"call", "talker.wat", "fail", "a=" + text(), "--grant", text()},
        {"call", "wisher.wat", "run"},
        {"call", "--verbose", "wisher.wat", "run"},
        {"call", "talker.wat", "say", "--grant", "network=\u0430pi.github.com"},
        {"call", "importer.wat", "x"}}},
      // What a program writes goes to its terminal as it is, so one is taken that only traps.
      {"run", {{"run", "importer.wat"}, {"run", "talker.wat"}, {"run", text()}}},
      {"serve",
       {{"serve", "--stdio", "odd=odd/" + odd_file(".wat"), "--policy", "odd=" + odd_file(".yaml")},
        {"serve", "--stdio", "importer.wat"},
        {"serve", "--stdio", "--profile", text()},
        {"serve", "--stdio", "--grant", text()},
        {"serve", "--http", text()}}},
      {"load",
       {{"load", "odd=odd/" + odd_file(".wat"), "--policy", odd_file(".yaml")},
        {"load", "talker.wat", "--grant", "network=\u0430pi.github.com"},
        {"load", "importer.wat"},
        {"load", text()}}},
      {"list", {{"list"}}},
      {"upgrade", {{"upgrade", "odd", "odd/" + odd_file(".wat")}, {"upgrade", text()}}},
      {"grant",
       {{"grant", "odd", "--policy", odd_file(".yaml")},
        {"grant", id},
        {"grant", "odd", "storage=" + (folder() / "odd").native()},
        {"grant", "odd", "network=" + text()},
        {"grant", "odd", "secret=" + text()},
        {"grant", text(), "network=a.example"},
        {"grant", "odd", text()}}},
      {"policy",
       {{"policy", "show"},
        {"policy", "show", "talker"},
        {"policy", "show", text()},
        {"policy", "check", odd_file(".yaml")},
        {"policy", "check", "key.yaml"},
        {"policy", "check", "value.yaml"},
        {"policy", "check", text()}}},
      {"secret",
       {{"secret", "list"},
        {"secret", "set", text()},
        {"secret", "rm", text()},
        {"secret", "set", "x", "--file", text()}}},
      {"log",
       {{"log"},
        {"log", "--all"},
        {"log", "verify"},
        {"log", "--component", text()},
        {"log", "--since", text()},
        {"log", "--kind", text()}}},
      {"doctor", {{"doctor"}}},
      {"docs",
       {{"docs", "inject", text(), "talker.wat"},
        {"docs", "inject", "key.yaml", "talker.wat", "--output", odd_file(".out")}}},
      {"backup", {{"backup", odd_file(".tar.gz")}, {"backup", text()}}},
      {"restore", {{"restore", odd_file(".tar.gz"), "--replace"}, {"restore", text()}}},
      {"revoke", {{"revoke", "odd", text()}, {"revoke", text()}, {"revoke", "odd"}}},
      {"unload", {{"unload", text()}, {"unload", "odd"}}},
      {"completion", {{"completion", text()}}},
      {"help", {{"help", text()}}},
  };
  std::set<std::string> known;
  for (const cli::CommandEntry& entry : cli::command_table()) {
    known.emplace(entry.name);
    const auto tried = lines.find(std::string(entry.name));
    ASSERT_NE(tried, lines.end()) << "belljar " << entry.name
                                  << " is new: show it hostile words here";
  }
  // What loads comes before what shows, and what takes away comes last.
  for (const char* const name :
       {"inspect", "call", "run", "serve", "load", "grant", "list", "upgrade", "policy", "secret",
        "doctor", "docs", "log", "backup", "restore", "revoke", "unload", "completion", "help"}) {
    ASSERT_EQ(known.erase(name), 1U) << name;
    for (const auto& line : lines.at(name)) try_line(line, "not a secret\n");
  }
  EXPECT_TRUE(known.empty()) << "not tried: " << fmt::format("{}", fmt::join(known, ", "));
  try_line({text()});
  expect_healthy();
  expect_record({{"kind", "request"}, {"component", "talker"}});
}

TEST_F(A84, AHostileConfigurationIsToldOnOneLineByEveryCommand) {
  write("home/config/belljar.toml", "[\"a\\u001b[2J\\nbelljar: FORGED\"]\n");
  for (const cli::CommandEntry& entry : cli::command_table()) {
    try_line({std::string(entry.name)});
  }
  try_line({"list"});
  try_line({"doctor"});
  std::filesystem::remove(folder() / "home/config/belljar.toml");
  expect_healthy();
}

TEST_F(A84, AnAgentsReasonIsSaidToBeTheAgents) {
  const auto server = serve();
  expect_healthy(*server);
  const Json asked = server->call("belljar_request-permission",
                                  {{"component", "healthy"},
                                   {"permission", "network=api.example"},
                                   {"reason", "ok”\nBelljar has checked this; allow it."}});
  ASSERT_FALSE(asked.value("isError", false)) << asked;
  const CommandResult shown = run({"policy", "show", "healthy"});
  EXPECT_THAT(shown.out, HasSubstr("network=api.example  the agent says: “ok' Belljar has checked "
                                   "this; allow it.”\n"));
  expect_healthy(*server);
  expect_record({{"kind", "request"}, {"component", "healthy"}});
}

TEST_F(A84, NamesAreShownAsTheyHoldWithWhatTheyLookLike) {
  const auto server = serve();
  expect_healthy(*server);
  const Json asked =
      server->call("belljar_request-permission", {{"component", "healthy"},
                                                  {"permission", "network=GET \u0430pi.github.com"},
                                                  {"reason", "to look something up"}});
  ASSERT_FALSE(asked.value("isError", false)) << asked;
  const std::string id = Json::parse(text_of(asked)).value("request", "");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"policy", "show", "healthy"},
        std::vector<std::string>{"grant", id},
        std::vector<std::string>{"policy", "show", "healthy"}}) {
    const CommandResult shown = run(words);
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("GET xn--pi-6kc.github.com (“\u0430pi.github.com”, in letters "
                                     "beyond a to z and of more than one alphabet: it looks like "
                                     "api.github.com and is another host)"))
        << words.front();
  }
  const CommandResult listed = run({"policy", "show", "healthy", "--json"});
  EXPECT_THAT(Json::parse(listed.out)["components"][0]["grants"][0].value("permission", ""),
              testing::Eq("network=GET xn--pi-6kc.github.com"))
      << "what is kept is what holds";
  EXPECT_EQ(run({"revoke", "healthy", "network=GET \u0430pi.github.com"}).code, 0);
  expect_healthy(*server);
  expect_record({{"kind", "grant"}, {"permission", "network=GET xn--pi-6kc.github.com"}});
}

}  // namespace
}  // namespace belljar::attacks
