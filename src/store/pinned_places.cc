#include "store/pinned_places.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "policy/rules.h"
#include "policy/snapshot.h"
#include "support/host_place.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::store {
namespace {

constexpr Bytes places_limit{std::uint64_t{16} << 20};

bool exists(const std::filesystem::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

std::vector<PinnedPlace> find_places(const policy::Document& document) {
  std::vector<PinnedPlace> places;
  for (const policy::StorageRule& rule : document.storage) {
    HostPlace place = find_place(rule.host);
    places.push_back({rule.host, std::move(place.real), std::move(place.identity)});
  }
  for (const policy::StorageRule& rule : document.storage_denied) {
    HostPlace place = find_target(rule.host);
    places.push_back({rule.host, std::move(place.real), std::move(place.identity)});
  }
  return places;
}

void apply_places(policy::Document& document, const std::vector<PinnedPlace>& places) {
  // A file that is granted and denied has an identity as each, so the two kinds are told apart by
  // their order.
  std::size_t next = 0;
  const auto found = [&](const policy::StorageRule& rule) -> const PinnedPlace* {
    if (next >= places.size() || places[next].written != rule.host) return nullptr;
    return &places[next++];
  };
  for (policy::StorageRule& rule : document.storage) {
    const PinnedPlace* const place = found(rule);
    rule.identity = place == nullptr ? std::string() : place->identity;
    if (place != nullptr) rule.host = place->real;
  }
  std::vector<policy::StorageRule> behind_links;
  for (policy::StorageRule& rule : document.storage_denied) {
    const PinnedPlace* const place = found(rule);
    if (place == nullptr) continue;
    rule.identity = place->identity;
    if (place->real == rule.host) continue;
    behind_links.push_back(rule);
    behind_links.back().host = place->real;
  }
  document.storage_denied.insert(document.storage_denied.end(), behind_links.begin(),
                                 behind_links.end());
}

void pin(policy::Document& document) { apply_places(document, find_places(document)); }

Result<policy::Grant> pin(policy::Grant grant) {
  if (grant.kind != policy::GrantKind::storage) return grant;
  policy::Document document;
  BELLJAR_CHECK(policy::apply_grant(document, grant));
  const std::filesystem::path written = document.storage.front().host;
  pin(document);
  const policy::StorageRule& rule = document.storage.front();
  if (rule.identity.empty()) {
    return fail(ErrorCode::invalid_argument,
                "storage: there is no {}, or its file system does not answer; a grant is of what "
                "is there, so make it first, and then grant it",
                written.native());
  }
  grant = policy::storage_grant(rule.host, rule.guest, rule.access.write);
  grant.identity = rule.identity;
  // Links may lead to a name that a terminal shows as another.
  BELLJAR_TRY(policy::Grant checked, policy::parse_grant(grant.text(), "/"));
  checked.identity = std::move(grant.identity);
  return checked;
}

std::vector<std::string> names_of(const policy::Grant& grant) {
  std::vector<std::string> names{grant.text()};
  policy::Document document;
  if (grant.kind != policy::GrantKind::storage || !policy::apply_grant(document, grant)) {
    return names;
  }
  const policy::StorageRule& rule = document.storage.front();
  const HostPlace place = find_place(rule.host);
  names.push_back(policy::storage_grant(place.real, rule.guest, rule.access.write).text());
  return names;
}

std::string to_text(const std::vector<PinnedPlace>& places) {
  Json json = Json::array();
  for (const PinnedPlace& place : places) {
    json.push_back({place.written.native(), place.real.native(), place.identity});
  }
  return belljar::to_text(json);
}

Result<std::vector<PinnedPlace>> places_from_text(std::string_view text) {
  std::vector<PinnedPlace> places;
  BELLJAR_TRY(const Json json, parse_json(text, places_limit));
  for (const Json& place : json) {
    const bool sound =
        place.is_array() && place.size() == 3 &&
        std::all_of(place.begin(), place.end(), [](const Json& item) { return item.is_string(); });
    if (!sound) return fail(ErrorCode::storage, "the places of an approved policy are damaged");
    places.push_back(
        {place[0].get<std::string>(), place[1].get<std::string>(), place[2].get<std::string>()});
  }
  return places;
}

Result<GivenPolicy> read_given_policy(std::string_view text, std::string_view file,
                                      const std::filesystem::path& folder) {
  GivenPolicy given;
  BELLJAR_TRY(given.document, policy::parse_policy(text, file, folder, exists));
  given.places = find_places(given.document);
  apply_places(given.document, given.places);
  for (const policy::StorageRule& rule : given.document.storage) {
    // A link may lead to a name that a terminal shows as another.
    BELLJAR_CHECK(in_context(policy::check_shows_as_it_is(rule.host.native()), std::string(file)));
  }
  return given;
}

}  // namespace belljar::store
