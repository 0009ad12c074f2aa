#include "mcp/session.h"

#include <algorithm>
#include <utility>

namespace belljar::mcp {
namespace {

/// A cursor says behind which name the next page begins. The mark keeps it from being empty and
/// tells a made-up one.
constexpr std::string_view cursor_mark = "after:";

}  // namespace

std::variant<ToolPage, RpcError> Session::list_tools(
    const std::optional<std::string>& cursor) const {
  const auto set = toolbox_.current();
  auto begin = set->tools().begin();
  if (cursor) {
    if (!cursor->starts_with(cursor_mark)) {
      return RpcError{
          RpcCode::invalid_params, "this cursor was not given out by this server", {}, {}};
    }
    const std::string_view after = std::string_view(*cursor).substr(cursor_mark.size());
    begin = std::upper_bound(
        begin, set->tools().end(), after,
        [](std::string_view name, const auto& tool) { return name < tool->info().name; });
  }
  ToolPage page;
  const auto left = static_cast<std::size_t>(set->tools().end() - begin);
  const auto last = begin + static_cast<std::ptrdiff_t>(std::min(left, options_.page_size));
  // At least one, and not so many that their schemas would fill the client's memory.
  auto end = begin;
  std::size_t bytes = 0;
  while (end != last && bytes < options_.page_bytes.value) {
    const toolbox::ToolInfo& info = (*end++)->info();
    bytes += info.description.size() + info.input_schema.size() + info.output_schema.size();
  }
  page.tools.assign(begin, end);
  if (end != set->tools().end() && !page.tools.empty()) {
    page.next_cursor = std::string(cursor_mark) + page.tools.back()->info().name;
  }
  return page;
}

std::shared_ptr<toolbox::CallHandle> Session::call_tool(std::string_view name,
                                                        std::string_view arguments,
                                                        CallEvents events, Done done) const {
  const auto tool = toolbox_.current()->find(name);
  if (!tool) return nullptr;
  toolbox::ToolCall call;
  call.arguments = arguments;
  call.client = client_;
  call.on_output = std::move(events.output);
  call.on_progress = std::move(events.progress);
  // The tool is held until its answer: it may be unloaded meanwhile.
  return tool->start(call, [tool, done = std::move(done)](Result<Outcome> outcome) mutable {
    done(tool->info(), std::move(outcome));
  });
}

}  // namespace belljar::mcp
