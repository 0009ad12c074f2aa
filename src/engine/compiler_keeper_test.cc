#include "engine/compiler_keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "engine/compiler.h"
#include "testing/temporary_folder.h"

namespace belljar::engine {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::string_view adder =
    R"((module (func (export "add_two") (param i32 i64) (result f64) (f64.const 0))))";

std::shared_ptr<CompilerKeeper> keeper_of(const std::filesystem::path& helper,
                                          const CompilerLimits& limits = {}) {
  auto keeper = CompilerKeeper::start(helper, limits);
  EXPECT_TRUE(keeper) << keeper.error().describe();
  return keeper ? *std::move(keeper) : nullptr;
}

/// Whether a process ends soon.
bool ends(pid_t process) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  pollfd entry{.fd = handle.get(), .events = POLLIN, .revents = 0};
  return !handle || ::poll(&entry, 1, 60'000) == 1;
}

/// In the place of the helper: says which process it is, and stays.
class StayingHelper : public ::testing::Test {
 protected:
  StayingHelper() : program_(folder_.write("helper", "#!/bin/sh\necho $$ >&5\nread line <&3\n")) {
    test::set_mode(program_, 0700);
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    input_.reset(ends[0]);
    hold_.reset(ends[1]);
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    said_.reset(ends[0]);
    text_.reset(ends[1]);
  }

  HelperFiles files() const { return {input_.get(), text_.get(), text_.get()}; }
  pid_t said_process() {
    std::string text(16, '\0');
    const ssize_t count = ::read(said_.get(), text.data(), text.size());
    return count > 0 ? std::stoi(text) : -1;
  }

  test::TemporaryFolder folder_;
  std::filesystem::path program_;
  UniqueFd input_;
  UniqueFd hold_;
  UniqueFd said_;
  UniqueFd text_;
};

TEST(CompilerKeeper, HasComponentsCompiledAndSaysWhatIsWrongWithThem) {
  const Compiler compiler(keeper_of(BELLJAR_COMPILER_HELPER), {});
  const auto compiled = compiler.compile(adder, false);
  ASSERT_TRUE(compiled) << compiled.error().describe();
  const auto directly = Compiler(BELLJAR_COMPILER_HELPER).compile(adder, false);
  ASSERT_TRUE(directly);
  EXPECT_EQ(compiled->code, directly->code);
  EXPECT_EQ(compiled->description, directly->description);
  const auto counting = compiler.compile(adder, true);
  ASSERT_TRUE(counting);
  EXPECT_NE(counting->code, compiled->code);
  const auto refused = compiler.compile("hello", false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("not WebAssembly"));
}

TEST(CompilerKeeper, HoldsHelpersToTheLimitsThatItWasStartedWith) {
  const CompilerLimits limits{.output = Bytes{64}};
  const auto compiled =
      Compiler(keeper_of(BELLJAR_COMPILER_HELPER, limits), limits).compile(adder, false);
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message(), HasSubstr("compiled code is larger than 64"));
}

TEST(CompilerKeeper, ServesManyAtOnce) {
  const Compiler compiler(keeper_of(BELLJAR_COMPILER_HELPER), {});
  std::vector<std::jthread> threads;
  std::atomic<int> compiled = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { compiled += compiler.compile(adder, false) ? 1 : 0; });
  }
  threads.clear();
  EXPECT_EQ(compiled, 8);
}

TEST(CompilerKeeper, SaysIfTheHelperDoesNotStart) {
  const Compiler compiler(keeper_of("/nowhere/belljar-compiler"), {});
  const auto compiled = compiler.compile(adder, false);
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message(),
              HasSubstr("/nowhere/belljar-compiler does not start: No"));
}

TEST(CompilerKeeper, ThatHasGoneIsSaid) {
  const auto keeper = keeper_of(BELLJAR_COMPILER_HELPER);
  ::kill(keeper->process(), SIGKILL);
  ASSERT_TRUE(ends(keeper->process()));
  const auto compiled = Compiler(keeper, {}).compile(adder, false);
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code(), ErrorCode::unavailable);
  EXPECT_THAT(compiled.error().message(), HasSubstr("start this server again"));
}

TEST_F(StayingHelper, IsKilledWhenItsRunIsGivenUp) {
  const auto keeper = keeper_of(program_);
  pid_t helper = -1;
  {
    const auto run = keeper->start(false, files());
    ASSERT_TRUE(run);
    helper = said_process();
    ASSERT_GT(helper, 0);
  }
  EXPECT_TRUE(ends(helper)) << "it goes on for nobody";
  const auto next = keeper->start(false, files());
  ASSERT_TRUE(next) << "the keeper went with it";
  EXPECT_GT(said_process(), 0);
}

TEST_F(StayingHelper, SoManyAreStartedAndNoMore) {
  const auto keeper = keeper_of(program_);
  std::vector<std::unique_ptr<HelperRun>> runs;
  for (int i = 0; i < 64; ++i) {
    auto run = keeper->start(false, files());
    ASSERT_TRUE(run);
    ASSERT_GT(said_process(), 0);
    runs.push_back(*std::move(run));
  }
  const auto one_more = keeper->start(false, files());
  ASSERT_TRUE(one_more);
  ASSERT_TRUE((*one_more)->ended_within(seconds(60)));
  const auto status = (*one_more)->status();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace belljar::engine
