#include "toolbox/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "support/result.h"
#include "support/text.h"
#include "toolbox/docs.h"

namespace belljar::toolbox {
namespace {

using engine::Member;
using engine::Primitive;
using engine::Type;
using engine::TypeDefinition;
using engine::TypeIndex;
using engine::TypeKind;

constexpr std::size_t maximum_parts = 20'000;
constexpr std::size_t maximum_text = 256 * 1024;
constexpr std::size_t maximum_docs = 4'096;
constexpr int maximum_depth = 64;

/// The largest integer that is exact in every JSON reader.
constexpr std::int64_t exact = (std::int64_t{1} << 53) - 1;

Json integer(std::int64_t low, std::int64_t high) {
  return {{"type", "integer"}, {"minimum", low}, {"maximum", high}};
}

/// Beyond 2^53 a number is sent as a string of digits.
Json wide_integer(bool is_signed) {
  return {{"type", {"integer", "string"}},
          {"minimum", is_signed ? -exact : 0},
          {"maximum", exact},
          {"pattern", is_signed ? "^(0|-?[1-9][0-9]{0,18})$" : "^(0|[1-9][0-9]{0,19})$"}};
}

Json primitive_schema(Primitive primitive) {
  switch (primitive) {
    case Primitive::boolean: return {{"type", "boolean"}};
    case Primitive::u8: return integer(0, 255);
    case Primitive::u16: return integer(0, 65'535);
    case Primitive::u32: return integer(0, 4'294'967'295);
    case Primitive::s8: return integer(-128, 127);
    case Primitive::s16: return integer(-32'768, 32'767);
    case Primitive::s32: return integer(-2'147'483'648, 2'147'483'647);
    case Primitive::u64: return wide_integer(false);
    case Primitive::s64: return wide_integer(true);
    case Primitive::f32:
    case Primitive::f64: return {{"type", {"number", "string"}}, {"pattern", "^(NaN|-?Infinity)$"}};
    case Primitive::character: return {{"type", "string"}, {"minLength", 1}, {"maxLength", 1}};
    case Primitive::string: return {{"type", "string"}};
  }
  return {};
}

Json closed_object(Json properties, Json required) {
  Json object{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) object["required"] = std::move(required);
  object["additionalProperties"] = false;
  return object;
}

/// Adds null to what a schema allows.
Json nullable(Json schema) {
  const auto type = schema.find("type");
  const bool simple = type != schema.end() && type->is_string() && !schema.contains("enum") &&
                      !schema.contains("oneOf");
  if (simple) {
    schema["type"] = Json::array({*type, "null"});
    return schema;
  }
  return {{"anyOf", Json::array({std::move(schema), Json{{"type", "null"}}})}};
}

std::string docs_of(const std::string& docs) {
  return std::string(trim(clean_text(docs, maximum_docs).text));
}

/// Puts documentation onto a schema, in front of what is there already.
void describe(Json& schema, const std::string& docs) {
  const std::string text = docs_of(docs);
  if (text.empty()) return;
  const std::string before = schema.value("description", "");
  schema["description"] = before.empty() ? text : text + "\n" + before;
}

/// Builds schemas, with a budget: types can be made to unfold without end.
class Builder {
 public:
  explicit Builder(const engine::Description& description) : description_(description) {}

  Result<Json> type(const Type& type) {
    if (++parts_ > maximum_parts || depth_ > maximum_depth) {
      return fail(ErrorCode::load_failed,
                  "its types unfold to more than can be shown to a model; use simpler ones");
    }
    if (const auto* primitive = std::get_if<Primitive>(&type)) return primitive_schema(*primitive);
    const TypeDefinition& definition = at(std::get<TypeIndex>(type));
    ++depth_;
    auto schema = defined(definition);
    --depth_;
    if (schema) {
      if (!definition.name.empty()) {
        if (!schema->contains("title")) (*schema)["title"] = definition.name;
      }
      describe(*schema, definition.docs);
    }
    return schema;
  }

  Result<Json> record(const std::vector<Member>& fields) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const Member& field : fields) {
      BELLJAR_TRY(Json schema, type(*field.type));
      describe(schema, field.docs);
      properties[field.name] = std::move(schema);
      if (!is_option(*field.type)) required.push_back(field.name);
    }
    return closed_object(std::move(properties), std::move(required));
  }

  /// Whether every value of the type is a JSON object.
  [[nodiscard]] bool is_object(const Type& type) const {
    const auto* index = std::get_if<TypeIndex>(&type);
    if (index == nullptr) return false;
    const TypeDefinition& definition = at(*index);
    switch (definition.kind) {
      case TypeKind::record:
      case TypeKind::variant:
      case TypeKind::result: return true;
      case TypeKind::map: return is_string(*definition.other);
      case TypeKind::future: return is_object(*definition.element);
      default: return false;
    }
  }

  [[nodiscard]] const TypeDefinition& at(TypeIndex index) const {
    return description_.types[index.value];
  }

 private:
  [[nodiscard]] static bool is_string(const Type& type) {
    const auto* primitive = std::get_if<Primitive>(&type);
    return primitive != nullptr && *primitive == Primitive::string;
  }

  [[nodiscard]] bool is_option(const Type& type) const {
    const auto* index = std::get_if<TypeIndex>(&type);
    return index != nullptr && at(*index).kind == TypeKind::option;
  }

  Result<Json> list(const Type& element) {
    const auto* primitive = std::get_if<Primitive>(&element);
    if (primitive != nullptr && *primitive == Primitive::u8) {
      return Json{{"type", "string"}, {"contentEncoding", "base64"}};
    }
    BELLJAR_TRY(Json items, type(element));
    return Json{{"type", "array"}, {"items", std::move(items)}};
  }

  Result<Json> tuple(std::vector<Type> types) {
    Json items = Json::array();
    for (const Type& item : types) {
      BELLJAR_TRY(Json schema, type(item));
      items.push_back(std::move(schema));
    }
    const std::size_t count = items.size();
    return Json{{"type", "array"},
                {"prefixItems", std::move(items)},
                {"items", false},
                {"minItems", count},
                {"maxItems", count}};
  }

  Result<Json> variant(const std::vector<Member>& cases) {
    Json alternatives = Json::array();
    for (const Member& member : cases) {
      Json properties{{"tag", {{"const", member.name}}}};
      Json required = Json::array({"tag"});
      if (member.type) {
        BELLJAR_TRY(properties["val"], type(*member.type));
        if (!is_option(*member.type)) required.push_back("val");
      }
      Json alternative = closed_object(std::move(properties), std::move(required));
      describe(alternative, member.docs);
      alternatives.push_back(std::move(alternative));
    }
    return Json{{"type", "object"}, {"oneOf", std::move(alternatives)}};
  }

  Result<Json> result(const TypeDefinition& definition) {
    Json alternatives = Json::array();
    const auto add = [&](const char* name, const std::optional<Type>& arm) -> Result<void> {
      Json value{{"type", "null"}};
      if (arm) {
        BELLJAR_TRY(value, type(*arm));
      }
      alternatives.push_back(closed_object({{name, std::move(value)}}, Json::array({name})));
      return {};
    };
    BELLJAR_CHECK(add("ok", definition.element));
    BELLJAR_CHECK(add("err", definition.other));
    return Json{{"type", "object"}, {"oneOf", std::move(alternatives)}};
  }

  static Json names(const std::vector<Member>& members) {
    Json list = Json::array();
    for (const Member& member : members) list.push_back(member.name);
    return list;
  }

  /// The documentation of an enum's or flags' members, which have no schema of their own.
  static std::string member_docs(const std::vector<Member>& members) {
    std::string text;
    for (const Member& member : members) {
      const std::string docs = docs_of(member.docs);
      if (!docs.empty())
        text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", member.name, docs);
    }
    return text;
  }

  Result<Json> defined(const TypeDefinition& definition) {
    switch (definition.kind) {
      case TypeKind::record: return record(definition.members);
      case TypeKind::variant: return variant(definition.members);
      case TypeKind::enumeration: {
        Json schema{{"type", "string"}, {"enum", names(definition.members)}};
        describe(schema, member_docs(definition.members));
        return schema;
      }
      case TypeKind::flags: {
        Json schema{{"type", "array"},
                    {"items", {{"type", "string"}, {"enum", names(definition.members)}}},
                    {"uniqueItems", true}};
        describe(schema, member_docs(definition.members));
        return schema;
      }
      case TypeKind::tuple: {
        std::vector<Type> types;
        for (const Member& member : definition.members) types.push_back(*member.type);
        return tuple(std::move(types));
      }
      case TypeKind::list:
      case TypeKind::stream: return list(*definition.element);
      case TypeKind::future: return type(*definition.element);
      case TypeKind::map: {
        if (!is_string(*definition.other)) {
          BELLJAR_TRY(Json pair, tuple({*definition.other, *definition.element}));
          return Json{{"type", "array"}, {"items", std::move(pair)}};
        }
        BELLJAR_TRY(Json values, type(*definition.element));
        return Json{{"type", "object"}, {"additionalProperties", std::move(values)}};
      }
      case TypeKind::option: {
        BELLJAR_TRY(Json inner, type(*definition.element));
        if (!is_option(*definition.element)) return nullable(std::move(inner));
        return nullable(closed_object({{"some", std::move(inner)}}, Json::array({"some"})));
      }
      case TypeKind::result: return result(definition);
      case TypeKind::own:
      case TypeKind::borrow:
      case TypeKind::resource:
        return Json{{"type", "string"},
                    {"description", fmt::format("a handle of a {}", definition.resource)}};
    }
    return Json{};
  }

  const engine::Description& description_;
  std::size_t parts_ = 0;
  int depth_ = 0;
};

Result<std::string> to_text(const Json& schema) {
  std::string text = schema.dump();
  if (text.size() > maximum_text) {
    return fail(ErrorCode::load_failed, "its schema is larger than {}",
                format_bytes(Bytes{maximum_text}));
  }
  return text;
}

}  // namespace

Result<Json> make_schema(const engine::Description& description, const engine::Type& type) {
  return Builder(description).type(type);
}

Result<ToolSchemas> make_schemas(const engine::Description& description,
                                 const engine::Function& function) {
  Builder builder(description);
  ToolSchemas schemas;
  std::vector<Member> parameters = function.parameters;
  const FunctionDocs docs = read_docs(function);
  for (Member& parameter : parameters) {
    const auto about = docs.parameters.find(parameter.name);
    if (about != docs.parameters.end()) parameter.docs = about->second;
  }
  BELLJAR_TRY(const Json input, builder.record(parameters));
  BELLJAR_TRY(schemas.input, to_text(input));
  std::optional<Type> result = function.result;
  // The error of a result is told as an error, so the schema is of the other arm.
  if (result) {
    if (const auto* index = std::get_if<TypeIndex>(&*result)) {
      const TypeDefinition& definition = builder.at(*index);
      if (definition.kind == TypeKind::result) result = definition.element;
    }
  }
  if (!result) return schemas;
  schemas.output_is_object = builder.is_object(*result);
  BELLJAR_TRY(const Json output, builder.type(*result));
  BELLJAR_TRY(schemas.output, to_text(output));
  return schemas;
}

ToolSchemas command_schemas() {
  const Json input = closed_object(
      {{"args",
        {{"type", "array"},
         {"items", {{"type", "string"}}},
         {"description", "The arguments, without the program's name"}}},
       {"stdin",
        {{"type", "string"}, {"description", "What the program reads from its standard input"}}}},
      Json::array());
  const Json output = closed_object({{"exit-code", {{"type", "integer"}}},
                                     {"stdout", {{"type", "string"}}},
                                     {"stderr", {{"type", "string"}}}},
                                    Json::array({"exit-code", "stdout", "stderr"}));
  return {input.dump(), output.dump(), true};
}

ToolSchemas drop_schemas(std::string_view resource) {
  const Json input = closed_object(
      {{"self",
        {{"type", "string"},
         {"description", fmt::format("the handle of the {} to give back", resource)}}}},
      Json::array({"self"}));
  return {input.dump(), {}, false};
}

}  // namespace belljar::toolbox
