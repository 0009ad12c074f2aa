#include "host/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <utility>

#include "host/opener_wire.h"
#include "support/result.h"

namespace belljar::host {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Helpers at once: the one that is in use, and some that hang so that nothing ends them.
constexpr std::size_t maximum_helpers = 8;
/// How long the server waits for a helper, and for the keeper's end.
constexpr milliseconds making_patience{5'000};
constexpr milliseconds ending_patience{500};

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

/// Connected, so that neither end can reach anybody else.
Result<SocketPair> make_sockets() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(ErrorCode::internal, "no sockets for a helper: {}", errno_text(errno));
  }
  return SocketPair{UniqueFd(pair[0]), UniqueFd(pair[1])};
}

/// Leaves this process its standard error and the socket, and nothing of what its parent had open:
/// a pipe that it held would never end for whoever reads it.
void keep_only(int socket) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO}) ::dup2(null.get(), stream);
  const auto number = static_cast<unsigned>(socket);
  constexpr unsigned first = STDERR_FILENO + 1;
  if (number > first) ::close_range(first, number - 1, 0);
  ::close_range(std::max(number + 1, first), ~0U, 0);
}

/// The child.
class KeeperProcess {
 public:
  explicit KeeperProcess(Keeper::Main main) : main_(std::move(main)) {}

  [[noreturn]] void run(UniqueFd socket) {
    ::prctl(PR_SET_NAME, "belljar-keeper");
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    // They are the server's, which ends its helpers when it has done what it does at its end.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(signal, SIG_IGN);
    keep_only(socket.get());
    while (true) {
      const auto packet = receive_packet(socket.get());
      if (!packet || !*packet) break;
      reap();
      const Json& request = (*packet)->json;
      if (request.contains("end")) {
        const auto found = helpers_.find(request.value("end", std::uint64_t{0}));
        if (found != helpers_.end()) ::kill(found->second, SIGKILL);
      } else {
        answer(socket.get(), request.value("make", std::uint64_t{0}));
      }
    }
    for (const auto& [number, process] : helpers_) ::kill(process, SIGKILL);
    ::_exit(0);
  }

 private:
  void reap() {
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
      std::erase_if(helpers_, [&](const auto& helper) { return helper.second == ended; });
    }
  }

  void answer(int socket, std::uint64_t question) {
    Json reply{{"answer", question}};
    UniqueFd end;
    if (auto helper = make(socket)) {
      end = std::move(helper->socket);
      reply["number"] = helper->number;
    } else {
      reply["failure"] = helper.error().message();
    }
    static_cast<void>(send_packet(socket, to_text(reply), end.get()));
  }

  Result<Helper> make(int own_socket) {
    if (helpers_.size() >= maximum_helpers) {
      return fail(ErrorCode::unavailable, "{} helpers hang and cannot be ended", helpers_.size());
    }
    BELLJAR_TRY(SocketPair sockets, make_sockets());
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) return fail(ErrorCode::unavailable, "no helper: {}", errno_text(errno));
    if (child == 0) {
      end_with_parent(parent);
      ::close(own_socket);
      sockets.ours.reset();
      main_(std::move(sockets.theirs));
      ::_exit(0);
    }
    helpers_.emplace(++made_, child);
    return Helper{std::move(sockets.ours), made_};
  }

  Keeper::Main main_;
  std::map<std::uint64_t, pid_t> helpers_;
  std::uint64_t made_ = 0;
};

auto gone() {
  return fail(ErrorCode::unavailable, "the process that opens files is gone; restart Belljar");
}

/// Waits until a descriptor can be read, or this long.
bool is_readable(int descriptor, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::max(left, milliseconds::zero()).count()));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

}  // namespace

void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have ended before that was asked for.
  if (::getppid() != parent) ::_exit(0);
}

Result<std::unique_ptr<Keeper>> Keeper::start(Main main) {
  BELLJAR_TRY(SocketPair sockets, make_sockets());
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    return fail(ErrorCode::internal, "the opener does not start: {}", errno_text(errno));
  }
  if (child == 0) {
    end_with_parent(parent);
    sockets.ours.reset();
    KeeperProcess(std::move(main)).run(std::move(sockets.theirs));
  }
  // Without it, where the kernel has none, the end is not waited for.
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  std::unique_ptr<Keeper> keeper(new Keeper(child, std::move(process), std::move(sockets.ours)));
  BELLJAR_TRY(keeper->first_, keeper->ask());
  return keeper;
}

Keeper::~Keeper() {
  // A confined process may not signal its child, which is told by its socket.
  socket_.reset();
  if (process_) static_cast<void>(is_readable(process_.get(), Clock::now() + ending_patience));
  ::waitpid(child_, nullptr, WNOHANG);
}

Result<std::uint64_t> Keeper::ask() {
  const std::uint64_t question = ++asked_;
  if (!send_packet(socket_.get(), to_text(Json{{"make", question}}), -1, MSG_DONTWAIT)) {
    return gone();
  }
  return question;
}

Result<Helper> Keeper::make() {
  const std::lock_guard lock(mutex_);
  std::optional<std::uint64_t> question = std::exchange(first_, std::nullopt);
  if (!question) {
    BELLJAR_TRY(question, ask());
  }
  const auto deadline = Clock::now() + making_patience;
  while (is_readable(socket_.get(), deadline)) {
    BELLJAR_TRY(auto packet, receive_packet(socket_.get()));
    if (!packet) return gone();
    const Json& reply = packet->json;
    if (reply.value("answer", std::uint64_t{0}) != *question) {
      // The answer to one who gave up. Its helper ends with the socket.
      continue;
    }
    if (!packet->descriptor) {
      return fail(ErrorCode::unavailable, "files cannot be opened: {}",
                  reply.value("failure", "no helper"));
    }
    return Helper{std::move(packet->descriptor), reply.value("number", std::uint64_t{0})};
  }
  return fail(ErrorCode::unavailable, "the process that opens files does not answer");
}

void Keeper::end(std::uint64_t number) {
  static_cast<void>(send_packet(socket_.get(), to_text(Json{{"end", number}}), -1, MSG_DONTWAIT));
}

}  // namespace belljar::host
