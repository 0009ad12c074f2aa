#include "host/call_host.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <mutex>

#include "host/testing/network.h"
#include "store/state.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileRequest;
using engine::SocketUse;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Network;
using ::testing::Not;
using testing::RawServer;
using ::testing::SizeIs;

constexpr std::string_view secret_value = "sk-Tr0ub4dor/&3+x=";

/// Keeps what is recorded, as the text that would be stored.
class KeptLog final : public audit::Log {
 public:
  bool append(audit::Record record) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(audit::body_of(record));
    return true;
  }
  [[nodiscard]] bool accepts() const noexcept override { return accepting; }
  void when_durable(std::move_only_function<void(bool)> done) override { done(true); }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

  /// False for a log that cannot be written.
  std::atomic<bool> accepting{true};

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// A component with real collaborators, and a policy that a person approved.
class CallHostTest : public ::testing::Test {
 protected:
  CallHostTest() {
    auto state = store::State::open(
        {folder_ / "state", folder_ / "state", folder_ / "state", folder_ / "state"}, clock_);
    EXPECT_TRUE(state) << state.error().describe();
    state_ = *std::move(state);
    secrets_ = std::make_unique<store::Secrets>(*state_, store::SecretKeyPlace::file);
    services_ = std::make_unique<Services>(
        Services{*state_, *secrets_, log_, files_, network_.egress(), clock_, capabilities_,
                 [](const char*) -> std::optional<std::string> { return std::nullopt; }});
    folder_.write("granted/file", "hello");
  }

  void approve(const std::string& rules) {
    const auto done = store::Grants(*state_).approve_policy(
        key_, "policy.yaml", "version: \"1.1\"\npermissions:\n" + rules, {"a person", "test"});
    ASSERT_TRUE(done) << done.error().describe();
  }
  void revoke() { ASSERT_TRUE(store::Grants(*state_).revoke_all(key_.name)); }

  std::shared_ptr<CallHost> call() {
    auto component = std::make_shared<ComponentHost>(
        *services_, std::make_shared<Permissions>(*state_, key_, "session", Permissions::Fixed{}),
        true);
    auto grip = component->grip();
    EXPECT_TRUE(grip) << grip.error().describe();
    auto host = std::make_shared<CallHost>(component, *std::move(grip), CallInputs{});
    const auto prepared = host->prepare();
    EXPECT_TRUE(prepared) << prepared.error().describe();
    return host;
  }
  std::string storage(std::string_view access) const {
    return fmt::format(
        "  storage:\n    allow: [{{uri: \"fs://{}/granted\", access: [{}], guest: /data}}]\n",
        folder_.path().native(), access);
  }
  static FileRequest creating(std::string path) {
    FileRequest request;
    request.path = std::move(path);
    request.create = true;
    request.write = true;
    return request;
  }
  static FileRequest reading(std::string path) {
    FileRequest request;
    request.path = std::move(path);
    request.read = true;
    return request;
  }
  static bool is_still_granted(CallHost& host, const FileRequest& request,
                               const engine::FileReply& opened) {
    return host.still_granted(request, opened.status.device, opened.status.inode);
  }
  static std::vector<std::string> refused(const CallHost& host) {
    std::vector<std::string> whats;
    for (const Refusal& refusal : host.refusals()) whats.push_back(refusal.what);
    return whats;
  }
  static engine::LookupAnswer look_up(CallHost& host, std::string_view name) {
    std::promise<engine::LookupAnswer> answer;
    const auto pending = host.begin_lookup(
        name, [&](engine::LookupAnswer found) { answer.set_value(std::move(found)); });
    return answer.get_future().get();
  }
  testing::Response fetch(CallHost& host, engine::HttpRequest request) {
    const auto inbox = std::make_shared<testing::Inbox>();
    const auto transfer =
        host.begin_http(std::move(request), std::make_unique<testing::InboxSink>(inbox));
    return inbox->wait();
  }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
  store::ComponentKey key_{"tool", std::string(64, 'a')};
  KeptLog log_;
  DirectFiles files_;
  std::vector<Capability> capabilities_;
  std::unique_ptr<store::State> state_;
  std::unique_ptr<store::Secrets> secrets_;
  std::unique_ptr<Services> services_;
  // Destroyed first, for the requests that it still ends use the rest.
  Network network_;
};

