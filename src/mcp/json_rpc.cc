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

/// An id is a string or an integer.
std::optional<RpcId> read_id(od::value value) {
  od::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return std::nullopt;
  std::string_view token = value.raw_json_token();
  while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
  if (type == od::json_type::string) {
    std::string_view unescaped;
    if (value.get_string().get(unescaped) != simdjson::SUCCESS) return std::nullopt;
    return RpcId(token);
  }
  const bool integer = type == od::json_type::number && token.size() <= 32 &&
                       std::all_of(token.begin(), token.end(),
                                   [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
  if (!integer) return std::nullopt;
  return RpcId(token);
}

/// Reads one message object. simdjson reads forward only, so the members are taken as they come.
RpcParser::One read_message(od::object object) {
  RpcMessage message;
  std::optional<RpcId> id;
  bool has_id = false;
  bool has_method = false;
  bool has_answer = false;
  bool version = false;
  unsigned seen = 0;
  for (auto field : object) {
    od::field member;
    if (std::move(field).get(member) != simdjson::SUCCESS) {
      return RpcError{RpcCode::parse_error, "not valid JSON", {}, id};
    }
    std::string_view key;
    if (member.unescaped_key().get(key) != simdjson::SUCCESS) {
      return RpcError{RpcCode::parse_error, "not valid JSON", {}, id};
    }
    const auto once = [&](unsigned bit) { return (std::exchange(seen, seen | bit) & bit) == 0; };
    bool fresh = true;
    if (key == "jsonrpc") {
      fresh = once(1);
      std::string_view text;
      version = member.value().get_string().get(text) == simdjson::SUCCESS && text == "2.0";
    } else if (key == "id") {
      fresh = once(2);
      has_id = true;
      id = read_id(member.value());
    } else if (key == "method") {
      fresh = once(4);
      std::string_view text;
      if (member.value().get_string().get(text) != simdjson::SUCCESS) {
        return invalid("\"method\" has to be a string", id);
      }
      message.method = text;
      has_method = true;
    } else if (key == "params") {
      fresh = once(8);
      od::object params;
      if (member.value().get_object().get(params) == simdjson::SUCCESS) {
        if (params.raw_json().get(message.params) != simdjson::SUCCESS) {
          return RpcError{RpcCode::parse_error, "not valid JSON", {}, id};
        }
      } else if (!member.value().is_null()) {
        message.params = "[";
      }
    } else if (key == "result" || key == "error") {
      has_answer = true;
    }
    if (!fresh) return invalid(fmt::format("\"{}\" is given twice", key), id);
  }
  if (!version) return invalid("\"jsonrpc\" has to be \"2.0\"", id);
  if (has_answer && !has_method) {
    message.kind = RpcMessage::Kind::response;
    return message;
  }
  if (!has_method) return invalid("\"method\" is missing", id);
  if (has_id && !id) return invalid("\"id\" has to be a string or an integer");
  if (message.params == "[") {
    return RpcError{RpcCode::invalid_params, "\"params\" has to be an object", {}, id};
  }
  if (message.params.empty()) message.params = "{}";
  message.kind = id ? RpcMessage::Kind::request : RpcMessage::Kind::notification;
  message.id = std::move(id).value_or(RpcId());
  return message;
}

}  // namespace

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
