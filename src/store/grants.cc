#include "store/grants.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "policy/snapshot.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::store {
namespace {

std::int64_t to_number(WallTime time) { return time.time_since_epoch().count(); }

WallTime to_time(std::int64_t number) { return WallTime(std::chrono::microseconds(number)); }

std::optional<std::int64_t> to_number(const std::optional<WallTime>& time) {
  if (!time) return std::nullopt;
  return to_number(*time);
}

constexpr std::string_view grant_columns =
    "id, component, digest, kind, value, expires_at, session, uses_left, granted_at, granted_by, "
    "channel, identity";

Result<StoredGrant> read_grant(const Statement& row) {
  StoredGrant grant;
  grant.id = row.number(0);
  grant.component = {row.text(1), row.text(2)};
  BELLJAR_TRY(grant.grant.kind, policy::parse_grant_kind(row.text(3)));
  grant.grant.value = row.text(4);
  if (const auto expires = row.optional_number(5)) grant.scope.until = to_time(*expires);
  grant.scope.session = row.optional_text(6);
  grant.scope.uses = row.optional_number(7);
  grant.granted_at = to_time(row.number(8));
  grant.by = {row.text(9), row.text(10)};
  grant.grant.identity = row.text(11);
  return grant;
}

StoredRequest read_request(const Statement& row) {
  return {.id = row.text(0),
          .component = {row.text(1), row.text(2)},
          .grant_text = row.text(3),
          .reason = row.text(4),
          .first_at = to_time(row.number(5)),
          .last_at = to_time(row.number(6)),
          .times = row.number(7)};
}

/// How a request ended, as the database has it.
constexpr std::string_view answered_name = "answered";
constexpr std::string_view ran_out_name = "ran out";

constexpr std::string_view request_columns =
    "id, component, digest, grant_text, reason, first_at, last_at, times";

/// The texts of the requests that a grant answers: a folder that a person named answers the one
/// that could not name it, and writing comes with reading.
Result<std::vector<std::string>> answered_by(const policy::Grant& grant) {
  std::vector<std::string> texts{grant.text()};
  if (grant.kind != policy::GrantKind::storage) return texts;
  policy::Document document;
  BELLJAR_CHECK(policy::apply_grant(document, grant));
  const policy::StorageRule& rule = document.storage.front();
  for (const bool write : {false, rule.access.write}) {
    texts.push_back(policy::storage_grant(rule.host, rule.guest, write).text());
    texts.push_back(policy::storage_grant(policy::unknown_folder, rule.guest, write).text());
  }
  return texts;
}

/// Takes the requests of these ids out, and remembers what became of them.
Result<void> end_requests(Database& database, std::span<const std::string> ids,
                          std::string_view how, std::int64_t now) {
  if (ids.empty()) return {};
  BELLJAR_TRY(
      Statement end,
      database.prepare("INSERT OR REPLACE INTO ended_requests SELECT id, component, digest, "
                       "?, ? FROM requests WHERE id = ? RETURNING component"));
  BELLJAR_TRY(Statement remove, database.prepare("DELETE FROM requests WHERE id = ?"));
  std::string component;
  for (const std::string& id : ids) {
    end.reset();
    BELLJAR_TRY(const bool row, end.bind(how).bind(now).bind(id).step());
    if (row) component = end.text(0);
    end.reset();
    remove.reset();
    BELLJAR_CHECK(remove.bind(id).run());
  }
  BELLJAR_TRY(Statement trim,
              database.prepare("DELETE FROM ended_requests WHERE id IN (SELECT id FROM "
                               "ended_requests WHERE component = ? ORDER BY ended_at DESC, rowid "
                               "DESC LIMIT -1 OFFSET ?)"));
  return trim.bind(component).bind(requests_of_component).run();
}

/// The ids that a query gives.
Result<std::vector<std::string>> read_ids(Statement& rows) {
  std::vector<std::string> ids;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return ids;
    ids.push_back(rows.text(0));
  }
}

