// The MCP server: loads tools, speaks over standard streams, takes commands on its control socket.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "runtime/launch.h"

namespace belljar::runtime {

struct ServeOptions {
  /// Components that the person named; the server then serves these and no others. Nothing serves
  /// what `belljar load` put into the state, and follows its changes.
  std::optional<std::vector<ComponentLoad>> components;
  /// Policies and grants of the command line, by component.
  std::map<std::string, ComponentGrants, std::less<>> grants;
  /// See toolbox::publish_bare_names.
  bool bare_names = false;
  /// Told what a person should know, a line each, from any thread. Never standard output.
  std::function<void(std::string_view)> warn;
};

/// Serves standard input and output until the input ends or a signal asks to stop (SIGINT, SIGTERM,
/// SIGHUP). A component that cannot be loaded is warned about, and the others are served. Calls
/// that are under way at the end are cancelled; the process is ready to exit within 2 seconds.
[[nodiscard]] Result<void> serve_stdio(const Settings& settings, ServeOptions options);

/// For clients: what Belljar is and how its refusals are to be taken.
[[nodiscard]] std::string_view server_instructions();

}  // namespace belljar::runtime
