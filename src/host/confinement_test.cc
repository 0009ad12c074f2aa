#include "host/confinement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "host/opener.h"
#include "host/testing/egress_peers.h"
#include "support/file.h"
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
  EXPECT_EQ(confined([](Complaints& complaints) {
              if (::prctl(PR_GET_DUMPABLE) != 0) complaints.emplace_back("it is dumpable");
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                complaints.emplace_back("new privileges");
              rlimit limit{};
              ::getrlimit(RLIMIT_CORE, &limit);
              if (limit.rlim_max != 0) complaints.emplace_back("core files are written");
            }),
            "done");
}

TEST_F(ConfinementTest, SystemCallsThatNoServerMakesFail) {
  EXPECT_EQ(
      confined([](Complaints& complaints) {
        const auto refused = [&](std::string_view name, long result) {
          if (result >= 0 || errno != EPERM) {
            complaints.push_back(fmt::format("{} gave {}, {}", name, result, std::strerror(errno)));
          }
        };
        refused("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
        refused("unshare", ::unshare(CLONE_NEWUSER));
        refused("mount", ::mount("none", "/tmp", "tmpfs", 0, nullptr));
        refused("setns", ::syscall(SYS_setns, 0, 0));
        refused("bpf", ::syscall(SYS_bpf, 0, nullptr, 0));
        refused("io_uring_setup", ::syscall(SYS_io_uring_setup, 1, nullptr));
        refused("userfaultfd", ::syscall(SYS_userfaultfd, 0));
        refused("perf_event_open", ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
        refused("process_vm_readv",
                ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0));
        refused("pidfd_getfd", ::syscall(SYS_pidfd_getfd, 0, 0, 0));
        refused("open_by_handle_at", ::syscall(SYS_open_by_handle_at, 0, nullptr, 0));
        refused("keyctl", ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0));
        refused("setuid", ::setuid(12'345));
        refused("mknod",
                ::syscall(SYS_mknodat, AT_FDCWD, "/tmp/belljar-device", S_IFCHR | 0600, 0));
        refused("clone with a namespace",
                ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
        for (int family = 0; family < 46; ++family) {
          const UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
          const bool wanted = family == AF_UNIX || family == AF_INET || family == AF_INET6;
          if (static_cast<bool>(socket) && !wanted) {
            complaints.push_back(fmt::format("a socket of the family {} was made", family));
          }
          if (!wanted && family > AF_INET && errno != EPERM) {
            complaints.push_back(fmt::format("the family {} reached the kernel", family));
          }
        }
        for (const int family : {AF_INET, AF_INET6}) {
          refused("a raw socket", ::socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
        }
      }),
      "done");
}

TEST_F(ConfinementTest, ProgramsRunOnlyWhereTheyWereNamed) {
  const auto run = [](Complaints& complaints) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/true", "true", nullptr);
      ::_exit(77);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 0)
      complaints.push_back(fmt::format("it ended with {}", WEXITSTATUS(status)));
  };
  if (landlock_version() > 0) {
    EXPECT_EQ(confined(run), "it ended with 77\n");
  }
  ConfinementRules named = rules();
  named.executable = library_paths();
  named.executable.emplace_back("/bin/true");
  EXPECT_EQ(in_child([&](Complaints& complaints) {
              if (!confine(named)) complaints.emplace_back("not confined");
              run(complaints);
            }),
            "done");
}

TEST_F(ConfinementTest, TheOpenerStillOpensWhatIsGranted) {
  folder_.write("granted/file", "hello");
  const std::string policy = fmt::format(
      "version: \"1.1\"\npermissions:\n  storage:\n    allow:\n"
      "      - {{uri: \"fs://{}/granted\", access: [read], guest: /data}}\n",
      folder_.path().native());
  EXPECT_EQ(
      in_child([&](Complaints& complaints) {
        OpenerAuthority authority;
        authority.paths = {folder_ / "state/data", folder_ / "state/config",
                           folder_ / "state/cache", folder_ / "state/run"};
        authority.granted["tool"].push_back(*policy::parse_policy(policy, "p", folder_.path()));
        auto opener = Opener::start(std::move(authority));
        if (!opener || !confine(rules())) complaints.emplace_back("not started");
        if (!complaints.empty()) return;
        engine::FileRequest request;
        request.path = "file";
        request.read = true;
        {
          const auto mounts = (*opener)->open({"tool", "digest"}, *testing::snapshot_of(policy));
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
