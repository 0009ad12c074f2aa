#include "audit/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "audit/chain.h"
#include "store/database.h"
#include "support/json.h"
#include "support/result.h"

namespace belljar::audit {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// Records of one transaction: so few that a disk with little room takes some of them.
constexpr std::size_t largest_group = 2'048;
/// How long one attempt waits for another process that writes.
constexpr milliseconds lock_wait{250};
/// How soon a disk that failed is tried again: at first, and at most.
constexpr milliseconds first_retry{50};
constexpr milliseconds longest_retry{1'000};

}  // namespace

/// What appends, writes and watches: its state is behind one mutex, and no callback runs under it.
class Writer::Desk {
 public:
  Desk(std::unique_ptr<store::Database> database, std::string chain, const Clock& clock,
       WriterOptions options)
      : chain_(std::move(database), std::move(chain)), clock_(clock), options_(options) {}

  [[nodiscard]] bool accepts() const noexcept { return accepting_.load(std::memory_order_relaxed); }
  Error refusal();
  bool append(Record record);
  void when_durable(std::move_only_function<void(bool)> done);
  void append_then(std::vector<Record> records, Done done);

  /// The writing thread.
  void write_all();
  /// The watching thread: it tells those who wait when the disk does not answer at all.
  void watch();
  /// Lets both threads end; true once the writing one has, false if the disk holds it.
  [[nodiscard]] bool finish();

 private:
  /// Records of which somebody waits to hear that they are on disk.
  struct Batch {
    Done done;
    std::size_t unwritten = 0;
    /// Told that it did not happen. What of it is not written yet never is.
    bool given_up = false;
  };
  struct Item {
    Record record;
    std::shared_ptr<Batch> batch;
  };
  struct Waiter {
    /// How much had been appended when it began to wait.
    std::uint64_t after;
    std::move_only_function<void(bool)> done;
  };
  struct Trouble {
    std::string cause;
    SteadyTime since;
  };
  /// Whom to tell what, once the mutex is free.
  struct News {
    std::vector<Waiter> waiters;
    std::vector<std::shared_ptr<Batch>> batches;
    std::optional<Error> failure;
    void tell();
  };
  /// What one transaction writes.
  struct Attempt {
    std::vector<const Record*> records;
    /// The place in `group_` behind its last item, and of each item among the records.
    std::size_t end = 0;
    std::vector<std::pair<std::size_t, std::size_t>> places;
    std::optional<Record> gap;
    std::map<RecordKind, std::uint64_t> missing;
    std::uint64_t refused = 0;
    std::size_t corrections = 0;
  };

  // All of these with the mutex held.
  [[nodiscard]] std::size_t size() const { return queue_.size() + taken_; }
  void push(Record record, std::shared_ptr<Batch> batch);
  void update_accepting();
  [[nodiscard]] bool urgent() const { return !waiters_.empty() || !batches_.empty(); }
  [[nodiscard]] Error why() const;
  /// The disk takes nothing: everybody who waits is told.
  [[nodiscard]] News fail_all(std::string cause);
  [[nodiscard]] bool await_work(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] Attempt prepare();
  [[nodiscard]] News settle(const Attempt& attempt, std::int64_t first);
  [[nodiscard]] Record gap_record(const Attempt& attempt, WallTime now) const;

  Chain chain_;
  const Clock& clock_;
  const WriterOptions options_;
  std::atomic<bool> accepting_{true};
  std::atomic<std::uint64_t> refused_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable watch_;
  std::condition_variable over_;
  std::vector<Item> queue_;
  std::uint64_t bytes_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t settled_ = 0;
  std::vector<Waiter> waiters_;
  std::vector<std::shared_ptr<Batch>> batches_;
  std::map<RecordKind, std::uint64_t> missing_;
  std::optional<Trouble> trouble_;
  /// Since when the first group that is not written yet is tried, and why that failed last.
  std::optional<SteadyTime> trying_since_;
  std::string busy_cause_;
  milliseconds retry_{first_retry};
  std::optional<SteadyTime> stopping_since_;
  bool ended_ = false;

  /// Of those that the writing thread has taken, so many are not settled.
  std::size_t taken_ = 0;