/// Ends the requests for these permissions, which a person has given.
Result<void> answer_requests(Database& database, const ComponentKey& component,
                             std::span<const std::string> texts, std::int64_t now) {
  std::vector<std::string> ids;
  BELLJAR_TRY(Statement find, database.prepare("SELECT id FROM requests WHERE component = ? AND "
                                               "digest = ? AND grant_text = ?"));
  for (const std::string& text : texts) {
    find.reset();
    BELLJAR_TRY(auto found, read_ids(find.bind(component.name).bind(component.digest).bind(text)));
    std::move(found.begin(), found.end(), std::back_inserter(ids));
  }
  return end_requests(database, ids, answered_name, now);
}

/// How many requests of a component wait; of all components, if none is named.
Result<std::int64_t> count_requests(Database& database, const std::string& component) {
  const std::string_view of_one = component.empty() ? "" : " WHERE component = ?";
  BELLJAR_TRY(Statement count,
              database.prepare(fmt::format("SELECT count(*) FROM requests{}", of_one)));
  if (!component.empty()) count.bind(component);
  BELLJAR_CHECK(count.step());
  return count.number(0);
}

}  // namespace

Result<std::int64_t> Grants::add(const ComponentKey& component, const policy::Grant& given,
                                 const GrantScope& scope, const Grantor& by) {
  policy::Grant grant = given;
  // Whoever looked at the folder already has shown what they saw.
  if (grant.identity.empty()) {
    BELLJAR_TRY(grant, pin(given));
  }
  BELLJAR_TRY(auto answered, answered_by(given));
  BELLJAR_TRY(const auto answered_too, answered_by(grant));
  answered.insert(answered.end(), answered_too.begin(), answered_too.end());
  Database& database = state_.database();
  std::int64_t id = 0;
  {
    const auto lock = database.lock();
    const std::int64_t now = to_number(state_.clock().now());
    BELLJAR_TRY(Transaction transaction, Transaction::begin(database));
    BELLJAR_TRY(Statement replace,
                database.prepare("UPDATE grants SET revoked_at = ? WHERE revoked_at IS NULL AND "
                                 "component = ? AND digest = ? AND kind = ? AND value = ? AND "
                                 "(session IS NULL OR ?6 IS NULL OR session = ?6)"));
    replace.bind(now).bind(component.name).bind(component.digest);
    replace.bind(name_of(grant.kind)).bind(grant.value).bind_optional(scope.session);
    BELLJAR_CHECK(replace.run());
    BELLJAR_TRY(Statement insert,
                database.prepare("INSERT INTO grants (component, digest, kind, value, expires_at, "
                                 "session, uses_left, granted_at, granted_by, channel, identity) "
                                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"));
    insert.bind(component.name).bind(component.digest).bind(name_of(grant.kind)).bind(grant.value);
    insert.bind_optional(to_number(scope.until)).bind_optional(scope.session);
    insert.bind_optional(scope.uses);
    insert.bind(now).bind(by.who).bind(by.channel).bind(grant.identity);
    BELLJAR_CHECK(insert.step());
    id = insert.number(0);
    insert.reset();
    BELLJAR_CHECK(answer_requests(database, component, answered, now));
    BELLJAR_CHECK(transaction.commit());
  }
  state_.epoch().advance();
  return id;
}

Result<bool> Grants::revoke(std::int64_t id) {
  bool found = false;
  {
    const auto lock = state_.database().lock();
    BELLJAR_TRY(Statement update,
                state_.database().prepare("UPDATE grants SET revoked_at = ? WHERE id = ? AND "
                                          "revoked_at IS NULL RETURNING id"));
    update.bind(to_number(state_.clock().now())).bind(id);
    BELLJAR_TRY(found, update.found());
  }
  state_.epoch().advance();
  return found;
}

Result<std::int64_t> Grants::revoke_all(std::string_view component) {
  std::int64_t count = 0;
  {
    Database& database = state_.database();
    const auto lock = database.lock();
    BELLJAR_TRY(Transaction transaction, Transaction::begin(database));
    BELLJAR_TRY(Statement update,
                database.prepare("UPDATE grants SET revoked_at = ? WHERE component = ? AND "
                                 "revoked_at IS NULL RETURNING id"));
    update.bind(to_number(state_.clock().now())).bind(component);
    for (;; ++count) {
      BELLJAR_TRY(const bool more, update.step());
      if (!more) break;
    }
    BELLJAR_TRY(Statement remove,
                database.prepare("DELETE FROM policies WHERE component = ? RETURNING component"));
    remove.bind(component);
    for (;; ++count) {
      BELLJAR_TRY(const bool more, remove.step());
      if (!more) break;
    }
    update.reset();
    remove.reset();
    BELLJAR_CHECK(transaction.commit());
  }
  state_.epoch().advance();
  return count;
}

Result<void> Grants::carry_over(const ComponentKey& from, const ComponentKey& to) {
  {
    Database& database = state_.database();
    const auto lock = database.lock();
    BELLJAR_TRY(Transaction transaction, Transaction::begin(database));
    BELLJAR_TRY(Statement grants,
                database.prepare(
                    "INSERT INTO grants (component, digest, kind, value, expires_at, "
                    "session, uses_left, granted_at, granted_by, channel, identity) "
                    "SELECT component, ?, kind, value, expires_at, session, uses_left, "
                    "granted_at, granted_by, channel, identity FROM grants WHERE component = ? "
                    "AND digest = ? AND revoked_at IS NULL"));
    BELLJAR_CHECK(grants.bind(to.digest).bind(from.name).bind(from.digest).run());
    BELLJAR_TRY(Statement policies,
                database.prepare("INSERT OR REPLACE INTO policies SELECT component, ?, "
                                 "policy_digest, path, text, approved_at, approved_by, channel, "
                                 "places FROM policies WHERE component = ? AND digest = ?"));
    BELLJAR_CHECK(policies.bind(to.digest).bind(from.name).bind(from.digest).run());
    BELLJAR_CHECK(transaction.commit());
  }
  state_.epoch().advance();
  return {};
}

Result<void> Grants::retire(const ComponentKey& component) {
  {
    Database& database = state_.database();
    const auto lock = database.lock();
    BELLJAR_TRY(Transaction transaction, Transaction::begin(database));
    BELLJAR_TRY(Statement grants,
                database.prepare("UPDATE grants SET revoked_at = ? WHERE component = ? AND digest "
                                 "= ? AND revoked_at IS NULL"));
    grants.bind(to_number(state_.clock().now()));
    BELLJAR_CHECK(grants.bind(component.name).bind(component.digest).run());
    BELLJAR_TRY(Statement policies,
                database.prepare("DELETE FROM policies WHERE component = ? AND digest = ?"));
    BELLJAR_CHECK(policies.bind(component.name).bind(component.digest).run());
    BELLJAR_CHECK(transaction.commit());
  }
  state_.epoch().advance();
  return {};
}

void Grants::note_ended(std::int64_t now) const {
  Database& database = state_.database();
  auto ended =
      database.prepare("SELECT 1 FROM grants WHERE revoked_at IS NULL AND expires_at <= ? LIMIT 1");
  if (!ended) return;
  const auto some = ended->bind(now).step();
  if (!some || !*some) return;
  ended->reset();
  auto note = database.prepare(
      "UPDATE grants SET revoked_at = ?1 WHERE revoked_at IS NULL AND expires_at <= ?1");
  // Who cannot write finds it ended all the same, and the next who looks notes it. Nobody waits for
  // another process's transaction only to note it.
  const auto patience = database.wait_for_others(std::chrono::milliseconds(0));
  if (note) static_cast<void>(note->bind(now).run());
  database.wait_for_others(patience);
}

Result<std::vector<StoredGrant>> Grants::list(const std::optional<ComponentKey>& component,
                                              std::span<const std::int64_t> claimed) const {
  Database& database = state_.database();
  const auto lock = database.lock();
  const std::string where = component ? "component = ? AND digest = ? AND " : "";
  BELLJAR_TRY(
      Statement rows,
      database.prepare(fmt::format(
          "SELECT {} FROM grants WHERE {} revoked_at IS NULL AND (expires_at IS NULL OR "
          "expires_at > ?) AND (uses_left IS NULL OR uses_left > 0 OR id IN ({})) ORDER BY id",
          grant_columns, where, fmt::join(claimed, ", "))));
  const std::int64_t now = to_number(state_.clock().now());
  note_ended(now);
  if (component) rows.bind(component->name).bind(component->digest);
  rows.bind(now);
  std::vector<StoredGrant> grants;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return grants;
    BELLJAR_TRY(grants.emplace_back(), read_grant(rows));
  }
}

Result<void> Grants::approve_policy(const ComponentKey& component, std::string_view path,
                                    std::string_view text, const Grantor& by) {
  const std::filesystem::path file(path);
  BELLJAR_TRY(const policy::Document document,
              policy::parse_policy(text, path, file.parent_path()));
  return approve_policy(component, path, text, find_places(document), by);
}

Result<void> Grants::approve_policy(const ComponentKey& component, std::string_view path,
                                    std::string_view text, const std::vector<PinnedPlace>& places,
                                    const Grantor& by) {
  {
    const auto lock = state_.database().lock();
    BELLJAR_TRY(Statement insert, state_.database().prepare(
                                      "INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?, ?, "
                                      "?, ?, ?)"));
    insert.bind(component.name).bind(component.digest).bind(to_hex(sha256(text))).bind(path);
    insert.bind(text).bind(to_number(state_.clock().now())).bind(by.who).bind(by.channel);
    insert.bind(to_text(places));
    BELLJAR_CHECK(insert.run());
  }
  state_.epoch().advance();
  return {};
}

Result<std::optional<StoredPolicy>> Grants::policy(const ComponentKey& component) const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement row,
              state_.database().prepare(
                  "SELECT policy_digest, path, text, approved_at, approved_by, "
                  "channel, places FROM policies WHERE component = ? AND digest = ?"));
  row.bind(component.name).bind(component.digest);
  BELLJAR_TRY(const bool found, row.step());
  if (!found) return std::nullopt;
  BELLJAR_TRY(auto places, places_from_text(row.text(6)));
  return StoredPolicy{.component = component,
                      .policy_digest = row.text(0),
                      .path = row.text(1),
                      .text = row.text(2),
                      .approved_at = to_time(row.number(3)),
                      .by = {row.text(4), row.text(5)},
                      .places = std::move(places)};
}

