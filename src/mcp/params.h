// The params of every request that is understood, read in one pass.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "mcp/json_rpc.h"
#include "mcp/simdjson.h"

namespace belljar::mcp {

/// What `_meta` says about a request.
struct RequestMeta {
  /// `io.modelcontextprotocol/protocolVersion`, whose presence makes a request a stateless one.
  bool has_version = false;
  std::optional<std::string> version;
  bool has_capabilities = false;
  bool has_log_level = false;
  std::optional<std::string> log_level;
  /// A string or an integer, as it was written.
  std::optional<std::string> progress_token;
};

/// Every member that some method takes; each method looks at its own.
struct RequestParams {
  RequestMeta meta;
  std::optional<std::string> name;
  /// A JSON object; `{}` where there is none. A view into the params.
  std::string_view arguments = "{}";
  std::optional<std::string> cursor;
  std::optional<std::string> level;
  std::optional<std::string> protocol_version;
  /// The id of the request that is to be cancelled.
  std::optional<RpcId> request_id;
  bool has_notifications = false;
  bool tools_list_changed = false;
};

/// Reads params. Keeps its buffers, so one a reader.
class ParamsReader {
 public:
  /// `params` is a JSON object with readable bytes behind its end (see FrameHandler). The error
  /// is what is wrong with a member.
  [[nodiscard]] std::variant<RequestParams, std::string> read(std::string_view params);

 private:
  simdjson::ondemand::parser parser_;
};

}  // namespace belljar::mcp
