// The writer and the reader of the log, together: what one writes, the other has to find and trust.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <future>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "audit/chain.h"
#include "audit/reader.h"
#include "audit/writer.h"
#include "support/json.h"
#include "testing/child_process.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::audit {
namespace {

using test::ChildProcess;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AuditTest : public ::testing::Test {
 protected:
  std::unique_ptr<Writer> writer(WriterOptions options = {}) {
    auto opened = Writer::open(path_, clock_, "\"process\":1", options);
    EXPECT_TRUE(opened) << opened.error().describe();
    return opened ? *std::move(opened) : nullptr;
  }
  Record record(RecordKind kind, std::string details = {}, const char* component = "weather") {
    return {kind, clock_.now(), std::make_shared<Subject>(Subject{component, "aaaa"}),
            std::move(details)};
  }
  /// A closed chain with five records of calls; its id.
  std::string write_chain() {
    const auto log = writer();
    for (int i = 1; i <= 5; ++i) {
      log->append(record(RecordKind::call, "\"tool\":\"t" + std::to_string(i) + "\""));
    }
    return log->chain();
  }
  std::vector<StoredRecord> read(const Filter& filter = {}, std::int64_t after = 0) {
    auto reader = Reader::open(path_);
    EXPECT_TRUE(reader) << reader.error().describe();
    std::vector<StoredRecord> records;
    if (!reader) return records;
    const auto place =
        reader->read(filter, after, [&](const StoredRecord& one) { records.push_back(one); });
    EXPECT_TRUE(place) << place.error().describe();
    return records;
  }
  std::vector<std::string> kinds(const Filter& filter = {}) {
    std::vector<std::string> names;
    const auto records = read(filter);
    for (const StoredRecord& one : records) {
      names.push_back(parse_json(one.body, Bytes{1 << 20})->at("kind").get<std::string>());
    }
    return names;
  }
  Verification verify() {
    auto reader = Reader::open(path_);
    EXPECT_TRUE(reader) << reader.error().describe();
    auto verification = reader->verify();
    EXPECT_TRUE(verification) << verification.error().describe();
    return verification ? *std::move(verification) : Verification{};
  }
  /// What somebody does who can write to the file.
  void tamper(std::string_view sql) {
    const auto database = store::Database::open(path_, log_migrations());
    ASSERT_TRUE(database);
    const auto done = (*database)->execute(sql);
    ASSERT_TRUE(done) << done.error().describe();
  }

  /// What the records of gaps say, in all.
  std::size_t sum_of_gaps(const std::function<std::size_t(const Json&)>& number) {
    Filter gaps;
    gaps.kind = "gap";
    std::size_t sum = 0;
    const auto records = read(gaps);
    for (const StoredRecord& gap : records) sum += number(*parse_json(gap.body, Bytes{1 << 20}));
    return sum;
  }

  void remove_log() {
    for (const char* const part : {"", "-wal", "-shm"}) {
      std::filesystem::remove(path_.native() + part);
    }
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "audit.db";
  test::ManualClock clock_;
};

// Records.

TEST(AuditRecords, AreJsonWhateverIsInThem) {
  const Record record{RecordKind::call,
                      {},
                      std::make_shared<Subject>(Subject{"a\"b\n", "\xFF"}),
                      "\"tool\":" + json_string("x\"},{\"kind\":\"grant")};
  const auto json = parse_json(body_of(record), Bytes{4'096});
  ASSERT_TRUE(json) << body_of(record);
  EXPECT_EQ(json->at("kind"), "call");
  EXPECT_EQ(json->at("component"), "a\"b\n");
  EXPECT_EQ(json->at("tool"), "x\"},{\"kind\":\"grant") << "a guest cannot write members";
  EXPECT_EQ(body_of({RecordKind::start, {}, nullptr, {}}), R"({"kind":"start"})");
}

TEST(AuditRecords, HaveAHashThatEveryPartOfThemChanges) {
  const StoredRecord record{"chain", 7, WallTime(std::chrono::microseconds(9)), "{}", {}};
  const Sha256 before = chain_origin("chain");
  const Sha256 hash = chain_hash(before, record);
  EXPECT_EQ(chain_hash(before, record), hash);
  const auto changed = [&](auto change) {
    StoredRecord other = record;
    change(other);
    return chain_hash(before, other) != hash;
  };
  EXPECT_TRUE(changed([](StoredRecord& r) { r.chain = "chaim"; }));
  EXPECT_TRUE(changed([](StoredRecord& r) { r.sequence = 8; }));
  EXPECT_TRUE(changed([](StoredRecord& r) { r.time += std::chrono::microseconds(1); }));
  EXPECT_TRUE(changed([](StoredRecord& r) { r.body = "{} "; }));
  EXPECT_NE(chain_hash(chain_origin("other"), record), hash);
  // Lengths stand in front, so that nothing can move from one part into the next.
  EXPECT_NE(chain_hash(before, {"chain1", 2, {}, "x", {}}),
            chain_hash(before, {"chain", 12, {}, "x", {}}));
}

TEST(AuditRecords, EveryKindHasItsName) {
  for (const RecordKind kind :
       {RecordKind::start, RecordKind::stop, RecordKind::load, RecordKind::unload, RecordKind::call,
        RecordKind::use, RecordKind::refusal, RecordKind::request, RecordKind::grant,
        RecordKind::revoke, RecordKind::policy, RecordKind::secret, RecordKind::restore,
        RecordKind::anchor, RecordKind::gap, RecordKind::undone}) {
    EXPECT_NE(name_of(kind), "unknown") << static_cast<int>(kind);
  }
}

// Writing.

TEST_F(AuditTest, AChainBeginsAndEndsWithItsProcess) {
  const std::string chain = write_chain();
  EXPECT_THAT(kinds(), ElementsAre("start", "call", "call", "call", "call", "call", "stop"));
  const Verification verification = verify();
  ASSERT_THAT(verification.chains, SizeIs(1));
  EXPECT_EQ(verification.chains[0].id, chain);
  EXPECT_EQ(verification.chains[0].records, 7);
  EXPECT_TRUE(verification.chains[0].closed);
  EXPECT_THAT(verification.problems, IsEmpty());
}

TEST_F(AuditTest, IsForThisUserOnly) {
  write_chain();
  EXPECT_EQ(test::mode_of(path_), 0600U);
}

TEST_F(AuditTest, ADurableRecordIsOnDiskBeforeItsWriterGoesOn) {
  const auto log = writer();
  ASSERT_TRUE(log->append_durably(record(RecordKind::grant)));
  EXPECT_THAT(kinds(), ElementsAre("start", "grant"));
}

TEST_F(AuditTest, RecordsKeepTheOrderInWhichTheyWereAppended) {
  constexpr int threads = 4;
  constexpr int each = 500;
  {
    const auto log = writer();
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          log->append(record(RecordKind::call,
                             "\"tool\":\"" + std::to_string(t) + "\",\"n\":" + std::to_string(i)));
        }
      });
    }
    for (std::thread& thread : running) thread.join();
  }
  for (int t = 0; t < threads; ++t) {
    Filter filter;
    filter.tool = std::to_string(t);
    const auto records = read(filter);
    ASSERT_THAT(records, SizeIs(each));
    for (int i = 0; i < each; ++i) {
      ASSERT_THAT(records[static_cast<std::size_t>(i)].body,
                  HasSubstr("\"n\":" + std::to_string(i) + "}"));
    }
  }
  EXPECT_THAT(verify().problems, IsEmpty());
}