Result<policy::Document> StoredPolicy::document() const {
  BELLJAR_TRY(auto document,
              policy::parse_policy(text, path, std::filesystem::path(path).parent_path()));
  apply_places(document, places);
  return document;
}

Result<Grants::Effective> Grants::effective(const ComponentKey& component, std::string_view session,
                                            std::span<const std::int64_t> claimed) const {
  Effective effective;
  // The epoch first: a change in between makes the result look old, and never the other way.
  effective.epoch = state_.epoch().value();
  BELLJAR_TRY(const auto approved, policy(component));
  if (approved) {
    BELLJAR_TRY(effective.documents.emplace_back(), approved->document());
  }
  BELLJAR_TRY(const auto grants, list(component, claimed));
  policy::Document granted;
  for (const StoredGrant& grant : grants) {
    if (grant.scope.session && *grant.scope.session != session) continue;
    BELLJAR_CHECK(apply_grant(granted, grant.grant));
    if (grant.scope.until &&
        (!effective.next_expiry || *grant.scope.until < *effective.next_expiry)) {
      effective.next_expiry = grant.scope.until;
    }
    if (grant.scope.uses) effective.counted.push_back(grant.id);
  }
  effective.documents.push_back(std::move(granted));
  return effective;
}

Result<bool> Grants::use_up(const std::vector<std::int64_t>& counted) {
  Database& database = state_.database();
  const auto lock = database.lock();
  BELLJAR_TRY(Transaction transaction, Transaction::begin(database));
  for (const std::int64_t id : counted) {
    BELLJAR_TRY(Statement use,
                database.prepare("UPDATE grants SET uses_left = uses_left - 1 WHERE id = ? AND "
                                 "uses_left > 0 AND revoked_at IS NULL RETURNING id"));
    BELLJAR_TRY(const bool used, use.bind(id).found());
    if (!used) return false;
  }
  BELLJAR_CHECK(transaction.commit());
  return true;
}

