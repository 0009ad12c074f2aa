// What code that took a process over would try: a list of attempts, each with the answer that a
// confined process gets.
#pragma once

#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace belljar::test {

/// What belongs to others, and is to stay as it is.
struct HostileTargets {
  /// A file outside of every folder that the process may use.
  std::string file;
  /// The path of a Unix socket on which somebody listens.
  std::string socket;
  /// Another process of the same user.
  pid_t process = 0;
  /// A System V memory of another process.
  int memory = -1;
};

/// Makes every attempt. Those that got another answer than "there is no such call" are complained
/// about, and counted are all.
class HostileCode {
 public:
  explicit HostileCode(HostileTargets targets) : targets_(std::move(targets)) {}

  void attempt_all() {
    sockets();
    streams();
    attributes();
    other_processes();
    new_processes();
    shared_memory();
    kernel();
    unknown_numbers();
  }

  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  [[nodiscard]] int attempts() const { return attempts_; }
  /// At least so many are made where there is no way in: fewer mean that it was cut short.
  static constexpr int all_attempts = 400;

 private:
  /// The call has to be one that this process does not have.
  void refused(const std::string& name, long result, int wanted = ENOSYS) {
    const int error = errno;
    ++attempts_;
    if (result == -1 && error == wanted) return;
    complaints_.push_back(name + ": " +
                          (result == -1 ? std::strerror(error) : std::to_string(result)));
  }
  /// With arguments that are nothing: whatever reaches the kernel gets another answer.
  void no_call(const std::string& name, long number) {
    refused(name, ::syscall(number, 0, 0, 0, 0, 0, 0));
  }