// A disk that takes nothing. The limit of a file's size makes every write of this process fail, for
// real and wherever tests run; standard output is a pipe or a terminal, which it does not touch.

class FullDisk {
 public:
  FullDisk() {
    handled_before_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handled_before_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handled_before_)(int) = SIG_DFL;
};

void await(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(condition()) << "it never came about";
}

TEST_F(AuditTest, A80_WhatNeedsARecordIsRefusedAtOnceWhileTheDiskIsFull) {
  {
    const auto log = writer({.group = std::chrono::milliseconds(1)});
    ASSERT_TRUE(log->append_durably(record(RecordKind::load)));
    {
      const FullDisk full;
      const auto refused = log->append_durably(record(RecordKind::grant, "\"n\":1"));
      ASSERT_FALSE(refused) << "it was acknowledged and is not on disk";
      EXPECT_THAT(refused.error().message(), HasSubstr("the log cannot be written: "));
      EXPECT_FALSE(log->accepts());
      EXPECT_FALSE(log->append_durably(record(RecordKind::grant, "\"n\":2")));
      std::optional<bool> told;
      log->when_durable([&](bool durable) { told = durable; });
      EXPECT_EQ(told, false) << "whoever waits for a full disk is told at once";
      // What has happened is kept.
      log->append(record(RecordKind::call));
      EXPECT_THAT(log->refusal().message(), HasSubstr("belljar doctor"));
    }
    await([&] { return log->accepts(); });
    ASSERT_TRUE(log->append_durably(record(RecordKind::grant, "\"n\":3")));
  }
  auto names = kinds();
  std::erase(names, "gap");
  EXPECT_THAT(names, ElementsAre("start", "load", "call", "grant", "stop"))
      << "what was refused is in the log as if it had been done, or what was done is not";
  EXPECT_EQ(sum_of_gaps([](const Json& gap) { return gap.value("refused", 0U); }), 3U);
  const auto grants = read({.component = {}, .tool = {}, .kind = "grant", .since = {}, .last = {}});
  ASSERT_THAT(grants, SizeIs(1));
  EXPECT_THAT(grants[0].body, HasSubstr("\"n\":3"));
  EXPECT_THAT(verify().problems, IsEmpty()) << "a failed attempt leaves no gap in the chain";
}

