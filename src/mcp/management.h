// Belljar's own tools, for agents: they look, give up and ask. None of them grants anything.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "policy/grant.h"
#include "support/workers.h"
#include "toolbox/component.h"
#include "toolbox/tool.h"

namespace belljar::mcp {

/// What the management tools need from the server that they belong to. Any thread.
struct ManagementServices {
  /// Runs a job on a thread that may wait for the state; false, and the job is left, if there is
  /// none.
  std::function<bool(Workers::Job&)> elsewhere;
  std::function<std::vector<std::shared_ptr<toolbox::Component>>()> components;
  /// The names of those that should be there and could not be loaded.
  std::function<std::vector<std::string>()> failed;
  /// Takes a component out of this server, and of nothing else; false where there is none.
  std::function<bool(std::string_view)> unload;
  /// Notes that the agent asks for a permission, and tells the request's id once that is on disk.
  std::function<void(std::shared_ptr<toolbox::Component>, policy::Grant, std::string,
                     std::move_only_function<void(Result<std::string>)>)>
      request;
};

/// The tools `belljar_list`, `belljar_inspect`, `belljar_unload` and `belljar_request-permission`.
[[nodiscard]] toolbox::ToolGroup management_tools(ManagementServices services);

}  // namespace belljar::mcp
