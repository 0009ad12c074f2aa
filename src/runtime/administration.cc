#include "runtime/administration.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::runtime {
namespace {

/// How long one server may take for an answer. One that has to compile takes its time; one that
/// only looks does not.
constexpr std::chrono::seconds load_patience{180};
constexpr std::chrono::seconds patience{5};
/// For news that nobody has to act on.
constexpr std::chrono::seconds news_patience{1};

/// What is said with the failure of a record of what was done already.
constexpr std::string_view taken_back = "it was taken back, and that is not in the log";

std::string user_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  if (entry != nullptr && entry->pw_name != nullptr) return entry->pw_name;
  return fmt::format("user {}", ::geteuid());
}

Result<Sha256> digest_of(const std::filesystem::path& path) {
  BELLJAR_TRY(const UniqueFd file, open_regular_file(path));
  Sha256Hasher hasher;
  std::array<char, 65'536> buffer{};
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(ErrorCode::storage, "{} cannot be read: {}", path.native(), errno_text(errno));
    }
    if (count == 0) return hasher.finish();
    hasher.update({buffer.data(), static_cast<std::size_t>(count)});
  }
}

std::string scope_details(const store::GrantScope& scope) {
  if (scope.uses) return fmt::format("\"scope\":\"once\",\"uses\":{}", *scope.uses);
  std::string details = fmt::format("\"scope\":\"{}\"", scope.session ? "session"
                                                        : scope.until ? "until"
                                                                      : "always");
  if (scope.session) details += fmt::format(",\"session\":{}", json_string(*scope.session));
  if (scope.until) details += fmt::format(",\"until\":\"{}\"", format_time(*scope.until));
  return details;
}

}  // namespace

Result<std::unique_ptr<Administration>> Administration::open(const Settings& settings) {
  // Without a state of its own.
  static const SystemClock clock;
  BELLJAR_TRY(auto state, store::State::open(settings.paths, clock));
  BELLJAR_TRY(auto compiler, find_compiler());
  BELLJAR_CHECK(make_private_directory(settings.paths.cache));
  return std::unique_ptr<Administration>(
      new Administration(settings, std::move(state), std::move(compiler)));
}

Administration::Administration(const Settings& settings, std::unique_ptr<store::State> state,
                               std::filesystem::path compiler)
    : settings_(settings),
      state_(std::move(state)),
      grants_(*state_),
      components_(*state_),
      secrets_(*state_, settings_.config.secret_key),
      compiler_(std::move(compiler), settings_.config.compiler),
      grantor_{user_name(), "command line"} {
  artifact::Loader::Options loading;
  loading.cache = settings_.paths.cache;
  loader_ =
      std::make_unique<artifact::Loader>(std::move(loading), compiler_, state_->mac_key(), clock());
}

Administration::~Administration() {
  if (!permissions_changed_) return;
  static_cast<void>(ask_servers(settings_.paths.run, {{"do", "announce"}}, news_patience));
}

Result<void> Administration::record(audit::RecordKind kind,
                                    const std::optional<store::ComponentKey>& component,
                                    std::string details) {
  // What only looks leaves no trace, and no chain of its own.
  if (!log_) {
    BELLJAR_TRY(log_, audit::Writer::open(
                          settings_.paths.data / "audit.db", clock(),
                          fmt::format("\"process\":{},\"role\":\"administration\"", ::getpid())));
  }
  using audit::RecordKind;
  if (kind == RecordKind::grant || kind == RecordKind::revoke || kind == RecordKind::policy) {
    permissions_changed_ = true;
  }
  std::shared_ptr<const audit::Subject> subject;
  if (component) {
    subject = std::make_shared<audit::Subject>(audit::Subject{component->name, component->digest});
  }
  details += fmt::format("{}\"by\":{},\"channel\":\"{}\"", details.empty() ? "" : ",",
                         json_string(grantor_.who), grantor_.channel);
  return log_->append_durably({kind, clock().now(), std::move(subject), std::move(details)});
}

