// JSON-RPC 2.0 envelopes: taken apart and put together, without a look at what is inside.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mcp/simdjson.h"

namespace belljar::mcp {

/// Codes of JSON-RPC 2.0 (section 5.1) and of MCP.
enum class RpcCode : int {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  internal_error = -32603,
  unsupported_version = -32022,
};

/// An id as it was written: `7` or `"a"`. Never null, never a fraction.
using RpcId = std::string;
/// Bytes of an id or of a progress token: they are kept as long as their requests, of which there
/// may be many.
inline constexpr std::size_t longest_id = 1'024;

/// A message that can be dispatched.
struct RpcMessage {
  enum class Kind { request, notification, response } kind = Kind::request;
  RpcId id;
  std::string method;
  /// The params as JSON text, `{}` where there are none. A view into the frame.
  std::string_view params;
};

/// What is wrong with a frame or a member of a batch.
struct RpcError {
  RpcCode code = RpcCode::internal_error;
  std::string message;
  /// Further JSON; empty for none.
  std::string data;
  /// Where it could be read.
  std::optional<RpcId> id;
};

/// Whether a token is an integer as JSON writes it (RFC 8259, section 6), of at most 32 characters.
[[nodiscard]] bool is_integer_token(std::string_view token);
/// A token as simdjson gives it, without the white space behind it (RFC 8259, section 2).
[[nodiscard]] std::string_view trim_token(std::string_view token);

/// Takes frames apart. Keeps its buffers, so one a reader.
class RpcParser {
 public:
  using One = std::variant<RpcMessage, RpcError>;
  struct Frame {
    bool is_batch = false;
    std::vector<One> members;
  };
  /// `frame` has readable bytes behind its end (see FrameHandler). Views in the result are into
  /// it. The error is of a frame that is not JSON at all.
  [[nodiscard]] std::variant<Frame, RpcError> parse(std::string_view frame);

 private:
  simdjson::ondemand::parser parser_;
};

/// `{"jsonrpc":"2.0","id":…,"result":…}`
[[nodiscard]] std::string result_frame(std::string_view id, std::string_view result);
[[nodiscard]] std::string error_frame(const RpcError& error);
[[nodiscard]] std::string notification_frame(std::string_view method, std::string_view params);

}  // namespace belljar::mcp
