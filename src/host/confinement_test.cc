#include "host/confinement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

#include "host/opener.h"
#include "host/testing/egress_peers.h"
#include "store/pinned_places.h"
#include "support/file.h"
#include "testing/bystanders.h"
#include "testing/hostile_code.h"
#include "testing/temporary_folder.h"

namespace belljar::host {
namespace {

using Complaints = std::vector<std::string>;

/// Runs something in a process of its own, since confinement cannot be taken back, and gives what
/// it complained about.
std::string in_child(const std::function<void(Complaints&)>& act) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    Complaints complaints;
    act(complaints);
    std::string text;
    for (const std::string& complaint : complaints) text += complaint + "\n";
    if (text.empty()) text = "done";
    [[maybe_unused]] const ssize_t written = ::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  const UniqueFd read_end(ends[0]);
  std::string text;
  std::array<char, 4'096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(read_end.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  return text;
}

class ConfinementTest : public ::testing::Test {
 protected:
  ConfinementTest() {
    folder_.make_folder("state");
    folder_.write("secrets/key", "not for a server");
  }
  [[nodiscard]] ConfinementRules rules() const {
    ConfinementRules rules;
    rules.writable = {folder_ / "state"};
    rules.readable = usual_readable_paths();
    return rules;
  }
  /// Runs something in a process that is confined.
  std::string confined(const std::function<void(Complaints&)>& act) const {
    return in_child([&](Complaints& complaints) {
      const auto done = confine(rules());
      if (!done) complaints.push_back(done.error().describe());
      if (done && !done->system_calls_filtered)
        complaints.emplace_back("no system call is filtered");
      if (complaints.empty()) act(complaints);
    });
  }

  test::TemporaryFolder folder_;
};

TEST_F(ConfinementTest, FilesOutsideCannotBeOpened) {
  if (landlock_version() == 0) {
    // Without Landlock the files are not confined, and whoever asks is told so.
    EXPECT_EQ(in_child([&](Complaints& complaints) {
                const auto done = confine(rules());
                if (!done || done->landlock_version != 0) complaints.emplace_back("a false claim");
              }),
              "done");
    return;
  }
  EXPECT_EQ(confined([&](Complaints& complaints) {
              for (const std::string& path :
                   {(folder_ / "secrets/key").native(), std::string("/etc/passwd"),
                    std::string("/etc/shadow"), std::string("/proc/self/mem"),
                    std::string("/proc/1/environ"), std::string("/"), std::string("/home"),
                    (folder_ / "state/../secrets/key").native()}) {
                if (const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); file) {
                  complaints.push_back(path + " was opened");
                }
              }
              for (const char* const name : {"new", "secrets/key", "secrets/new"}) {
                if (const UniqueFd file(::open((folder_ / name).c_str(), O_WRONLY | O_CREAT, 0600));
                    file) {
                  complaints.push_back(std::string(name) + " was opened for writing");
                }
              }
              if (::symlink("/etc/passwd", (folder_ / "state/link").c_str()) == 0) {
                complaints.emplace_back("a link was made");
              }
              if (::truncate((folder_ / "secrets/key").c_str(), 0) == 0) {
                complaints.emplace_back("a file outside was truncated");
              }
              if (::unlink((folder_ / "secrets/key").c_str()) == 0) {
                complaints.emplace_back("a file outside was removed");
              }
            }),
            "done");
  EXPECT_EQ(test::contents_of(folder_ / "secrets/key"), "not for a server");
}