TEST_F(AuditTest, A80_ALogWithoutADiskEndsAtOnceAndItsChainIsSound) {
  {
    auto log = writer();
    ASSERT_TRUE(log->append_durably(record(RecordKind::load)));
    const FullDisk full;
    log->append(record(RecordKind::call));
    log.reset();
  }
  const Verification verification = verify();
  ASSERT_THAT(verification.chains, SizeIs(1));
  EXPECT_FALSE(verification.chains[0].closed) << "a verification tells that the end is missing";
  EXPECT_THAT(verification.problems, IsEmpty());
}

TEST_F(AuditTest, A80_AppendingNeverWaitsAndWhatThereIsNoRoomForIsCounted) {
  constexpr std::size_t queue = 16;
  constexpr std::size_t total = 2'000;
  {
    const auto log = writer({.group = std::chrono::milliseconds(1), .queue = queue});
    ASSERT_TRUE(log->append_durably(record(RecordKind::load)));
    {
      const FullDisk full;
      bool behind = false;
      for (std::size_t i = 0; i < total; ++i) {
        behind = !log->append(record(RecordKind::call)) || behind;
      }
      EXPECT_TRUE(behind) << "nobody would be slowed down";
      EXPECT_FALSE(log->accepts());
    }
    await([&] { return log->accepts(); });
  }
  Filter calls;
  calls.kind = "call";
  const std::size_t kept = read(calls).size();
  EXPECT_GE(kept, 4 * queue);
  EXPECT_LE(kept, 8 * queue) << "records are taken that there is no room for";
  const std::size_t missing = sum_of_gaps(
      [](const Json& gap) { return gap.value("missing", Json::object()).value("call", 0U); });
  EXPECT_EQ(kept + missing, total) << "records are gone that the log does not count";
  EXPECT_THAT(verify().problems, IsEmpty());
}

TEST_F(AuditTest, A80_AnotherProcessThatHoldsTheLogIsWaitedForAndThenNamed) {
  {
    const auto log =
        writer({.group = std::chrono::milliseconds(1), .patience = std::chrono::milliseconds(20)});
    ASSERT_TRUE(log->append_durably(record(RecordKind::load)));
    const auto database = *store::Database::open(path_, log_migrations());
    {
      const auto transaction = store::Transaction::begin(*database);
      ASSERT_TRUE(transaction);
      const auto refused = log->append_durably(record(RecordKind::grant));
      ASSERT_FALSE(refused);
    }
    await([&] { return log->accepts(); });
    ASSERT_TRUE(log->append_durably(record(RecordKind::revoke)));
  }
  auto all = kinds();
  std::erase(all, "gap");
  // The lock may have been given back between the refusal and the attempt's end; then the log says
  // of the grant that it was undone.
  const auto granted = std::count(all.begin(), all.end(), "grant");
  EXPECT_EQ(std::count(all.begin(), all.end(), "undone"), granted);
  EXPECT_THAT(all, Contains("revoke"));
  EXPECT_THAT(verify().problems, IsEmpty());
}

TEST_F(AuditTest, WhoIsTooFastIsToldOnceTheDiskHasCaughtUp) {
  constexpr std::size_t queue = 16;
  constexpr int total = 2'000;
  {
    const auto log = writer({.group = std::chrono::milliseconds(1), .queue = queue});
    for (int i = 0; i < total; ++i) {
      if (log->append(record(RecordKind::call))) continue;
      std::promise<bool> caught_up;
      log->when_durable([&](bool durable) { caught_up.set_value(durable); });
      EXPECT_TRUE(caught_up.get_future().get());
    }
  }
  Filter calls;
  calls.kind = "call";
  EXPECT_THAT(read(calls), SizeIs(total)) << "and nothing is dropped";
  EXPECT_THAT(verify().problems, IsEmpty());
}