  // The writing thread's own; `group_[next_]` is the first record that is not settled.
  std::vector<Item> group_;
  std::size_t next_ = 0;
  /// Records that say of others that they did not happen.
  std::vector<Record> corrections_;
};

void Writer::Desk::News::tell() {
  for (Waiter& waiter : waiters) waiter.done(!failure);
  for (const auto& batch : batches) {
    if (failure) {
      batch->done(std::unexpected(*failure));
    } else {
      batch->done({});
    }
  }
}

Error Writer::Desk::why() const {
  if (!trouble_) {
    return {ErrorCode::unavailable,
            "the log is too far behind to take more; it catches up by itself, so try again in a "
            "moment"};
  }
  return {ErrorCode::storage,
          fmt::format("the log cannot be written: {}. Nothing that has to be recorded is done "
                      "until it can be; belljar doctor says where the log is kept",
                      trouble_->cause)};
}

Error Writer::Desk::refusal() {
  refused_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  return why();
}

void Writer::Desk::update_accepting() {
  accepting_.store(!trouble_ && size() < 4 * options_.queue, std::memory_order_relaxed);
}

void Writer::Desk::push(Record record, std::shared_ptr<Batch> batch) {
  bytes_ += record.details.size();
  ++appended_;
  queue_.push_back({std::move(record), std::move(batch)});
}

bool Writer::Desk::append(Record record) {
  bool wake = false;
  bool room = false;
  {
    const std::lock_guard lock(mutex_);
    if (size() >= 8 * options_.queue || bytes_ >= options_.bytes.value) {
      ++missing_[record.kind];
      return false;
    }
    push(std::move(record), nullptr);
    room = size() < options_.queue;
    if (size() >= 4 * options_.queue) update_accepting();
    // The writer sleeps without a timeout only while there is nothing to write.
    wake = queue_.size() == 1 || queue_.size() == options_.queue / 2;
  }
  if (wake) changed_.notify_one();
  return room;
}

void Writer::Desk::when_durable(std::move_only_function<void(bool)> done) {
  bool failing = false;
  {
    const std::lock_guard lock(mutex_);
    failing = trouble_.has_value() || ended_;
    if (!failing && settled_ != appended_) {
      waiters_.push_back({appended_, std::move(done)});
      changed_.notify_one();
      return;
    }
  }
  done(!failing);
}

void Writer::Desk::append_then(std::vector<Record> records, Done done) {
  std::optional<Error> failure;
  {
    const std::lock_guard lock(mutex_);
    if (trouble_ || ended_ || size() >= 4 * options_.queue) {
      failure = why();
    } else {
      auto batch = std::make_shared<Batch>(Batch{std::move(done), records.size(), false});
      for (Record& record : records) push(std::move(record), batch);
      batches_.push_back(std::move(batch));
      update_accepting();
      changed_.notify_one();
      return;
    }
  }
  refused_.fetch_add(1, std::memory_order_relaxed);
  done(std::unexpected(*std::move(failure)));
}

Writer::Desk::News Writer::Desk::fail_all(std::string cause) {
  if (trouble_) {
    trouble_->cause = std::move(cause);
  } else {
    trouble_ = {std::move(cause), std::chrono::steady_clock::now()};
    retry_ = first_retry;
  }
  update_accepting();
  News news;
  news.failure = why();
  news.waiters = std::exchange(waiters_, {});
  news.batches = std::exchange(batches_, {});
  for (const auto& batch : news.batches) batch->given_up = true;
  refused_.fetch_add(news.batches.size(), std::memory_order_relaxed);
  return news;
}

/// Waits for a group, or until it is time to try again. False if all is written and nothing comes.
bool Writer::Desk::await_work(std::unique_lock<std::mutex>& lock) {
  const auto stopping = [&] { return stopping_since_.has_value(); };
  if (trouble_) {
    changed_.wait_for(lock, retry_, stopping);
    retry_ = std::min(2 * retry_, longest_retry);
  } else if (group_.empty()) {
    const auto left = [&] { return !missing_.empty() || !corrections_.empty(); };
    changed_.wait(lock, [&] { return stopping() || !queue_.empty() || urgent() || left(); });
    // A group collects for a moment, unless somebody waits for it.
    changed_.wait_for(lock, options_.group, [&] {
      return stopping() || urgent() || left() || queue_.size() >= options_.queue / 2;
    });
  }
  if (group_.empty()) {
    group_.swap(queue_);
    taken_ = group_.size();
  }
  return !group_.empty() || trouble_ || !stopping() || !missing_.empty() || !corrections_.empty();
}

Record Writer::Desk::gap_record(const Attempt& attempt, WallTime now) const {
  std::string details;
  if (trouble_) {
    details = fmt::format(
        "\"why\":{},\"ms\":{}", json_string(trouble_->cause),
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - trouble_->since)
            .count());
  } else {
    details = "\"why\":\"there was more to write than there was room for\"";
  }
  details += fmt::format(",\"refused\":{}", attempt.refused);
  std::string missing;
  for (const auto& [kind, count] : attempt.missing) {
    missing += fmt::format("{}\"{}\":{}", missing.empty() ? "" : ",", name_of(kind), count);
  }
  if (!missing.empty()) details += fmt::format(",\"missing\":{{{}}}", missing);
  return {RecordKind::gap, now, nullptr, std::move(details)};
}