TEST_F(ConfinementTest, TheStateCanStillBeWritten) {
  EXPECT_EQ(confined([&](Complaints& complaints) {
              const UniqueFd file(
                  ::open((folder_ / "state/new").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
              if (!file || ::write(file.get(), "x", 1) != 1) complaints.emplace_back("no write");
              if (::rename((folder_ / "state/new").c_str(), (folder_ / "state/old").c_str()) != 0) {
                complaints.emplace_back("no rename");
              }
            }),
            "done");
}

TEST_F(ConfinementTest, TheProcessCannotBeLookedInto) {
  EXPECT_EQ(in_child([](Complaints& complaints) {
              if (!give_up_privileges()) complaints.emplace_back("nothing was given up");
              if (::prctl(PR_GET_DUMPABLE) != 0) complaints.emplace_back("it is dumpable");
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                complaints.emplace_back("new privileges");
              rlimit limit{};
              ::getrlimit(RLIMIT_CORE, &limit);
              if (limit.rlim_max != 0) complaints.emplace_back("core files are written");
              __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
              std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> kept{};
              ::syscall(SYS_capget, &header, kept.data());
              for (const __user_cap_data_struct& half : kept) {
                if ((half.effective | half.permitted | half.inheritable) != 0) {
                  complaints.emplace_back("it keeps capabilities");
                }
              }
            }),
            "done");
}

TEST_F(ConfinementTest, HostileCodeReachesNothingOutside) {
  const test::Bystanders others(folder_.path());
  EXPECT_EQ(confined([&](Complaints& complaints) {
              test::HostileCode code(others.targets());
              code.attempt_all();
              complaints = code.complaints();
              if (code.attempts() < test::HostileCode::all_attempts)
                complaints.emplace_back("it did not try everything");
            }),
            "done");
  others.expect_untouched();
}

TEST_F(ConfinementTest, CallsOfAnotherMachineEndTheProcess) {
  // The numbers of x32, which would go past a list of this machine's.
  EXPECT_EQ(confined([](Complaints&) { ::syscall(0x4000'0000L + SYS_getpid); }),
            fmt::format("ended by signal {}", SIGSYS));
}

TEST_F(ConfinementTest, WhatServersDoStillWorks) {
  EXPECT_EQ(confined([&](Complaints& complaints) {
              const auto works = [&](std::string_view name, bool done) {
                if (!done) complaints.push_back(fmt::format("{}: {}", name, std::strerror(errno)));
              };
              int started = 0;
              std::thread([&] { started = 1; }).join();
              works("a thread", started == 1);
              for (const int family : {AF_INET, AF_INET6}) {
                const UniqueFd tcp(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
                works("TCP", tcp || errno == EAFNOSUPPORT);
                const UniqueFd udp(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
                works("UDP", udp || errno == EAFNOSUPPORT);
              }
              const UniqueFd file(
                  ::open((folder_ / "state/times").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
              works("times of an open file", ::futimens(file.get(), nullptr) == 0);
              struct flock lock{};
              lock.l_type = F_WRLCK;
              works("locks", ::fcntl(file.get(), F_SETLK, &lock) == 0);
              works("a signal to itself", ::kill(::getpid(), 0) == 0);
              rlimit limit{};
              works("its own limits", ::getrlimit(RLIMIT_NOFILE, &limit) == 0);
              works("names of threads", ::prctl(PR_SET_NAME, "test", 0, 0, 0) == 0);
            }),
            "done");
}

TEST_F(ConfinementTest, StreamsThatCouldBePointedElsewhereAreRefused) {
  const auto with_input = [](int input) {
    return in_child([&](Complaints& complaints) {
      ::dup2(input, STDIN_FILENO);
      const auto checked = check_streams();
      if (!checked) complaints.push_back(checked.error().message());
    });
  };
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair.data()), 0);
    const UniqueFd one(pair[0]);
    const UniqueFd other(pair[1]);
    if (type == SOCK_DGRAM) {
      EXPECT_THAT(with_input(one.get()), ::testing::HasSubstr("standard input is neither a file"))
          << "one end of such a pair can be connected to any path";
    } else {
      EXPECT_EQ(with_input(one.get()), "done") << "as clients pass them";
    }
    const UniqueFd loose(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    EXPECT_THAT(with_input(loose.get()), ::testing::HasSubstr("standard input is neither a file"));
  }
  const UniqueFd events(::eventfd(0, EFD_CLOEXEC));
  EXPECT_THAT(with_input(events.get()), ::testing::HasSubstr("standard input is neither a file"));
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(with_input(null.get()), "done");
}

TEST(LeftOpen, IsSaidForEveryKernel) {
  EXPECT_THAT(left_open({.landlock_version = 9, .system_calls_filtered = true}),
              ::testing::IsEmpty());
  // The filter keeps a server from what older versions of Landlock do not know.
  EXPECT_THAT(left_open({.landlock_version = 1, .system_calls_filtered = true}),
              ::testing::IsEmpty());
  EXPECT_THAT(left_open({.landlock_version = 0, .system_calls_filtered = true}),
              ::testing::ElementsAre(::testing::HasSubstr("every file")));
  EXPECT_THAT(left_open({.landlock_version = 9, .system_calls_filtered = false}),
              ::testing::ElementsAre(::testing::HasSubstr("type into your terminal")));
  EXPECT_THAT(left_open({.landlock_version = 6, .system_calls_filtered = false}),
              ::testing::SizeIs(2));
  EXPECT_THAT(left_open({.landlock_version = 0, .system_calls_filtered = false}),
              ::testing::SizeIs(6));
}

TEST_F(ConfinementTest, TheOpenerStillOpensWhatIsGranted) {
  folder_.write("granted/file", "hello");
  const std::string policy = fmt::format(
      "version: \"1.1\"\npermissions:\n  storage:\n    allow:\n"
      "      - {{uri: \"fs://{}/granted\", access: [read], guest: /data}}\n",
      folder_.path().native());
  EXPECT_EQ(in_child([&](Complaints& complaints) {
              OpenerAuthority authority;
              authority.paths = {folder_ / "state/data", folder_ / "state/config",
                                 folder_ / "state/cache", folder_ / "state/run"};
              authority.granted["tool"].push_back(
                  store::read_given_policy(policy, "p", folder_.path())->document);
              const auto granted = testing::snapshot_of(policy);
              auto opener = Opener::start(std::move(authority));
              if (!opener || !confine(rules())) complaints.emplace_back("not started");
              if (!complaints.empty()) return;
              engine::FileRequest request;
              request.path = "file";
              request.read = true;
              {
                const auto mounts = (*opener)->open({"tool", "digest"}, *granted);
                const FileAnswer answer = mounts->perform(request);
                std::array<char, 6> text{};
                if (!answer.reply.descriptor ||
                    ::read(answer.reply.descriptor.get(), text.data(), 5) != 5 ||
                    std::string_view(text.data()) != "hello") {
                  complaints.push_back(fmt::format("not opened: {}", answer.reply.error));
                }
              }
              opener->reset();
            }),
            "done");
}

}  // namespace
}  // namespace belljar::host
