// The names that tools get.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "engine/wit.h"

namespace belljar::toolbox {

/// The longest name: clients count 64 with the server's name in front.
inline constexpr std::size_t maximum_tool_name = 48;

/// A tool that a component offers: one of its functions, or the dropping of a resource.
struct NamedFunction {
  std::string tool;
  /// The name before it was shortened, without the component's: for people.
  std::string whole;
  /// Index into the description's functions. For a drop, of one of the resource's functions.
  std::uint32_t function = 0;
  /// Set where the tool gives a resource back.
  std::string dropped_resource;
};

/// Names the tools of a component that is loaded as `component`. Plumbing is left out: `wasi:*`
/// (but `wasi:cli/run`, which is the tool `run`), `cabi_*`, and what language runtimes export for
/// their own use. Two functions with one name are an error.
[[nodiscard]] Result<std::vector<NamedFunction>> name_functions(
    std::string_view component, const engine::Description& description);

/// Shortens a name that is too long; the end is a hash of the whole.
[[nodiscard]] std::string shorten_tool_name(std::string_view name);

/// Finds the tool that `text` means: its full name, or any tail of whole `_`-parts that only one
/// tool has. Errors name the candidates.
[[nodiscard]] Result<std::size_t> find_tool(const std::vector<std::string>& names,
                                            std::string_view text);

}  // namespace belljar::toolbox
