// JSON Schema 2020-12 for the types of a component.
#pragma once

#include <optional>
#include <string>

#include "belljar/error.h"
#include "engine/wit.h"
#include "support/json.h"

namespace belljar::toolbox {

/// The schemas of one tool, as JSON text.
struct ToolSchemas {
  std::string input;
  /// Empty for a function without a result.
  std::string output;
  /// Whether every result is a JSON object, which the older protocol versions ask for.
  bool output_is_object = false;
};

/// Makes the schemas of a function. A type that unfolds to more than 256 KiB is an error.
[[nodiscard]] Result<ToolSchemas> make_schemas(const engine::Description& description,
                                               const engine::Function& function);

/// The schema of one type.
[[nodiscard]] Result<Json> make_schema(const engine::Description& description,
                                       const engine::Type& type);

/// The schemas of a command: arguments and standard input in, output and exit code out.
[[nodiscard]] ToolSchemas command_schemas();
/// The schemas of the tool that gives a resource back.
[[nodiscard]] ToolSchemas drop_schemas(std::string_view resource);

}  // namespace belljar::toolbox
