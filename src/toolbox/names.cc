#include "toolbox/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <set>

#include "support/crypto.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::toolbox {
namespace {

/// `acme:wx/api@1.0.0` in its parts; a plain name is an interface without a package.
struct InterfaceName {
  std::string_view space;
  std::string_view package;
  std::string_view interface;
};

InterfaceName split_interface(std::string_view text) {
  InterfaceName name;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos)
    text = text.substr(0, at);
  const std::size_t colon = text.find(':');
  const std::size_t slash = text.rfind('/');
  if (colon == std::string_view::npos || slash == std::string_view::npos || slash < colon) {
    name.interface = text;
    return name;
  }
  name.space = text.substr(0, colon);
  name.package = text.substr(colon + 1, slash - colon - 1);
  name.interface = text.substr(slash + 1);
  return name;
}

/// Whether the function gives nothing but, where it failed, a text.
bool gives_only_a_failure(const engine::Description& description,
                          const engine::Function& function) {
  const auto* index = function.result ? std::get_if<engine::TypeIndex>(&*function.result) : nullptr;
  if (index == nullptr) return false;
  const engine::TypeDefinition& result = description.types[index->value];
  return result.kind == engine::TypeKind::result && !result.element &&
         result.other == engine::Type(engine::Primitive::string);
}

/// Whether the first parameters have these names.
bool begins_with(const engine::Function& function,
                 std::initializer_list<std::string_view> parameters) {
  return function.parameters.size() >= parameters.size() &&
         std::equal(parameters.begin(), parameters.end(), function.parameters.begin(),
                    [](std::string_view name, const engine::Member& parameter) {
                      return parameter.name == name;
                    });
}

/// Whether the function starts an interpreter while the component is made. Such functions stay
/// among the exports, and look like this:
///
/// - componentize-qjs: `init: func(shim: string, script: string, …) -> result<_, string>`
/// - componentize-py: the same in an interface `exports`, with `(app-name: string, symbols: …)`
bool starts_interpreter(const engine::Description& description, const engine::Function& function) {
  if (function.name != "init" || !gives_only_a_failure(description, function)) return false;
  return (function.interface.empty() && begins_with(function, {"shim", "script"})) ||
         (function.interface == "exports" && begins_with(function, {"app-name", "symbols"}));
}

bool is_plumbing(const engine::Description& description, const engine::Function& function) {
  if (function.is_command()) return false;
  return function.interface.starts_with("wasi:") || function.name.starts_with("cabi_") ||
         starts_interpreter(description, function);
}

/// `[method]station.read` is `read`.
std::string_view plain_name(const engine::Function& function) {
  std::string_view name = function.name;
  if (const std::size_t bracket = name.find(']');
      name.starts_with('[') && bracket != std::string_view::npos) {
    name.remove_prefix(bracket + 1);
  }
  if (const std::size_t dot = name.find('.'); dot != std::string_view::npos) {
    name.remove_prefix(dot + 1);
  }
  return name;
}

std::string own_name(const engine::Function& function) {
  switch (function.kind) {
    case engine::FunctionKind::constructor: return fmt::format("{}-new", function.resource);
    case engine::FunctionKind::method:
    case engine::FunctionKind::fixed:
      return fmt::format("{}-{}", function.resource, plain_name(function));
    case engine::FunctionKind::plain: return std::string(plain_name(function));
  }
  return {};
}

/// The part of the name that stands for the interface. Where two interfaces share a name, the
/// package goes in, and where they share that as well, the namespace.
std::map<std::string, std::string> interface_parts(const engine::Description& description) {
  std::set<std::string> interfaces;
  for (const engine::Function& function : description.functions) {
    if (!is_plumbing(description, function)) interfaces.insert(function.interface);
  }
  const auto count = [&](auto same) {
    return std::count_if(interfaces.begin(), interfaces.end(),
                         [&](const std::string& other) { return same(split_interface(other)); });
  };
  std::map<std::string, std::string> parts;
  for (const std::string& interface : interfaces) {
    const InterfaceName name = split_interface(interface);
    std::string& part = parts[interface];
    if (interface.empty() || interface.starts_with("wasi:cli/run@")) continue;
    part = name.interface;
    // An interface that the world itself defines has no package to tell it apart by.
    if (name.package.empty()) continue;
    if (count([&](const InterfaceName& other) { return other.interface == name.interface; }) == 1) {
      continue;
    }
    const auto same_package = count([&](const InterfaceName& other) {
      return other.interface == name.interface && other.package == name.package;
    });
    part = same_package == 1 ? fmt::format("{}_{}", name.package, name.interface)
                             : fmt::format("{}-{}_{}", name.space, name.package, name.interface);
  }
  return parts;
}

