#include "host/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "support/file.h"
#include "support/result.h"

namespace belljar::host {
namespace {

// Newer than the headers of Debian 12; from the kernel's Landlock documentation.
constexpr std::uint64_t access_fs_truncate = std::uint64_t{1} << 14;         // version 3
constexpr std::uint64_t access_fs_ioctl_dev = std::uint64_t{1} << 15;        // version 5
constexpr std::uint64_t access_net_bind_tcp = std::uint64_t{1} << 0;         // version 4
constexpr std::uint64_t scope_abstract_unix_socket = std::uint64_t{1} << 0;  // version 6
constexpr std::uint64_t scope_signal = std::uint64_t{1} << 1;                // version 6

/// The ruleset of the newest version; older kernels are given a shorter one.
struct Ruleset {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};

constexpr std::uint64_t read_file_access =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t write_access =
    read_file_access | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | access_fs_truncate;
constexpr std::uint64_t execute_access = read_file_access | LANDLOCK_ACCESS_FS_EXECUTE;
/// Of the accesses above, those that a file can have; the rest are for folders.
constexpr std::uint64_t file_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_EXECUTE | access_fs_truncate;

void add_rule(int ruleset, const std::filesystem::path& path, std::uint64_t access,
              std::uint64_t handled) {
  const UniqueFd parent(::open(path.c_str(), O_PATH | O_CLOEXEC));
  // What is not there needs no rule.
  if (!parent) return;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) access &= file_access;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access & handled;
  rule.parent_fd = parent.get();
  ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

Result<void> confine_files(const ConfinementRules& rules, int version) {
  Ruleset attributes;
  // All accesses that the version knows: what is not handled is not refused.
  attributes.handled_access_fs = (std::uint64_t{1} << 13) - 1;
  if (version >= 2) attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) attributes.handled_access_fs |= access_fs_truncate;
  if (version >= 4) attributes.handled_access_net = access_net_bind_tcp;
  if (version >= 5) attributes.handled_access_fs |= access_fs_ioctl_dev;
  if (version >= 6) attributes.scoped = scope_abstract_unix_socket | scope_signal;
  const std::size_t size = version >= 6   ? sizeof attributes
                           : version >= 4 ? 2 * sizeof(std::uint64_t)
                                          : sizeof(std::uint64_t);
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset) return fail(ErrorCode::internal, "Landlock: {}", errno_text(errno));
  const std::uint64_t handled = attributes.handled_access_fs;
  for (const auto& path : rules.writable) add_rule(ruleset.get(), path, write_access, handled);
  for (const auto& path : rules.readable) add_rule(ruleset.get(), path, read_file_access, handled);
  for (const auto& path : rules.executable) add_rule(ruleset.get(), path, execute_access, handled);
  for (const char* const device : {"/dev/null", "/dev/zero"}) {
    add_rule(ruleset.get(), device, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
             handled);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail(ErrorCode::internal, "Landlock: {}", errno_text(errno));
  }
  return {};
}

