#include "audit/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "support/json.h"
#include "support/result.h"

namespace belljar::audit {
namespace {

constexpr std::array<std::string_view, 1> migrations{R"sql(
CREATE TABLE records (
  chain TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  time INTEGER NOT NULL,
  body TEXT NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (chain, sequence)
) STRICT;
CREATE INDEX records_by_time ON records (time);

-- The newest record of each chain, for the anchors of the others.
CREATE TABLE heads (
  chain TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL,
  hash BLOB NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
)sql"};

/// Heads that a chain's first anchor names: the newest, whose own anchors name older ones.
constexpr std::int64_t first_anchors = 4;
/// Heads that each later one names: those that moved since.
constexpr std::int64_t maximum_anchors = 64;

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

std::span<const std::string_view> log_migrations() { return migrations; }

Chain::Chain(std::unique_ptr<store::Database> database, std::string id)
    : database_(std::move(database)), id_(std::move(id)), head_(chain_origin(id_)) {}

Result<void> Chain::insert(store::Statement& statement, const Record& record) {
  StoredRecord stored;
  stored.chain = id_;
  stored.sequence = sequence_ + 1;
  stored.time = record.time;
  stored.body = body_of(record);
  stored.hash = chain_hash(head_, stored);
  statement.reset();
  statement.bind(stored.chain).bind(stored.sequence).bind(stored.time.time_since_epoch().count());
  BELLJAR_CHECK(statement.bind(stored.body).bind_blob(view(stored.hash)).run());
  sequence_ = stored.sequence;
  head_ = stored.hash;
  return {};
}

Result<std::int64_t> Chain::write(std::span<const Record* const> records, WallTime now) {
  const std::int64_t sequence = sequence_;
  const Sha256 head = head_;
  std::int64_t first = 0;
  Anchors others;
  const auto attempt = [&]() -> Result<void> {
    BELLJAR_TRY(auto transaction, store::Transaction::begin(*database_));
    BELLJAR_TRY(auto statement, database_->prepare("INSERT INTO records VALUES (?, ?, ?, ?, ?)"));
    BELLJAR_TRY(others, anchors());
    if (!others.details.empty()) {
      BELLJAR_CHECK(insert(statement, {RecordKind::anchor, now, nullptr, others.details}));
    }
    first = sequence_ + 1;
    for (const Record* const record : records) BELLJAR_CHECK(insert(statement, *record));
    BELLJAR_TRY(auto update,
                database_->prepare("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)"));
    update.bind(id_).bind(sequence_).bind_blob(view(head_));
    BELLJAR_CHECK(update.bind(now.time_since_epoch().count()).run());
    return transaction.commit();
  };
  auto written = attempt();
  if (!written) {
    sequence_ = sequence;
    head_ = head;
    return std::unexpected(std::move(written).error());
  }
  anchored_until_ = others.until;
  for (auto& [chain, anchored] : others.sequences) anchored_[std::move(chain)] = anchored;
  return first;
}

Result<Chain::Anchors> Chain::anchors() const {
  BELLJAR_TRY(auto rows, database_->prepare(
                             "SELECT chain, sequence, hash, updated_at FROM heads WHERE chain != ? "
                             "AND updated_at >= ? ORDER BY updated_at DESC LIMIT ?"));
  rows.bind(id_).bind(anchored_until_).bind(anchored_.empty() ? first_anchors : maximum_anchors);
  Anchors others;
  others.until = anchored_until_;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) break;
    std::string chain = rows.text(0);
    const std::int64_t sequence = rows.number(1);
    others.until = std::max(others.until, rows.number(3));
    const auto known = anchored_.find(chain);
    if (known != anchored_.end() && known->second == sequence) continue;
    const std::string hash = rows.text(2);
    others.details +=
        fmt::format("{}{{\"chain\":{},\"sequence\":{},\"hash\":\"{}\"}}",
                    others.details.empty() ? "" : ",", json_string(chain), sequence,
                    to_hex({reinterpret_cast<const std::uint8_t*>(hash.data()), hash.size()}));
    others.sequences.emplace_back(std::move(chain), sequence);
  }
  if (!others.details.empty()) others.details = fmt::format("\"heads\":[{}]", others.details);
  return others;
}

}  // namespace belljar::audit
