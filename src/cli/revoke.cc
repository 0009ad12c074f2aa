// belljar revoke: takes permissions back; a running guest notices at its next step.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/commands.h"
#include "runtime/administration.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

class RevokeCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("COMPONENT", component_,
                   "A component's name or file, or the number of a grant (see policy show)")
        ->required();
    app.add_option("KIND=VALUE", permissions_, "What to take back; without it, everything");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    std::int64_t count = 0;
    std::int64_t number = 0;
    const char* const end = component_.data() + component_.size();
    const bool is_number = std::from_chars(component_.data(), end, number).ptr == end;
    if (is_number && permissions_.empty()) {
      BELLJAR_TRY(const bool found, administration->revoke(number));
      if (!found) {
        return fail(ErrorCode::not_found, "there is no grant {}; belljar policy show lists them",
                    number);
      }
      count = 1;
    } else if (permissions_.empty()) {
      BELLJAR_TRY(count, revoke_everything(*administration));
    } else {
      BELLJAR_TRY(count, revoke_named(*administration));
    }
    if (terminal.json) {
      terminal.print_json({{"revoked", count}});
    } else {
      terminal.print(count == 1 ? "One permission was taken back"
                                : fmt::format("{} permissions were taken back", count));
    }
    return ExitCode::done;
  }

 private:
  Result<std::int64_t> revoke_everything(runtime::Administration& administration) const {
    // By name, so that nothing is left that was given to other content under it.
    std::string name = component_;
    if (!artifact::is_component_name(component_)) {
      BELLJAR_TRY(const auto key, administration.find_component(component_));
      name = key.name;
    }
    BELLJAR_TRY(const std::int64_t count, administration.revoke_all(name));
    if (count == 0) {
      return fail(ErrorCode::not_found, "{} was granted nothing", one_line(name, 60));
    }
    return count;
  }

  Result<std::int64_t> revoke_named(runtime::Administration& administration) const {
    BELLJAR_TRY(const auto key, administration.find_component(component_));
    BELLJAR_TRY(const auto held, administration.grants().list(key));
    std::error_code error;
    const auto folder = std::filesystem::current_path(error);
    std::vector<std::int64_t> ids;
    for (const std::string& text : permissions_) {
      BELLJAR_TRY(const policy::Grant wanted, policy::parse_grant(text, folder));
      const auto names = store::names_of(wanted);
      const auto is_wanted = [&](const store::StoredGrant& grant) {
        // What was kept in another spelling is the same permission.
        const auto again = policy::parse_grant(grant.grant.text(), folder);
        const std::string name = (again ? *again : grant.grant).text();
        return std::find(names.begin(), names.end(), name) != names.end();
      };
      if (std::none_of(held.begin(), held.end(), is_wanted)) {
        return fail(ErrorCode::not_found,
                    "{} was not granted {}; belljar policy show {} lists what "
                    "it was",
                    key.name, wanted.text(), key.name);
      }
      for (const store::StoredGrant& grant : held) {
        if (is_wanted(grant)) ids.push_back(grant.id);
      }
    }
    std::int64_t count = 0;
    for (const std::int64_t id : ids) {
      BELLJAR_TRY(const bool revoked, administration.revoke(id));
      count += revoked ? 1 : 0;
    }
    return count;
  }

  std::string component_;
  std::vector<std::string> permissions_;
};

}  // namespace

std::unique_ptr<Command> make_revoke() { return std::make_unique<RevokeCommand>(); }

}  // namespace belljar::cli
