#include "engine/wit.h"

#include <array>
#include <utility>

#include "support/json.h"
#include "support/result.h"

namespace belljar::engine {
namespace {

constexpr Bytes description_limit{64 << 20};

constexpr std::array primitives{
    std::pair{"bool", Primitive::boolean},  std::pair{"u8", Primitive::u8},
    std::pair{"u16", Primitive::u16},       std::pair{"u32", Primitive::u32},
    std::pair{"u64", Primitive::u64},       std::pair{"s8", Primitive::s8},
    std::pair{"s16", Primitive::s16},       std::pair{"s32", Primitive::s32},
    std::pair{"s64", Primitive::s64},       std::pair{"f32", Primitive::f32},
    std::pair{"f64", Primitive::f64},       std::pair{"char", Primitive::character},
    std::pair{"string", Primitive::string},
};

constexpr std::array kinds{
    std::pair{"record", TypeKind::record},    std::pair{"variant", TypeKind::variant},
    std::pair{"enum", TypeKind::enumeration}, std::pair{"flags", TypeKind::flags},
    std::pair{"tuple", TypeKind::tuple},      std::pair{"list", TypeKind::list},
    std::pair{"map", TypeKind::map},          std::pair{"option", TypeKind::option},
    std::pair{"result", TypeKind::result},    std::pair{"stream", TypeKind::stream},
    std::pair{"future", TypeKind::future},    std::pair{"own", TypeKind::own},
    std::pair{"borrow", TypeKind::borrow},    std::pair{"resource", TypeKind::resource},
};

constexpr std::array function_kinds{
    std::pair{"function", FunctionKind::plain},
    std::pair{"constructor", FunctionKind::constructor},
    std::pair{"method", FunctionKind::method},
    std::pair{"static", FunctionKind::fixed},
};

template <typename Table>
auto look_up(const Table& table, const Json& value) -> decltype(table.front().second) {
  const auto& name = value.get_ref<const std::string&>();
  for (const auto& [known, meaning] : table) {
    if (name == known) return meaning;
  }
  throw std::invalid_argument("unknown name \"" + name + "\"");
}

/// Reads JSON by nlohmann's throwing accessors; the one caller turns exceptions into an error.
class DescriptionReader {
 public:
  explicit DescriptionReader(const Json& json) : json_(json) {}

  Description read() {
    Description description;
    description.is_component = json_.at("kind") == "component";
    description.imports = json_.at("imports").get<std::vector<std::string>>();
    for (const Json& type : json_.at("types")) {
      description.types.push_back(definition(type));
      ++known_types_;
    }
    for (const Json& function : json_.at("functions")) {
      description.functions.push_back(this->function(function));
    }
    description.docs = json_.value("docs", "");
    if (const auto manifest = json_.find("manifest"); manifest != json_.end()) {
      description.manifest = manifest->get<std::string>();
    }
    return description;
  }

 private:
  Type type(const Json& value) const {
    if (value.is_string()) return look_up(primitives, value);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= known_types_) {
      throw std::invalid_argument("a type refers to none before it");
    }
    return TypeIndex{value.get<std::uint32_t>()};
  }

  std::optional<Type> optional_type(const Json& holder, const char* key) const {
    const auto found = holder.find(key);
    if (found == holder.end() || found->is_null()) return std::nullopt;
    return type(*found);
  }

  /// Fields and parameters.
  std::vector<Member> typed_members(const Json& list) const {
    std::vector<Member> result = members(list);
    for (const Member& member : result) {
      if (!member.type) throw std::invalid_argument("a field or parameter has no type");
    }
    return result;
  }

  std::vector<Member> members(const Json& list) const {
    std::vector<Member> result;
    for (const Json& item : list) {
      result.push_back({item.at("name").get<std::string>(), optional_type(item, "type"),
                        item.value("docs", "")});
    }
    return result;
  }

  TypeDefinition definition(const Json& value) const {
    TypeDefinition type;
    type.kind = look_up(kinds, value.at("kind"));
    type.name = value.value("name", "");
    type.docs = value.value("docs", "");
    switch (type.kind) {
      case TypeKind::record: type.members = typed_members(value.at("fields")); break;
      case TypeKind::variant:
      case TypeKind::enumeration:
      case TypeKind::flags: type.members = members(value.at("cases")); break;
      case TypeKind::tuple:
        for (const Json& item : value.at("items")) {
          type.members.push_back({{}, this->type(item), {}});
        }
        break;
      case TypeKind::list:
      case TypeKind::option:
      case TypeKind::stream:
      case TypeKind::future: type.element = this->type(value.at("element")); break;
      case TypeKind::map:
        type.element = this->type(value.at("value"));
        type.other = this->type(value.at("key"));
        break;
      case TypeKind::result:
        type.element = optional_type(value, "ok");
        type.other = optional_type(value, "err");
        break;
      case TypeKind::own:
      case TypeKind::borrow: type.resource = value.at("resource").get<std::string>(); break;
      case TypeKind::resource: break;
    }
    return type;
  }

  Function function(const Json& value) const {
    Function function;
    function.interface = value.at("interface").get<std::string>();
    function.name = value.at("name").get<std::string>();
    function.kind = look_up(function_kinds, value.at("kind"));
    function.resource = value.value("resource", "");
    function.asynchronous = value.at("async").get<bool>();
    function.parameters = typed_members(value.at("params"));
    function.result = optional_type(value, "result");
    function.docs = value.value("docs", "");
    return function;
  }

  const Json& json_;
  std::uint32_t known_types_ = 0;
};

}  // namespace

Result<Description> parse_description(std::string_view text) {
  BELLJAR_TRY(const Json json, parse_json(text, description_limit));
  try {
    return DescriptionReader(json).read();
  } catch (const std::exception& error) {
    return fail(ErrorCode::load_failed, "the component's description cannot be read: {}",
                error.what());
  }
}

}  // namespace belljar::engine
