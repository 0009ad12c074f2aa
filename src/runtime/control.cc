#include "runtime/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "support/crypto.h"
#include "support/result.h"

namespace belljar::runtime {
namespace {

constexpr Bytes message_limit{16 << 20};
constexpr std::chrono::seconds request_patience{5};
constexpr std::chrono::milliseconds retry_interval{100};
/// Requests that are answered at once; more are turned away.
constexpr std::size_t maximum_answering = 16;
constexpr std::string_view socket_ending = ".sock";

/// The address of a socket: a path of at most 107 bytes.
struct Address {
  sockaddr_un address{};
  socklen_t length = 0;
};

Result<Address> address_of(const std::filesystem::path& path) {
  Address made;
  made.address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof made.address.sun_path) {
    return fail(ErrorCode::unavailable,
                "{}: this path is too long for a socket (107 bytes); set BELLJAR_HOME or "
                "XDG_RUNTIME_DIR to a shorter one",
                text);
  }
  std::copy(text.begin(), text.end(), made.address.sun_path);
  made.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + 1);
  return made;
}

void set_patience(int socket, std::chrono::seconds patience) {
  const timeval time{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

bool is_same_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == ::geteuid();
}

/// Sends a message and says that nothing follows it.
Result<void> send_message(int socket, const Json& json) {
  const std::string text = to_text(json);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return fail(ErrorCode::unavailable, "{}", errno_text(errno));
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  ::shutdown(socket, SHUT_WR);
  return {};
}

Result<Json> receive_message(int socket) {
  BELLJAR_TRY(const std::string text, read_all(socket, message_limit));
  return parse_json(text, message_limit);
}

}  // namespace

Result<ControlSocket> ControlSocket::make(const std::filesystem::path& folder) {
  BELLJAR_CHECK(make_private_directory(folder));
  // Two processes have one number where they are in different containers.
  auto path = folder / fmt::format("{}-{}{}", ::getpid(), to_hex(random_bytes<4>()), socket_ending);
  BELLJAR_TRY(const Address address, address_of(path));
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address.address), address.length) !=
          0 ||
      ::listen(listener.get(), 16) != 0) {
    return fail(ErrorCode::unavailable, "{}: {}", path.native(), errno_text(errno));
  }
  return ControlSocket(std::move(listener), std::move(path));
}

ControlSocket::~ControlSocket() {
  if (listener_) close();
}

void ControlSocket::close() const {
  ::unlink(path_.c_str());
  ::shutdown(listener_.get(), SHUT_RDWR);
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(ControlSocket socket, Handler handler) {
  std::unique_ptr<ControlServer> server(new ControlServer(std::move(socket), std::move(handler)));
  try {
    server->thread_ = std::thread([raw = server.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
  }
  return server;
}

ControlServer::ControlServer(ControlSocket socket, Handler handler)
    : socket_(std::move(socket)), handler_(std::move(handler)) {}

ControlServer::~ControlServer() {
  stop_.request_stop();
  changed_.notify_all();
  socket_.close();
  if (thread_.joinable()) thread_.join();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return answering_ == 0; });
}

void ControlServer::run() {
  while (!stop_.stop_requested()) {
    pollfd entry{.fd = socket_.descriptor(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, -1) < 0 && errno != EINTR) return;
    UniqueFd connection(::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) {
      // Without a free descriptor the connection stays waiting, and so would not we.
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, retry_interval, [&] { return stop_.stop_requested(); });
      continue;
    }
    if (!is_same_user(connection.get())) continue;
    set_patience(connection.get(), request_patience);
    {
      const std::lock_guard lock(mutex_);
      if (answering_ >= maximum_answering) continue;
      ++answering_;
    }
    answer_elsewhere(std::make_shared<UniqueFd>(std::move(connection)));
  }
}

void ControlServer::answer_elsewhere(const std::shared_ptr<UniqueFd>& connection) {
  const auto ended = [this] {
    const std::lock_guard lock(mutex_);
    --answering_;
    changed_.notify_all();
  };
  try {
    // A request may take as long as compiling does, and the next one shall not wait for it.
    std::thread([this, connection, ended] {
      answer(std::move(*connection));
      ended();
    }).detach();
  } catch (const std::system_error&) {
    // Few bytes, for which a fresh connection has room.
    static_cast<void>(
        send_message(connection->get(), {{"error", "the server has no thread to answer with"}}));
    ended();
  }
}

void ControlServer::answer(UniqueFd connection) {
  const auto request = receive_message(connection.get());
  if (!request || !request->is_object()) return;
  const Json answer = [&]() -> Json {
    try {
      return handler_(*request, stop_.get_token());
    } catch (const Json::exception& error) {
      return {{"error", std::string("the request has an unexpected form: ") + error.what()}};
    }
  }();
  static_cast<void>(send_message(connection.get(), answer));
}

std::vector<ControlAnswer> ask_servers(const std::filesystem::path& folder, const Json& request,
                                       std::chrono::seconds patience) {
  std::vector<std::filesystem::path> sockets;
  std::error_code error;
  // In a folder of somebody else's, its sockets are whatever that one likes.
  if (!std::filesystem::exists(folder, error) || !make_private_directory(folder)) return {};
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == socket_ending) sockets.push_back(entry.path());
  }
  std::sort(sockets.begin(), sockets.end());
  std::vector<ControlAnswer> answers;
  for (const auto& path : sockets) {
    const auto address = address_of(path);
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!address || !socket) continue;
    set_patience(socket.get(), patience);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address),
                  address->length) != 0) {
      if (errno == ECONNREFUSED) ::unlink(path.c_str());
      continue;
    }
    if (!is_same_user(socket.get()) || !send_message(socket.get(), request)) continue;
    auto answer = receive_message(socket.get());
    if (!answer || !answer->is_object()) continue;
    answers.push_back({std::atoll(path.stem().c_str()), *std::move(answer)});
  }
  return answers;
}

}  // namespace belljar::runtime
