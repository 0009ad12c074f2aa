// How commands talk to the servers of this user that run: a socket for each.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "belljar/error.h"
#include "support/file.h"
#include "support/json.h"

namespace belljar::runtime {

/// A socket of this process for commands. It is made apart from what answers there, because a
/// confined process can make none.
class ControlSocket {
 public:
  /// Listens in `folder`, which only this user may enter.
  [[nodiscard]] static Result<ControlSocket> make(const std::filesystem::path& folder);
  ControlSocket(ControlSocket&&) = default;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  [[nodiscard]] int descriptor() const noexcept { return listener_.get(); }
  /// Takes its name away and wakes whoever waits for connections.
  void close() const;

 private:
  ControlSocket(UniqueFd listener, std::filesystem::path path)
      : listener_(std::move(listener)), path_(std::move(path)) {}

  UniqueFd listener_;
  std::filesystem::path path_;
};

/// Listens for commands of the same user. A request is one JSON object, and so is its answer.
/// Requests carry no authority: a server that is asked to load something looks in the state for
/// what a person put there.
class ControlServer {
 public:
  /// Answers a request; a request to stop is made when the server ends. From several threads.
  using Handler = std::function<Json(const Json&, const std::stop_token&)>;

  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(ControlSocket socket,
                                                                    Handler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  ControlServer(ControlSocket socket, Handler handler);
  void run();
  void answer_elsewhere(const std::shared_ptr<UniqueFd>& connection);
  void answer(UniqueFd connection);

  ControlSocket socket_;
  Handler handler_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t answering_ = 0;
  std::thread thread_;
};

/// What one server said.
struct ControlAnswer {
  /// The server's process.
  std::int64_t process = 0;
  Json json;
};

/// Asks every running server of this user, one after the other. Sockets that nobody listens on any
/// more are removed. `patience` holds for each answer.
[[nodiscard]] std::vector<ControlAnswer> ask_servers(const std::filesystem::path& folder,
                                                     const Json& request,
                                                     std::chrono::seconds patience);

}  // namespace belljar::runtime
