#include "cli/arguments.h"

#include <fmt/format.h>

#include <set>

#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

constexpr Bytes arguments_limit{64 << 20};

/// Whether a schema takes values of this JSON type. Follows the alternatives of options.
bool takes(const Json& schema, std::string_view type) {
  if (!schema.is_object()) return false;
  const auto own = schema.find("type");
  if (own != schema.end()) {
    if (own->is_string() && own->get<std::string>() == type) return true;
    if (own->is_array()) {
      for (const Json& one : *own) {
        if (one.is_string() && one.get<std::string>() == type) return true;
      }
    }
  }
  for (const char* const alternatives : {"anyOf", "oneOf"}) {
    const auto found = schema.find(alternatives);
    if (found == schema.end() || !found->is_array()) continue;
    for (const Json& one : *found) {
      if (takes(one, type)) return true;
    }
  }
  return false;
}

Json read_value(const std::string& text, const Json& schema) {
  // "007" stays what it is where a string is wanted, and so does "null", unless the value may be
  // left out.
  const bool other = takes(schema, "number") || takes(schema, "integer") ||
                     takes(schema, "boolean") || takes(schema, "array") || takes(schema, "object");
  if (takes(schema, "string") && !other) {
    if (text == "null" && takes(schema, "null")) return nullptr;
    return text;
  }
  auto parsed = parse_json(text, arguments_limit);
  if (!parsed) return text;
  return *std::move(parsed);
}

}  // namespace

Result<std::string> make_arguments(const std::vector<std::string>& words,
                                   std::string_view input_schema) {
  if (words.empty()) return "{}";
  if (words.size() == 1 && trim(words.front()).starts_with('{')) return words.front();
  BELLJAR_TRY(const Json schema, parse_json(input_schema, arguments_limit));
  const Json properties = schema.value("properties", Json::object());
  Json arguments = Json::object();
  std::set<std::string> repeated;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::invalid_argument,
                  "\"{}\" is no argument; write key=value, or one JSON object in quotes",
                  one_line(word, 80));
    }
    const std::string key = word.substr(0, equals);
    const std::string text = word.substr(equals + 1);
    const Json property = properties.value(key, Json::object());
    const bool again = arguments.contains(key);
    if (!takes(property, "array")) {
      if (again) {
        return fail(ErrorCode::invalid_argument, "\"{}\" is given twice", one_line(key, 60));
      }
      arguments[key] = read_value(text, property);
    } else if (!again && text.starts_with('[')) {
      arguments[key] = read_value(text, property);
    } else {
      if (!again) arguments[key] = Json::array();
      if (!arguments[key].is_array()) {
        return fail(ErrorCode::invalid_argument, "\"{}\" is given twice", one_line(key, 60));
      }
      arguments[key].push_back(read_value(text, property.value("items", Json::object())));
    }
  }
  return arguments.dump();
}

}  // namespace belljar::cli
