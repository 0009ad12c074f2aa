#include "cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "engine/engine.h"
#include "runtime/version.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

std::string version_text() {
  return fmt::format("belljar {} ({})", runtime::version(), engine::engine_version());
}

/// ` REF TOOL [ARGUMENTS …]`, with a blank before each word.
std::string operands_of(const CLI::App& app) {
  std::string usage;
  for (const CLI::Option* const option : app.get_options()) {
    if (!option->get_positional()) continue;
    std::string name = option->get_name(true);
    if (option->get_expected_max() > 1) name += " …";
    usage += option->get_required() ? " " + name : " [" + name + "]";
  }
  return usage;
}

/// What follows a command's name: ` show [COMPONENT]|check FILE`, ` [verify]`.
std::string usage_of(const CLI::App& app) {
  std::string below;
  for (const CLI::App* const sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    below += (below.empty() ? "" : "|") + sub->get_name() + operands_of(*sub);
  }
  const bool optional = !below.empty() && app.get_require_subcommand_min() == 0;
  if (!below.empty()) below = optional ? " [" + below + "]" : " " + below;
  return below + operands_of(app);
}

std::string options_text(const CLI::App& app, const Style& style, std::string_view indent) {
  std::string text;
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_description().empty() || option->get_name() == "--help") continue;
    std::string name =
        option->get_positional() ? option->get_name(true) : option->get_name(false, true);
    if (!option->get_positional() && option->get_expected_max() > 0 &&
        !option->get_type_name().empty()) {
      name += " " + option->get_type_name();
    }
    // Padded before it is coloured, so that columns stay columns.
    text += fmt::format("{}{} {}\n", indent, style.bold(fmt::format("{:<26}", name)),
                        option->get_description());
  }
  return text;
}

}  // namespace

std::string overview(const Style& style) {
  std::string text = fmt::format(
      "{} – a WebAssembly sandbox for AI agents\n\nUsage: belljar COMMAND "
      "…\n\n",
      style.bold("belljar"));
  for (const CommandEntry& entry : command_table()) {
    text += fmt::format("  {} {}\n", style.bold(fmt::format("{:<11}", entry.name)), entry.summary);
  }
  return text +
         "\nEvery command takes --json. belljar help COMMAND explains one.\n"
         "To begin: belljar inspect FILE.wasm, then belljar call FILE.wasm TOOL.";
}

std::string explain(const CommandLine::Declared& command, const Style& style) {
  std::string text =
      fmt::format("{}\n\nUsage: belljar {}{}\n\n{}\n", command.entry->summary,
                  style.bold(command.entry->name), usage_of(*command.app), command.entry->help);
  std::string options = options_text(*command.app, style, "  ");
  for (const CLI::App* const sub :
       command.app->get_subcommands([](const CLI::App*) { return true; })) {
    options += fmt::format("  {}  {}\n", style.bold(sub->get_name() + operands_of(*sub)),
                           sub->get_description());
    options += options_text(*sub, style, "    ");
  }
  if (!options.empty()) text += "\n" + options;
  return text;
}

namespace {

/// CLI11 takes a word in brackets for a list and splits it. One with this at its end is left alone,
/// and every option takes the mark off again.
constexpr char word_mark = '\x01';

std::string mark_word(std::string_view word) {
  const bool in_brackets = word.starts_with('[') && word.ends_with(']');
  return in_brackets ? std::string(word) + word_mark : std::string(word);
}

std::string unmark_word(std::string& word) {
  if (word.ends_with(std::string{']', word_mark})) word.pop_back();
  return {};
}

void take_words_as_they_are(CLI::App& app) {
  for (CLI::Option* const option : app.get_options()) {
    if (option->get_expected_max() > 0) option->transform(CLI::Validator(unmark_word, ""));
  }
  for (CLI::App* const sub : app.get_subcommands([](CLI::App*) { return true; })) {
    take_words_as_they_are(*sub);
  }
}

}  // namespace