TEST_F(AuditTest, AReaderThatTakesItsTimeDoesNotLetTheWriteAheadLogGrow) {
  const auto log = writer({.group = std::chrono::milliseconds(1)});
  const std::string details = "\"what\":\"" + std::string(1'000, 'x') + "\"";
  const auto fill = [&] {
    std::vector<Record> records;
    for (int i = 0; i < 2'000; ++i) records.push_back(record(RecordKind::call, details));
    std::promise<bool> written;
    log->append_then(std::move(records),
                     [&](const Result<void>& done) { written.set_value(done.has_value()); });
    ASSERT_TRUE(written.get_future().get());
  };
  fill();
  auto reader = Reader::open(path_);
  ASSERT_TRUE(reader);
  bool first = true;
  std::uintmax_t largest = 0;
  ASSERT_TRUE(reader->read({}, 0, [&](const StoredRecord&) {
    if (!std::exchange(first, false)) return;
    // As a pager does that nobody scrolls.
    for (int i = 0; i < 10; ++i) {
      fill();
      largest = std::max(largest, std::filesystem::file_size(path_.native() + "-wal"));
    }
  }));
  EXPECT_LT(largest, 16U << 20) << "it grew by everything that was written";
}

// Many processes.

TEST_F(AuditTest, ChainsOfSeveralProcessesAreAnchoredInEachOther) {
  const auto first = writer();
  ASSERT_TRUE(first->append_durably(record(RecordKind::load)));
  const auto second = writer();
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(second->append_durably(record(RecordKind::load)));
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(first->append_durably(record(RecordKind::load)));
  Filter anchors;
  anchors.kind = "anchor";
  const auto records = read(anchors);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].chain, second->chain());
  EXPECT_THAT(records[0].body, HasSubstr(first->chain()));
  EXPECT_EQ(records[1].chain, first->chain());
  EXPECT_THAT(records[1].body, HasSubstr(second->chain()));
  EXPECT_THAT(verify().problems, IsEmpty());
}

TEST_F(AuditTest, A75_TenProcessesWriteTenSoundChainsAtOnce) {
  std::vector<ChildProcess> children;
  for (int i = 0; i < 10; ++i) {
    children.emplace_back([&](ChildProcess::Parent& parent) {
      parent.await();
      const auto log = Writer::open(path_, clock_, "\"process\":2", {});
      if (!log) return 1;
      for (int n = 0; n < 50; ++n) (*log)->append(record(RecordKind::call));
      return (*log)->append_durably(record(RecordKind::unload)) ? 0 : 2;
    });
  }
  for (ChildProcess& child : children) child.tell();
  for (ChildProcess& child : children) EXPECT_EQ(child.finish(), 0);
  const Verification verification = verify();
  EXPECT_THAT(verification.chains, SizeIs(10));
  EXPECT_THAT(verification.problems, IsEmpty());
  for (const auto& chain : verification.chains) EXPECT_TRUE(chain.closed) << chain.id;
  Filter calls;
  calls.kind = "call";
  EXPECT_THAT(read(calls), SizeIs(500));
}

TEST_F(AuditTest, A71_AKillLosesAtMostTheLastGroupAndTheChainShowsIt) {
  std::set<std::string> known;
  for (int round = 0; round < 8; ++round) {
    ChildProcess process([&](ChildProcess::Parent& parent) {
      const auto log = Writer::open(path_, clock_, "\"process\":3", {});
      if (!log) return 1;
      while (true) {
        (*log)->append(record(RecordKind::call));
        if (!(*log)->append_durably(record(RecordKind::grant))) return 2;
        parent.tell();
        (*log)->append(record(RecordKind::call));
      }
    });
    int durable = 0;
    for (; durable <= round; ++durable) ASSERT_EQ(process.hear(), '.');
    EXPECT_EQ(process.kill(), -SIGKILL);
    const Verification verification = verify();
    ASSERT_THAT(verification.chains, SizeIs(round + 1));
    EXPECT_THAT(verification.problems, IsEmpty()) << "in round " << round;
    // The clock stands still, so that the chains' order says nothing about their age.
    const auto added = std::find_if(verification.chains.begin(), verification.chains.end(),
                                    [&](const auto& one) { return known.insert(one.id).second; });
    ASSERT_NE(added, verification.chains.end());
    const auto& chain = *added;
    EXPECT_FALSE(chain.closed) << "nobody would see that the end is missing";
    EXPECT_GE(chain.records, 1 + 3 * durable - 1) << "what was acknowledged is there";
  }
}