template <typename Change>
auto Administration::recorded(audit::RecordKind kind, const store::ComponentKey& component,
                              const std::string& details, Change change) -> decltype(change()) {
  BELLJAR_CHECK(record(kind, component, details));
  auto changed = change();
  if (!changed) {
    static_cast<void>(record(audit::RecordKind::undone, component,
                             fmt::format("\"of\":\"{}\",{}", audit::name_of(kind), details)));
  }
  return changed;
}

Result<store::ComponentKey> Administration::find_component(std::string_view text) const {
  if (artifact::looks_like_path(text) || text.find('=') != std::string_view::npos) {
    BELLJAR_TRY(const artifact::Reference reference, artifact::parse_reference(text));
    BELLJAR_TRY(std::string digest, loader_->digest(reference.path));
    return store::ComponentKey{reference.name, std::move(digest)};
  }
  BELLJAR_TRY(const auto stored, components_.find(text));
  if (stored) return store::ComponentKey{stored->name, stored->digest};
  // What servers run, and what was refused something, is known as well.
  std::set<store::ComponentKey> known;
  std::set<std::string> names;
  const auto note = [&](std::string name, std::string digest) {
    if (name == text) known.insert({name, std::move(digest)});
    names.insert(std::move(name));
  };
  for (const ControlAnswer& answer : ask({{"do", "list"}})) {
    for (const Json& component : answer.json.value("components", Json::array())) {
      note(component.value("name", ""), component.value("digest", ""));
    }
  }
  BELLJAR_TRY(const auto requests, grants_.requests());
  for (const store::StoredRequest& request : requests) {
    note(request.component.name, request.component.digest);
  }
  if (known.size() == 1) return *known.begin();
  if (known.size() > 1) {
    return fail(ErrorCode::invalid_argument,
                "{} components of different content go by \"{}\"; give the file instead",
                known.size(), one_line(text, 60));
  }
  BELLJAR_TRY(const auto kept, components_.list());
  for (const store::StoredComponent& component : kept) names.insert(component.name);
  return fail(ErrorCode::not_found,
              "no component \"{}\" is known{}; give its file, or load it first", one_line(text, 60),
              names.empty() ? "" : fmt::format(" (there are: {})", fmt::join(names, ", ")));
}

Result<std::int64_t> Administration::grant(const store::ComponentKey& component,
                                           const policy::Grant& given,
                                           const store::GrantScope& scope) {
  policy::Grant grant = given;
  if (grant.identity.empty()) {
    BELLJAR_TRY(grant, store::pin(given));
  }
  // The record comes first: a permission that holds without a trace is worse than a trace of one
  // that was never given.
  return recorded(
      audit::RecordKind::grant, component,
      fmt::format("\"permission\":{},{}", json_string(grant.text()), scope_details(scope)),
      [&] { return grants_.add(component, grant, scope, grantor_); });
}

Result<bool> Administration::revoke(std::int64_t id) {
  BELLJAR_TRY(const auto all, grants_.list(std::nullopt));
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const store::StoredGrant& grant) { return grant.id == id; });
  if (found == all.end()) return false;
  BELLJAR_TRY(const bool revoked, grants_.revoke(id));
  BELLJAR_CHECK(in_context(
      record(audit::RecordKind::revoke, found->component,
             fmt::format("\"permission\":{},\"grant\":{}", json_string(found->grant.text()), id)),
      std::string(taken_back)));
  return revoked;
}

Result<std::int64_t> Administration::revoke_all(std::string_view component) {
  BELLJAR_TRY(const std::int64_t count, grants_.revoke_all(component));
  if (count == 0) return 0;
  BELLJAR_CHECK(
      in_context(record(audit::RecordKind::revoke, store::ComponentKey{std::string(component), {}},
                        fmt::format("\"permission\":\"everything\",\"count\":{}", count)),
                 std::string(taken_back)));
  return count;
}