Writer::Desk::Attempt Writer::Desk::prepare() {
  Attempt attempt;
  attempt.refused = refused_.load(std::memory_order_relaxed);
  attempt.missing = missing_;
  if (trouble_ || attempt.refused > 0 || !attempt.missing.empty()) {
    attempt.gap = gap_record(attempt, clock_.now());
  }
  attempt.end = std::min(next_ + largest_group, group_.size());
  // Records that belong together are written together.
  while (attempt.end > next_ && attempt.end < group_.size() && group_[attempt.end].batch &&
         group_[attempt.end].batch == group_[attempt.end - 1].batch) {
    ++attempt.end;
  }
  attempt.records.reserve(attempt.end - next_ + corrections_.size() + 1);
  for (const Record& correction : corrections_) attempt.records.push_back(&correction);
  attempt.corrections = corrections_.size();
  for (std::size_t place = next_; place < attempt.end; ++place) {
    const Item& item = group_[place];
    if (item.batch && item.batch->given_up) continue;
    if (item.batch) attempt.places.emplace_back(place, attempt.records.size());
    attempt.records.push_back(&item.record);
  }
  return attempt;
}

Writer::Desk::News Writer::Desk::settle(const Attempt& attempt, std::int64_t first) {
  trouble_.reset();
  trying_since_.reset();
  busy_cause_.clear();
  refused_.fetch_sub(attempt.refused, std::memory_order_relaxed);
  for (const auto& [kind, count] : attempt.missing) {
    const auto missing = missing_.find(kind);
    if (missing == missing_.end()) continue;
    missing->second -= count;
    if (missing->second == 0) missing_.erase(missing);
  }
  corrections_.erase(corrections_.begin(),
                     corrections_.begin() + static_cast<std::ptrdiff_t>(attempt.corrections));
  News news;
  for (const auto& [place, record] : attempt.places) {
    Batch& batch = *group_[place].batch;
    if (batch.given_up) {
      // It was told that it did not happen while the disk did not answer, and then the disk did.
      corrections_.push_back({RecordKind::undone, clock_.now(), group_[place].record.subject,
                              fmt::format("\"sequence\":{},\"why\":\"the disk took it too late\"",
                                          first + static_cast<std::int64_t>(record))});
    } else if (--batch.unwritten == 0) {
      news.batches.push_back(group_[place].batch);
      std::erase(batches_, group_[place].batch);
    }
  }
  for (; next_ < attempt.end; ++next_) {
    bytes_ -= group_[next_].record.details.size();
    ++settled_;
    --taken_;
  }
  std::vector<Waiter> still_waiting;
  for (Waiter& waiter : waiters_) {
    (waiter.after > settled_ ? still_waiting : news.waiters).push_back(std::move(waiter));
  }
  waiters_ = std::move(still_waiting);
  update_accepting();
  return news;
}