/// Calls that no part of Belljar makes, and that are worth most to one who has taken it over.
bool filter_system_calls(bool keyring) {
  constexpr std::array refused{
      SCMP_SYS(ptrace),
      SCMP_SYS(process_vm_readv),
      SCMP_SYS(process_vm_writev),
      SCMP_SYS(process_madvise),
      SCMP_SYS(pidfd_getfd),
      SCMP_SYS(kcmp),
      SCMP_SYS(mount),
      SCMP_SYS(umount2),
      SCMP_SYS(pivot_root),
      SCMP_SYS(chroot),
      SCMP_SYS(mount_setattr),
      SCMP_SYS(move_mount),
      SCMP_SYS(open_tree),
      SCMP_SYS(fsopen),
      SCMP_SYS(fsmount),
      SCMP_SYS(fspick),
      SCMP_SYS(fsconfig),
      SCMP_SYS(setns),
      SCMP_SYS(unshare),
      SCMP_SYS(bpf),
      SCMP_SYS(perf_event_open),
      SCMP_SYS(userfaultfd),
      SCMP_SYS(io_uring_setup),
      SCMP_SYS(io_uring_enter),
      SCMP_SYS(io_uring_register),
      SCMP_SYS(open_by_handle_at),
      SCMP_SYS(name_to_handle_at),
      SCMP_SYS(init_module),
      SCMP_SYS(finit_module),
      SCMP_SYS(delete_module),
      SCMP_SYS(kexec_load),
      SCMP_SYS(kexec_file_load),
      SCMP_SYS(reboot),
      SCMP_SYS(swapon),
      SCMP_SYS(swapoff),
      SCMP_SYS(acct),
      SCMP_SYS(quotactl),
      SCMP_SYS(iopl),
      SCMP_SYS(ioperm),
      SCMP_SYS(modify_ldt),
      SCMP_SYS(personality),
      SCMP_SYS(vhangup),
      SCMP_SYS(settimeofday),
      SCMP_SYS(clock_settime),
      SCMP_SYS(adjtimex),
      SCMP_SYS(clock_adjtime),
      SCMP_SYS(sethostname),
      SCMP_SYS(setdomainname),
      SCMP_SYS(syslog),
      SCMP_SYS(setuid),
      SCMP_SYS(setgid),
      SCMP_SYS(setreuid),
      SCMP_SYS(setregid),
      SCMP_SYS(setresuid),
      SCMP_SYS(setresgid),
      SCMP_SYS(setgroups),
      SCMP_SYS(setfsuid),
      SCMP_SYS(setfsgid),
      SCMP_SYS(capset),
      SCMP_SYS(mknod),
      SCMP_SYS(mknodat),
      SCMP_SYS(migrate_pages),
      SCMP_SYS(move_pages),
      SCMP_SYS(nfsservctl),
      SCMP_SYS(lookup_dcookie),
  };
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  bool loaded = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
  // What libseccomp's macros make, which are not C++.
  const auto argument = [](unsigned index, scmp_compare compare, std::uint64_t value,
                           std::uint64_t second = 0) {
    return scmp_arg_cmp{.arg = index, .op = compare, .datum_a = value, .datum_b = second};
  };
  const auto refuse = [&](int call, auto... conditions) {
    // A call that this machine does not have needs no rule.
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call,
                     static_cast<unsigned>(sizeof...(conditions)), conditions...);
  };
  for (const int call : refused) refuse(call);
  if (!keyring) {
    refuse(SCMP_SYS(keyctl));
    refuse(SCMP_SYS(add_key));
    refuse(SCMP_SYS(request_key));
  }
  // clone3 hides its flags behind a pointer; without it the C library uses clone, which does not.
  seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  for (const std::uint64_t space :
       {std::uint64_t{CLONE_NEWUSER}, std::uint64_t{CLONE_NEWNS}, std::uint64_t{CLONE_NEWNET},
        std::uint64_t{CLONE_NEWPID}, std::uint64_t{CLONE_NEWIPC}, std::uint64_t{CLONE_NEWUTS},
        std::uint64_t{CLONE_NEWCGROUP}}) {
    refuse(SCMP_SYS(clone), argument(0, SCMP_CMP_MASKED_EQ, space, space));
  }
  // Sockets of the local machine and of the internet, no others.
  refuse(SCMP_SYS(socket), argument(0, SCMP_CMP_GT, AF_INET6));
  for (std::uint64_t family = AF_INET + 1; family < AF_INET6; ++family) {
    refuse(SCMP_SYS(socket), argument(0, SCMP_CMP_EQ, family));
  }
  // Nor packets that the kernel has not made, which root could.
  refuse(SCMP_SYS(socket), argument(1, SCMP_CMP_MASKED_EQ, 0xF, SOCK_RAW));
  loaded = loaded && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return loaded;
}

}  // namespace

int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

std::vector<std::filesystem::path> usual_readable_paths() {
  return {"/etc/resolv.conf",
          "/etc/hosts",
          "/etc/nsswitch.conf",
          "/etc/host.conf",
          "/etc/gai.conf",
          "/run/systemd/resolve",
          "/run/resolvconf",
          "/etc/ssl",
          "/usr/lib/ssl",
          "/usr/share/ca-certificates",
          "/usr/local/share/ca-certificates",
          "/dev/urandom",
          "/sys/fs/cgroup",
          "/proc/self/cgroup",
          "/proc/meminfo"};
}

std::vector<std::filesystem::path> library_paths() {
  return {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"};
}

Result<Confinement> confine(const ConfinementRules& rules) {
  Confinement confinement;
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::setrlimit(RLIMIT_CORE, &none) != 0) {
    return fail(ErrorCode::internal, "this process cannot be confined: {}", errno_text(errno));
  }
  const int version = landlock_version();
  if (version > 0) {
    BELLJAR_CHECK(confine_files(rules, version));
    confinement.landlock_version = version;
  }
  confinement.system_calls_filtered = filter_system_calls(rules.keyring);
  return confinement;
}

}  // namespace belljar::host