TEST_F(CallHostTest, A80_WhatCannotBeRecordedIsNotDone) {
  approve(storage("read, write") + "  network:\n    allow: [{tcp: \"localhost:5432\"}]\n");
  const auto host = call();
  EXPECT_EQ(host->file(reading("file")).error, 0);
  log_.accepting = false;
  const std::size_t before = log_.lines().size();
  EXPECT_EQ(host->file(creating("new")).error, EIO);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "granted/new")) << "nobody would know of it";
  EXPECT_EQ(host->file(reading("file")).error, EIO);
  EXPECT_TRUE(look_up(*host, "localhost").denied);
  EXPECT_EQ(log_.lines().size(), before);
  const auto refusals = host->refusals();
  ASSERT_THAT(refusals, SizeIs(3));
  for (const Refusal& refusal : refusals) {
    EXPECT_EQ(refusal.rule, CallHost::log_rule);
    EXPECT_THAT(refusal.reason, HasSubstr("the log cannot be written"));
    EXPECT_THAT(refusal.remedy, IsEmpty()) << "no grant would help";
  }
  log_.accepting = true;
  EXPECT_EQ(host->file(creating("new")).error, 0) << "and all is well again";
}

TEST_F(CallHostTest, WithoutAPolicyNothingIsPossible) {
  const auto host = call();
  EXPECT_THAT(host->environment(), IsEmpty());
  EXPECT_THAT(host->arguments(), IsEmpty());
  ASSERT_THAT(host->preopens(), SizeIs(1)) << "an empty root, by which refusals get their names";
  EXPECT_NE(host->file(reading("data/file")).error, 0);
  EXPECT_FALSE(host->make_socket(policy::Transport::udp));
  EXPECT_FALSE(host->socket(*policy::Address::parse("127.0.0.1"), 80, SocketUse::tcp_connect));
  EXPECT_TRUE(look_up(*host, "a.test").denied);
  EXPECT_EQ(fetch(*host, Network::get("a.test")).failure, engine::HttpFailure::denied);
  EXPECT_EQ(network_.names().lookups(), 0U);
  EXPECT_THAT(refused(*host),
              ElementsAre("read /data/file", "make a udp socket", "connect to tcp:127.0.0.1:80",
                          "look up a.test", "GET http://a.test/"));
}

TEST_F(CallHostTest, A34ACallMakesOnlySoManyFiles) {
  approve(storage("read, write") + "  resources: {files: 3}\n");
  const auto host = call();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(host->file(creating(fmt::format("new{}", i))).error, 0);
  }
  EXPECT_EQ(host->file(creating("new3")).error, EDQUOT);
  for (const FileOperation operation :
       {FileOperation::create_directory, FileOperation::link, FileOperation::symbolic_link}) {
    FileRequest request;
    request.operation = operation;
    request.path = "another";
    request.to_path = "another";
    request.target = "file";
    EXPECT_EQ(host->file(request).error, EDQUOT);
  }
  EXPECT_EQ(host->file(reading("file")).error, 0) << "reading is none of it";
  EXPECT_EQ(host->file(creating("new1")).error, 0) << "it is there, so it is not made";
  EXPECT_EQ(call()->file(creating("new3")).error, 0) << "another call has a count of its own";
}

TEST_F(CallHostTest, ARevokedFolderIsClosedToARunningCall) {
  approve(storage("read, write"));
  const auto host = call();
  EXPECT_EQ(host->file(creating("new")).error, 0);
  const auto opened = host->file(reading("file"));
  EXPECT_TRUE(is_still_granted(*host, reading("file"), opened));
  const std::uint64_t before = host->grants_epoch();
  revoke();
  EXPECT_NE(host->grants_epoch(), before);
  EXPECT_FALSE(is_still_granted(*host, reading("file"), opened));
  EXPECT_EQ(host->file(reading("file")).error, EACCES);
  EXPECT_THAT(refused(*host), Contains("read /data/file"));
}