CommandLine::CommandLine() {
  app_.set_help_flag("-h,--help", "Show this");
  app_.add_flag("--version", version_, "Show the version");
  app_.add_flag("--json", json_, "Print one JSON document");
  // One command a line: what follows it is its own, also where it reads like another command.
  app_.require_subcommand(0, 1);
  for (const CommandEntry& entry : command_table()) {
    CLI::App* const sub = app_.add_subcommand(std::string(entry.name), std::string(entry.summary));
    Declared declared{&entry, sub, entry.make()};
    declared.command->declare(*sub);
    sub->add_flag(
        "--json", json_,
        entry.name == "log" ? "Print one JSON document a line" : "Print one JSON document");
    for (CLI::App* const below : sub->get_subcommands([](const CLI::App*) { return true; })) {
      below->add_flag("--json", json_, "Print one JSON document");
    }
    commands_.push_back(std::move(declared));
  }
  take_words_as_they_are(app_);
}

int CommandLine::show_usage_error(const CLI::ParseError& error, Terminal& terminal) const {
  const Declared* within = nullptr;
  for (const Declared& command : commands_) {
    if (command.app->parsed()) within = &command;
  }
  std::string message = one_line(error.what(), 400);
  std::erase(message, word_mark);
  std::string advice = "belljar help lists the commands";
  if (within != nullptr) {
    advice = fmt::format("usage: belljar {}{}; more: belljar help {}", within->entry->name,
                         usage_of(*within->app), within->entry->name);
  } else if (const auto remaining = app_.remaining(); !remaining.empty()) {
    std::vector<std::string> names;
    for (const CommandEntry& entry : command_table()) names.emplace_back(entry.name);
    if (!remaining.front().starts_with('-')) {
      message = fmt::format("there is no command \"{}\"", one_line(remaining.front(), 60));
    }
    const auto meant = closest(remaining.front(), names);
    if (meant) advice = fmt::format("did you mean: belljar {}", *meant);
  }
  terminal.warn(message);
  terminal.note("  " + advice);
  if (terminal.json) {
    terminal.print_json({{"error",
                          {{"exit_code", static_cast<int>(ExitCode::usage)},
                           {"message", message},
                           {"advice", advice}}}});
  }
  return static_cast<int>(ExitCode::usage);
}

Result<ExitCode> CommandLine::dispatch(Terminal& terminal) {
  terminal.json = json_;
  for (const Declared& command : commands_) {
    if (command.app->parsed()) return command.command->run(terminal);
  }
  if (version_) {
    if (terminal.json) {
      terminal.print_json({{"version", version_text()}});
    } else {
      terminal.print(version_text());
    }
    return ExitCode::done;
  }
  terminal.note(overview(terminal.error_style()));
  return ExitCode::usage;
}

int CommandLine::run(int count, const char* const* arguments, Terminal& terminal) {
  try {
    // The last word comes first.
    std::vector<std::string> words;
    for (int i = count - 1; i > 0; --i) words.push_back(mark_word(arguments[i]));
    app_.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    for (const Declared& command : commands_) {
      if (!command.app->parsed()) continue;
      terminal.print(explain(command, terminal.out_style()));
      return 0;
    }
    terminal.print(overview(terminal.out_style()));
    return 0;
  } catch (const CLI::ParseError& error) {
    // What was read before the mistake does not tell whether JSON is wanted.
    terminal.json = std::any_of(arguments, arguments + count, [](const char* argument) {
      return std::string_view(argument) == "--json";
    });
    return show_usage_error(error, terminal);
  }
  auto code = [&]() -> Result<ExitCode> {
    try {
      return dispatch(terminal);
    } catch (const std::exception& error) {
      // Libraries throw where memory ends; there is nobody above to take it.
      return fail(ErrorCode::internal, "{}", error.what());
    }
  }();
  terminal.clear_progress();
  if (!code) {
    const Error& error = code.error();
    terminal.warn(error.describe());
    const ExitCode exit = error_row(error.code()).exit;
    if (terminal.json) {
      terminal.print_json(
          {{"error", {{"exit_code", static_cast<int>(exit)}, {"message", error.describe()}}}});
    }
    return static_cast<int>(exit);
  }
  terminal.flush();
  return static_cast<int>(*code);
}

}  // namespace belljar::cli
