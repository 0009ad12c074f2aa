#include "server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace belljar::attacks {
namespace {

constexpr std::string_view prefix = "io.modelcontextprotocol/";

}  // namespace

Server::Server(const Child::Options& options, Era era, std::string version)
    : child_(options), era_(era) {
  if (era == Era::stateless) return;
  const Json answer = ask("initialize", {{"protocolVersion", version},
                                         {"capabilities", Json::object()},
                                         {"clientInfo", {{"name", "attacker"}, {"version", "1"}}}});
  if (!answer.contains("result") || answer["result"]["protocolVersion"] != version) {
    ADD_FAILURE() << "the server did not take the handshake: " << answer;
  }
  notify("notifications/initialized");
}

Json Server::meta() {
  return {{std::string(prefix) + "protocolVersion", "2026-07-28"},
          {std::string(prefix) + "clientCapabilities", Json::object()}};
}

int Server::request(std::string_view method, Json params) {
  const int id = next_id_++;
  if (era_ == Era::stateless) {
    Json own = meta();
    if (params.contains("_meta")) own.update(params["_meta"]);
    params["_meta"] = std::move(own);
  }
  send({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}});
  return id;
}

void Server::notify(std::string_view method, Json params) {
  send({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

void Server::take_lines() {
  std::string& out = child_.out();
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = out.find('\n', std::max(begin, searched_));
    if (end == std::string::npos) break;
    const std::string_view line = std::string_view(out).substr(begin, end - begin);
    Json frame = Json::parse(line, nullptr, false);
    if (frame.is_discarded()) {
      ADD_FAILURE() << "standard output carries something that is no frame: "
                    << line.substr(0, 400);
    } else {
      frames_.push_back(std::move(frame));
    }
    begin = end + 1;
  }
  out.erase(0, begin);
  searched_ = out.size();
}

Json Server::await(const std::function<bool(const Json&)>& fits, std::string_view what) {
  const Deadline deadline = soon();
  std::size_t seen = 0;
  while (true) {
    for (; seen < frames_.size(); ++seen) {
      if (!fits(frames_[seen])) continue;
      Json frame = std::move(frames_[seen]);
      frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(seen));
      return frame;
    }
    if (!child_.pump(deadline)) break;
    take_lines();
  }
  ADD_FAILURE() << "never came: " << what << "; the server "
                << (is_alive() ? "still runs" : "has ended") << " and wrote to standard error:\n"
                << child_.err();
  return nullptr;
}

Json Server::await_answer(const Json& id) {
  return await(
      [&](const Json& frame) {
        return frame.is_object() && frame.contains("id") && frame["id"] == id &&
               !frame.contains("method");
      },
      "the answer to request " + id.dump());
}

Json Server::await_notification(std::string_view method) {
  return await(
      [&](const Json& frame) {
        return frame.is_object() && !frame.contains("id") && frame.value("method", "") == method;
      },
      "a notification " + std::string(method));
}

Json Server::ask(std::string_view method, Json params) {
  return await_answer(request(method, std::move(params)));
}

int Server::start_call(std::string_view tool, Json arguments) {
  return request("tools/call", {{"name", tool}, {"arguments", std::move(arguments)}});
}

Json Server::call(std::string_view tool, Json arguments) {
  const Json answer = await_answer(start_call(tool, std::move(arguments)));
  if (answer.is_object() && answer.contains("result")) return answer["result"];
  ADD_FAILURE() << "the call of " << tool << " ended in a protocol error: " << answer
                << "; standard error:\n"
                << child_.err();
  return Json::object();
}

std::vector<Json> Server::list_tools() {
  std::vector<Json> tools;
  Json params = Json::object();
  while (true) {
    const Json answer = ask("tools/list", params);
    if (!answer.is_object() || !answer.contains("result")) {
      ADD_FAILURE() << "tools/list failed: " << answer;
      return tools;
    }
    for (const Json& tool : answer["result"]["tools"]) tools.push_back(tool);
    if (!answer["result"].contains("nextCursor")) return tools;
    params["cursor"] = answer["result"]["nextCursor"];
  }
}

void Server::flush() {
  const Deadline deadline = soon();
  while (child_.unwritten() > 0 && child_.pump(deadline)) take_lines();
  if (child_.unwritten() > 0) {
    ADD_FAILURE() << "the server stopped reading with " << child_.unwritten() << " bytes to go";
  }
}

const std::deque<Json>& Server::frames() {
  while (child_.pump(std::chrono::steady_clock::now())) {
  }
  take_lines();
  return frames_;
}

int Server::end() {
  child_.end_input();
  const auto code = child_.wait(soon());
  take_lines();
  if (!code) {
    ADD_FAILURE() << "the server did not end with its input; standard error:\n" << child_.err();
    return -1;
  }
  return *code;
}

bool Server::is_alive() { return !child_.wait(std::chrono::steady_clock::now()).has_value(); }

std::string text_of(const Json& result) {
  if (!result.contains("content") || result["content"].empty()) return {};
  return result["content"][0].value("text", "");
}

int error_code(const Json& answer) {
  if (!answer.is_object() || !answer.contains("error")) return 0;
  return answer["error"].value("code", 0);
}

}  // namespace belljar::attacks