TEST_F(CallHostTest, A85ADenialThatIsNewHoldsForACallThatRuns) {
  folder_.write("granted/other", "other");
  approve(storage("read, write"));
  const auto host = call();
  const auto file = host->file(reading("file"));
  const auto other = host->file(reading("other"));
  ASSERT_EQ(file.error, 0);
  approve(storage("read, write") +
          fmt::format("    deny: [{{uri: \"fs://{}/granted/file\"}}]\n", folder_.path().native()));
  EXPECT_FALSE(is_still_granted(*host, reading("file"), file)) << "it is open, and denied now";
  EXPECT_TRUE(is_still_granted(*host, reading("other"), other));
  EXPECT_EQ(host->file(reading("file")).error, EACCES);
  EXPECT_EQ(host->file(creating("file")).error, EACCES);
  EXPECT_EQ(host->file(reading("other")).error, 0);
  EXPECT_THAT(refused(*host), Contains("read /data/file"));
}

TEST_F(CallHostTest, A85HardLinksThatAreNoLongerAllowedAreClosed) {
  std::filesystem::create_hard_link(folder_ / "granted/file", folder_ / "second");
  const std::string rules = storage("read");
  const std::string with_links = rules.substr(0, rules.rfind('}')) + ", hardlinks: allow}]\n";
  approve(with_links);
  const auto host = call();
  const auto opened = host->file(reading("file"));
  ASSERT_EQ(opened.error, 0);
  approve(rules);
  EXPECT_FALSE(is_still_granted(*host, reading("file"), opened));
  EXPECT_EQ(host->file(reading("file")).error, EACCES);
}

TEST_F(CallHostTest, A85WritingThatIsTakenAwayLeavesReading) {
  approve(storage("read, write"));
  const auto host = call();
  const auto read = host->file(reading("file"));
  const auto written = host->file(creating("file"));
  approve(storage("read"));
  EXPECT_TRUE(is_still_granted(*host, reading("file"), read));
  EXPECT_FALSE(is_still_granted(*host, creating("file"), written));
  EXPECT_EQ(host->file(creating("file")).error, EPERM);
  EXPECT_EQ(host->file(reading("file")).error, 0);
}

TEST_F(CallHostTest, A85ACallGainsNothingFromWhatIsGrantedMeanwhile) {
  approve(storage("read"));
  const auto host = call();
  approve(storage("read, write"));
  EXPECT_EQ(host->file(reading("file")).error, 0);
  EXPECT_EQ(host->file(creating("new")).error, EPERM);
}

TEST_F(CallHostTest, A85WhatWasOpenedUnderAGrantForOneCallEndsWithIt) {
  folder_.write("always/file", "always");
  const auto give = [&](const char* folder, const char* guest, std::optional<std::int64_t> uses) {
    ASSERT_TRUE(store::Grants(*state_).add(
        key_, policy::storage_grant(folder_ / folder, guest, false),
        {.until = {}, .session = {}, .uses = uses}, {"a person", "test"}));
  };
  give("granted", "/once", 1);
  give("always", "/always", std::nullopt);
  const auto first = call();
  ASSERT_THAT(first->preopens(), SizeIs(3));
  FileRequest once = reading("file");
  FileRequest always = reading("file");
  for (const engine::Preopen& preopen : first->preopens()) {
    if (preopen.guest == "/once") once.mount = preopen.mount;
    if (preopen.guest == "/always") always.mount = preopen.mount;
  }
  const auto once_opened = first->file(once);
  const auto always_opened = first->file(always);
  ASSERT_EQ(once_opened.error, 0);
  const auto second = call();
  second->resume(first->take_reached());
  EXPECT_FALSE(is_still_granted(*second, once, once_opened));
  EXPECT_TRUE(is_still_granted(*second, always, always_opened));
  // A folder that the instance has open is known by its number: it is not another one now.
  EXPECT_EQ(second->file(once).error, EACCES);
  EXPECT_EQ(second->file(always).status.inode, always_opened.status.inode);
  for (const engine::Preopen& preopen : second->preopens()) {
    EXPECT_NE(preopen.mount, once.mount) << preopen.guest;
  }
}