void Writer::Desk::write_all() {
  std::unique_lock lock(mutex_);
  while (await_work(lock) && !ended_) {
    const bool last = stopping_since_.has_value();
    Attempt attempt = prepare();
    if (attempt.gap) attempt.records.push_back(&*attempt.gap);
    if (!trying_since_) trying_since_ = std::chrono::steady_clock::now();
    const WallTime now = clock_.now();
    lock.unlock();
    watch_.notify_one();
    Result<std::int64_t> written = 0;
    if (!attempt.records.empty()) written = chain_.write(attempt.records, now);
    lock.lock();
    // Whoever waited for the end has gone, and the clock perhaps with them.
    if (ended_) return;
    News news;
    if (written) {
      news = settle(attempt, *written);
    } else if (const std::string cause(store::cause_of(written.error()));
               written.error().code() != ErrorCode::unavailable || trouble_) {
      news = fail_all(cause);
    } else {
      // Another process writes. The watching thread says when that takes too long.
      busy_cause_ = cause;
    }
    lock.unlock();
    news.tell();
    news = {};
    if (next_ == group_.size()) {
      group_.clear();
      next_ = 0;
    }
    lock.lock();
    if (!written && last &&
        (trouble_ || std::chrono::steady_clock::now() - *stopping_since_ > options_.farewell)) {
      break;
    }
  }
  ended_ = true;
  News news;
  news.failure = Error(ErrorCode::unavailable, "the log has ended");
  news.waiters = std::exchange(waiters_, {});
  news.batches = std::exchange(batches_, {});
  lock.unlock();
  watch_.notify_one();
  over_.notify_all();
  news.tell();
}

void Writer::Desk::watch() {
  std::unique_lock lock(mutex_);
  while (true) {
    watch_.wait(lock, [&] { return ended_ || (trying_since_ && !trouble_); });
    if (ended_) return;
    const SteadyTime since = *trying_since_;
    const bool over = watch_.wait_until(lock, since + options_.patience, [&] {
      return ended_ || trouble_ || trying_since_ != since;
    });
    if (over) continue;
    News news = fail_all(busy_cause_.empty() ? "its disk does not answer" : busy_cause_);
    lock.unlock();
    news.tell();
    lock.lock();
  }
}

bool Writer::Desk::finish() {
  std::unique_lock lock(mutex_);
  stopping_since_ = std::chrono::steady_clock::now();
  changed_.notify_all();
  const bool done = over_.wait_for(lock, options_.farewell, [&] { return ended_; });
  if (done) return true;
  ended_ = true;
  News news = fail_all("its disk does not answer");
  lock.unlock();
  watch_.notify_all();
  news.tell();
  return false;
}

Result<std::unique_ptr<Writer>> Writer::open(const std::filesystem::path& path, const Clock& clock,
                                             std::string details, WriterOptions options) {
  BELLJAR_TRY(auto database, store::Database::open(path, log_migrations()));
  database->wait_for_others(lock_wait);
  std::string chain = fmt::format("{:012x}-{}", clock.now().time_since_epoch().count() / 1'000,
                                  to_hex(random_bytes<6>()));
  auto desk = std::make_shared<Desk>(std::move(database), chain, clock, options);
  std::unique_ptr<Writer> writer(new Writer(desk, std::move(chain), clock));
  writer->append({RecordKind::start, clock.now(), nullptr, std::move(details)});
  try {
    writer->writing_ = std::thread([desk] { desk->write_all(); });
    writer->watching_ = std::thread([desk] { desk->watch(); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, "the log needs two threads, and one could not be made: {}",
                error.code().message());
  }
  return writer;
}

Writer::Writer(std::shared_ptr<Desk> desk, std::string chain, const Clock& clock)
    : desk_(std::move(desk)), chain_(std::move(chain)), clock_(clock) {}

Writer::~Writer() {
  append({RecordKind::stop, clock_.now(), nullptr, {}});
  if (!writing_.joinable()) return;
  if (desk_->finish()) {
    writing_.join();
  } else {
    // The disk holds it; it touches nothing but what it shares, and ends when the disk lets it.
    writing_.detach();
  }
  if (watching_.joinable()) watching_.join();
}

bool Writer::accepts() const noexcept { return desk_->accepts(); }

Error Writer::refusal() { return desk_->refusal(); }

bool Writer::append(Record record) { return desk_->append(std::move(record)); }

void Writer::when_durable(std::move_only_function<void(bool)> done) {
  desk_->when_durable(std::move(done));
}

void Writer::append_then(std::vector<Record> records, Done done) {
  desk_->append_then(std::move(records), std::move(done));
}

}  // namespace belljar::audit
