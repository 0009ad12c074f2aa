#include "cli/manual.h"

#include <fmt/format.h>

#include "runtime/version.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

constexpr std::string_view ellipsis = "…";

/// Text as roff takes it: backslashes doubled, no line that begins with a control character, and
/// no character that a terminal without UTF-8 lacks.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const std::string_view line : split(text, '\n')) {
    if (!escaped.empty()) escaped += '\n';
    if (line.starts_with('.') || line.starts_with('\'')) escaped += "\\&";
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\') {
        escaped += "\\e";
      } else if (line[i] == '-') {
        escaped += "\\-";
      } else if (line.substr(i).starts_with(ellipsis)) {
        escaped += "...";
        i += ellipsis.size() - 1;
      } else {
        escaped += line[i];
      }
    }
  }
  return escaped;
}

/// Paragraphs as they are; lines that begin with two spaces as examples.
std::string body(std::string_view help) {
  std::string text;
  bool example = false;
  for (const std::string_view line : split(help, '\n')) {
    const bool now = line.starts_with("  ");
    if (now != example) text += now ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n";
    example = now;
    text += line.empty() ? ".PP\n" : escape(now ? line.substr(2) : line) + "\n";
  }
  if (example) text += ".RE\n.fi\n";
  return text;
}

std::string options(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_description().empty() || option->get_name() == "--help") continue;
    const std::string name =
        option->get_positional() ? option->get_name(true) : option->get_name(false, true);
    text += fmt::format(".TP\n\\fB{}\\fR", escape(name));
    if (!option->get_positional() && option->get_expected_max() > 0 &&
        !option->get_type_name().empty()) {
      text += fmt::format(" \\fI{}\\fR", escape(option->get_type_name()));
    }
    text += "\n" + escape(option->get_description()) + "\n";
  }
  return text;
}

constexpr std::string_view closing = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The tool returned its own error.
.TP
.B 2
The command line makes no sense, or names a tool that is not there.
.TP
.B 3
The tool was denied something and failed.
.TP
.B 4
The tool trapped, went over a limit, or was stopped.
.TP
.B 5
A component, policy or configuration cannot be used.
.TP
.B 6
Belljar or the machine failed.
.PP
\fBbelljar run\fR passes on the exit status of the program that it runs.
.SH ENVIRONMENT
.TP
.B BELLJAR_HOME
Moves state, configuration, cache and control sockets into one folder.
.TP
.BR XDG_DATA_HOME ", " XDG_CONFIG_HOME ", " XDG_CACHE_HOME ", " XDG_RUNTIME_DIR
Where they are otherwise.
.TP
.B NO_COLOR
Set to anything, switches colours off.
.SH FILES
.TP
.I ~/.local/share/belljar
Grants, secrets and the audit log.
.TP
.I ~/.config/belljar/belljar.toml
Configuration.
.TP
.I ~/.cache/belljar
Compiled code; it can be removed at any time.
)";

}  // namespace

std::string manual_page(const CommandLine& commands) {
  std::string text = fmt::format(
      ".TH BELLJAR 1 \"\" \"belljar {}\" \"User Commands\"\n.SH NAME\nbelljar \\- a WebAssembly "
      "sandbox "
      "for AI agents\n.SH SYNOPSIS\n.B belljar\n.I COMMAND\n\\&...\n.SH DESCRIPTION\nBelljar runs "
      "tools that others wrote in WebAssembly sandboxes that start with no rights at all. It makes "
      "them tools of an agent that speaks the Model Context Protocol, lets a person grant what "
      "they "
      "need, and records every use.\n.SH COMMANDS\n",
      runtime::version());
  for (const CommandLine::Declared& command : commands.commands()) {
    text += fmt::format(".SS belljar {}\n{}.\n.PP\n{}", escape(command.entry->name),
                        escape(command.entry->summary), body(command.entry->help));
    text += options(*command.app);
    for (const CLI::App* const below :
         command.app->get_subcommands([](const CLI::App*) { return true; })) {
      text +=
          fmt::format(".TP\n.B {} {}\n{}\n.RS\n{}.RE\n", escape(command.entry->name),
                      escape(below->get_name()), escape(below->get_description()), options(*below));
    }
  }
  return text + std::string(closing);
}

}  // namespace belljar::cli
