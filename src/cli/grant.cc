// belljar grant: lets a component do something.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/component_input.h"
#include "cli/hindrances.h"
#include "cli/time_text.h"
#include "policy/host.h"
#include "policy/rules.h"
#include "runtime/administration.h"
#include "runtime/launch.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

class GrantCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("COMPONENT", component_,
                   "A loaded component's name, its file, or the id of a request (r-…)")
        ->required();
    app.add_option("KIND=VALUE", permissions_,
                   "What to allow; for a request that wants a folder, the folder");
    app.add_option("--policy", policy_, "Approve a policy file, as it is now")->type_name("FILE");
    app.add_flag("--once", once_, "For one call");
    app.add_flag("--session", session_, "For the servers that run now, until they end");
    app.add_option("--for", for_, "For a time: 30m, 8h")->type_name("TIME");
    app.add_option("--until", until_, "Until 2026-01-31 or 2026-01-31T18:00")->type_name("DATE");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    BELLJAR_TRY(const Wish wish, read(*administration));
    BELLJAR_TRY(const auto scopes, read_scopes(*administration, wish.component));
    // Before anything is given: what cannot be read leaves nothing half given.
    BELLJAR_TRY(const auto rules, documents_of(policy_, wish.permissions));
    warn_of_rules(rules, terminal);
    BELLJAR_CHECK(warn_of_hindrances(rules, wish.component, *administration, terminal));
    Json given = Json::array();
    std::vector<std::string> lines;
    for (const policy::Grant& permission : wish.permissions) {
      for (const store::GrantScope& scope : scopes) {
        BELLJAR_TRY(const std::int64_t id,
                    administration->grant(wish.component, permission, scope));
        given.push_back(
            {{"id", id}, {"permission", permission.text()}, {"scope", scope_text(scope)}});
        lines.push_back(fmt::format("{} may {} ({})", wish.component.name,
                                    policy::with_name_notes(permission.text()), scope_text(scope)));
      }
    }
    if (!policy_.empty()) {
      BELLJAR_TRY(const auto document, administration->approve_policy(wish.component, policy_));
      given.push_back({{"policy", policy_}});
      // With the folders that its links lead to, which are what was approved.
      lines.push_back(fmt::format("{} may do what {} says, as it is now{}", wish.component.name,
                                  shown_name(policy_), document.storage.empty() ? "" : ":"));
      for (const policy::StorageRule& rule : document.storage) {
        lines.push_back(fmt::format("  storage {}", one_line(policy::describe(rule), 4'096)));
      }
    }
    if (terminal.json) {
      terminal.print_json({{"component", wish.component.name},
                           {"digest", "sha256:" + wish.component.digest},
                           {"granted", std::move(given)}});
    } else {
      for (const std::string& line : lines) terminal.print(line);
    }
    return ExitCode::done;
  }

 private:
  /// A component may be called r-tools.
  static bool is_request(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    return text.size() == 10 && text.starts_with("r-") &&
           text.find_first_not_of(digits, 2) == std::string_view::npos;
  }

  struct Wish {
    store::ComponentKey component;
    std::vector<policy::Grant> permissions;
  };

  Result<Wish> read(runtime::Administration& administration) const {
    Wish wish;
    std::vector<std::string> texts = permissions_;
    if (is_request(component_)) {
      BELLJAR_TRY(const auto request, administration.grants().request(component_));
      if (!request) return no_request(administration);
      wish.component = request->component;
      if (policy::wants_folder(request->grant_text)) {
        BELLJAR_TRY(texts, name_folder(request->grant_text));
      } else {
        texts.push_back(request->grant_text);
      }
    } else {
      BELLJAR_TRY(wish.component, administration.find_component(component_));
    }
    BELLJAR_TRY(wish.permissions, parse_grants(texts));
    if (wish.permissions.empty() && policy_.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "say what to grant: KIND=VALUE, such as network=api.example, or --policy FILE");
    }
    return wish;
  }

  /// Says what became of a request that does not wait.
  Result<Wish> no_request(runtime::Administration& administration) const {
    BELLJAR_TRY(const auto ended, administration.grants().ended_request(component_));
    if (!ended) {
      return fail(ErrorCode::not_found,
                  "there is no request {}; belljar policy show lists those that wait",
                  one_line(component_, 60));
    }
    if (ended->how == store::EndedRequest::How::answered) {
      return fail(ErrorCode::not_found,
                  "request {} of {} was granted already, {}; belljar policy show lists what holds",
                  component_, one_line(ended->component.name, 60), local_time(ended->at));
    }
    return fail(
        ErrorCode::not_found,
        "request {} of {} ran out, {}: only the newest {} of a component are kept. Call the "
        "tool again, and what it still needs gets a new id",
        component_, one_line(ended->component.name, 60), local_time(ended->at),
        store::requests_of_component);
  }

  /// The permission of a request that cannot know which folder of this user's is meant.
  Result<std::vector<std::string>> name_folder(const std::string& wanted) const {
    const std::string rest =
        wanted.substr(wanted.find(policy::unknown_folder) + policy::unknown_folder.size());
    if (permissions_.size() != 1 || permissions_.front().starts_with("storage=")) {
      return fail(ErrorCode::invalid_argument,
                  "{} asks for a folder as {}, and only you know which of yours: belljar grant {} "
                  "FOLDER",
                  component_, rest.substr(1), component_);
    }
    return std::vector{"storage=" + permissions_.front() + rest};
  }

  Result<std::vector<store::GrantScope>> read_scopes(runtime::Administration& administration,
                                                     const store::ComponentKey& component) const {
    if (int{once_} + int{session_} + int{!for_.empty()} + int{!until_.empty()} > 1) {
      return fail(ErrorCode::invalid_argument,
                  "only one of --once, --session, --for and --until makes sense");
    }
    if (!policy_.empty() && (once_ || session_ || !for_.empty() || !until_.empty())) {
      return fail(ErrorCode::invalid_argument,
                  "a policy is approved until it is taken back; --once, --session, --for and "
                  "--until are for single permissions");
    }
    store::GrantScope scope;
    if (once_) scope.uses = 1;
    if (!for_.empty()) {
      BELLJAR_TRY(const auto duration, parse_duration(for_));
      scope.until = administration.clock().now() +
                    std::chrono::duration_cast<std::chrono::microseconds>(duration);
    }
    if (!until_.empty()) {
      BELLJAR_TRY(scope.until, parse_local_time(until_));
      if (*scope.until <= administration.clock().now()) {
        return fail(ErrorCode::invalid_argument, "--until {}: that has passed", until_);
      }
    }
    if (!session_) return std::vector{scope};
    std::vector<store::GrantScope> scopes;
    for (std::string& session : administration.sessions_with(component)) {
      scopes.push_back({std::nullopt, std::move(session), std::nullopt});
    }
    if (scopes.empty()) {
      return fail(ErrorCode::not_found, "no server that runs has {} in this content loaded",
                  component.name);
    }
    return scopes;
  }

  std::string component_;
  std::vector<std::string> permissions_;
  std::string policy_;
  bool once_ = false;
  bool session_ = false;
  std::string for_;
  std::string until_;
};

}  // namespace

std::unique_ptr<Command> make_grant() { return std::make_unique<GrantCommand>(); }

}  // namespace belljar::cli
