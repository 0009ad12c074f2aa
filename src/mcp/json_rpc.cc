#include "mcp/json_rpc.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "support/json.h"

namespace belljar::mcp {
namespace {

namespace od = simdjson::ondemand;

/// Members of a batch that are looked at.
constexpr std::size_t maximum_batch = 1'000;

RpcError invalid(std::string message, std::optional<RpcId> id = std::nullopt) {
  return {RpcCode::invalid_request, std::move(message), {}, std::move(id)};
}

/// An id is a string, not a long one, or an integer.
std::optional<RpcId> read_id(od::value value) {
  od::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return std::nullopt;
  const std::string_view token = trim_token(value.raw_json_token());
  if (token.size() > longest_id) return std::nullopt;
  if (type == od::json_type::string) {
    std::string_view unescaped;
    if (value.get_string().get(unescaped) != simdjson::SUCCESS) return std::nullopt;
    return RpcId(token);
  }
  if (type != od::json_type::number || !is_integer_token(token)) return std::nullopt;
  return RpcId(token);
}

/// Reads one message object. simdjson reads forward only, so the members are taken as they come,
/// and all of them: what comes behind an object that was left half-way is not where it seems.
RpcParser::One read_message(od::object object) {
  const RpcError broken{RpcCode::parse_error, "not valid JSON", {}, std::nullopt};
  RpcMessage message;
  std::optional<RpcId> id;
  /// The first thing that is wrong.
  std::string problem;
  bool has_id = false;
  bool has_method = false;
  bool has_answer = false;
  bool version = false;
  bool params_are_wrong = false;
  unsigned seen = 0;
  const auto wrong = [&](std::string text) {
    if (problem.empty()) problem = std::move(text);
  };
  for (auto field : object) {
    od::field member;
    if (std::move(field).get(member) != simdjson::SUCCESS) return broken;
    std::string_view key;
    if (member.unescaped_key().get(key) != simdjson::SUCCESS) return broken;
    const auto once = [&](unsigned bit) {
      if ((std::exchange(seen, seen | bit) & bit) == 0) return true;
      wrong(fmt::format("\"{}\" is given twice", key));
      return false;
    };
    if (key == "jsonrpc" && once(1)) {
      std::string_view text;
      version = member.value().get_string().get(text) == simdjson::SUCCESS && text == "2.0";
    } else if (key == "id" && once(2)) {
      has_id = true;
      id = read_id(member.value());
    } else if (key == "method" && once(4)) {
      has_method = true;
      std::string_view text;
      if (member.value().get_string().get(text) == simdjson::SUCCESS) {
        message.method = text;
      } else {
        wrong("\"method\" has to be a string");
      }
    } else if (key == "params" && once(8)) {
      od::object params;
      if (member.value().get_object().get(params) == simdjson::SUCCESS) {
        if (params.raw_json().get(message.params) != simdjson::SUCCESS) return broken;
      } else {
        // What begins like a null need not be one.
        bool null = false;
        if (member.value().is_null().get(null) != simdjson::SUCCESS) return broken;
        params_are_wrong = !null;
      }
    } else if (key == "result" || key == "error") {
      has_answer = true;
    }
  }
  if (!version) wrong("\"jsonrpc\" has to be \"2.0\"");
  const bool response = has_answer && !has_method;
  if (!response && !has_method) wrong("\"method\" is missing");
  if (!response && has_id && !id) {
    wrong("\"id\" has to be an integer or a string, of at most 1,024 bytes");
  }
  if (!problem.empty()) return invalid(std::move(problem), std::move(id));
  if (response) {
    message.kind = RpcMessage::Kind::response;
    return message;
  }
  // A notification is never answered, whatever is wrong with it.
  if (params_are_wrong && id) {
    return RpcError{RpcCode::invalid_params, "\"params\" has to be an object", {}, id};
  }
  if (message.params.empty()) message.params = "{}";
  message.kind = id ? RpcMessage::Kind::request : RpcMessage::Kind::notification;
  message.id = std::move(id).value_or(RpcId());
  return message;
}

}  // namespace

bool is_integer_token(std::string_view token) {
  constexpr std::size_t longest = 32;
  if (token.size() > longest) return false;
  if (token.starts_with('-')) token.remove_prefix(1);
  const bool leading_zero = token.size() > 1 && token.front() == '0';
  return !token.empty() && !leading_zero &&
         token.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view trim_token(std::string_view token) {
  const std::size_t end = token.find_last_not_of(" \t\r\n");
  return token.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

std::variant<RpcParser::Frame, RpcError> RpcParser::parse(std::string_view text) {
  const RpcError broken{RpcCode::parse_error, "not valid JSON", {}, std::nullopt};
  od::document document;
  const simdjson::padded_string_view padded(text.data(), text.size(),
                                            text.size() + simdjson::SIMDJSON_PADDING);
  if (parser_.iterate(padded).get(document) != simdjson::SUCCESS) return broken;
  od::json_type type{};
  if (document.type().get(type) != simdjson::SUCCESS) return broken;
  Frame frame;
  if (type == od::json_type::object) {
    od::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) return broken;
    frame.members.push_back(read_message(object));
  } else if (type == od::json_type::array) {
    frame.is_batch = true;
    od::array array;
    if (document.get_array().get(array) != simdjson::SUCCESS) return broken;
    for (auto item : array) {
      od::value value;
      if (std::move(item).get(value) != simdjson::SUCCESS) return broken;
      od::object object;
      if (value.get_object().get(object) == simdjson::SUCCESS) {
        frame.members.push_back(read_message(object));
      } else {
        frame.members.push_back(invalid("a member of the batch is not an object"));
      }
      if (frame.members.size() > maximum_batch) {
        return RpcError{RpcCode::invalid_request, "the batch has too many members", {}, {}};
      }
    }
  } else {
    // By its first character alone, "nonsense" looks like a null.
    if (!parse_json(text, Bytes{text.size()})) return broken;
    return RpcError{RpcCode::invalid_request, "a message has to be an object", {}, std::nullopt};
  }
  // Where the document ends, there is no location any more.
  const char* rest = nullptr;
  if (document.current_location().get(rest) == simdjson::SUCCESS) return broken;
  // A member that was cut short can look like a shorter one; the whole frame is wrong then.
  for (const One& member : frame.members) {
    const auto* error = std::get_if<RpcError>(&member);
    if (error != nullptr && error->code == RpcCode::parse_error) return *error;
  }
  return frame;
}

std::string result_frame(std::string_view id, std::string_view result) {
  std::string frame;
  frame.reserve(result.size() + id.size() + 40);
  frame += "{\"jsonrpc\":\"2.0\",\"id\":";
  frame += id;
  frame += ",\"result\":";
  frame += result;
  frame += '}';
  return frame;
}

std::string error_frame(const RpcError& error) {
  std::string frame = "{\"jsonrpc\":\"2.0\"";
  if (error.id) {
    frame += ",\"id\":";
    frame += *error.id;
  }
  frame += fmt::format(",\"error\":{{\"code\":{},\"message\":{}", static_cast<int>(error.code),
                       json_string(error.message));
  if (!error.data.empty()) {
    frame += ",\"data\":";
    frame += error.data;
  }
  return frame + "}}";
}

std::string notification_frame(std::string_view method, std::string_view params) {
  return fmt::format("{{\"jsonrpc\":\"2.0\",\"method\":\"{}\",\"params\":{}}}", method, params);
}

}  // namespace belljar::mcp
