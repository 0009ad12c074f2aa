// belljar completion: scripts for shells, made of what is declared.

#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

/// An option of a command: its spellings, what it is for, and whether it takes a value.
struct Flag {
  std::vector<std::string> names;
  std::string description;
  std::string value;
};

std::vector<Flag> flags_of(const CLI::App& app) {
  std::vector<Flag> flags;
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_positional() || option->get_description().empty()) continue;
    Flag flag;
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    flag.description = option->get_description();
    if (option->get_expected_max() > 0) flag.value = option->get_type_name();
    flags.push_back(std::move(flag));
  }
  return flags;
}

std::vector<const CLI::App*> below(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// The words that can follow a command: its options and the commands below it.
std::string words_of(const CLI::App& app) {
  std::string words;
  for (const CLI::App* const sub : below(app)) words += sub->get_name() + " ";
  for (const Flag& flag : flags_of(app)) {
    for (const std::string& name : flag.names) words += name + " ";
  }
  return words;
}

std::string bash_script(const CommandLine& all) {
  std::string names;
  std::string cases;
  for (const CommandLine::Declared& command : all.commands()) {
    names += std::string(command.entry->name) + " ";
    std::string words = words_of(*command.app);
    for (const CLI::App* const sub : below(*command.app)) words += words_of(*sub);
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command.entry->name, words);
  }
  return fmt::format(R"(# bash completion for belljar
_belljar() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{}--version --help" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}    esac
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}}
complete -o filenames -F _belljar belljar
)",
                     names, cases);
}

/// Text inside single quotes of zsh's _arguments and _describe.
std::string zsh_text(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else if (c == ':' || c == '[' || c == ']') {
      quoted += '\\';
      quoted += c;
    } else {
      quoted += c;
    }
  }
  return quoted;
}

std::string zsh_script(const CommandLine& all) {
  std::string names;
  std::string cases;
  for (const CommandLine::Declared& command : all.commands()) {
    names += fmt::format("    '{}:{}'\n", command.entry->name, zsh_text(command.entry->summary));
    cases += fmt::format("    {})\n      _arguments -s", command.entry->name);
    std::vector<const CLI::App*> apps{command.app};
    std::string subs;
    for (const CLI::App* const sub : below(*command.app)) {
      apps.push_back(sub);
      subs += sub->get_name() + " ";
    }
    std::vector<std::string> seen;
    for (const CLI::App* const app : apps) {
      for (const Flag& flag : flags_of(*app)) {
        for (const std::string& name : flag.names) {
          if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
          seen.push_back(name);
          cases += fmt::format(" \\\n        '{}[{}]{}'", name, zsh_text(flag.description),
                               flag.value.empty() ? "" : ":" + zsh_text(flag.value) + ":_files");
        }
      }
    }
    if (!subs.empty()) {
      cases += fmt::format(" \\\n        '1:what:({})'", subs);
    }
    cases += " \\\n        '*:file:_files'\n      ;;\n";
  }
  return fmt::format(R"(#compdef belljar
# zsh completion for belljar
_belljar() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="${{words[2]}}"
  shift words
  (( CURRENT-- ))
  case "$command" in
{}  esac
}}
if [ "$funcstack[1]" = "_belljar" ]; then
  _belljar "$@"
else
  compdef _belljar belljar
fi
)",
                     names, cases);
}

std::string fish_script(const CommandLine& all) {
  std::string text = "# fish completion for belljar\n";
  for (const CommandLine::Declared& command : all.commands()) {
    text += fmt::format("complete -c belljar -n __fish_use_subcommand -a {} -d {}\n",
                        command.entry->name, shell_word(command.entry->summary));
    std::vector<const CLI::App*> apps{command.app};
    for (const CLI::App* const sub : below(*command.app)) {
      apps.push_back(sub);
      text += fmt::format("complete -c belljar -n '__fish_seen_subcommand_from {}' -a {} -d {}\n",
                          command.entry->name, sub->get_name(), shell_word(sub->get_description()));
    }
    for (const CLI::App* const app : apps) {
      for (const Flag& flag : flags_of(*app)) {
        text += fmt::format("complete -c belljar -n '__fish_seen_subcommand_from {}'",
                            command.entry->name);
        for (const std::string& name : flag.names) {
          text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        }
        text += fmt::format("{} -d {}\n", flag.value.empty() ? "" : " -r",
                            shell_word(flag.description));
      }
    }
  }
  return text;
}

class CompletionCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("SHELL", shell_, "bash, zsh or fish")->required();
  }

  Result<ExitCode> run(Terminal& terminal) override {
    const CommandLine all;
    std::string script;
    if (shell_ == "bash") {
      script = bash_script(all);
    } else if (shell_ == "zsh") {
      script = zsh_script(all);
    } else if (shell_ == "fish") {
      script = fish_script(all);
    } else {
      return fail(ErrorCode::invalid_argument,
                  "there are scripts for bash, zsh and fish, not for \"{}\"", one_line(shell_, 40));
    }
    if (terminal.json) {
      terminal.print_json({{"shell", shell_}, {"script", script}});
    } else {
      terminal.print(script);
    }
    return ExitCode::done;
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion() { return std::make_unique<CompletionCommand>(); }

}  // namespace belljar::cli
