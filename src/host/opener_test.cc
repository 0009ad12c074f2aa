#include "host/opener.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "host/testing/egress_peers.h"
#include "store/pinned_places.h"
#include "store/state.h"
#include "testing/hung_folder.h"
#include "testing/processes.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileRequest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const store::ComponentKey tool{"tool", std::string(64, 'a')};
const store::ComponentKey stranger{"stranger", std::string(64, 'b')};

class OpenerTest : public ::testing::Test {
 protected:
  OpenerTest() {
    folder_.write("granted/file", "hello");
    folder_.write("granted/private/key", "private");
    folder_.write("outside/file", "not for guests");
    folder_.write("tool.wasm", "a component");
  }

  std::string policy(std::string_view access, std::string_view folder = "granted",
                     std::string_view deny = {}) const {
    std::string text = fmt::format(
        "version: \"1.1\"\npermissions:\n  storage:\n    allow:\n"
        "      - {{uri: \"fs://{}/{}\", access: [{}], guest: /data}}\n",
        folder_.path().native(), folder, access);
    if (!deny.empty()) {
      text += fmt::format("    deny:\n      - {{uri: \"fs://{}/{}\"}}\n", folder_.path().native(),
                          deny);
    }
    return text;
  }
  policy::Document document(std::string_view text) const {
    auto given = store::read_given_policy(text, "policy.yaml", folder_.path());
    EXPECT_TRUE(given) << given.error().describe();
    return std::move(given->document);
  }

  /// An opener whose person granted this policy to the tool.
  std::unique_ptr<Opener> start(std::string_view granted) const {
    OpenerAuthority authority;
    authority.paths = {folder_ / "state/data", folder_ / "state/config", folder_ / "state/cache",
                       folder_ / "state/run"};
    authority.session = "session";
    if (!granted.empty()) authority.granted["tool"].push_back(document(granted));
    authority.files.push_back(folder_ / "tool.wasm");
    auto opener = Opener::start(std::move(authority));
    EXPECT_TRUE(opener) << opener.error().describe();
    return *std::move(opener);
  }

  static FileRequest reading(std::string path) {
    FileRequest request;
    request.path = std::move(path);
    request.follow = true;
    request.read = true;
    return request;
  }
  static FileRequest writing(std::string path) {
    FileRequest request = reading(std::move(path));
    request.write = true;
    return request;
  }
  static std::string text_of(const FileAnswer& answer) {
    std::array<char, 64> buffer{};
    const ssize_t count = ::pread(answer.reply.descriptor.get(), buffer.data(), buffer.size(), 0);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  test::TemporaryFolder folder_;
};

TEST_F(OpenerTest, OpensFilesOfAGrantedFolder) {
  const auto opener = start(policy("read"));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("read")));
  ASSERT_THAT(mounts->mounts(), SizeIs(1));
  EXPECT_EQ(mounts->mounts().front().guest, "/data");
  EXPECT_EQ(text_of(mounts->perform(reading("file"))), "hello");
  EXPECT_EQ(mounts->perform(reading("../outside/file")).reply.error, EPERM);
  EXPECT_EQ(mounts->perform(reading("none")).reply.error, ENOENT);
}

TEST_F(OpenerTest, AServerThatWasTakenOverGetsNoMoreThanWasGranted) {
  const auto opener = start(policy("read"));
  for (const std::string& wanted : {policy("read", "outside"), policy("read", "."),
                                    policy("\"read\", \"write\""), policy("write")}) {
    const auto mounts = opener->open(tool, *testing::snapshot_of(wanted));
    EXPECT_THAT(mounts->mounts(), IsEmpty()) << wanted;
    EXPECT_THAT(mounts->problems(), SizeIs(1));
    EXPECT_FALSE(mounts->perform(reading("file")).reply.descriptor);
  }
  const auto other = opener->open(stranger, *testing::snapshot_of(policy("read")));
  EXPECT_THAT(other->mounts(), IsEmpty()) << "what one component was granted, another got";
}

TEST_F(OpenerTest, DenyRulesHoldThoughTheServerLeavesThemOut) {
  const auto opener = start(policy("read", "granted", "granted/private"));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("read")));
  EXPECT_EQ(text_of(mounts->perform(reading("file"))), "hello");
  EXPECT_EQ(mounts->perform(reading("private/key")).reply.error, EACCES);
}

TEST_F(OpenerTest, GrantsAreReadFromTheStateByTheOpenerItself) {
  const auto opener = start({});
  SystemClock clock;
  auto state = store::State::open({folder_ / "state/data", folder_ / "state/config",
                                   folder_ / "state/cache", folder_ / "state/run"},
                                  clock);
  ASSERT_TRUE(state) << state.error().describe();
  const auto wanted = testing::snapshot_of(policy("read"));
  EXPECT_THAT(opener->open(tool, *wanted)->mounts(), IsEmpty());
  store::Grants grants(**state);
  ASSERT_TRUE(grants.approve_policy(tool, "policy.yaml", policy("read"), {"a person", "test"}));
  EXPECT_THAT(opener->open(tool, *wanted)->mounts(), SizeIs(1));
  ASSERT_TRUE(grants.revoke_all("tool"));
  EXPECT_THAT(opener->open(tool, *wanted)->mounts(), IsEmpty());
}

