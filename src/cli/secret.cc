// belljar secret: values that tools may use without ever seeing them.

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/time_text.h"
#include "policy/rules.h"
#include "runtime/administration.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

constexpr Bytes longest_secret{64 * 1024};

/// Ctrl-C, where it makes no signal.
constexpr char interrupt_character = 0x03;

/// Keeps what is typed from being shown.
class HiddenInput {
 public:
  HiddenInput() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    // Without signals, Ctrl-C is a character, and the echo is there again after it.
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    active_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~HiddenInput() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  termios before_{};
  bool active_ = false;
};

/// Reads one line as it is typed; nothing where somebody presses Ctrl-C.
std::optional<std::string> read_line() {
  std::string line;
  char c = 0;
  while (line.size() < longest_secret.value) {
    if (::read(STDIN_FILENO, &c, 1) != 1) return std::nullopt;
    if (c == interrupt_character) return std::nullopt;
    if (c == '\n') break;
    line.push_back(c);
  }
  return line;
}

class SecretCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.require_subcommand(1);
    set_ = app.add_subcommand("set", "Set a secret: typed, from a file, or from standard input");
    set_->add_option("NAME", name_, "Its name: a-z, 0-9 and -")->required();
    set_->add_option("--file", file_, "Read the value from this file")->type_name("FILE");
    list_ = app.add_subcommand("list", "List the names of secrets");
    remove_ = app.add_subcommand("rm", "Forget a secret");
    remove_->add_option("NAME", name_, "Its name")->required();
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    if (set_->parsed()) return set(*administration, terminal);
    if (remove_->parsed()) return remove(*administration, terminal);
    return list(*administration, terminal);
  }

 private:
  Result<ExitCode> set(runtime::Administration& administration, Terminal& terminal) const {
    // Before anybody types a value for a name that no rule could use.
    BELLJAR_CHECK(policy::check_secret_name(name_));
    BELLJAR_TRY(const store::SecretValue value, read_value(terminal));
    BELLJAR_CHECK(administration.set_secret(name_, value));
    if (value.reveal().size() < store::Secrets::good_length) {
      terminal.note(fmt::format(
          "This value is short. A tool that may send it can find it out by guessing, if its server "
          "sends back what it is asked; take one of {} random characters or more if you can.",
          store::Secrets::good_length));
    }
    if (terminal.json) {
      terminal.print_json({{"secret", name_}, {"set", true}});
    } else {
      terminal.print(
          fmt::format("{} is set. To let a tool use it: belljar grant COMPONENT "
                      "secret={}@HOST:bearer",
                      name_, name_));
    }
    return ExitCode::done;
  }

  Result<store::SecretValue> read_value(Terminal& terminal) const {
    std::string value;
    if (!file_.empty()) {
      BELLJAR_TRY(value, in_context(read_file(file_, longest_secret), file_));
    } else if (::isatty(STDIN_FILENO) == 1) {
      terminal.show_progress(fmt::format("Value of {} (it is not shown): ", name_));
      const auto typed = [] {
        const HiddenInput hidden;
        return read_line();
      }();
      terminal.note("");
      if (!typed) return fail(ErrorCode::unavailable, "nothing was set");
      value = *typed;
    } else {
      BELLJAR_TRY(value, read_all(STDIN_FILENO, longest_secret));
    }
    // A file or an echo ends with a line break that nobody means.
    if (value.ends_with('\n')) value.pop_back();
    if (value.ends_with('\r')) value.pop_back();
    return store::SecretValue(std::move(value));
  }

  Result<ExitCode> remove(runtime::Administration& administration, Terminal& terminal) const {
    BELLJAR_TRY(const bool removed, administration.remove_secret(name_));
    if (!removed) {
      return fail(ErrorCode::not_found, "there is no secret \"{}\"; belljar secret list shows them",
                  one_line(name_, 60));
    }
    if (terminal.json) {
      terminal.print_json({{"secret", name_}, {"set", false}});
    } else {
      terminal.print(fmt::format("{} is forgotten", one_line(name_, 60)));
    }
    return ExitCode::done;
  }

  static Result<ExitCode> list(runtime::Administration& administration, Terminal& terminal) {
    BELLJAR_TRY(const auto entries, administration.secrets().list());
    Json json = Json::array();
    for (const auto& entry : entries) {
      json.push_back({{"name", entry.name}, {"set_at", format_time(entry.set_at)}});
      if (!terminal.json) {
        terminal.print(
            fmt::format("{:<24} set {}", one_line(entry.name, 60), local_time(entry.set_at)));
      }
    }
    if (terminal.json) {
      terminal.print_json({{"secrets", std::move(json)}});
    } else if (entries.empty()) {
      terminal.print("There are no secrets. To set one: belljar secret set NAME");
    }
    return ExitCode::done;
  }

  CLI::App* set_ = nullptr;
  CLI::App* list_ = nullptr;
  CLI::App* remove_ = nullptr;
  std::string name_;
  std::string file_;
};

}  // namespace

std::unique_ptr<Command> make_secret() { return std::make_unique<SecretCommand>(); }

}  // namespace belljar::cli
