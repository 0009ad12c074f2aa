// Frames that a client sends, and the params in them.

#include "mcp/json_rpc.h"

#include "mcp/params.h"
#include "support/json.h"
#include "targets.h"

namespace belljar::fuzz {
namespace {

constexpr Bytes limit{16 << 20};

void look_at(const mcp::RpcMessage& message) {
  if (message.kind == mcp::RpcMessage::Kind::response) return;
  if (message.kind == mcp::RpcMessage::Kind::request) {
    const std::string frame = mcp::result_frame(message.id, "{}");
    require(parse_json(frame, limit).has_value(), "an answer to any id is JSON");
    require(frame.find('\n') == std::string::npos, "an answer is one line");
  }
  // The reader needs room behind the end, which a frame's own bytes give in the product.
  std::string params(message.params);
  const std::size_t size = params.size();
  params.resize(size + simdjson::SIMDJSON_PADDING);
  mcp::ParamsReader reader;
  const auto read = reader.read(std::string_view(params).substr(0, size));
  if (const auto* known = std::get_if<mcp::RequestParams>(&read)) {
    require(known->arguments.starts_with('{'), "arguments are an object");
  }
}

}  // namespace

void json_rpc(std::string_view input) {
  std::string frame(input);
  frame.resize(input.size() + simdjson::SIMDJSON_PADDING);
  mcp::RpcParser parser;
  const auto parsed = parser.parse(std::string_view(frame).substr(0, input.size()));
  if (const auto* error = std::get_if<mcp::RpcError>(&parsed)) {
    require(parse_json(mcp::error_frame(*error), limit).has_value(), "an error is JSON");
    return;
  }
  for (const auto& member : std::get<mcp::RpcParser::Frame>(parsed).members) {
    if (const auto* message = std::get_if<mcp::RpcMessage>(&member)) {
      look_at(*message);
    } else {
      const auto& error = std::get<mcp::RpcError>(member);
      require(parse_json(mcp::error_frame(error), limit).has_value(), "an error is JSON");
    }
  }
}

}  // namespace belljar::fuzz