TEST_F(CallHostTest, A76AFolderThatWasReplacedWantsAPersonAgain) {
  approve(storage("read"));
  ASSERT_EQ(call()->file(reading("file")).error, 0);
  std::filesystem::rename(folder_ / "granted", folder_ / "elsewhere");
  folder_.write("granted/file", "another");
  const auto host = call();
  FileRequest request = reading("data/file");
  EXPECT_EQ(host->file(request).error, EACCES);
  ASSERT_THAT(host->refusals(), SizeIs(1));
  EXPECT_THAT(host->refusals()[0].reason, HasSubstr("another folder has taken its place"));
  EXPECT_EQ(host->refusals()[0].remedy,
            fmt::format("storage={}/granted:/data:ro",
                        std::filesystem::canonical(folder_.path()).native()));
}

TEST_F(CallHostTest, AGrantThatRunsOutIsGoneForACallThatRuns) {
  const auto grant = policy::storage_grant(folder_.path() / "granted", "/data", false);
  ASSERT_TRUE(store::Grants(*state_).add(
      key_, grant, {.until = clock_.now() + std::chrono::hours(1), .session = {}, .uses = {}},
      {"a person", "test"}));
  const auto host = call();
  const auto opened = host->file(reading("file"));
  EXPECT_EQ(opened.error, 0);
  const std::uint64_t before = host->grants_epoch();
  clock_.advance(std::chrono::hours(2));
  EXPECT_NE(host->grants_epoch(), before);
  EXPECT_FALSE(is_still_granted(*host, reading("file"), opened));
  EXPECT_EQ(host->file(reading("file")).error, EACCES);
  EXPECT_THAT(refused(*host), ElementsAre("read /data/file"));
}

TEST_F(CallHostTest, AGrantThatReplacesAnotherDuringACallEndsWhenItSays) {
  const auto grant = policy::storage_grant(folder_.path() / "granted", "/data", false);
  store::Grants grants(*state_);
  ASSERT_TRUE(grants.add(key_, grant, {}, {"a person", "test"}));
  const auto host = call();
  EXPECT_EQ(host->file(reading("file")).error, 0);
  ASSERT_TRUE(grants.add(key_, grant,
                         {.until = clock_.now() + std::chrono::hours(1), .session = {}, .uses = {}},
                         {"a person", "test"}));
  EXPECT_EQ(host->file(reading("file")).error, 0);
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(host->file(reading("file")).error, EACCES);
}

TEST_F(CallHostTest, AFolderThatComesLaterIsThereOnceAPersonHasSeenIt) {
  const std::string rules = fmt::format(
      "  storage:\n    allow: [{{uri: \"fs://{}/later\", access: [read], guest: "
      "/data}}]\n",
      folder_.path().native());
  approve(rules);
  EXPECT_NE(call()->file(reading("file")).error, 0);
  folder_.write("later/file", "hello");
  EXPECT_NE(call()->file(reading("file")).error, 0);
  approve(rules);
  EXPECT_EQ(call()->file(reading("file")).error, 0);
}

TEST_F(CallHostTest, ALiveInstanceKeepsWhatItReachedFromCallToCall) {
  approve("  network:\n    allow:\n      - tcp: \"127.0.0.1:5432\"\n      - cidr: 127.0.0.1/32\n");
  const auto first = call();
  EXPECT_TRUE(first->socket(*policy::Address::parse("127.0.0.1"), 5432, SocketUse::tcp_connect));
  revoke();
  const auto next = call();
  EXPECT_FALSE(next->sockets_revoked()) << "it has reached nothing";
  next->resume(first->take_reached());
  EXPECT_TRUE(next->sockets_revoked());
}

