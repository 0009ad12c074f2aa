#include "host/system_calls.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>

// Found by tracing the calls that fail under tests, and by reading what the libraries do. Each line
// says what it is for; a call without a reason is not here. What is left out on purpose stands in
// THREAT-MODEL.md.

namespace belljar::host {
namespace {

/// From the kernel's fs.h and termbits.h: newer than the headers of Debian 12, or hidden by the C
/// library's own.
constexpr std::uint64_t pagemap_scan = 0xC060'6610;
constexpr std::uint64_t get_terminal_2 = 0x802C'542A;

void allow_memory(SystemCallFilter& filter) {
  filter.allow({
      SCMP_SYS(mmap),      // memory of guests, compiled code, databases
      SCMP_SYS(munmap),    //
      SCMP_SYS(mremap),    // realloc of large blocks
      SCMP_SYS(mprotect),  // memories that grow; code is made executable
      SCMP_SYS(madvise),   // sandboxes are cleaned
      SCMP_SYS(brk),       // malloc
      // The engine's images of memories, and the files that the compiler helper works on.
      SCMP_SYS(memfd_create),
      SCMP_SYS(membarrier),  // the engine, after it has made code executable
  });
}

void allow_waiting(SystemCallFilter& filter) {
  filter.allow({
      SCMP_SYS(poll),    // standard streams, the compiler's end
      SCMP_SYS(ppoll),   //
      SCMP_SYS(select),  // libcurl, which waits a moment in it
      SCMP_SYS(pselect6),
      SCMP_SYS(epoll_create1),  // the egress loop and the engine's own
      SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
      SCMP_SYS(eventfd2),         // what wakes them
      SCMP_SYS(pipe2),            // through which the compiler's end is told
      SCMP_SYS(clock_nanosleep),  // the ticker
      SCMP_SYS(nanosleep),        // SQLite, when it is busy
      SCMP_SYS(rt_sigtimedwait),  // the thread that waits for an interrupt
      SCMP_SYS(wait4),            // the opener's end
  });
}

void allow_knowing(SystemCallFilter& filter) {
  filter.allow({
      SCMP_SYS(clock_gettime),  // where the kernel's shared page has no clock
      SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
      SCMP_SYS(getpid),   // the log and SQLite name the process
      SCMP_SYS(getuid),   // dlopen and OpenSSL ask whether rights were lent
      SCMP_SYS(geteuid),  // whose a folder is
      SCMP_SYS(getgid), SCMP_SYS(getegid),
      SCMP_SYS(getcwd),     // relative paths
      SCMP_SYS(sysinfo),    // how much memory there is
      SCMP_SYS(uname),      // c-ares asks for the machine's name
      SCMP_SYS(getrusage),  // how long something has computed
  });
  // Limits are read, those of this process alone, and not set.
  filter.allow(SCMP_SYS(prlimit64), {argument_is(0, 0), argument_is_null(2)});
}

/// Which files is Landlock's to say.
void allow_files(SystemCallFilter& filter) {
  filter.allow({
      SCMP_SYS(openat),     SCMP_SYS(close),     SCMP_SYS(read),      SCMP_SYS(write),
      SCMP_SYS(readv),      SCMP_SYS(writev),    SCMP_SYS(pread64),   SCMP_SYS(pwrite64),
      SCMP_SYS(preadv),     SCMP_SYS(pwritev),
      SCMP_SYS(preadv2),  // reads that do not wait
      SCMP_SYS(pwritev2),   SCMP_SYS(lseek),     SCMP_SYS(fstat),     SCMP_SYS(newfstatat),
      SCMP_SYS(statx),      SCMP_SYS(access),    SCMP_SYS(faccessat),
      SCMP_SYS(readlink),  // SQLite looks for links in its path
      SCMP_SYS(getdents64), SCMP_SYS(ftruncate),
      SCMP_SYS(fadvise64),  // guests may advise
      SCMP_SYS(fsync),      SCMP_SYS(fdatasync),
      SCMP_SYS(mkdir),     // entries of the cache
      SCMP_SYS(rmdir),     //
      SCMP_SYS(unlink),    // the control socket, SQLite's files
      SCMP_SYS(unlinkat),  // entries of the cache, with what is in them
      SCMP_SYS(rename),    // files are put in place whole
      SCMP_SYS(link),      // keys are made once, by whoever is first
      SCMP_SYS(dup),
      SCMP_SYS(dup2),  // standard input, when the server is to stop
      SCMP_SYS(dup3),
  });
  // Times of an open file, which the file gate has opened for writing; not of a path.
  filter.allow(SCMP_SYS(utimensat), {argument_is_null(1)});
  // Locks, copies and flags of descriptors. Not whom a descriptor sends signals (F_SETOWN), not
  // leases, not watching folders.
  for (const int command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_GETLK, F_SETLK,
                            F_SETLKW, F_ADD_SEALS, F_GET_SEALS}) {
    filter.allow(SCMP_SYS(fcntl), {argument_is(1, static_cast<std::uint64_t>(command))});
  }
  filter.allow(SCMP_SYS(fcntl), {argument_is(1, F_SETFL), argument_bits(2, O_ASYNC, 0)});
  for (const std::uint64_t request : {
           std::uint64_t{TCGETS},      // is it a terminal?
           get_terminal_2,             // the same, of newer C libraries
           std::uint64_t{TIOCGWINSZ},  // how wide is it?
           std::uint64_t{FIONREAD},    // how much waits to be read?
           std::uint64_t{FIONBIO},     // sockets that do not wait
           std::uint64_t{FIOCLEX},     // descriptors that no program inherits
           pagemap_scan,               // which pages of a sandbox were touched
       }) {
    filter.allow(SCMP_SYS(ioctl), {argument_is(1, request)});
  }
}

struct SocketOption {
  int level;
  int name;
};

/// Sockets of the internet for TCP and UDP. None of this machine: one that can be pointed at a path
/// reaches every service there. None that listens: no tool offers a service.
void allow_network(SystemCallFilter& filter) {
  for (const auto family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    for (const auto protocol : {std::uint64_t{0}, std::uint64_t{IPPROTO_TCP}}) {
      filter.allow(SCMP_SYS(socket), {argument_is(0, family), argument_bits(1, 0xF, SOCK_STREAM),
                                      argument_is(2, protocol)});
    }
    for (const auto protocol : {std::uint64_t{0}, std::uint64_t{IPPROTO_UDP}}) {
      filter.allow(SCMP_SYS(socket), {argument_is(0, family), argument_bits(1, 0xF, SOCK_DGRAM),
                                      argument_is(2, protocol)});
    }
  }
  filter.allow({
      SCMP_SYS(connect),
      SCMP_SYS(bind),  // UDP, to a port that the kernel chooses; TCP is Landlock's to refuse
      SCMP_SYS(sendto),
      SCMP_SYS(sendmsg),  // to the opener and the compiler's keeper too
      SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
      SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
      SCMP_SYS(accept4),  // the control socket, which listened before
  });
  // What libcurl, c-ares, the engine's sockets and the control socket set. Others reach parts of
  // the kernel that nothing here needs: packet filters, firewalls, devices.
  constexpr std::array options{
      SocketOption{SOL_SOCKET, SO_KEEPALIVE},  SocketOption{SOL_SOCKET, SO_SNDBUF},
      SocketOption{SOL_SOCKET, SO_RCVBUF},     SocketOption{SOL_SOCKET, SO_SNDTIMEO},
      SocketOption{SOL_SOCKET, SO_RCVTIMEO},   SocketOption{IPPROTO_TCP, TCP_NODELAY},
      SocketOption{IPPROTO_TCP, TCP_KEEPIDLE}, SocketOption{IPPROTO_TCP, TCP_KEEPINTVL},
      SocketOption{IPPROTO_TCP, TCP_KEEPCNT},  SocketOption{IPPROTO_IP, IP_TTL},
      SocketOption{IPPROTO_IPV6, IPV6_V6ONLY}, SocketOption{IPPROTO_IPV6, IPV6_UNICAST_HOPS},
  };
  for (const SocketOption& option : options) {
    filter.allow(SCMP_SYS(setsockopt), {argument_is(1, static_cast<std::uint64_t>(option.level)),
                                        argument_is(2, static_cast<std::uint64_t>(option.name))});
  }
}

}  // namespace

std::unique_ptr<SystemCallFilter> make_system_call_filter(bool keyring) {
  auto filter = std::make_unique<SystemCallFilter>();
  filter->allow_threads();
  filter->allow_signals_to_itself();
  allow_memory(*filter);
  allow_waiting(*filter);
  allow_knowing(*filter);
  allow_files(*filter);
  allow_network(*filter);
  // Names of threads, and nothing else of what it does.
  filter->allow(SCMP_SYS(prctl), {argument_is(0, PR_SET_NAME)});
  if (keyring) {
    for (const auto operation : {std::uint64_t{KEYCTL_SEARCH}, std::uint64_t{KEYCTL_READ}}) {
      filter->allow(SCMP_SYS(keyctl), {argument_is(0, operation)});
    }
  }
  return filter;
}

}  // namespace belljar::host
