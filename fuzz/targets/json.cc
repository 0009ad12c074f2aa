// JSON from guests, clients, the compiler helper and the opener.

#include "support/json.h"

#include "engine/wit.h"
#include "host/opener_wire.h"
#include "support/text.h"
#include "targets.h"
#include "toolbox/handles.h"
#include "toolbox/names.h"
#include "toolbox/schema.h"

namespace belljar::fuzz {
namespace {

constexpr Bytes limit{16 << 20};

}  // namespace

void arguments(std::string_view input) {
  if (const auto json = parse_json(input, limit)) {
    const auto again = parse_json(json->dump(), limit);
    require(again.has_value() && *again == *json, "what was read can be written and read again");
  }
  const auto string = parse_json(json_string(input), limit);
  require(string.has_value() && string->is_string(), "any bytes make a JSON string");
  require(*string == clean_utf8(input), "a JSON string holds the text that it was made of");
  toolbox::Handles handles({}, [](std::uint64_t) {});
  const auto live = handles.find(input, "client");
  require(!live || !*live, "no handle is known where none was given out");
}

void description(std::string_view input) {
  const auto description = engine::parse_description(input);
  if (!description) return;
  const auto named = toolbox::name_functions("fuzzed", *description);
  if (!named) return;
  for (const toolbox::NamedFunction& function : *named) {
    require(function.tool.size() <= toolbox::maximum_tool_name, "a tool's name is short enough");
    const auto schemas =
        toolbox::make_schemas(*description, description->functions[function.function]);
    if (schemas) require(parse_json(schemas->input, limit).has_value(), "a schema is JSON");
  }
}

void opener_wire(std::string_view input) {
  const auto json = host::parse_packet(input);
  if (!json) return;
  // As the opener does it: a value of another type is an exception there.
  try {
    const auto request = host::request_from_json(*json);
    const auto again = host::request_from_json(host::to_json(request));
    require(host::to_json(again) == host::to_json(request), "a request survives the wire");
    static_cast<void>(host::mount_from_json(*json));
    static_cast<void>(host::answer_from_json(*json));
  } catch (const Json::exception&) {
  }
}

}  // namespace belljar::fuzz