TEST_F(CallHostTest, A50RawSocketsNeedAGrantByName) {
  approve("  network:\n    allow:\n      - tcp: \"db.test:5432\"\n      - cidr: 127.0.0.1/32\n");
  const auto host = call();
  const policy::Address address = *policy::Address::parse("127.0.0.1");
  EXPECT_FALSE(host->socket(address, 5432, SocketUse::tcp_connect))
      << "an address was reached without its name having been looked up";
  EXPECT_TRUE(look_up(*host, "other.test").denied);
  EXPECT_TRUE(look_up(*host, "db.test.evil.test").denied);
  EXPECT_THAT(look_up(*host, "db.test").addresses, SizeIs(1));
  EXPECT_TRUE(host->socket(address, 5432, SocketUse::tcp_connect));
  EXPECT_FALSE(host->socket(address, 5433, SocketUse::tcp_connect));
  EXPECT_FALSE(host->socket(address, 5432, SocketUse::udp_send));
  EXPECT_FALSE(host->socket(*policy::Address::parse("127.0.0.2"), 5432, SocketUse::tcp_connect));
  EXPECT_FALSE(host->socket(address, 5432, SocketUse::tcp_listen));
  EXPECT_FALSE(host->socket(address, 8080, SocketUse::tcp_bind));
  EXPECT_FALSE(host->sockets_revoked());
  revoke();
  EXPECT_TRUE(host->sockets_revoked());
  EXPECT_FALSE(host->socket(address, 5432, SocketUse::tcp_connect));
}

