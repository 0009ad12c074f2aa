#include "engine/compiler_keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "support/result.h"

namespace belljar::engine {
namespace {

/// Helpers at once; more are refused.
constexpr std::size_t maximum_runs = 64;
/// Input, code, text, and the pipe through which the end is told.
constexpr std::size_t files_of_a_request = 4;

/// How a run ended. It is smaller than what a pipe takes at once.
struct Ending {
  /// Why the helper was not started; zero if it was.
  int error = 0;
  /// As waitpid tells it.
  int status = 0;
};

using ControlBuffer = std::array<char, CMSG_SPACE(sizeof(int) * files_of_a_request)>;

struct Request {
  bool fuel = false;
  std::array<UniqueFd, files_of_a_request> files;
};

/// Reads a request. Nothing at the end of the requests; an errno if there was no whole request.
std::optional<std::expected<Request, int>> receive(int socket) {
  char kind = 0;
  iovec data{.iov_base = &kind, .iov_len = 1};
  alignas(cmsghdr) ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (count < 0 && errno == EINTR) return std::unexpected(EINTR);
  if (count <= 0) return std::nullopt;
  Request request;
  request.fuel = kind == 'f';
  std::size_t received = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t descriptors = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < descriptors && received < request.files.size(); ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      request.files[received++].reset(descriptor);
    }
  }
  if (received < request.files.size()) return std::unexpected(EINVAL);
  return request;
}

/// The child. It has one thread, so that the helpers end with it and not sooner.
class KeeperProcess {
 public:
  KeeperProcess(const std::filesystem::path& helper, const CompilerLimits& limits, UniqueFd socket)
      : helper_(helper), limits_(limits), socket_(std::move(socket)) {}

  [[noreturn]] void run(pid_t server) {
    ::prctl(PR_SET_NAME, "belljar-keeper");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    // The server had gone before its end could be told.
    if (::getppid() != server) ::_exit(0);
    // It ends with the server, which is who these are meant for.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
      std::signal(signal, SIG_IGN);
    }
    if (!keep_only_the_socket()) ::_exit(1);
    while (serve_once()) {
    }
    ::_exit(0);
  }

 private:
  struct Run {
    pid_t pid = -1;
    UniqueFd handle;
    UniqueFd ending;
  };

  /// Nothing that the server has open is held open here.
  bool keep_only_the_socket() {
    UniqueFd socket(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!socket) return false;
    socket_ = std::move(socket);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      if (!null || ::dup2(null.get(), stream) < 0) return false;
    }
    const auto own = static_cast<unsigned>(socket_.get());
    constexpr unsigned first = STDERR_FILENO + 1;
    return (own == first || ::close_range(first, own - 1, 0) == 0) &&
           ::close_range(own + 1, UINT_MAX, 0) == 0;
  }

  /// Waits for something and does it. False when the server has gone: the kernel ends the helpers.
  bool serve_once() {
    std::vector<pollfd> entries{{.fd = socket_.get(), .events = POLLIN, .revents = 0}};
    for (const Run& run : runs_) {
      entries.push_back({.fd = run.handle.get(), .events = POLLIN, .revents = 0});
      // An error is told unasked: that nobody reads the other end any more.
      entries.push_back({.fd = run.ending.get(), .events = 0, .revents = 0});
    }
    if (::poll(entries.data(), entries.size(), -1) < 0) return errno == EINTR;
    const std::span<const pollfd> of_runs(entries.begin() + 1, entries.end());
    for (std::size_t i = runs_.size(); i-- > 0;) {
      const bool ended = of_runs[2 * i].revents != 0;
      const bool given_up = of_runs[2 * i + 1].revents != 0;
      if (ended || given_up) end(i);
    }
    return entries.front().revents == 0 || take_request();
  }

  bool take_request() {
    auto received = receive(socket_.get());
    if (!received) return false;
    if (!*received) return true;
    Request& request = **received;
    auto& [input, code, text, ending] = request.files;
    if (runs_.size() >= maximum_runs) {
      tell(ending.get(), {.error = EBUSY, .status = 0});
      return true;
    }
    const auto pid =
        spawn_helper(helper_, limits_, request.fuel, {input.get(), code.get(), text.get()});
    if (!pid) {
      tell(ending.get(), {.error = pid.error(), .status = 0});
      return true;
    }
    Run run{*pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))),
            std::move(ending)};
    const bool watched = static_cast<bool>(run.handle);
    runs_.push_back(std::move(run));
    if (!watched) end(runs_.size() - 1);
    return true;
  }

  /// Ends a helper if it has not ended, and tells how it did.
  void end(std::size_t index) {
    const Run run = std::move(runs_[index]);
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(index));
    ::kill(run.pid, SIGKILL);
    Ending ending;
    while (::waitpid(run.pid, &ending.status, 0) < 0 && errno == EINTR) {
    }
    tell(run.ending.get(), ending);
  }

  static void tell(int pipe, const Ending& ending) {
    static_cast<void>(!::write(pipe, &ending, sizeof ending));
  }

  const std::filesystem::path& helper_;
  const CompilerLimits& limits_;
  UniqueFd socket_;
  std::vector<Run> runs_;
};

/// A run in the other process: its end comes through a pipe, and closing that ends it.
class DistantRun final : public HelperRun {
 public:
  DistantRun(const std::filesystem::path& helper, UniqueFd ending)
      : helper_(helper), ending_(std::move(ending)) {}

  bool ended_within(std::chrono::milliseconds time) override {
    pollfd entry{.fd = ending_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
  }

  Result<int> status() override {
    Ending ending;
    ssize_t count = 0;
    do {
      count = ::read(ending_.get(), &ending, sizeof ending);
    } while (count < 0 && errno == EINTR);
    if (count != sizeof ending) {
      return fail(ErrorCode::unavailable,
                  "the process that starts the compiler has gone; start this server again");
    }
    if (ending.error == EBUSY) {
      return fail(ErrorCode::unavailable, "{} components are being compiled; try again later",
                  maximum_runs);
    }
    if (ending.error != 0) return std::unexpected(helper_not_started(helper_, ending.error));
    return ending.status;
  }

 private:
  const std::filesystem::path& helper_;
  UniqueFd ending_;
};

}  // namespace

Result<std::unique_ptr<CompilerKeeper>> CompilerKeeper::start(const std::filesystem::path& helper,
                                                              const CompilerLimits& limits) {
  const auto failed = [] {
    return fail(ErrorCode::internal, "the process that starts the compiler does not start: {}",
                errno_text(errno));
  };
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return failed();
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  const pid_t server = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return failed();
  if (child == 0) {
    ours.reset();
    KeeperProcess(helper, limits, std::move(theirs)).run(server);
  }
  return std::unique_ptr<CompilerKeeper>(new CompilerKeeper(helper, child, std::move(ours)));
}

Result<std::unique_ptr<HelperRun>> CompilerKeeper::start(bool fuel, const HelperFiles& files) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::unavailable, "no pipe to the compiler: {}", errno_text(errno));
  }
  UniqueFd ending(pipe[0]);
  const UniqueFd told(pipe[1]);
  const std::array descriptors{files.input, files.code, files.text, told.get()};
  char kind = fuel ? 'f' : 'p';
  iovec data{.iov_base = &kind, .iov_len = 1};
  alignas(cmsghdr) ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptors);
  std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof descriptors);
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent != 1) {
    return fail(ErrorCode::unavailable,
                "the process that starts the compiler does not answer ({}); start this server "
                "again",
                errno_text(errno));
  }
  return std::make_unique<DistantRun>(helper_, std::move(ending));
}

}  // namespace belljar::engine