  void sockets() {
    // First that one cannot be had at all, then by which ways one reaches a service.
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
      const int made = ::socket(AF_UNIX, type, 0);
      refused("a Unix socket", made);
      if (made < 0) continue;
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, targets_.socket.c_str(), sizeof address.sun_path - 1);
      refused("to connect it to a path",
              ::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address));
    }
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
      int pair[2];
      refused("a pair of Unix sockets", ::socketpair(AF_UNIX, type, 0, pair));
    }
    for (int family = 0; family < 64; ++family) {
      if (family == AF_INET || family == AF_INET6) continue;
      refused("a socket of the family " + std::to_string(family),
              ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    }
    for (const int family : {AF_INET, AF_INET6}) {
      refused("a raw socket", ::socket(family, SOCK_RAW, IPPROTO_ICMP));
      refused("a ping socket", ::socket(family, SOCK_DGRAM, IPPROTO_ICMP));
      refused("a socket of many ways", ::socket(family, SOCK_STREAM, 262));
      refused("an SCTP socket", ::socket(family, SOCK_STREAM, IPPROTO_SCTP));
      refused("a UDP-Lite socket", ::socket(family, SOCK_DGRAM, IPPROTO_UDPLITE));
    }
    const int tcp = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (tcp < 0) complaints_.emplace_back("TCP to the internet does not work");
    refused("to listen", ::listen(tcp, 1));
    std::uint64_t value[8]{};
    const auto option = [&](const char* name, int level, int number) {
      refused(name, ::setsockopt(tcp, level, number, value, sizeof value));
    };
    option("a packet filter", SOL_SOCKET, 26);
    option("to bind to a device", SOL_SOCKET, 25);
    option("a mark for the firewall", SOL_SOCKET, 36);
    option("a protocol above TCP", IPPROTO_TCP, 31);
    option("to repair a connection", IPPROTO_TCP, 19);
    option("the rules of a firewall", IPPROTO_IP, 64);
    option("options of IP", IPPROTO_IP, 4);
    ::close(tcp);
  }

  void streams() {
    for (const int stream : {0, 1, 2}) {
      const auto control = [&](const char* name, unsigned long request) {
        char byte = '#';
        refused(name, ::syscall(SYS_ioctl, stream, request, &byte));
      };
      control("to type into the terminal", TIOCSTI);
      control("to paste into a console", 0x541C);
      control("to change the terminal's line", TIOCSETD);
      control("to change its settings", TCSETS);
      control("to change its settings, waiting", TCSETSW);
      control("to change its size, which signals others", TIOCSWINSZ);
      control("to take it", TIOCSCTTY);
      control("to give it up", TIOCNOTTY);
      control("to change its foreground", TIOCSPGRP);
      control("to signal who reads it", 0x4004'5436);
      control("to be told by a signal", FIOASYNC);
      control("to have another told", 0x8901);
      control("to set a file's flags", 0x4008'6602);
      control("to clone a file", 0x4004'9409);
      const auto owned = [&](const char* name, int command, long argument) {
        refused(name, ::fcntl(stream, command, argument));
      };
      owned("signals to another process", F_SETOWN, targets_.process);
      owned("another signal", F_SETSIG, SIGKILL);
      owned("a lease", F_SETLEASE, F_RDLCK);
      owned("a watch", F_NOTIFY, 1);
      owned("signals about input", F_SETFL, O_ASYNC);
    }
  }

  void attributes() {
    const char* const file = targets_.file.c_str();
    refused("chmod", ::chmod(file, 0777));
    refused("fchmodat", ::syscall(SYS_fchmodat, AT_FDCWD, file, 0777));
    refused("fchmodat2", ::syscall(452, AT_FDCWD, file, 0777, 0));
    refused("fchmod", ::fchmod(2, 0777));
    refused("chown", ::syscall(SYS_chown, file, 1, 1));
    refused("lchown", ::lchown(file, 1, 1));
    refused("fchown", ::fchown(2, 1, 1));
    refused("fchownat", ::fchownat(AT_FDCWD, file, 1, 1, 0));
    refused("setxattr", ::syscall(SYS_setxattr, file, "user.x", "x", 1, 0));
    refused("lsetxattr", ::syscall(SYS_lsetxattr, file, "user.x", "x", 1, 0));
    refused("fsetxattr", ::syscall(SYS_fsetxattr, 2, "user.x", "x", 1, 0));
    refused("setxattrat", ::syscall(463, AT_FDCWD, file, 0, "user.x", 0, 0));
    refused("removexattr", ::syscall(SYS_removexattr, file, "user.x"));
    refused("file_setattr", ::syscall(469, AT_FDCWD, file, 0, 0, 0));
    const timespec times[2]{};
    refused("utimensat", ::utimensat(AT_FDCWD, file, times, 0));
    refused("utimes", ::syscall(SYS_utimes, file, nullptr));
    refused("utime", ::syscall(SYS_utime, file, nullptr));
    refused("futimesat", ::syscall(SYS_futimesat, AT_FDCWD, file, nullptr));
    refused("truncate", ::truncate(file, 0));
    refused("mknod", ::syscall(SYS_mknod, (targets_.file + ".device").c_str(), S_IFCHR | 0600, 0));
    refused("mknodat",
            ::syscall(SYS_mknodat, AT_FDCWD, (targets_.file + ".pipe").c_str(), S_IFIFO | 0600, 0));
    refused("symlink", ::symlink(file, (targets_.file + ".link").c_str()));
    refused("linkat", ::linkat(AT_FDCWD, file, AT_FDCWD, (targets_.file + ".name").c_str(), 0));
    no_call("open_by_handle_at", SYS_open_by_handle_at);
    no_call("name_to_handle_at", SYS_name_to_handle_at);
    no_call("fanotify_init", SYS_fanotify_init);
    no_call("inotify_init1", SYS_inotify_init1);
    no_call("chroot", SYS_chroot);
    no_call("mount", SYS_mount);
    no_call("umount2", SYS_umount2);
    no_call("pivot_root", SYS_pivot_root);
    no_call("open_tree", SYS_open_tree);
    no_call("move_mount", SYS_move_mount);
    no_call("fsopen", SYS_fsopen);
    no_call("mount_setattr", SYS_mount_setattr);
    no_call("quotactl", SYS_quotactl);
    no_call("acct", SYS_acct);
  }

  void other_processes() {
    const pid_t other = targets_.process;
    refused("kill", ::kill(other, SIGUSR1));
    refused("to signal everybody", ::kill(-1, 0));
    refused("to signal the group", ::kill(0, 0));
    refused("tkill", ::syscall(SYS_tkill, other, SIGUSR1));
    refused("tgkill", ::syscall(SYS_tgkill, other, other, SIGUSR1));
    siginfo_t information{};
    information.si_code = SI_QUEUE;
    refused("rt_sigqueueinfo", ::syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &information));
    refused("rt_tgsigqueueinfo",
            ::syscall(SYS_rt_tgsigqueueinfo, other, other, SIGUSR1, &information));
    refused("pidfd_open", ::syscall(SYS_pidfd_open, other, 0));
    no_call("pidfd_send_signal", SYS_pidfd_send_signal);
    no_call("pidfd_getfd", SYS_pidfd_getfd);
    refused("ptrace", ::syscall(SYS_ptrace, 0x4206, other, 0, 0));
    refused("process_vm_readv", ::syscall(SYS_process_vm_readv, other, nullptr, 0, nullptr, 0, 0));
    refused("process_vm_writev",
            ::syscall(SYS_process_vm_writev, other, nullptr, 0, nullptr, 0, 0));
    no_call("process_madvise", SYS_process_madvise);
    no_call("process_mrelease", 448);
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    refused("prlimit of another", ::prlimit(other, RLIMIT_NOFILE, &none, nullptr));
    rlimit seen{};
    refused("to read another's limits", ::prlimit(other, RLIMIT_NOFILE, nullptr, &seen));
    refused("a limit of its own", ::prlimit(0, RLIMIT_CORE, &none, nullptr));
    refused("setpriority", ::setpriority(PRIO_PROCESS, static_cast<id_t>(other), 19));
    no_call("sched_setaffinity", SYS_sched_setaffinity);
    no_call("sched_setscheduler", SYS_sched_setscheduler);
    no_call("sched_setattr", SYS_sched_setattr);
    no_call("ioprio_set", SYS_ioprio_set);
    no_call("kcmp", SYS_kcmp);
    no_call("migrate_pages", SYS_migrate_pages);
    no_call("move_pages", SYS_move_pages);
    refused("get_robust_list", ::syscall(SYS_get_robust_list, other, nullptr, nullptr));
    no_call("setpgid", SYS_setpgid);
    no_call("setsid", SYS_setsid);
  }

  void new_processes() {
    const auto forked = [&](const char* name, long result) {
      if (result == 0) ::_exit(0);
      refused(name, result);
    };
    forked("fork", ::syscall(SYS_fork));
    forked("clone", ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    forked("clone beside", ::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
    forked("clone with a user namespace",
           ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    // Without what a thread shares, so that a kernel that is asked refuses it in its own way.
    refused("a thread that is traced",
            ::syscall(SYS_clone, CLONE_THREAD | CLONE_PTRACE, 0, 0, 0, 0));
    no_call("clone3", SYS_clone3);
    char* const words[]{nullptr};
    refused("execve", ::syscall(SYS_execve, "/bin/true", words, words));
    const int program = static_cast<int>(::syscall(SYS_memfd_create, "program", 1U));
    if (program < 0) complaints_.emplace_back("memory files do not work");
    refused("execveat of memory",
            ::syscall(SYS_execveat, program, "", words, words, AT_EMPTY_PATH));
    ::close(program);
    no_call("unshare", SYS_unshare);
    no_call("setns", SYS_setns);
  }

  void shared_memory() {
    refused("shmget", ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
    refused("shmat", reinterpret_cast<std::intptr_t>(::shmat(targets_.memory, nullptr, 0)));
    refused("shmctl", ::shmctl(targets_.memory, IPC_STAT, nullptr));
    no_call("shmdt", SYS_shmdt);
    no_call("semget", SYS_semget);
    no_call("msgget", SYS_msgget);
    // Of no queue, so that a kernel that is asked does not wait.
    for (const long number : {SYS_semop, SYS_msgsnd, SYS_msgrcv}) {
      refused("messages of other processes", ::syscall(number, -1, 0, 0, 0, 0));
    }
    no_call("mq_open", SYS_mq_open);
  }

  void kernel() {
    struct Call {
      const char* name;
      long number;
    };
    for (const Call& call : std::initializer_list<Call>{
             {"bpf", SYS_bpf},
             {"io_uring_setup", SYS_io_uring_setup},
             {"io_uring_enter", SYS_io_uring_enter},
             {"io_uring_register", SYS_io_uring_register},
             {"userfaultfd", SYS_userfaultfd},
             {"perf_event_open", SYS_perf_event_open},
             {"keyctl", SYS_keyctl},
             {"add_key", SYS_add_key},
             {"request_key", SYS_request_key},
             {"seccomp", SYS_seccomp},
             {"landlock_create_ruleset", SYS_landlock_create_ruleset},
             {"init_module", SYS_init_module},
             {"finit_module", SYS_finit_module},
             {"kexec_load", SYS_kexec_load},
             {"reboot", SYS_reboot},
             {"swapon", SYS_swapon},
             {"iopl", SYS_iopl},
             {"ioperm", SYS_ioperm},
             {"modify_ldt", SYS_modify_ldt},
             {"settimeofday", SYS_settimeofday},
             {"clock_settime", SYS_clock_settime},
             {"adjtimex", SYS_adjtimex},
             {"sethostname", SYS_sethostname},
             {"syslog", SYS_syslog},
             {"capset", SYS_capset},
             {"setgroups", SYS_setgroups},
             {"vhangup", SYS_vhangup},
             {"remap_file_pages", SYS_remap_file_pages},
             {"memfd_secret", 447},
             {"vmsplice", SYS_vmsplice},
             {"splice", SYS_splice},
             {"tee", SYS_tee},
             {"timer_create", SYS_timer_create},
             {"pkey_alloc", SYS_pkey_alloc},
             {"set_mempolicy", SYS_set_mempolicy},
             {"openat2", SYS_openat2},
         }) {
      no_call(call.name, call.number);
    }
    refused("personality", ::syscall(SYS_personality, 0x0040'0000));
    for (const uid_t user : {0U, 12'345U}) {
      refused("setuid", ::syscall(SYS_setuid, user));
      refused("setgid", ::syscall(SYS_setgid, user));
      refused("setresuid", ::syscall(SYS_setresuid, user, user, user));
    }
    refused("to be dumped", ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    refused("to be traced", ::prctl(0x5961'6D61, ~0UL, 0, 0, 0));
    refused("a signal at its parent's end", ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    refused("to move its parts", ::prctl(PR_SET_MM, 1, 0, 0, 0));
    refused("to adopt orphans", ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  }

  /// Those that are to come.
  void unknown_numbers() {
    for (long number = 470; number < 600; ++number) no_call(std::to_string(number), number);
  }

  HostileTargets targets_;
  std::vector<std::string> complaints_;
  int attempts_ = 0;
};

}  // namespace belljar::test
