#include "engine/compiler_helper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "engine/compiler.h"
#include "testing/child_process.h"
#include "testing/temporary_folder.h"

namespace belljar::engine {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

/// Above every number that the tests look at.
constexpr int out_of_the_way = 200;
constexpr int last_number = 80;

int memory_file(std::string_view contents = {}) {
  const UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  if (!contents.empty()) static_cast<void>(write_all(file.get(), contents));
  ::lseek(file.get(), 0, SEEK_SET);
  return ::fcntl(file.get(), F_DUPFD_CLOEXEC, out_of_the_way);
}

std::string contents_of(int file) {
  ::lseek(file, 0, SEEK_SET);
  return read_all(file, Bytes{4'096}).value_or("unreadable");
}

/// In the place of the helper: copies its input, and lists what else it was given.
class HelperDescriptors : public ::testing::Test {
 protected:
  HelperDescriptors()
      : program_(folder_.write("helper",
                               "#!/bin/sh\n"
                               "cat <&3 >&4\n"
                               // dash has the script itself open as 10, or above.
                               "for n in 0 2 6 7 8 9; do readlink /proc/$$/fd/$n >&5; done\n"
                               "tr '\\0' '\\n' </proc/$$/environ >&5\n")) {
    test::set_mode(program_, 0700);
  }

  /// Runs it with the three files at these numbers, and all others closed: what is wrong, or
  /// nothing. In a process of its own, whose descriptors are its own.
  std::string problem_with(const std::array<int, 3>& numbers) {
    const int input = memory_file(fmt::format("input at {}", numbers[0]));
    const int code = memory_file();
    const int text = memory_file();
    const std::array sources{input, code, text};
    test::ChildProcess child([&](test::ChildProcess::Parent&) {
      for (int number = 0; number <= last_number + 3; ++number) ::close(number);
      for (std::size_t i = 0; i < sources.size(); ++i) ::dup2(sources[i], numbers[i]);
      for (const int source : sources) ::close(source);
      ChildHelpers helpers(program_, CompilerLimits{});
      const auto run = helpers.start(false, {numbers[0], numbers[1], numbers[2]});
      if (!run) return 1;
      if (!(*run)->ended_within(seconds(60))) return 2;
      return (*run)->status() == 0 ? 0 : 3;
    });
    const int ended = child.finish();
    std::string problem = ended == 0 ? "" : fmt::format("it ended with {}; ", ended);
    if (contents_of(code) != fmt::format("input at {}", numbers[0])) {
      problem += fmt::format("it wrote \"{}\" of its input; ", contents_of(code));
    }
    if (contents_of(text) != "/dev/null\n/dev/null\n") {
      problem += "it was given more than its files: " + contents_of(text);
    }
    for (const int source : sources) ::close(source);
    return problem;
  }

  test::TemporaryFolder folder_;
  std::filesystem::path program_;
};

TEST_F(HelperDescriptors, MayHaveAnyNumbersInTheParent) {
  for (int number = 0; number <= last_number; ++number) {
    // In both orders: what is put in place first may be what another still needs.
    EXPECT_EQ(problem_with({number, number + 1, number + 2}), "") << number;
    EXPECT_EQ(problem_with({number + 2, number + 1, number}), "") << number;
  }
}

TEST_F(HelperDescriptors, AreTheRightOnesWhenTheyStandInEachOthersPlaces) {
  for (const std::array<int, 3>& numbers :
       {std::array{4, 5, 3}, {5, 3, 4}, {3, 5, 4}, {64, 65, 66}, {66, 64, 65}, {0, 1, 2}}) {
    EXPECT_EQ(problem_with(numbers), "") << fmt::format("{}", fmt::join(numbers, " "));
  }
}

TEST(CompilerHelper, IsEndedByItsLimitsWhateverItsParentIgnores) {
  // As a shell or another language's runtime may have it.
  test::ChildProcess child([](test::ChildProcess::Parent&) {
    for (const int signal : {SIGXFSZ, SIGXCPU, SIGALRM, SIGPIPE}) std::signal(signal, SIG_IGN);
    const auto compiled = Compiler(BELLJAR_COMPILER_HELPER, {.output = Bytes{64}})
                              .compile("(module (func (export \"f\")))", false);
    if (compiled) return 1;
    return compiled.error().message().find("compiled code is larger than") == std::string::npos ? 2
                                                                                                : 0;
  });
  EXPECT_EQ(child.finish(), 0);
}

TEST(CompilerHelper, IsEndedByTheKernelWithItsParent) {
  // What loses its parent comes to this process.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  std::array<int, 2> wire{};
  ASSERT_EQ(::pipe2(wire.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(wire[0]);
  UniqueFd write_end(wire[1]);
  {
    test::ChildProcess parent([&](test::ChildProcess::Parent& line) {
      const int input = memory_file("(module (func (export \"f\")))");
      const auto pid =
          spawn_helper(BELLJAR_COMPILER_HELPER, {}, false, {input, memory_file(), memory_file()});
      if (!pid) return 1;
      // Wherever it is by now, it goes no further while its parent is there.
      ::kill(*pid, SIGSTOP);
      if (::write(write_end.get(), &*pid, sizeof *pid) != sizeof *pid) return 2;
      line.await();
      return 0;
    });
    pid_t helper = -1;
    ASSERT_EQ(::read(read_end.get(), &helper, sizeof helper), ssize_t{sizeof helper});
    EXPECT_EQ(parent.kill(), -SIGKILL);
    // If it had not yet asked the kernel for that, it sees for itself.
    ::kill(helper, SIGCONT);
    int status = 0;
    ASSERT_EQ(::waitpid(helper, &status, 0), helper);
    EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == 2))
        << "it went on without its parent: " << status;
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

TEST(CompilerHelper, IsNotStartedForSomebodyElse) {
  const int input = memory_file("(module (func (export \"f\")))");
  const int code = memory_file();
  const int text = memory_file();
  const pid_t helper = ::fork();
  if (helper == 0) {
    ::dup2(input, compiler_input);
    ::dup2(code, compiler_code);
    ::dup2(text, compiler_text);
    ::execl(BELLJAR_COMPILER_HELPER, "belljar-compiler", "plain", "8589934592", "120", "1000000",
            "1", nullptr);
    ::_exit(99);
  }
  int status = 0;
  ::waitpid(helper, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 2) << "its parent is not process 1";
  EXPECT_EQ(contents_of(code), "");
  for (const int file : {input, code, text}) ::close(file);
}

TEST(CompilerHelper, ThatIsNotThereIsSaid) {
  const auto compiled = Compiler("/nowhere/belljar-compiler").compile("(module)", false);
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message(), HasSubstr("/nowhere/belljar-compiler does not start"));
}

}  // namespace
}  // namespace belljar::engine
