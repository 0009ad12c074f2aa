// A client of `belljar serve --stdio`, in either era of the protocol: as correct as the test wants.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "child.h"

namespace belljar::attacks {

using Json = nlohmann::json;

/// How a client speaks: with `initialize` once, or with everything in each request.
enum class Era { handshake, stateless };

/// A running server, seen from its client. Every wait has a deadline; one that passes fails the
/// test, with what the server wrote to standard error.
class Server {
 public:
  Server(const Child::Options& options, Era era, std::string version);

  /// Sends these bytes as they are.
  void send_raw(std::string_view bytes) { child_.write(bytes); }
  /// Sends a line.
  void send(const Json& message) { child_.write(message.dump() + "\n"); }
  /// Sends a request as this era wants it; the answer's id.
  int request(std::string_view method, Json params = Json::object());
  void notify(std::string_view method, Json params = Json::object());
  /// The `_meta` that each request of the stateless era has to carry.
  [[nodiscard]] static Json meta();

  /// The oldest frame not yet taken that fits; null, and a failed test, when none comes.
  Json await(const std::function<bool(const Json&)>& fits, std::string_view what);
  /// The answer to a request, whole: with `result` or `error`.
  Json await_answer(const Json& id);
  Json await_notification(std::string_view method);
  /// Sends a request and waits for its answer.
  Json ask(std::string_view method, Json params = Json::object());
  /// Calls a tool; its result, with `content` and `isError`. A protocol error fails the test.
  Json call(std::string_view tool, Json arguments = Json::object());
  int start_call(std::string_view tool, Json arguments = Json::object());
  /// All tools of all pages.
  std::vector<Json> list_tools();

  /// Moves everything that is queued to the server: fails the test where it stops reading.
  void flush();
  /// Frames that came and were not taken; what has already come is read first.
  [[nodiscard]] const std::deque<Json>& frames();
  /// Ends the standard input and gives the exit code; fails the test when the server lives on.
  int end();
  /// Whether the process still runs.
  [[nodiscard]] bool is_alive();
  [[nodiscard]] Child& child() { return child_; }
  [[nodiscard]] Era era() const { return era_; }

 private:
  void take_lines();

  Child child_;
  Era era_;
  int next_id_ = 1;
  std::size_t searched_ = 0;
  std::deque<Json> frames_;
};

/// The text of a tool's result.
[[nodiscard]] std::string text_of(const Json& result);
/// The code of an answer that is an error; 0 where it is none.
[[nodiscard]] int error_code(const Json& answer);

}  // namespace belljar::attacks