Result<policy::Document> Administration::approve_policy(const store::ComponentKey& component,
                                                        const std::filesystem::path& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error).lexically_normal();
  BELLJAR_TRY(const std::string text, read_policy_text(absolute));
  // What cannot be read is never approved.
  BELLJAR_TRY(auto given, store::read_given_policy(text, path.native(), absolute.parent_path()));
  BELLJAR_CHECK(recorded(audit::RecordKind::policy, component,
                         fmt::format("\"path\":{},\"policy\":\"{}\"",
                                     json_string(absolute.native()), to_hex(sha256(text))),
                         [&] {
                           return grants_.approve_policy(component, absolute.native(), text,
                                                         given.places, grantor_);
                         }));
  return std::move(given.document);
}

Result<void> Administration::keep(const artifact::Reference& reference, std::string_view digest,
                                  CarryOver carry_over) {
  const store::ComponentKey key{reference.name, std::string(digest)};
  BELLJAR_TRY(const auto before, components_.find(reference.name));
  const bool another = before && before->digest != digest;
  return recorded(audit::RecordKind::load, key,
                  fmt::format("\"path\":{},\"kept\":true{}", json_string(reference.path.native()),
                              another ? fmt::format(",\"instead_of\":\"{}\"", before->digest) : ""),
                  [&]() -> Result<void> {
                    if (carry_over == CarryOver::yes && another) {
                      BELLJAR_CHECK(grants_.carry_over({before->name, before->digest}, key));
                    }
                    return components_.put(
                        {reference.name, reference.path.native(), key.digest, clock().now()});
                  });
}

Result<bool> Administration::retire(const store::ComponentKey& component) {
  if (!sessions_with(component).empty()) return false;
  BELLJAR_CHECK(recorded(audit::RecordKind::revoke, component,
                         "\"permission\":\"everything\",\"upgraded\":true",
                         [&] { return grants_.retire(component); }));
  return true;
}

Result<bool> Administration::forget(std::string_view name) {
  BELLJAR_TRY(const auto stored, components_.find(name));
  if (!stored) return false;
  return recorded(audit::RecordKind::unload, store::ComponentKey{stored->name, stored->digest},
                  "\"kept\":false", [&] { return components_.remove(name); });
}

Result<void> Administration::set_secret(std::string_view name, const store::SecretValue& value) {
  BELLJAR_CHECK(secrets_.set(name, value));
  return record(audit::RecordKind::secret, std::nullopt,
                fmt::format("\"secret\":{},\"done\":\"set\"", json_string(name)));
}

Result<bool> Administration::remove_secret(std::string_view name) {
  BELLJAR_TRY(const bool removed, secrets_.remove(name));
  if (removed) {
    BELLJAR_CHECK(record(audit::RecordKind::secret, std::nullopt,
                         fmt::format("\"secret\":{},\"done\":\"removed\"", json_string(name))));
  }
  return removed;
}

Result<void> Administration::note_restored(const std::filesystem::path& file) {
  BELLJAR_TRY(const Sha256 digest, digest_of(file));
  return record(
      audit::RecordKind::restore, std::nullopt,
      fmt::format("\"file\":{},\"sha256\":\"{}\"", json_string(file.native()), to_hex(digest)));
}

std::vector<ControlAnswer> Administration::ask(const Json& request) const {
  return ask_servers(settings_.paths.run, request,
                     request.value("do", "") == "load" ? load_patience : patience);
}

std::vector<std::string> Administration::sessions_with(const store::ComponentKey& component) const {
  std::vector<std::string> sessions;
  for (const ControlAnswer& answer : ask({{"do", "list"}})) {
    for (const Json& loaded : answer.json.value("components", Json::array())) {
      if (loaded.value("name", "") == component.name &&
          loaded.value("digest", "") == component.digest) {
        sessions.push_back(answer.json.value("session", ""));
      }
    }
  }
  return sessions;
}

}  // namespace belljar::runtime
