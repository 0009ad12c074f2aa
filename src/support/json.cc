#include "support/json.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "support/result.h"
#include "support/text.h"

namespace belljar {
namespace {

constexpr int maximum_depth = 64;

}  // namespace

Result<Json> parse_json(std::string_view text, Bytes limit) {
  if (text.size() > limit.value) {
    return fail(ErrorCode::invalid_argument, "JSON of {}; at most {} are read",
                format_bytes(Bytes{text.size()}), format_bytes(limit));
  }
  std::string problem;
  std::vector<std::set<std::string>> keys;
  const Json::parser_callback_t check = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > maximum_depth && problem.empty()) problem = "nested deeper than 64";
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys.back().insert(key).second && problem.empty()) {
        problem = fmt::format("the key \"{}\" is given twice", one_line(key, 60));
      }
    }
    return problem.empty();
  };
  try {
    Json value = Json::parse(text, check);
    if (!problem.empty()) return fail(ErrorCode::invalid_argument, "{}", problem);
    return value;
  } catch (const Json::exception& error) {
    if (!problem.empty()) return fail(ErrorCode::invalid_argument, "{}", problem);
    // The library's own prefix, "[json.exception.parse_error.101] ", tells the reader nothing.
    std::string_view message = error.what();
    if (const std::size_t end = message.find("] "); end != std::string_view::npos) {
      message.remove_prefix(end + 2);
    }
    return fail(ErrorCode::invalid_argument, "not valid JSON: {}", one_line(message));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  if (!is_utf8(text)) {
    return append_json_string(out, clean_utf8(text));
  }
  out.push_back('"');
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, start, i - start);
    start = i + 1;
    switch (byte) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        out += "\\u00";
        out.push_back(hex[byte >> 4]);
        out.push_back(hex[byte & 0xF]);
    }
  }
  out.append(text, start, text.size() - start);
  out.push_back('"');
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace belljar