// Verifying.

TEST_F(AuditTest, AnEditedRecordIsFound) {
  const std::string chain = write_chain();
  tamper("UPDATE records SET body = replace(body, 't3', 'tX') WHERE sequence = 4");
  EXPECT_THAT(verify().problems,
              Contains("chain " + chain + ", record 4: it was changed, or the one before it was"));
}

TEST_F(AuditTest, ARecordWithAnotherTimeIsFound) {
  write_chain();
  tamper("UPDATE records SET time = time + 1 WHERE sequence = 4");
  EXPECT_THAT(verify().problems, SizeIs(1));
}

TEST_F(AuditTest, AnEditedRecordWithAFittingHashIsFoundByTheNext) {
  write_chain();
  StoredRecord forged;
  Sha256 before{};
  const auto records = read();
  for (const StoredRecord& one : records) {
    if (one.sequence == 3) before = one.hash;
    if (one.sequence == 4) forged = one;
  }
  forged.body = R"({"kind":"call","tool":"innocent"})";
  tamper("UPDATE records SET body = '" + forged.body + "', hash = x'" +
         to_hex(chain_hash(before, forged)) + "' WHERE sequence = 4");
  EXPECT_THAT(verify().problems, ElementsAre(HasSubstr("record 5: it was changed")));
}

TEST_F(AuditTest, ARemovedRecordIsFoundWhereverItWas) {
  for (const int sequence : {1, 4, 7}) {
    remove_log();
    write_chain();
    tamper("DELETE FROM records WHERE sequence = " + std::to_string(sequence));
    EXPECT_THAT(verify().problems, ::testing::Not(IsEmpty())) << "record " << sequence;
  }
}

TEST_F(AuditTest, RecordsThatChangedPlacesAreFound) {
  write_chain();
  tamper(
      "UPDATE records SET sequence = -sequence WHERE sequence IN (3, 4);"
      "UPDATE records SET sequence = 7 + sequence WHERE sequence < 0");
  EXPECT_THAT(verify().problems, Contains(HasSubstr("record 3: it was changed")));
}

TEST_F(AuditTest, ATruncatedChainIsFoundByItsHead) {
  const std::string chain = write_chain();
  tamper("DELETE FROM records WHERE sequence > 3");
  EXPECT_THAT(verify().problems,
              Contains("chain " + chain +
                       ": it ended with record 7, which is not there; records were removed"));
}

TEST_F(AuditTest, ARewrittenEndIsFoundByItsHead) {
  const std::string chain = write_chain();
  tamper("UPDATE records SET hash = randomblob(32) WHERE sequence = 7");
  EXPECT_THAT(verify().problems,
              Contains("chain " + chain +
                       ": it ended with record 7, which is another one now; records were "
                       "rewritten"));
}

TEST_F(AuditTest, AChainThatIsGoneIsFoundByItsHeadOrByTheOthers) {
  const std::string gone = write_chain();
  clock_.advance(std::chrono::seconds(1));
  write_chain();
  tamper("DELETE FROM records WHERE chain = '" + gone + "'");
  EXPECT_THAT(verify().problems, Contains(HasSubstr("chain " + gone + ": it ended with record 7")));
  tamper("DELETE FROM heads WHERE chain = '" + gone + "'");
  EXPECT_THAT(verify().problems,
              Contains(AllOf(HasSubstr("chain " + gone), HasSubstr("has seen it otherwise"))));
}

TEST_F(AuditTest, AChainThatWasRewrittenFromItsBeginningIsFoundByTheOthers) {
  const std::string rewritten = write_chain();
  clock_.advance(std::chrono::seconds(1));
  write_chain();
  // All hashes fit, as for somebody who knows how they are made.
  const auto records = read();
  Sha256 head = chain_origin(rewritten);
  for (StoredRecord one : records) {
    if (one.chain != rewritten) continue;
    if (one.sequence == 4) one.body = R"({"kind":"call","tool":"innocent"})";
    head = chain_hash(head, one);
    tamper("UPDATE records SET body = '" + one.body + "', hash = x'" + to_hex(head) +
           "' WHERE chain = '" + rewritten + "' AND sequence = " + std::to_string(one.sequence));
  }
  tamper("UPDATE heads SET hash = x'" + to_hex(head) + "' WHERE chain = '" + rewritten + "'");
  EXPECT_THAT(verify().problems, Contains(HasSubstr("has seen it otherwise")));
}