Result<Grants::Noted> Grants::note_requests(const ComponentKey& component,
                                            std::span<const Wish> wishes) {
  Database& database = state_.database();
  const auto lock = database.lock();
  const std::int64_t now = to_number(state_.clock().now());
  BELLJAR_TRY(Transaction transaction, Transaction::begin(database));
  BELLJAR_TRY(const std::int64_t own_before, count_requests(database, component.name));
  BELLJAR_TRY(const std::int64_t before, count_requests(database, {}));
  Noted noted;
  BELLJAR_TRY(Statement insert,
              database.prepare(
                  "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, 1) "
                  "ON CONFLICT (component, digest, grant_text) DO UPDATE SET times = times + 1, "
                  "last_at = excluded.last_at RETURNING id"));
  for (const Wish& wish : wishes) {
    insert.reset();
    // Short enough to be typed: it names a request and gives no right.
    insert.bind("r-" + to_hex(random_bytes<4>())).bind(component.name).bind(component.digest);
    insert.bind(wish.grant.text()).bind(one_line(wish.reason, 300)).bind(now).bind(now);
    BELLJAR_CHECK(insert.step());
    noted.ids.push_back(insert.text(0));
  }
  insert.reset();
  BELLJAR_TRY(const std::int64_t own, count_requests(database, component.name));
  const std::int64_t all = before - own_before + own;
  // What is kept of others stays, so that the room in all is this component's own to make.
  const std::int64_t room =
      std::min(requests_of_component, std::max<std::int64_t>(0, own - (all - requests_in_all)));
  if (room == 0) {
    return fail(ErrorCode::unavailable,
                "{} requests wait for a person already, and there is room for no more; belljar "
                "policy show lists them",
                before);
  }
  BELLJAR_TRY(Statement oldest,
              database.prepare("SELECT id FROM requests WHERE component = ? ORDER BY last_at DESC, "
                               "rowid DESC LIMIT -1 OFFSET ?"));
  BELLJAR_TRY(noted.ran_out, read_ids(oldest.bind(component.name).bind(room)));
  BELLJAR_CHECK(end_requests(database, noted.ran_out, ran_out_name, now));
  oldest.reset();
  BELLJAR_CHECK(transaction.commit());
  return noted;
}

Result<std::vector<StoredRequest>> Grants::requests() const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement rows,
              state_.database().prepare(
                  fmt::format("SELECT {} FROM requests ORDER BY last_at DESC", request_columns)));
  std::vector<StoredRequest> requests;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return requests;
    requests.push_back(read_request(rows));
  }
}

Result<std::optional<StoredRequest>> Grants::request(std::string_view id) const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement row, state_.database().prepare(fmt::format(
                                 "SELECT {} FROM requests WHERE id = ?", request_columns)));
  row.bind(id);
  BELLJAR_TRY(const bool found, row.step());
  if (!found) return std::nullopt;
  return read_request(row);
}

Result<std::optional<EndedRequest>> Grants::ended_request(std::string_view id) const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement row,
              state_.database().prepare(
                  "SELECT component, digest, how, ended_at FROM ended_requests WHERE id = ?"));
  row.bind(id);
  BELLJAR_TRY(const bool found, row.step());
  if (!found) return std::nullopt;
  return EndedRequest{.component = {row.text(0), row.text(1)},
                      .how = row.text(2) == answered_name ? EndedRequest::How::answered
                                                          : EndedRequest::How::ran_out,
                      .at = to_time(row.number(3))};
}

}  // namespace belljar::store
