// belljar backup and belljar restore: the state directory as one file.

#include "runtime/backup.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "runtime/administration.h"
#include "support/result.h"

namespace belljar::cli {
namespace {

Json contents_json(const std::string& file, const runtime::BackupContents& contents) {
  return {{"file", file},
          {"contents", contents.files},
          {"size", contents.size.value},
          {"secret_key", contents.secret_key}};
}

class BackupCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("FILE", file_, "Where to write it: a name that ends in .tar.gz")->required();
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto contents, runtime::make_backup(settings, file_));
    if (terminal.json) {
      terminal.print_json(contents_json(file_, contents));
      return ExitCode::done;
    }
    terminal.print(fmt::format("{} holds your grants, secrets and audit log ({})",
                               shown_name(file_), format_bytes(contents.size)));
    terminal.print(contents.secret_key
                       ? "The key that opens the secrets is in it: keep it as safe as they are."
                       : "No key that opens secrets is in it.");
    return ExitCode::done;
  }

 private:
  std::string file_;
};

class RestoreCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("FILE", file_, "A file that belljar backup made")->required();
    app.add_flag("--replace", replace_, "Put it in the place of the state that is there");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto contents,
                runtime::restore_backup(settings, file_,
                                        replace_ ? runtime::Replace::yes : runtime::Replace::no));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    BELLJAR_CHECK(administration->note_restored(file_));
    if (terminal.json) {
      terminal.print_json(contents_json(file_, contents));
    } else {
      terminal.print(fmt::format("The state is that of {} now", shown_name(file_)));
    }
    return ExitCode::done;
  }

 private:
  std::string file_;
  bool replace_ = false;
};

}  // namespace

std::unique_ptr<Command> make_backup() { return std::make_unique<BackupCommand>(); }
std::unique_ptr<Command> make_restore() { return std::make_unique<RestoreCommand>(); }

}  // namespace belljar::cli
