// One connection: binds method names to handlers, for both eras of the protocol.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/json_rpc.h"
#include "mcp/params.h"
#include "mcp/protocol.h"
#include "mcp/session.h"
#include "mcp/transport.h"
#include "support/workers.h"

namespace belljar::mcp {

struct ConnectionOptions {
  /// Requests that may be under way at once.
  std::size_t in_flight = 1'024;
  /// Subscriptions that may be open at once.
  std::size_t subscriptions = 64;
  /// Runs a job on a thread that may wait for the state; false, and the job is left, if there is
  /// none. Without it, jobs run where they are.
  std::function<bool(Workers::Job&)> elsewhere = {};
};

/// Speaks MCP with one client. Versions with a handshake and the stateless one are served side by
/// side, request by request. Frames come on one thread; answers go out from any.
class Connection final : public FrameHandler, public std::enable_shared_from_this<Connection> {
 public:
  Connection(FrameSink& sink, const Session& session, const ServerIdentity& server,
             ConnectionOptions options = {});

  void on_frame(std::string_view frame) override;
  void on_oversized_frame() override;
  void on_end() override;

  /// Until this is called, lists of tools and calls of tools that are not there yet wait: the tools
  /// are still being loaded. All else is answered at once. From any thread, once.
  void tools_ready();
  /// Tells the client that the list of tools has changed, in the way that it asked for.
  void tools_changed();
  /// Ends subscriptions properly, before the server goes. Waits this long for calls that were
  /// cancelled to end.
  void close(std::chrono::milliseconds patience);
  /// Requests whose answers are still to come.
  [[nodiscard]] std::size_t in_flight() const;

 private:
  /// A batch that is answered as a whole (2025-03-26).
  struct Batch;
  /// A request under way.
  struct Running {
    std::shared_ptr<toolbox::CallHandle> call;
    bool cancelled = false;
    std::shared_ptr<Batch> batch;
  };

  using Handler = void (Connection::*)(const RequestContext&, const RequestParams&);
  /// A method: who handles it, and in which era it exists.
  struct Method {
    Handler handler;
    bool with_handshake;
    bool stateless;
  };
  [[nodiscard]] static const std::map<std::string_view, Method>& methods();

  void take_frame(std::string_view frame);
  /// Whether a frame has to wait for the tools.
  [[nodiscard]] bool waits_for_tools(const RpcParser::Frame& frame);
  void dispatch(const RpcParser::One& member, const std::shared_ptr<Batch>& batch);
  void handle_request(const RpcMessage& message, const std::shared_ptr<Batch>& batch);
  void handle_notification(const RpcMessage& message);
  /// Works out the version that a request is served in; an error where it cannot be.
  [[nodiscard]] std::optional<RpcError> read_context(const RequestParams& params,
                                                     std::string_view method,
                                                     RequestContext& context) const;

  void initialize(const RequestContext& context, const RequestParams& params);
  void discover(const RequestContext& context, const RequestParams& params);
  void ping(const RequestContext& context, const RequestParams& params);
  void set_level(const RequestContext& context, const RequestParams& params);
  void list_tools(const RequestContext& context, const RequestParams& params);
  void call_tool(const RequestContext& context, const RequestParams& params);
  void listen(const RequestContext& context, const RequestParams& params);

  void cancel(const RpcId& id);
  void reply(const RequestContext& context, std::string_view result);
  void refuse(RpcError error);
  /// Sends an answer, or puts it into the batch that it belongs to.
  void answer(const std::shared_ptr<Batch>& batch, std::optional<std::string> frame);
  /// Ends a request with this frame, unless it was cancelled.
  void finish(const RpcId& id, std::string frame);
  [[nodiscard]] bool is_wanted(const RpcId& id) const;

  FrameSink& sink_;
  const Session& session_;
  const ServerIdentity& server_;
  ConnectionOptions options_;

  /// Held while a frame is dispatched.
  std::mutex dispatch_mutex_;
  RpcParser parser_;
  ParamsReader params_reader_;
  /// Until then nobody has seen a list that could change.
  std::atomic<bool> tools_ready_ = false;
  /// Frames that wait for the tools.
  std::vector<std::string> parked_;
  std::size_t parked_bytes_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable finished_;
  /// Set by `initialize`.
  std::optional<Version> negotiated_;
  bool initialized_ = false;
  LogLevel log_level_ = LogLevel::warning;
  std::map<RpcId, Running> running_;
  /// Open subscriptions, and whether they want to hear of changed tools.
  std::map<RpcId, bool> subscriptions_;
  /// Requests that were cancelled while they waited for the tools.
  std::set<RpcId> cancelled_early_;
  /// No more calls are started.
  bool input_ended_ = false;
  bool ended_ = false;
};

}  // namespace belljar::mcp
