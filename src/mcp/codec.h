// From the protocol's types to JSON, as each version wants it.
#pragma once

#include <string>
#include <string_view>

#include "mcp/protocol.h"

namespace belljar::mcp {

/// The result of `initialize`.
[[nodiscard]] std::string encode_initialize(const ServerIdentity& server, Version version);
/// The result of `server/discover`.
[[nodiscard]] std::string encode_discover(const ServerIdentity& server);
/// The result of `tools/list`.
[[nodiscard]] std::string encode_tools(const ServerIdentity& server, const ToolPage& page,
                                       Version version);
/// The result of `tools/call`.
[[nodiscard]] std::string encode_call(const ServerIdentity& server, const toolbox::ToolInfo& tool,
                                      const Outcome& outcome, Version version);
/// An empty result.
[[nodiscard]] std::string encode_empty(const ServerIdentity& server, Version version);
/// The result that ends a subscription.
[[nodiscard]] std::string encode_listen_end(const ServerIdentity& server, std::string_view id);

/// What a model is told of an outcome that is no success. It names no command that would grant
/// anything: that goes to the person's channels.
[[nodiscard]] std::string describe_failure(const toolbox::ToolInfo& tool, const Outcome& outcome);

}  // namespace belljar::mcp
