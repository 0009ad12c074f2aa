// belljar serve: the MCP server.

#include "runtime/serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "artifact/reference.h"
#include "cli/commands.h"
#include "cli/component_input.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

/// `NAME=REST`, or nothing where there is no name in front.
std::optional<std::pair<std::string, std::string>> split_name(const std::string& text,
                                                              char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos || !artifact::is_component_name(text.substr(0, at)))
    return std::nullopt;
  return std::pair{text.substr(0, at), text.substr(at + 1)};
}

class ServeCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("REF", references_,
                   "Components to serve, and no others: files, NAME=FILE, or names of loaded ones");
    app.add_flag("--stdio", stdio_, "Speak over standard input and output (the default)");
    app.add_option("--http", http_, "Listen on an address")->type_name("ADDRESS");
    app.add_option("--profile", profile_, "Serve the tools of a profile of belljar.toml")
        ->type_name("NAME");
    app.add_option("--policy", policies_,
                   "Allow a component what this policy file allows, in this process only")
        ->type_name("NAME=FILE")
        ->allow_extra_args(false);
    app.add_option("--grant", grants_, "Allow a component one thing more, in this process only")
        ->type_name("NAME:KIND=VALUE")
        ->allow_extra_args(false);
  }

  Result<ExitCode> run(Terminal& terminal) override {
    if (!http_.empty()) {
      return fail(
          ErrorCode::invalid_argument,
          "this version does not serve over HTTP yet; have your client start: belljar serve "
          "--stdio");
    }
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    runtime::ServeOptions options;
    // Several threads have something to say, and it is to come out in whole lines.
    auto mutex = std::make_shared<std::mutex>();
    options.warn = [&terminal, mutex](std::string_view text) {
      const std::lock_guard lock(*mutex);
      terminal.warn(one_line(text, 1'000));
      terminal.flush();
    };
    std::vector<std::string> references = references_;
    std::vector<std::string> policies = policies_;
    if (!profile_.empty()) {
      BELLJAR_CHECK(apply_profile(settings, options, references, policies));
    }
    if (!profile_.empty() || !references.empty()) {
      options.components.emplace();
      for (const std::string& reference : references) {
        BELLJAR_TRY(options.components->emplace_back(), resolve_component(reference, settings));
      }
    }
    BELLJAR_CHECK(read_policies(policies, options));
    BELLJAR_CHECK(read_single_grants(options));
    BELLJAR_CHECK(check_names(options));
    BELLJAR_CHECK(runtime::serve_stdio(settings, std::move(options)));
    return ExitCode::done;
  }

 private:
  Result<void> apply_profile(const runtime::Settings& settings, runtime::ServeOptions& options,
                             std::vector<std::string>& references,
                             std::vector<std::string>& policies) const {
    const auto found = settings.config.profiles.find(profile_);
    if (found == settings.config.profiles.end()) {
      std::vector<std::string> names;
      for (const auto& [name, profile] : settings.config.profiles) names.push_back(name);
      const auto meant = closest(profile_, names);
      return fail(ErrorCode::invalid_argument, "{} has no [profiles.{}]{}",
                  (settings.paths.config / "belljar.toml").native(), one_line(profile_, 60),
                  meant ? fmt::format("; did you mean \"{}\"?", *meant) : "");
    }
    const runtime::Profile& profile = found->second;
    // Relative to the file that they stand in: a client starts its servers anywhere.
    for (const std::string& tool : profile.tools) {
      const auto named = split_name(tool, '=');
      const std::string target = named ? named->second : tool;
      const std::string resolved =
          artifact::looks_like_path(target) ? (settings.paths.config / target).native() : target;
      references.push_back(named ? named->first + "=" + resolved : resolved);
    }
    for (const auto& [component, file] : profile.policies) {
      policies.push_back(component + "=" + (settings.paths.config / file).native());
    }
    options.bare_names = profile.bare_names;
    return {};
  }

  static Result<void> read_policies(const std::vector<std::string>& policies,
                                    runtime::ServeOptions& options) {
    for (const std::string& text : policies) {
      const auto named = split_name(text, '=');
      if (!named) {
        return fail(ErrorCode::invalid_argument,
                    "--policy {}: say whose policy it is: --policy NAME={}", text, text);
      }
      BELLJAR_TRY(auto documents, read_grants(named->second, {}));
      for (const policy::Document& document : documents) {
        for (const std::string& warning : document.warnings) options.warn(warning);
      }
      auto& granted = options.grants[named->first].documents;
      granted.insert(granted.end(), documents.begin(), documents.end());
    }
    return {};
  }

  /// Those of one component belong together: a range among them is for its hosts.
  Result<void> read_single_grants(runtime::ServeOptions& options) const {
    std::map<std::string, std::vector<std::string>> by_component;
    for (const std::string& text : grants_) {
      auto named = split_name(text, ':');
      if (!named) {
        return fail(ErrorCode::invalid_argument,
                    "--grant {}: say whose grant it is: --grant NAME:{}", one_line(text, 200),
                    one_line(text, 200));
      }
      by_component[named->first].push_back(std::move(named->second));
    }
    for (const auto& [name, texts] : by_component) {
      BELLJAR_TRY(auto documents, read_grants({}, texts));
      for (const policy::Document& document : documents) {
        for (const std::string& warning : document.warnings) options.warn(warning);
      }
      auto& granted = options.grants[name].documents;
      granted.insert(granted.end(), documents.begin(), documents.end());
    }
    return {};
  }

  /// Two components of one name would be one that replaced the other, and a grant for a component
  /// that is not served is most likely a slip.
  static Result<void> check_names(const runtime::ServeOptions& options) {
    if (!options.components) return {};
    std::set<std::string_view> names;
    for (const runtime::ComponentLoad& load : *options.components) {
      if (!names.insert(load.reference.name).second) {
        return fail(ErrorCode::invalid_argument,
                    "two components would both be \"{0}\"; give one of them another name: NAME={1}",
                    load.reference.name, load.reference.path.native());
      }
    }
    for (const auto& [name, grants] : options.grants) {
      const bool served = std::any_of(
          options.components->begin(), options.components->end(),
          [&](const runtime::ComponentLoad& load) { return load.reference.name == name; });
      if (!served) {
        return fail(ErrorCode::invalid_argument,
                    "a policy or grant is for \"{}\", which is not among the components to serve",
                    name);
      }
    }
    return {};
  }

  std::vector<std::string> references_;
  bool stdio_ = false;
  std::string http_;
  std::string profile_;
  std::vector<std::string> policies_;
  std::vector<std::string> grants_;
};

}  // namespace

std::unique_ptr<Command> make_serve() { return std::make_unique<ServeCommand>(); }

}  // namespace belljar::cli
