// belljar policy: shows what components may do, and checks policy files.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/commands.h"
#include "cli/time_text.h"
#include "policy/host.h"
#include "policy/summary.h"
#include "runtime/administration.h"
#include "runtime/bounds.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

/// More than any reason or permission has.
constexpr std::size_t longest_line = 1'000;

class PolicyCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.require_subcommand(1);
    show_ = app.add_subcommand("show", "Show what components may do, and what they asked for");
    show_->add_option("COMPONENT", component_, "A component's name or file; without it, all");
    check_ = app.add_subcommand("check", "Check a policy file and say what it allows");
    check_->add_option("FILE", file_, "The policy file")->required();
  }

  Result<ExitCode> run(Terminal& terminal) override {
    return check_->parsed() ? check(terminal) : show(terminal);
  }

 private:
  Result<ExitCode> check(Terminal& terminal) const {
    BELLJAR_TRY(const policy::Document document, runtime::read_policy_file(file_));
    const auto rules = policy::summarize(document);
    std::vector<policy::SummaryLine> allowed;
    std::vector<policy::SummaryLine> denied;
    std::partition_copy(rules.begin(), rules.end(), std::back_inserter(denied),
                        std::back_inserter(allowed),
                        [](const policy::SummaryLine& line) { return line.denied; });
    const auto limits = policy::summarize(document.limits);
    if (terminal.json) {
      terminal.print_json({{"file", file_},
                           {"description", document.description},
                           {"allows", policy::sentences(allowed)},
                           {"denies", policy::sentences(denied)},
                           {"limits", policy::sentences(limits)},
                           {"warnings", document.warnings}});
      return ExitCode::done;
    }
    for (const std::string& warning : document.warnings) terminal.warn(warning);
    terminal.print(fmt::format("{} is sound. It allows:", shown_name(file_)));
    if (!document.description.empty()) {
      terminal.print(fmt::format("  (it says of itself: {})", quoted(document.description, 500)));
    }
    const auto print = [&](const std::vector<policy::SummaryLine>& lines) {
      for (const auto& line : lines) {
        terminal.print(fmt::format("  {} {}", line.kind, one_line(line.text, 1'000)));
      }
    };
    print(allowed);
    if (allowed.empty()) terminal.print("  nothing beyond computing");
    if (!denied.empty()) terminal.print("It denies:");
    print(denied);
    if (!limits.empty()) terminal.print("It sets:");
    print(limits);
    return ExitCode::done;
  }

  Result<ExitCode> show(Terminal& terminal) const {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_TRY(const auto administration, runtime::Administration::open(settings));
    std::vector<store::ComponentKey> components;
    if (component_.empty()) {
      BELLJAR_TRY(components, known_components(*administration));
    } else {
      BELLJAR_TRY(components.emplace_back(), administration->find_component(component_));
    }
    Json json = Json::array();
    for (const store::ComponentKey& component : components) {
      const auto one = describe(*administration, component);
      if (!one && !component_.empty()) return std::unexpected(one.error());
      if (!one) {
        terminal.warn(fmt::format("{}: {}", component.name, one.error().describe()));
        continue;
      }
      json.push_back(*one);
      if (!terminal.json) print(*one, terminal);
    }
    if (terminal.json) {
      terminal.print_json({{"components", std::move(json)}});
    } else if (components.empty()) {
      terminal.print("Nothing is loaded, and nothing was granted.");
    }
    return ExitCode::done;
  }

  /// What is loaded, was granted something, or waits for an answer.
  static Result<std::vector<store::ComponentKey>> known_components(
      runtime::Administration& administration) {
    std::vector<store::ComponentKey> components;
    const auto add = [&](const store::ComponentKey& key) {
      if (std::find(components.begin(), components.end(), key) == components.end()) {
        components.push_back(key);
      }
    };
    BELLJAR_TRY(const auto kept, administration.components().list());
    for (const auto& component : kept) add({component.name, component.digest});
    BELLJAR_TRY(const auto grants, administration.grants().list(std::nullopt));
    for (const auto& grant : grants) add(grant.component);
    BELLJAR_TRY(const auto requests, administration.grants().requests());
    for (const auto& request : requests) add(request.component);
    return components;
  }

  static Result<Json> describe(runtime::Administration& administration,
                               const store::ComponentKey& component) {
    BELLJAR_TRY(const auto effective, administration.grants().effective(component, ""));
    BELLJAR_TRY(runtime::Bounds bounds,
                runtime::bounds_of(component, administration.settings(), administration.loader()));
    bounds.sources.granted = effective.documents;
    const char* const manifest = !bounds.manifest_known    ? "unknown"
                                 : bounds.sources.manifest ? "holds"
                                                           : "none";
    const auto snapshot = policy::Snapshot::compile(std::move(bounds.sources));
    Json json = {{"component", component.name},
                 {"digest", "sha256:" + component.digest},
                 {"may", policy::sentences(policy::summarize(*snapshot))},
                 {"manifest", manifest},
                 {"limits", policy::sentences(policy::summarize(snapshot->limits()))}};
    json["closed"] = Json::array();
    for (const policy::Document& document : effective.documents) {
      for (const runtime::Hindrance& changed : runtime::changed_folders(document)) {
        json["closed"].push_back(fmt::format("{}: {}", changed.problem, changed.remedy));
      }
    }
    BELLJAR_TRY(const auto approved, administration.grants().policy(component));
    if (approved) {
      json["policy"] = {{"path", approved->path},
                        {"digest", "sha256:" + approved->policy_digest},
                        {"approved_at", format_time(approved->approved_at)},
                        {"approved_by", approved->by.who}};
    }
    json["grants"] = Json::array();
    BELLJAR_TRY(const auto grants, administration.grants().list(component));
    for (const store::StoredGrant& grant : grants) {
      json["grants"].push_back({{"id", grant.id},
                                {"permission", grant.grant.text()},
                                {"scope", scope_text(grant.scope)},
                                {"granted_at", format_time(grant.granted_at)},
                                {"by", grant.by.who},
                                {"channel", grant.by.channel}});
    }
    json["requests"] = Json::array();
    BELLJAR_TRY(const auto requests, administration.grants().requests());
    for (const store::StoredRequest& request : requests) {
      if (request.component != component) continue;
      json["requests"].push_back({{"id", request.id},
                                  {"permission", request.grant_text},
                                  {"reason", request.reason},
                                  {"times", request.times},
                                  {"last_at", format_time(request.last_at)}});
      // What was asked for may be a link, and what it leads to is what would be granted.
      const auto asked = policy::parse_grant(request.grant_text, "/");
      if (policy::wants_folder(request.grant_text) || !asked) continue;
      const std::string real = store::names_of(*asked).back();
      if (real != request.grant_text) json["requests"].back()["which_is"] = real;
    }
    return json;
  }

  /// Limits without the word, five on a line.
  static Json limit_lines(const Json& limits) {
    constexpr std::size_t on_a_line = 5;
    Json lines = Json::array();
    for (std::size_t i = 0; i < limits.size(); i += on_a_line) {
      std::string line;
      for (std::size_t j = i; j < std::min(i + on_a_line, limits.size()); ++j) {
        const std::string limit = limits[j].get<std::string>();
        line += (line.empty() ? "" : ", ") + limit.substr(limit.find(' ') + 1);
      }
      lines.push_back(line);
    }
    return lines;
  }

  static void print(const Json& json, Terminal& terminal) {
    const Style& style = terminal.out_style();
    terminal.print(fmt::format("{}  {}", style.bold(json["component"].get<std::string>()),
                               style.dim(json["digest"].get<std::string>().substr(0, 19))));
    const auto section = [&](const char* label, const Json& lines) {
      std::string heading = label;
      for (const Json& line : lines) {
        terminal.print(fmt::format("  {:<9} {}", std::exchange(heading, ""),
                                   one_line(line.get<std::string>(), longest_line)));
      }
    };
    section("may", json["may"].empty() ? Json::array({"compute, and nothing else"}) : json["may"]);
    section("closed", json["closed"]);
    section("limits", limit_lines(json["limits"]));
    if (json["manifest"] == "unknown") {
      section("manifest", Json::array({"not known before it is loaded or called again; it may "
                                       "allow less"}));
    }
    if (json.contains("policy")) {
      terminal.print(fmt::format("  {:<9} {}, approved by {}", "policy",
                                 shown_name(json["policy"]["path"].get<std::string>()),
                                 one_line(json["policy"]["approved_by"].get<std::string>())));
    }
    Json grants = Json::array();
    for (const Json& grant : json["grants"]) {
      grants.push_back(fmt::format("{:>3}  {}  ({}, by {})", grant["id"].get<std::int64_t>(),
                                   policy::with_name_notes(grant["permission"].get<std::string>()),
                                   grant["scope"].get<std::string>(),
                                   grant["by"].get<std::string>()));
    }
    section("grants", grants);
    Json requests = Json::array();
    for (const Json& request : json["requests"]) {
      requests.push_back(fmt::format(
          "{}  {}  {}", request["id"].get<std::string>(),
          // All of it: it is what would be granted.
          request.contains("which_is")
              ? fmt::format("{} (which is {})",
                            policy::with_name_notes(request["permission"].get<std::string>()),
                            one_line(request["which_is"].get<std::string>(), 4'096))
              : policy::with_name_notes(request["permission"].get<std::string>()),
          policy::with_name_notes(one_line(request["reason"].get<std::string>(), longest_line))));
    }
    section("asked for", requests);
    if (requests.empty()) return;
    const bool folder =
        std::any_of(json["requests"].begin(), json["requests"].end(), [](const Json& request) {
          return policy::wants_folder(request["permission"].get<std::string>());
        });
    terminal.print(fmt::format("            to allow one: belljar grant ID{}",
                               folder ? ", or ID and a folder of yours for FOLDER" : ""));
  }

  CLI::App* show_ = nullptr;
  CLI::App* check_ = nullptr;
  std::string component_;
  std::string file_;
};

}  // namespace

std::unique_ptr<Command> make_policy() { return std::make_unique<PolicyCommand>(); }

}  // namespace belljar::cli
