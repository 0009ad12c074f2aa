#include "mcp/params.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace belljar::mcp {
namespace {

namespace od = simdjson::ondemand;

constexpr std::string_view version_key = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view capabilities_key = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view log_level_key = "io.modelcontextprotocol/logLevel";

/// Stops the reading; the message is for the client.
struct Malformed {
  std::string message;
};

void check(simdjson::error_code code) {
  if (code != simdjson::SUCCESS) throw Malformed{"the params are not valid JSON"};
}

std::optional<std::string> optional_string(od::value value) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

std::string string_member(od::value value, std::string_view name) {
  auto text = optional_string(value);
  if (!text) throw Malformed{fmt::format("\"{}\" has to be a string", name)};
  return *std::move(text);
}

/// What begins like a null need not be one.
bool is_null(od::value& value) {
  bool null = false;
  check(value.is_null().get(null));
  return null;
}

/// A string or integer as it was written.
std::optional<std::string> token_member(od::value value) {
  od::json_type type{};
  check(value.type().get(type));
  const std::string_view token = trim_token(value.raw_json_token());
  if (type == od::json_type::string) {
    std::string_view unescaped;
    check(value.get_string().get(unescaped));
    if (token.size() > longest_id) return std::nullopt;
    return std::string(token);
  }
  if (type != od::json_type::number || !is_integer_token(token)) return std::nullopt;
  return std::string(token);
}

/// Hands over the members, and refuses one that is given twice: of two readers, one could take the
/// first and the other the last, and what one has checked is not what the other does. `each` says
/// whether it knows the member; those that nobody reads may come as often as they like.
template <typename Each>
void each_member(od::object object, Each each) {
  std::vector<std::string> seen;
  for (auto field : object) {
    od::field member;
    check(std::move(field).get(member));
    std::string_view unescaped;
    check(member.unescaped_key().get(unescaped));
    // The key's buffer is used again for the value.
    std::string key(unescaped);
    if (!each(key, member.value())) continue;
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      throw Malformed{fmt::format("\"{}\" is given twice", key)};
    }
    seen.push_back(std::move(key));
  }
}

RequestMeta read_meta(od::object object) {
  RequestMeta meta;
  each_member(object, [&](const std::string& key, od::value value) {
    if (key == version_key) {
      meta.has_version = true;
      meta.version = optional_string(value);
    } else if (key == capabilities_key) {
      od::object capabilities;
      meta.has_capabilities = value.get_object().get(capabilities) == simdjson::SUCCESS;
      if (meta.has_capabilities) {
        std::string_view skipped;
        check(capabilities.raw_json().get(skipped));
      }
    } else if (key == log_level_key) {
      meta.has_log_level = true;
      meta.log_level = optional_string(value);
    } else if (key == "progressToken") {
      meta.progress_token = token_member(value);
    } else {
      return false;
    }
    return true;
  });
  return meta;
}

RequestParams read_object(od::object object) {
  RequestParams params;
  each_member(object, [&](const std::string& key, od::value value) {
    if (key == "name") {
      params.name = string_member(value, key);
    } else if (key == "arguments") {
      od::object arguments;
      if (value.get_object().get(arguments) == simdjson::SUCCESS) {
        check(arguments.raw_json().get(params.arguments));
      } else if (!is_null(value)) {
        throw Malformed{"\"arguments\" has to be an object"};
      }
    } else if (key == "cursor") {
      params.cursor = string_member(value, key);
    } else if (key == "level") {
      params.level = string_member(value, key);
    } else if (key == "protocolVersion") {
      params.protocol_version = string_member(value, key);
    } else if (key == "requestId") {
      params.request_id = token_member(value);
    } else if (key == "notifications") {
      od::object notifications;
      if (value.get_object().get(notifications) != simdjson::SUCCESS) {
        throw Malformed{"\"notifications\" has to be an object"};
      }
      params.has_notifications = true;
      each_member(notifications, [&](const std::string& wish, od::value wanted) {
        bool flag = false;
        if (wish != "toolsListChanged") return false;
        if (wanted.get_bool().get(flag) == simdjson::SUCCESS) params.tools_list_changed = flag;
        return true;
      });
    } else if (key == "_meta") {
      od::object meta;
      if (value.get_object().get(meta) != simdjson::SUCCESS) {
        throw Malformed{"\"_meta\" has to be an object"};
      }
      params.meta = read_meta(meta);
    } else {
      return false;
    }
    return true;
  });
  return params;
}

}  // namespace

std::variant<RequestParams, std::string> ParamsReader::read(std::string_view text) {
  try {
    od::document document;
    const simdjson::padded_string_view padded(text.data(), text.size(),
                                              text.size() + simdjson::SIMDJSON_PADDING);
    check(parser_.iterate(padded).get(document));
    od::object object;
    check(document.get_object().get(object));
    return read_object(object);
  } catch (const Malformed& malformed) {
    return malformed.message;
  }
}

}  // namespace belljar::mcp
