// A component's interface: functions, types, documentation, as its WIT says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "belljar/error.h"

namespace belljar::engine {

enum class Primitive {
  boolean,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f32,
  f64,
  character,
  string,
};

/// Index into the types of a description. A type refers only to types before it.
struct TypeIndex {
  std::uint32_t value = 0;
  friend auto operator<=>(const TypeIndex&, const TypeIndex&) = default;
};

using Type = std::variant<Primitive, TypeIndex>;

enum class TypeKind {
  record,
  variant,
  enumeration,
  flags,
  tuple,
  list,
  map,
  option,
  result,
  stream,
  future,
  own,
  borrow,
  resource,
};

/// A field, case, flag, tuple item, or parameter. Tuple items have no name, cases may have no type.
struct Member {
  std::string name;
  std::optional<Type> type;
  std::string docs;
};

/// A type that is made of others.
struct TypeDefinition {
  TypeKind kind = TypeKind::record;
  /// Empty for a type that the WIT does not name.
  std::string name;
  std::string docs;
  /// Fields, cases, flags or tuple items.
  std::vector<Member> members;
  /// The element of a list, option, stream or future; the value of a map; the `ok` of a result.
  std::optional<Type> element;
  /// The key of a map; the `err` of a result.
  std::optional<Type> other;
  /// With own and borrow: the resource.
  std::string resource;
};

enum class FunctionKind { plain, constructor, method, fixed };

/// An exported function.
struct Function {
  /// Empty for a function of the world itself.
  std::string interface;
  /// As exported: `get`, `[method]station.read`.
  std::string name;
  FunctionKind kind = FunctionKind::plain;
  /// The resource that a constructor, method or static function belongs to.
  std::string resource;
  bool asynchronous = false;
  std::vector<Member> parameters;
  std::optional<Type> result;
  std::string docs;

  /// Whether this is `wasi:cli/run`, which makes the component a command.
  [[nodiscard]] bool is_command() const { return interface.starts_with("wasi:cli/run@"); }
};

/// What a component looks like from outside.
struct Description {
  /// A component, or a core module that was wrapped.
  bool is_component = true;
  std::vector<std::string> imports;
  std::vector<TypeDefinition> types;
  std::vector<Function> functions;
  std::string docs;
  /// The policy that the component itself asks for.
  std::optional<std::string> manifest;
};

/// Reads what the compiler wrote. The text is checked like anything from outside.
[[nodiscard]] Result<Description> parse_description(std::string_view json);

}  // namespace belljar::engine