TEST_F(AuditTest, RecordsOfAnyShapeAreAProblemAndNotACrash) {
  for (const char* body :
       {"", "not json", "[]", "7", "{\"kind\":7}", "{\"kind\":\"anchor\"}",
        "{\"kind\":\"anchor\",\"heads\":7}", "{\"kind\":\"anchor\",\"heads\":[7]}",
        "{\"kind\":\"anchor\",\"heads\":[{\"chain\":7,\"sequence\":\"x\",\"hash\":[]}]}",
        "{\"kind\":\"anchor\",\"heads\":{\"a\":1}}"}) {
    remove_log();
    write_chain();
    tamper("UPDATE records SET body = '" + std::string(body) + "' WHERE sequence = 4");
    EXPECT_THAT(verify().problems, ::testing::Not(IsEmpty())) << body;
    Filter filter;
    filter.component = "weather";
    EXPECT_THAT(read(filter), SizeIs(4)) << "one broken record hides the others: " << body;
  }
}

TEST_F(AuditTest, ALogThatGrowsWhileItIsVerifiedIsSound) {
  const auto log = writer(
      {.group = std::chrono::milliseconds(1), .queue = 64, .patience = std::chrono::seconds(5)});
  std::atomic<bool> done = false;
  std::thread guest([&] {
    while (!done) log->append(record(RecordKind::call));
  });
  for (int i = 0; i < 10; ++i) {
    const Verification verification = verify();
    EXPECT_THAT(verification.problems, IsEmpty());
  }
  done = true;
  guest.join();
}

// Reading.

TEST_F(AuditTest, AFilterTakesWhatItNamesAndEverythingElseStaysOut) {
  {
    const auto log = writer();
    log->append(record(RecordKind::call, "\"tool\":\"get\""));
    log->append(record(RecordKind::refusal, "\"tool\":\"get\""));
    clock_.advance(std::chrono::hours(1));
    log->append(record(RecordKind::call, "\"tool\":\"put\""));
    log->append(record(RecordKind::call, "\"tool\":\"get\"", "other"));
  }
  Filter component;
  component.component = "weather";
  EXPECT_THAT(read(component), SizeIs(3));
  Filter tool = component;
  tool.tool = "get";
  EXPECT_THAT(kinds(tool), ElementsAre("call", "refusal"));
  Filter kind;
  kind.kind = "refusal";
  EXPECT_THAT(read(kind), SizeIs(1));
  Filter since;
  since.since = clock_.now();
  EXPECT_THAT(kinds(since), ElementsAre("call", "call", "stop"));
  Filter last;
  last.last = 2;
  EXPECT_THAT(kinds(last), ElementsAre("call", "stop")) << "the newest, oldest first";
  Filter nobody;
  nobody.component = "we%";
  EXPECT_THAT(read(nobody), IsEmpty());
  nobody.component = "x' OR '1'='1";
  EXPECT_THAT(read(nobody), IsEmpty());
}

TEST_F(AuditTest, AFollowerGoesOnWhereItStopped) {
  const auto log = writer();
  ASSERT_TRUE(log->append_durably(record(RecordKind::load)));
  auto reader = *Reader::open(path_);
  const std::int64_t place = *reader.read({}, 0, [](const StoredRecord&) {});
  EXPECT_THAT(read({}, place), IsEmpty());
  ASSERT_TRUE(log->append_durably(record(RecordKind::unload)));
  const auto fresh = read({}, place);
  ASSERT_THAT(fresh, SizeIs(1));
  EXPECT_THAT(fresh[0].body, HasSubstr("unload"));
}

TEST_F(AuditTest, ALogOfANewerProgramIsRefused) {
  write_chain();
  tamper("PRAGMA user_version = 99");
  EXPECT_THAT(Reader::open(path_).error().describe(), HasSubstr("newer Belljar"));
  EXPECT_THAT(Writer::open(path_, clock_, {}).error().describe(), HasSubstr("newer Belljar"));
}

}  // namespace
}  // namespace belljar::audit