/// What the tool that gives a handle back is called: a method of the resource may be called `drop`.
std::string drop_name(const engine::Description& description, const engine::Function& function) {
  std::string name = function.resource + "-drop";
  const bool taken =
      std::any_of(description.functions.begin(), description.functions.end(),
                  [&](const engine::Function& other) {
                    return other.interface == function.interface && own_name(other) == name;
                  });
  return taken ? function.resource + "-release" : name;
}

}  // namespace

std::string shorten_tool_name(std::string_view name) {
  if (name.size() <= maximum_tool_name) return std::string(name);
  const std::string hash = to_hex(sha256(name)).substr(0, 8);
  return fmt::format("{}-{}", name.substr(0, maximum_tool_name - 1 - hash.size()), hash);
}

Result<std::vector<NamedFunction>> name_functions(std::string_view component,
                                                  const engine::Description& description) {
  const auto parts = interface_parts(description);
  std::vector<NamedFunction> tools;
  std::map<std::string, std::string> taken;
  const auto add = [&](std::string name, std::uint32_t function, std::string dropped,
                       const std::string& origin) -> Result<void> {
    std::string whole = name.substr(component.size() + 1);
    name = shorten_tool_name(name);
    const auto [other, fresh] = taken.emplace(name, origin);
    if (!fresh) {
      return fail(
          ErrorCode::load_failed,
          "the functions {} and {} would both be the tool \"{}\"; the component has to name "
          "them apart",
          other->second, origin, name);
    }
    tools.push_back({std::move(name), std::move(whole), function, std::move(dropped)});
    return {};
  };
  std::set<std::pair<std::string, std::string>> resources;
  for (std::uint32_t i = 0; i < description.functions.size(); ++i) {
    const engine::Function& function = description.functions[i];
    if (is_plumbing(description, function)) continue;
    const std::string& part = parts.at(function.interface);
    const std::string prefix =
        part.empty() ? fmt::format("{}_", component) : fmt::format("{}_{}_", component, part);
    const std::string origin = function.interface.empty()
                                   ? function.name
                                   : fmt::format("{}#{}", function.interface, function.name);
    BELLJAR_CHECK(add(prefix + own_name(function), i, {}, origin));
    if (function.resource.empty()) continue;
    if (!resources.emplace(function.interface, function.resource).second) continue;
    BELLJAR_CHECK(
        add(prefix + drop_name(description, function), i, function.resource, origin + " (drop)"));
  }
  return tools;
}

Result<std::size_t> find_tool(const std::vector<std::string>& names, std::string_view text) {
  std::vector<std::size_t> matches;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return i;
    const bool tail = names[i].size() > text.size() && names[i].ends_with(text) &&
                      names[i][names[i].size() - text.size() - 1] == '_';
    if (tail && !text.empty()) matches.push_back(i);
  }
  if (matches.size() == 1) return matches.front();
  if (matches.size() > 1) {
    std::vector<std::string> candidates;
    for (const std::size_t match : matches) candidates.push_back(names[match]);
    return fail(ErrorCode::invalid_argument, "\"{}\" could be any of {}; write more of the name",
                one_line(text, 80), fmt::join(candidates, ", "));
  }
  std::vector<std::string> tails = names;
  for (const std::string& name : names) {
    const std::size_t at = name.find('_');
    if (at != std::string::npos) tails.push_back(name.substr(at + 1));
  }
  const auto meant = closest(text, tails);
  constexpr std::size_t shown = 12;
  const std::vector<std::string> few(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), shown)));
  return fail(ErrorCode::not_found, "no tool \"{}\"; {}", one_line(text, 80),
              meant           ? fmt::format("did you mean \"{}\"?", *meant)
              : names.empty() ? std::string("there are none")
                              : fmt::format("there are {}{}", fmt::join(few, ", "),
                                            names.size() > shown ? " and more" : ""));
}

}  // namespace belljar::toolbox
