// One client: what it may ask, in the protocol's types. Sees no JSON but tools' arguments.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "mcp/protocol.h"
#include "support/units.h"
#include "toolbox/toolbox.h"

namespace belljar::mcp {

struct SessionOptions {
  std::size_t page_size = 500;
  /// Descriptions and schemas; the last tool of a page may go beyond.
  Bytes page_bytes{1 << 20};
};

/// Finds tools and calls them on behalf of one client. Any thread.
class Session {
 public:
  Session(toolbox::Toolbox& toolbox, std::string client, SessionOptions options)
      : toolbox_(toolbox), client_(std::move(client)), options_(options) {}

  /// The page of tools behind a cursor. Pages are cut by name, so that what is loaded or unloaded
  /// between two of them moves nothing.
  [[nodiscard]] std::variant<ToolPage, RpcError> list_tools(
      const std::optional<std::string>& cursor) const;

  [[nodiscard]] bool has_tool(std::string_view name) const {
    return toolbox_.current()->find(name) != nullptr;
  }

  /// What a call tells while it runs.
  struct CallEvents {
    std::function<void(std::uint64_t)> progress;
    std::function<void(int, std::string_view)> output;
  };
  using Done = std::move_only_function<void(const toolbox::ToolInfo&, Result<Outcome>)>;
  /// Starts a call. Nothing where there is no such tool.
  [[nodiscard]] std::shared_ptr<toolbox::CallHandle> call_tool(std::string_view name,
                                                               std::string_view arguments,
                                                               CallEvents events, Done done) const;

 private:
  toolbox::Toolbox& toolbox_;
  std::string client_;
  SessionOptions options_;
};

}  // namespace belljar::mcp
