#include "audit/writer.h"

#include <fmt/format.h>

#include <array>
#include <future>
#include <iterator>
#include <utility>

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
constexpr std::chrono::milliseconds retry_interval{100};

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

std::span<const std::string_view> log_migrations() { return migrations; }

Result<void> Log::append_durably(Record record) {
  std::promise<bool> written;
  append(std::move(record));
  when_durable([&](bool ok) { written.set_value(ok); });
  if (!written.get_future().get()) {
    return fail(ErrorCode::storage, "the audit log cannot be written; is the disk full?");
  }
  return {};
}

Result<std::unique_ptr<Writer>> Writer::open(const std::filesystem::path& path, const Clock& clock,
                                             std::string details, WriterOptions options) {
  BELLJAR_TRY(auto database, store::Database::open(path, migrations));
  std::unique_ptr<Writer> writer(new Writer(std::move(database), clock, options));
  writer->append({RecordKind::start, clock.now(), nullptr, std::move(details)});
  writer->thread_ = std::thread([raw = writer.get()] { raw->run(); });
  return writer;
}

Writer::Writer(std::unique_ptr<store::Database> database, const Clock& clock, WriterOptions options)
    : database_(std::move(database)),
      clock_(clock),
      options_(options),
      chain_(fmt::format("{:012x}-{}", clock.now().time_since_epoch().count() / 1'000,
                         to_hex(random_bytes<6>()))),
      head_(chain_origin(chain_)) {}

Writer::~Writer() {
  append({RecordKind::stop, clock_.now(), nullptr, {}});
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Writer::append(Record record) {
  bool wake = false;
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return queue_.size() < options_.queue; });
    queue_.push_back(std::move(record));
    // The writer sleeps without a timeout only while there is nothing to write.
    wake = queue_.size() == 1 || queue_.size() == options_.queue / 2;
  }
  if (wake) changed_.notify_one();
}

void Writer::when_durable(std::move_only_function<void(bool)> done) {
  {
    const std::lock_guard lock(mutex_);
    waiters_.push_back(std::move(done));
  }
  changed_.notify_one();
}

void Writer::run() {
  std::vector<Record> group;
  std::vector<Waiter> waiters;
  while (true) {
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty() || !waiters_.empty(); });
      // A group collects for a moment, unless somebody waits for it.
      changed_.wait_for(lock, options_.group, [&] {
        return stopping_ || !waiters_.empty() || queue_.size() >= options_.queue / 2;
      });
      group.swap(queue_);
      waiters.swap(waiters_);
      stopping = stopping_;
    }
    room_.notify_all();
    const auto began = std::chrono::steady_clock::now();
    while (!group.empty()) {
      // Who stops waits for one more attempt that begins after that.
      bool last_attempt = false;
      {
        const std::lock_guard lock(mutex_);
        last_attempt = stopping_;
      }
      if (write(group)) {
        group.clear();
        break;
      }
      // Nothing is dropped: the group stays until the disk takes it. Those who wait for it are
      // told after a while that it is not safe.
      const bool impatient = std::chrono::steady_clock::now() - began > options_.patience;
      if (impatient) {
        {
          const std::lock_guard lock(mutex_);
          std::move(waiters_.begin(), waiters_.end(), std::back_inserter(waiters));
          waiters_.clear();
        }
        for (Waiter& waiter : waiters) waiter(false);
        waiters.clear();
      }
      std::unique_lock lock(mutex_);
      // Without its last records the chain is not closed either, which a verification tells.
      if (last_attempt && impatient) return;
      changed_.wait_for(lock, retry_interval, [] { return false; });
    }
    for (Waiter& waiter : waiters) waiter(true);
    waiters.clear();
    group.clear();
    if (stopping) {
      const std::lock_guard lock(mutex_);
      if (queue_.empty() && waiters_.empty()) return;
    }
  }
}

Result<void> Writer::insert(store::Statement& statement, const Record& record) {
  StoredRecord stored;
  stored.chain = chain_;
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

Result<void> Writer::write(std::vector<Record>& group) {
  const std::int64_t sequence = sequence_;
  const Sha256 head = head_;
  Anchors others;
  const auto attempt = [&]() -> Result<void> {
    BELLJAR_TRY(auto transaction, store::Transaction::begin(*database_));
    BELLJAR_TRY(auto statement, database_->prepare("INSERT INTO records VALUES (?, ?, ?, ?, ?)"));
    BELLJAR_TRY(others, anchors());
    if (!others.details.empty()) {
      BELLJAR_CHECK(insert(statement, {RecordKind::anchor, clock_.now(), nullptr, others.details}));
    }
    for (const Record& record : group) BELLJAR_CHECK(insert(statement, record));
    BELLJAR_TRY(auto update,
                database_->prepare("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)"));
    update.bind(chain_).bind(sequence_).bind_blob(view(head_));
    BELLJAR_CHECK(update.bind(clock_.now().time_since_epoch().count()).run());
    return transaction.commit();
  };
  auto written = attempt();
  if (written) {
    anchored_until_ = others.until;
    for (auto& [chain, anchored] : others.sequences) anchored_[std::move(chain)] = anchored;
  } else {
    sequence_ = sequence;
    head_ = head;
  }
  return written;
}

Result<Writer::Anchors> Writer::anchors() const {
  BELLJAR_TRY(auto rows, database_->prepare(
                             "SELECT chain, sequence, hash, updated_at FROM heads WHERE chain != ? "
                             "AND updated_at >= ? ORDER BY updated_at DESC LIMIT ?"));
  rows.bind(chain_).bind(anchored_until_).bind(anchored_.empty() ? first_anchors : maximum_anchors);
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