TEST_F(CallHostTest, A50OddNamesAreNotLookedUp) {
  approve("  network:\n    allow:\n      - tcp: \"db.test:5432\"\n      - cidr: 127.0.0.1/32\n");
  const auto host = call();
  for (const std::string& name :
       {std::string(), std::string("db.test\0.evil", 13), std::string("db..test"),
        std::string(1'000, 'a'), std::string("db.test\n"), std::string("[::1%eth0]"),
        std::string("*.db.test"), std::string(".")}) {
    const engine::LookupAnswer answer = look_up(*host, name);
    EXPECT_TRUE(answer.failed) << name;
    EXPECT_THAT(answer.addresses, IsEmpty());
  }
  EXPECT_EQ(network_.names().lookups(), 0U);
}

/// Calls with a secret that is bound to key.test on the loopback.
class CallHostSecretsTest : public CallHostTest {
 protected:
  CallHostSecretsTest() {
    EXPECT_TRUE(secrets_->set("key", store::SecretValue(std::string(secret_value))));
    EXPECT_TRUE(secrets_->set("other", store::SecretValue("another-tools-secret")));
  }
  std::string authority(std::string_view host) const {
    return fmt::format("{}:{}", host, server_.port());
  }
  std::string rules(std::string_view secret) const {
    return fmt::format(
        "  network:\n    allow:\n      - host: \"http://{}\"\n      - host: \"http://{}\"\n"
        "      - cidr: 127.0.0.1/32\n  secrets:\n    allow: [{}]\n",
        authority("localhost"), authority("b.test"), secret);
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string everything_recorded() const {
    std::string all;
    for (const std::string& line : log_.lines()) all += line + "\n";
    return all;
  }

  std::mutex mutex_;
  std::vector<std::string> requests_;
  RawServer server_{RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                                         &requests_, &mutex_)};
};

TEST_F(CallHostSecretsTest, A52ASecretGoesToItsHostOnlyAndTheGuestSeesAPlaceholder) {
  approve(rules("{name: key, host: localhost, header: X-Api-Key}"));
  const auto host = call();
  const auto variables = host->environment();
  ASSERT_THAT(variables, SizeIs(1));
  EXPECT_EQ(variables.front().key, "KEY");
  EXPECT_EQ(variables.front().value, "belljar-secret:key");
  EXPECT_EQ(fetch(*host, Network::get(authority("localhost"))).body, "hello");
  EXPECT_EQ(fetch(*host, Network::get(authority("b.test"))).body, "hello");
  ASSERT_THAT(requests(), SizeIs(2));
  EXPECT_THAT(requests()[0], HasSubstr(fmt::format("X-Api-Key: {}\r\n", secret_value)));
  EXPECT_THAT(requests()[1], Not(HasSubstr("Api-Key")));
  EXPECT_THAT(everything_recorded(), HasSubstr("\"permission\":\"secret\",\"what\":\"key\""));
  EXPECT_THAT(everything_recorded(), Not(HasSubstr("Tr0ub")));
}

TEST_F(CallHostSecretsTest, A52ASecretDoesNotGoOverAClearConnection) {
  approve(rules("{name: key, host: b.test, header: X-Api-Key}"));
  const auto host = call();
  EXPECT_EQ(fetch(*host, Network::get(authority("b.test"))).body, "hello");
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_THAT(requests()[0], Not(HasSubstr("Api-Key")));
  ASSERT_THAT(host->refusals(), SizeIs(1)) << "nobody would know why the server wants a key";
  EXPECT_EQ(host->refusals()[0].what, "key");
  EXPECT_THAT(host->refusals()[0].reason, HasSubstr("over https only, and b.test was asked"));
}

TEST_F(CallHostSecretsTest, A54AnotherComponentsSecretIsNotThere) {
  approve(rules("{name: key, host: localhost, header: X-Api-Key}"));
  const auto host = call();
  engine::HttpRequest request = Network::get(authority("localhost"));
  request.headers = {{"X-Other", "belljar-secret:other"}};
  static_cast<void>(fetch(*host, request));
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_THAT(requests()[0], HasSubstr("x-other: belljar-secret:other\r\n"))
      << "a placeholder is a text like any other";
  EXPECT_THAT(requests()[0], Not(HasSubstr("another-tools-secret")));
}

TEST_F(CallHostSecretsTest, ARevokedSecretIsNotSentByARunningCall) {
  approve(rules("{name: key, host: localhost, header: X-Api-Key}"));
  const auto host = call();
  revoke();
  approve(
      fmt::format("  network:\n    allow:\n      - host: \"http://{}\"\n"
                  "      - cidr: 127.0.0.1/32\n",
                  authority("localhost")));
  EXPECT_EQ(fetch(*host, Network::get(authority("localhost"))).body, "hello");
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_THAT(requests()[0], Not(HasSubstr("Api-Key")));
  EXPECT_THAT(refused(*host), Contains("key"));
}

TEST_F(CallHostSecretsTest, A53ASecretThatTheGuestHasStaysOutOfTheLog) {
  approve(rules("{name: key, expose: true}"));
  const auto host = call();
  ASSERT_THAT(host->environment(), SizeIs(1));
  EXPECT_EQ(host->environment().front().value, secret_value);
  std::string encoded;
  for (const char c : secret_value) encoded += fmt::format("%{:02X}", static_cast<unsigned>(c));
  static_cast<void>(fetch(*host, Network::get(authority("b.test"), "/" + encoded)));
  static_cast<void>(fetch(*host, Network::get("refused.test", "/" + encoded)));
  static_cast<void>(look_up(*host, "sk-tr0ub4dor.test"));
  static_cast<void>(host->file(reading("data/" + std::string(secret_value))));
  ASSERT_THAT(requests(), SizeIs(1));
  EXPECT_THAT(requests()[0], HasSubstr(encoded)) << "what the guest has, it may send";
  std::string all = everything_recorded();
  for (const Refusal& refusal : host->refusals()) {
    all += refusal.what + refusal.reason + refusal.remedy + "\n";
  }
  EXPECT_THAT(all, Not(HasSubstr(std::string(secret_value))));
  EXPECT_THAT(all, Not(HasSubstr(encoded)));
}

TEST_F(CallHostSecretsTest, ASecretThatIsNotSetIsSaidByItsNameAndNothingIsSent) {
  approve(rules("{name: missing, host: localhost, header: X-Api-Key}"));
  const auto host = call();
  const testing::Response response = fetch(*host, Network::get(authority("localhost")));
  ASSERT_THAT(host->refusals(), SizeIs(1)) << "the guest's own words are all that a person sees";
  EXPECT_EQ(host->refusals()[0].kind, "secret");
  EXPECT_EQ(host->refusals()[0].what, "missing");
  EXPECT_THAT(host->refusals()[0].reason, HasSubstr("belljar secret set missing"));
  EXPECT_THAT(response.message, HasSubstr("a secret that the request needs is not there"));
  EXPECT_THAT(requests(), IsEmpty());
}

}  // namespace
}  // namespace belljar::host
