// Every command there is. To add one: a file beside this one, and a line in commands.cc.
#pragma once

#include <memory>
#include <span>

#include "cli/command.h"

namespace belljar::cli {

/// The commands, in the order in which help shows them.
[[nodiscard]] std::span<const CommandEntry> command_table();

[[nodiscard]] std::unique_ptr<Command> make_inspect();
[[nodiscard]] std::unique_ptr<Command> make_call();
[[nodiscard]] std::unique_ptr<Command> make_run();
[[nodiscard]] std::unique_ptr<Command> make_serve();
[[nodiscard]] std::unique_ptr<Command> make_load();
[[nodiscard]] std::unique_ptr<Command> make_unload();
[[nodiscard]] std::unique_ptr<Command> make_list();
[[nodiscard]] std::unique_ptr<Command> make_upgrade();
[[nodiscard]] std::unique_ptr<Command> make_grant();
[[nodiscard]] std::unique_ptr<Command> make_revoke();
[[nodiscard]] std::unique_ptr<Command> make_policy();
[[nodiscard]] std::unique_ptr<Command> make_secret();
[[nodiscard]] std::unique_ptr<Command> make_log();
[[nodiscard]] std::unique_ptr<Command> make_docs();
[[nodiscard]] std::unique_ptr<Command> make_backup();
[[nodiscard]] std::unique_ptr<Command> make_restore();
[[nodiscard]] std::unique_ptr<Command> make_doctor();
[[nodiscard]] std::unique_ptr<Command> make_completion();
[[nodiscard]] std::unique_ptr<Command> make_help();

}  // namespace belljar::cli