TEST_F(OpenerTest, RequestsOfAnySizeLeaveTheOpenerServing) {
  const auto opener = start(policy("\"read\", \"write\""));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("\"read\", \"write\"")));
  ASSERT_THAT(mounts->mounts(), SizeIs(1));
  for (int i = 0; i < 20; ++i) {
    FileRequest link;
    link.operation = FileOperation::symbolic_link;
    link.path = "link";
    link.target = std::string(1 << 20, 't');
    EXPECT_EQ(mounts->perform(link).reply.error, ENAMETOOLONG);
    EXPECT_EQ(mounts->perform(reading(std::string(1 << 20, 'p'))).reply.error, ENAMETOOLONG);
    EXPECT_EQ(mounts->perform(reading(std::string(4'000, '\x01'))).reply.error, ENAMETOOLONG);
  }
  EXPECT_EQ(text_of(mounts->perform(reading("file"))), "hello") << "the opener serves no more";
}

TEST_F(OpenerTest, AMountThatDoesNotExistIsAnError) {
  const auto opener = start(policy("read"));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("read")));
  FileRequest request = reading("file");
  request.mount = 7;
  EXPECT_EQ(mounts->perform(request).reply.error, EBADF);
}

TEST_F(OpenerTest, ManyThreadsAreServedAtOnce) {
  const auto opener = start(policy("read"));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("read")));
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        if (text_of(mounts->perform(reading("file"))) == "hello") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16 * 200);
}

TEST_F(OpenerTest, AFolderThatHangsCostsNoOther) {
  const auto grants = [&] {
    return policy("read") + fmt::format(
                                "      - {{uri: \"fs://{}/hung\", access: [read], guest: "
                                "/hung}}\n",
                                folder_.path().native());
  }();
  std::filesystem::create_directory(folder_ / "hung");
  const auto opener = start(grants);
  const auto granted = testing::snapshot_of(grants);
  const test::HungFolder hung(folder_ / "hung");
  if (!hung.is_hung()) GTEST_SKIP() << "this machine mounts nothing";
  const auto mounts = opener->open(tool, *granted);
  ASSERT_THAT(mounts->mounts(), SizeIs(2)) << "one that hangs is shown as it is granted";
  const std::size_t other = mounts->mounts()[0].guest == "/hung" ? 1 : 0;
  FileRequest waiting = reading("file");
  waiting.mount = static_cast<std::uint32_t>(1 - other);
  FileRequest healthy = reading("file");
  healthy.mount = static_cast<std::uint32_t>(other);
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  // More than one folder may have under way at once.
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&] {
      if (mounts->perform(waiting).reply.error == EIO) ++failed;
    });
  }
  while (failed == 0) EXPECT_EQ(text_of(mounts->perform(healthy)), "hello");
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 40);
  EXPECT_EQ(text_of(mounts->perform(healthy)), "hello");
}

TEST_F(OpenerTest, OneThatIsLostIsMadeAgain) {
  const auto opener = start(policy("read"));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("read")));
  for (const int signal : {SIGKILL, SIGSTOP, SIGKILL}) {
    EXPECT_EQ(text_of(mounts->perform(reading("file"))), "hello");
    const auto openers = test::descendants(::getpid(), "belljar-opener");
    ASSERT_THAT(openers, SizeIs(1));
    ASSERT_EQ(::kill(openers.front(), signal), 0);
    EXPECT_EQ(text_of(mounts->perform(reading("file"))), "hello");
    EXPECT_TRUE(opener->open_file(folder_ / "tool.wasm"));
  }
}

TEST_F(OpenerTest, ComponentsAreOpenedOnlyWhereAPersonNamedThem) {
  const auto opener = start({});
  EXPECT_TRUE(opener->open_file(folder_ / "tool.wasm"));
  const auto refused = opener->open_file(folder_ / "outside/file");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("nobody has asked"));
  EXPECT_FALSE(opener->open_file("/etc/passwd"));
}

TEST_F(OpenerTest, TablesThatOutliveTheOpenerOpenNothing) {
  auto opener = start(policy("read"));
  const auto mounts = opener->open(tool, *testing::snapshot_of(policy("read")));
  opener.reset();
  const FileAnswer answer = mounts->perform(reading("file"));
  EXPECT_EQ(answer.reply.error, EIO);
  EXPECT_FALSE(answer.reply.descriptor);
}

}  // namespace
}  // namespace belljar::host
