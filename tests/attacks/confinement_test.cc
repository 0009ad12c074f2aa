// A82: native code that has taken a confined process over, in every command that runs guests.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "attack.h"
#include "testing/bystanders.h"

namespace belljar::attacks {
namespace {

/// A tool that adds, and a program that loops, as one component each.
constexpr std::string_view adder = R"((module (func (export "add") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1)))))";
constexpr std::string_view endless = R"((module (func (export "spin") (loop $l (br $l)))))";
constexpr std::string_view program = R"((module (memory (export "memory") 1)
  (func (export "_start"))))";

/// The program on a terminal of its own, which is its controlling terminal.
class OnTerminal {
 public:
  OnTerminal(const std::vector<std::string>& words, const std::filesystem::path& folder,
             const std::vector<std::string>& environment) {
    termios raw{};
    ::cfmakeraw(&raw);
    // Ctrl-C is a signal here as on any terminal.
    raw.c_lflag |= ISIG;
    raw.c_cc[VINTR] = 3;
    int ours = -1;
    int theirs = -1;
    if (::openpty(&ours, &theirs, nullptr, &raw, nullptr) != 0) return;
    master_.reset(ours);
    terminal_.reset(theirs);
    for (const int end : {ours, theirs}) ::fcntl(end, F_SETFD, FD_CLOEXEC);
    ::fcntl(ours, F_SETFL, O_NONBLOCK);
    std::vector<char*> arguments;
    std::vector<char*> variables;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& one : environment) variables.push_back(const_cast<char*>(one.c_str()));
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setsid();
      ::ioctl(theirs, TIOCSCTTY, 0);
      for (const int stream : {0, 1, 2}) ::dup2(theirs, stream);
      if (::chdir(folder.c_str()) == 0) ::execve(arguments[0], arguments.data(), variables.data());
      ::_exit(127);
    }
  }
  ~OnTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  void type(char key) const { static_cast<void>(!::write(master_.get(), &key, 1)); }

  /// The exit code, or the negative number of a signal; nothing if it does not end.
  std::optional<int> wait() {
    const Pipe handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const Deadline deadline = soon();
    pollfd entry{.fd = handle.get(), .events = POLLIN, .revents = 0};
    while (::poll(&entry, 1, 10) == 0) {
      drain();
      if (std::chrono::steady_clock::now() > deadline) return std::nullopt;
    }
    drain();
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  /// Characters that a shell on this terminal would read as typed.
  [[nodiscard]] int typed() const {
    int count = -1;
    ::ioctl(terminal_.get(), FIONREAD, &count);
    return count;
  }
  [[nodiscard]] const std::string& shown() const { return shown_; }

 private:
  void drain() {
    std::array<char, 4'096> buffer{};
    ssize_t count = 0;
    while ((count = ::read(master_.get(), buffer.data(), buffer.size())) > 0) {
      shown_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  Pipe master_;
  Pipe terminal_;
  pid_t pid_ = -1;
  std::string shown_;
};

class HostileNativeCode : public Attack {
 protected:
  HostileNativeCode() : others_(folder()) {
    write("add.wat", adder);
    write("spin.wat", endless);
    write("program.wat", program);
    const test::HostileTargets targets = others_.targets();
    hostile_ = {{"LD_PRELOAD", BELLJAR_HOSTILE_CODE},
                {"HOSTILE_REPORT", report().native()},
                {"HOSTILE_FILE", targets.file},
                {"HOSTILE_SOCKET", targets.socket},
                {"HOSTILE_PROCESS", std::to_string(targets.process)},
                {"HOSTILE_MEMORY", std::to_string(targets.memory)}};
  }

  /// From now on the program is taken over.
  void take_over() {
    for (const auto& [name, value] : hostile_) set_variable(name, value);
  }
  /// The same, for a program that is started otherwise.
  [[nodiscard]] std::vector<std::string> variables() const {
    std::vector<std::string> list{"BELLJAR_HOME=" + home().native(), "HOME=" + folder().native(),
                                  "NO_COLOR=1"};
    for (const auto& [name, value] : hostile_) list.push_back(fmt::format("{}={}", name, value));
    return list;
  }

  [[nodiscard]] std::filesystem::path report() const { return home() / "run/report"; }
  [[nodiscard]] bool await_report() const {
    const Deadline deadline = soon();
    while (!std::filesystem::exists(report())) {
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;
  }

  /// Everything was tried, nothing was reached, and nobody noticed anything.
  void expect_nothing_reached() {
    ASSERT_TRUE(await_report()) << "the program was not taken over";
    std::ifstream file(report());
    std::string first;
    std::getline(file, first);
    EXPECT_GE(std::atoi(first.c_str()), test::HostileCode::all_attempts);
    const std::string reached((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(reached, "");
    std::filesystem::remove(report());
    others_.expect_untouched();
  }

 private:
  test::Bystanders others_;
  std::vector<std::pair<std::string, std::string>> hostile_;
};

using A82 = HostileNativeCode;

TEST_F(A82, InACallItReachesNothingAndTheCallIsAnswered) {
  take_over();
  const CommandResult result = run({"call", "add.wat", "add", R"({"p0":1,"p1":2})"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "3\n");
  expect_nothing_reached();
  expect_healthy();
  expect_record({{"kind", "call"}});
  expect_sound_log();
}

TEST_F(A82, InAServerItReachesNothingAndTheServerServes) {
  take_over();
  const auto server = serve();
  expect_healthy(*server);
  expect_nothing_reached();
  // It can still be managed: its socket was made before.
  write("home/unused", "");
  const CommandResult listed = run({"list"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A82, InAProgramItReachesNothing) {
  take_over();
  const CommandResult result = run({"run", "program.wat"});
  EXPECT_EQ(result.code, 0) << result.err;
  expect_nothing_reached();
  expect_healthy();
}

TEST_F(A82, OnATerminalItTypesNothingAndChangesNothing) {
  const std::vector<std::vector<std::string>> commands{
      {"call", "add.wat", "add", R"({"p0":1,"p1":2})"}, {"run", "program.wat"}};
  for (const std::vector<std::string>& words : commands) {
    std::vector<std::string> all{BELLJAR_PROGRAM};
    all.insert(all.end(), words.begin(), words.end());
    OnTerminal terminal(all, folder(), variables());
    const auto code = terminal.wait();
    EXPECT_EQ(code, 0) << terminal.shown();
    EXPECT_EQ(terminal.typed(), 0) << "a shell would run what it typed";
    expect_nothing_reached();
  }
  expect_healthy();
}

TEST_F(A82, ATerminalStillInterruptsWhatRunsThere) {
  OnTerminal terminal({BELLJAR_PROGRAM, "call", "spin.wat", "spin"}, folder(), variables());
  ASSERT_TRUE(await_report()) << terminal.shown();
  terminal.type(3);
  const auto code = terminal.wait();
  ASSERT_TRUE(code.has_value()) << "it goes on: " << terminal.shown();
  EXPECT_NE(*code, 0);
  expect_nothing_reached();
  expect_healthy();
}

/// Runs a command with one descriptor more, or another standard input.
int run_with(const std::vector<std::string>& words, const std::filesystem::path& folder,
             const std::vector<std::string>& environment, int descriptor, int number) {
  std::vector<char*> arguments;
  std::vector<char*> variables;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& one : environment) variables.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(descriptor, number);
    if (::chdir(folder.c_str()) == 0) ::execve(arguments[0], arguments.data(), variables.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_F(A82, ASocketThatIsInheritedIsNotKept) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const Pipe one(pair[0]);
  const Pipe other(pair[1]);
  const std::vector<std::string> words{BELLJAR_PROGRAM, "call", "add.wat", "add",
                                       R"({"p0":1,"p1":2})"};
  const std::vector<std::string> environment{"BELLJAR_HOME=" + home().native(),
                                             "HOME=" + folder().native(), "NO_COLOR=1"};
  EXPECT_EQ(run_with(words, folder(), environment, one.get(), 0), 2)
      << "a standard stream that can be connected to any path";
  EXPECT_EQ(run_with(words, folder(), environment, one.get(), 77), 0)
      << "one beside the standard streams is closed, and does not matter";
  expect_healthy();
}

}  // namespace
}  // namespace belljar::attacks
