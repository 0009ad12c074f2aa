#include "audit/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "audit/chain.h"
#include "support/json.h"
#include "support/result.h"

namespace belljar::audit {
namespace {

constexpr Bytes body_limit{1 << 20};
/// Records that are read at once. A reader that is in the middle of a statement keeps the
/// write-ahead log from being used anew, and whoever takes the records may take their time.
constexpr std::int64_t page = 512;

StoredRecord read_row(const store::Statement& row) {
  StoredRecord record;
  record.chain = row.text(1);
  record.sequence = row.number(2);
  record.time = WallTime(std::chrono::microseconds(row.number(3)));
  record.body = row.text(4);
  const std::string hash = row.text(5);
  if (hash.size() == record.hash.size()) std::copy(hash.begin(), hash.end(), record.hash.begin());
  return record;
}

/// A member's text or number; nothing where a record that was tampered with has something else.
std::string text_in(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

std::int64_t number_in(const Json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto member = object.find(name);
  return member != object.end() && member->is_number_integer() ? member->get<std::int64_t>() : 0;
}

}  // namespace

Result<Reader> Reader::open(const std::filesystem::path& path) {
  BELLJAR_TRY(auto database, store::Database::open(path, log_migrations()));
  return Reader(std::move(database));
}

Result<std::int64_t> Reader::read(const Filter& filter, std::int64_t after, const Each& each) {
  std::string sql = "SELECT rowid, chain, sequence, time, body, hash FROM records WHERE rowid > ?";
  std::vector<std::string> texts;
  const auto member = [&](const char* name, const std::optional<std::string>& value) {
    if (!value) return;
    // A record that was tampered with may be anything.
    sql += fmt::format(" AND CASE WHEN json_valid(body) THEN json_extract(body, '$.{}') END = ?",
                       name);
    texts.push_back(*value);
  };
  // Where a kind is asked for, it may be this one.
  if (!filter.anchors && !filter.kind) {
    sql += " AND CASE WHEN json_valid(body) THEN json_extract(body, '$.kind') END IS NOT 'anchor'";
  }
  member("component", filter.component);
  member("tool", filter.tool);
  member("kind", filter.kind);
  if (filter.since) {
    sql += fmt::format(" AND time >= {}", filter.since->time_since_epoch().count());
  }
  const std::string which = sql;
  if (filter.last) {
    BELLJAR_TRY(after, place_before(which, texts, after, *filter.last));
  }
  sql = fmt::format("{} ORDER BY rowid LIMIT {}", which, page);
  while (true) {
    BELLJAR_TRY(const auto records, read_page(sql, texts, after));
    if (records.empty()) return after;
    for (const auto& [place, record] : records) {
      after = place;
      each(record);
    }
  }
}

Result<std::int64_t> Reader::place_before(const std::string& which,
                                          const std::vector<std::string>& texts, std::int64_t after,
                                          std::int64_t last) {
  BELLJAR_TRY(auto rows,
              database_->prepare(fmt::format(
                  "SELECT min(rowid) FROM (SELECT rowid FROM ({}) ORDER BY rowid DESC LIMIT {})",
                  which, last)));
  rows.bind(after);
  for (const std::string& text : texts) rows.bind(text);
  BELLJAR_CHECK(rows.step());
  const auto first = rows.optional_number(0);
  return first ? *first - 1 : after;
}

Result<std::vector<std::pair<std::int64_t, StoredRecord>>> Reader::read_page(
    const std::string& sql, const std::vector<std::string>& texts, std::int64_t after) {
  BELLJAR_TRY(auto rows, database_->prepare(sql));
  rows.bind(after);
  for (const std::string& text : texts) rows.bind(text);
  std::vector<std::pair<std::int64_t, StoredRecord>> records;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return records;
    records.emplace_back(rows.number(0), read_row(rows));
  }
}

Result<Verification> Reader::verify() {
  Verification verification;
  struct Anchor {
    std::string by;
    std::int64_t sequence;
    std::string hash;
  };
  std::multimap<std::string, Anchor> anchors;
  Verification::Chain* chain = nullptr;
  Sha256 head{};
  std::string chain_before;
  std::int64_t sequence_before = std::numeric_limits<std::int64_t>::min();
  while (true) {
    BELLJAR_TRY(const auto records, read_chains(chain_before, sequence_before));
    if (records.empty()) break;
    chain_before = records.back().chain;
    sequence_before = records.back().sequence;
    for (const StoredRecord& record : records) {
      if (chain == nullptr || chain->id != record.chain) {
        chain = &verification.chains.emplace_back();
        chain->id = record.chain;
        head = chain_origin(record.chain);
      }
      const auto problem = [&](std::string_view what) {
        verification.problems.push_back(
            fmt::format("chain {}, record {}: {}", record.chain, record.sequence, what));
      };
      if (record.sequence != ++chain->records) {
        problem(fmt::format("record {} should come here; records are missing", chain->records));
        chain->records = record.sequence;
        head = record.hash;
        continue;
      }
      if (chain_hash(head, record) != record.hash)
        problem("it was changed, or the one before it was");
      head = record.hash;
      chain->closed = false;
      const auto body = parse_json(record.body, body_limit);
      if (!body || !body->is_object()) {
        problem("it is not a JSON object");
        continue;
      }
      const std::string kind = text_in(*body, "kind");
      if (kind == "stop") chain->closed = true;
      const auto heads = body->find("heads");
      if (kind != "anchor" || heads == body->end() || !heads->is_array()) continue;
      for (const Json& anchor : *heads) {
        anchors.emplace(
            text_in(anchor, "chain"),
            Anchor{record.chain, number_in(anchor, "sequence"), text_in(anchor, "hash")});
      }
    }
  }
  BELLJAR_CHECK(check_heads(verification));
  for (const auto& [id, anchor] : anchors) {
    BELLJAR_TRY(auto row,
                database_->prepare("SELECT hash FROM records WHERE chain = ? AND sequence = ?"));
    row.bind(id).bind(anchor.sequence);
    BELLJAR_TRY(const bool found, row.step());
    const std::string hash = found ? row.text(0) : std::string();
    const std::string hex =
        to_hex({reinterpret_cast<const std::uint8_t*>(hash.data()), hash.size()});
    if (hex != anchor.hash) {
      verification.problems.push_back(fmt::format(
          "chain {}, record {}: chain {} has seen it otherwise; records were removed or "
          "rewritten",
          id, anchor.sequence, anchor.by));
    }
  }
  return verification;
}

Result<std::vector<StoredRecord>> Reader::read_chains(const std::string& chain,
                                                      std::int64_t sequence) {
  BELLJAR_TRY(auto rows, database_->prepare(fmt::format(
                             "SELECT rowid, chain, sequence, time, body, hash FROM records WHERE "
                             "(chain, sequence) > (?, ?) ORDER BY chain, sequence LIMIT {}",
                             page)));
  rows.bind(chain).bind(sequence);
  std::vector<StoredRecord> records;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return records;
    records.push_back(read_row(rows));
  }
}

Result<void> Reader::check_heads(Verification& verification) {
  // Each head is looked at together with its record, so that one that is written meanwhile fits.
  BELLJAR_TRY(auto rows,
              database_->prepare("SELECT heads.chain, heads.sequence, heads.hash = records.hash "
                                 "FROM heads LEFT JOIN records ON records.chain = heads.chain AND "
                                 "records.sequence = heads.sequence"));
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return {};
    const auto same = rows.optional_number(2);
    if (same && *same != 0) continue;
    verification.problems.push_back(fmt::format("chain {}: it ended with record {}, which {}",
                                                rows.text(0), rows.number(1),
                                                same ? "is another one now; records were rewritten"
                                                     : "is not there; records were removed"));
  }
}

}  // namespace belljar::audit
