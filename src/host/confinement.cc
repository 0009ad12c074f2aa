#include "host/confinement.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <future>

#include "host/system_calls.h"
#include "support/file.h"
#include "support/result.h"

namespace belljar::host {
namespace {

// Newer than the headers of Debian 12; from the kernel's Landlock documentation.
constexpr std::uint64_t access_fs_truncate = std::uint64_t{1} << 14;         // version 3
constexpr std::uint64_t access_fs_ioctl_dev = std::uint64_t{1} << 15;        // version 5
constexpr std::uint64_t access_fs_resolve_unix = std::uint64_t{1} << 16;     // version 9
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
    LANDLOCK_ACCESS_FS_REFER | access_fs_truncate;
/// Of the accesses above, those that a file can have; the rest are for folders.
constexpr std::uint64_t file_access =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | access_fs_truncate;

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
  if (version >= 9) attributes.handled_access_fs |= access_fs_resolve_unix;
  const std::size_t size = version >= 6   ? sizeof attributes
                           : version >= 4 ? 2 * sizeof(std::uint64_t)
                                          : sizeof(std::uint64_t);
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset) return fail(ErrorCode::internal, "Landlock: {}", errno_text(errno));
  const std::uint64_t handled = attributes.handled_access_fs;
  for (const auto& path : rules.writable) add_rule(ruleset.get(), path, write_access, handled);
  for (const auto& path : rules.readable) add_rule(ruleset.get(), path, read_file_access, handled);
  for (const char* const device : {"/dev/null", "/dev/zero"}) {
    add_rule(ruleset.get(), device, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
             handled);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail(ErrorCode::internal, "Landlock: {}", errno_text(errno));
  }
  return {};
}

/// As root, too: the kernel's capabilities reach past what can be listed.
bool drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

/// Whether a socket has its peer for good.
bool is_bound_to_its_peer(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  sockaddr_storage peer{};
  size = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  if (peer.ss_family == AF_UNIX) return type == SOCK_STREAM || type == SOCK_SEQPACKET;
  // The internet is open to the process in any case.
  return (peer.ss_family == AF_INET || peer.ss_family == AF_INET6) && type == SOCK_STREAM;
}

}  // namespace

int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

std::vector<std::filesystem::path> usual_readable_paths() {
  return {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
          "/run/systemd/resolve", "/run/resolvconf",
          // Not /etc/ssl/private.
          "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/usr/lib/ssl", "/usr/share/ca-certificates",
          "/usr/local/share/ca-certificates", "/dev/urandom", "/sys/fs/cgroup", "/proc/self/cgroup",
          "/proc/meminfo", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
          "/etc/ld.so.cache"};
}

std::vector<std::string> left_open(const Confinement& offered) {
  std::vector<std::string> open;
  if (offered.landlock_version == 0) {
    open.emplace_back("read and write every file that you can");
  }
  if (offered.system_calls_filtered) return open;
  // What Landlock does not know, or not yet, is the filter's alone.
  open.emplace_back(
      "type into your terminal, change modes, owners and attributes of your files, reach the "
      "memory and limits of your other processes, and use parts of the kernel that no server "
      "needs");
  if (offered.landlock_version < 3) open.emplace_back("empty files outside of its folders");
  if (offered.landlock_version < 4) open.emplace_back("offer services on the network");
  if (offered.landlock_version < 6) {
    open.emplace_back("signal your other processes and speak to services by abstract Unix sockets");
  }
  if (offered.landlock_version < 9) {
    open.emplace_back("speak to services of this machine by Unix sockets with a path");
  }
  return open;
}

Result<void> give_up_privileges() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::setrlimit(RLIMIT_CORE, &none) != 0 ||
      !drop_capabilities() || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return fail(ErrorCode::internal, "this process cannot be confined: {}", errno_text(errno));
  }
  return {};
}

Result<void> check_streams() {
  constexpr std::array names{"standard input", "standard output", "standard error"};
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    struct stat status{};
    // One that is closed can do no harm.
    if (::fstat(stream, &status) != 0) continue;
    const mode_t kind = status.st_mode & S_IFMT;
    const bool plain = kind == S_IFREG || kind == S_IFIFO || kind == S_IFCHR || kind == S_IFBLK;
    if (plain || (kind == S_IFSOCK && is_bound_to_its_peer(stream))) continue;
    return fail(ErrorCode::invalid_argument,
                "{} is neither a file, a pipe, a device nor a connected stream socket, so this "
                "process cannot be confined; start it with one of those",
                names[static_cast<std::size_t>(stream)]);
  }
  return {};
}

Result<Confinement> confine(const ConfinementRules& rules) {
  Confinement confinement;
  BELLJAR_CHECK(check_streams());
  BELLJAR_CHECK(give_up_privileges());
  // Each takes about as long as the other. The thread has ended when its filter is there.
  auto filter = std::async(make_system_call_filter, rules.keyring);
  const int version = landlock_version();
  if (version > 0) {
    BELLJAR_CHECK(confine_files(rules, version));
    confinement.landlock_version = version;
  }
  confinement.system_calls_filtered = filter.get()->load();
  return confinement;
}

}  // namespace belljar::host
