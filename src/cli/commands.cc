#include "cli/commands.h"

#include <array>

namespace belljar::cli {
namespace {

// The help of a command says what it is good for and shows it at work. Lines that begin with two
// spaces are examples, and stay as they are.
constexpr std::array table{
    CommandEntry{"inspect", "Show a component: its tools, imports, and what it may do",
                 R"(Reads a component and shows what it offers to an agent and what it wants of the
host. Nothing in it is run.

  belljar inspect csv-query.wasm
  belljar inspect --json csv-query.wasm)",
                 make_inspect},
    CommandEntry{
        "call", "Call a tool once, in a fresh sandbox",
        R"(Prints the tool's result as JSON on standard output, and everything else on standard
error. A component may only compute until you allow more: with a policy file or
single grants for this call, or for good with belljar grant.

  belljar call csv-query.wasm columns file=/data/cities.csv \
      --grant storage=./data:/data
  belljar call text-tools.wasm slug text='Hello, World'
  echo '{"text": "a b"}' | belljar call text-tools.wasm count -

Exit codes: 0 done, 1 the tool's own error, 2 usage, 3 denied, 4 trapped or over a
limit, 5 the component or policy cannot be used, 6 Belljar failed.)",
        make_call},
    CommandEntry{
        "run", "Run a program that is a component or a WASI module",
        R"(The program gets this terminal's standard input, output and error, and its exit code
is this command's. Files, network and variables it gets only where you allow them.

  belljar run tool.wasm -- --its-option input.txt)",
        make_run},
    CommandEntry{"serve", "Serve tools to an MCP client",
                 R"(Speaks the Model Context Protocol over standard input and output. Without REF it
serves what belljar load keeps, and follows its changes; with REF or --profile it
serves those and nothing else. MCP clients start it themselves:

  claude mcp add -s user belljar -- belljar serve --stdio
  belljar serve --stdio ./csv-query.wasm --policy csv-query=./policy.yaml)",
                 make_serve},
    CommandEntry{"load", "Make a component part of what is served",
                 R"(Checks and compiles a component, and keeps it, in its content of now, for every
server of yours: those that run take it at once. A policy or grants given here hold
for this content until you revoke them.

  belljar load csv-query.wasm
  belljar load weather=./wx.wasm --grant network=api.weather.example)",
                 make_load},
    CommandEntry{"unload", "Take a component out of what is served",
                 R"(Running servers let go of it at once; its calls under way end as usual.

  belljar unload csv-query)",
                 make_unload},
    CommandEntry{"list", "List what is loaded, and the servers that run",
                 R"(Says for each component whether its file is still what was loaded.

  belljar list)",
                 make_list},
    CommandEntry{
        "upgrade", "Take a component's new content",
        R"(A file that changes after it was loaded is held back by servers until you upgrade.
Shows which tools and imports are new, gone or different. What was granted to the
old content holds for the new.

  belljar upgrade --dry-run csv-query
  belljar upgrade csv-query)",
        make_upgrade},
    CommandEntry{"grant", "Allow a component something",
                 R"(Kinds and values:

  storage=PATH[:GUEST][:rw]       a folder or file, read-only unless it says rw
  network=[METHOD,… ]HOST         https on port 443; or a URL, tcp:HOST:PORT,
                                  udp:HOST:PORT; cidr:RANGE behind it for a host
                                  with private addresses
  environment=NAME[=VALUE]        a variable of yours, or a fixed value
  secret=NAME@HOST:header=NAME    put in on the way to the host; also :bearer and
                                  :basic=USER, or NAME:expose for the value itself
  limit=NAME=AMOUNT               memory, fuel, timeout, instances, output, handles,
                                  written, files, response, requests
  capability=INTERFACE            an interface of a program that embeds Belljar

A grant holds for the component's name and content, from this moment on, also in
servers that run.

  belljar grant csv-query storage=./data:/data
  belljar grant fetch network='GET,HEAD api.example' --for 8h
  belljar grant r-1a2b3c4d
  belljar grant r-5e6f7a8b ./data)",
                 make_grant},
    CommandEntry{"revoke", "Take permissions back",
                 R"(Holds at once: a tool that runs is refused at its next step.

  belljar revoke csv-query storage=./data:/data
  belljar revoke 7
  belljar revoke csv-query)",
                 make_revoke},
    CommandEntry{
        "policy", "Show what components may do; check policy files",
        R"(show says what holds and what was asked for in vain; check reads a policy file as
it would be read when used, and reports the line and column of a mistake.

  belljar policy show csv-query
  belljar policy check policy.yaml)",
        make_policy},
    CommandEntry{
        "secret", "Keep values that tools use without seeing them",
        R"(A secret is encrypted on disk, put into requests on their way out, and taken out of
what comes back. A value is typed, or read from a file or standard input; never an
argument, which others could see.

  belljar secret set weather-key
  belljar secret set weather-key --file key.txt
  belljar grant weather secret=weather-key@api.weather.example:header=X-Api-Key)",
        make_secret},
    CommandEntry{
        "log", "Show what happened",
        R"(Every call, refusal, use of a permission and change of one, of all processes. With
--json, one JSON object a line. verify checks the chain of hashes.

  belljar log --last 20
  belljar log --follow --component csv-query
  belljar log verify)",
        make_log},
    CommandEntry{
        "docs", "Put documentation into a component",
        R"(Tools lose the comments of their WIT when components are made. This puts them back,
and agents see them.

  belljar docs inject wit/ csv-query.wasm)",
        make_docs},
    CommandEntry{"backup", "Write the state into one file",
                 R"(Grants, secrets, loaded components and the audit log, as they are at one moment.

  belljar backup belljar-2026-01-31.tar.gz)",
                 make_backup},
    CommandEntry{"restore", "Read the state from a backup",
                 R"(Everything is checked before anything is replaced. End running servers first.

  belljar restore --replace belljar-2026-01-31.tar.gz)",
                 make_restore},
    CommandEntry{
        "doctor", "Find what is wrong with this machine or set-up",
        R"(Looks at the kernel, limits, compiler, state, cache, components, policies, and at
how MCP clients are set up. Each problem comes with what mends it.

  belljar doctor)",
        make_doctor},
    CommandEntry{"completion", "Print a completion script for a shell",
                 R"(For bash, zsh and fish.

  belljar completion bash > ~/.local/share/bash-completion/completions/belljar
  belljar completion zsh > "${fpath[1]}/_belljar"
  belljar completion fish > ~/.config/fish/completions/belljar.fish)",
                 make_completion},
    CommandEntry{"help", "Explain a command", R"(  belljar help grant)", make_help},
};

}  // namespace

std::span<const CommandEntry> command_table() { return table; }

}  // namespace belljar::cli
