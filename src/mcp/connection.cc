#include "mcp/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mcp/codec.h"
#include "mcp/output_relay.h"
#include "support/error_table.h"
#include "support/json.h"
#include "support/text.h"

namespace belljar::mcp {
namespace {

constexpr std::string_view subscription_key = "io.modelcontextprotocol/subscriptionId";

/// Bytes of frames that wait while tools are loaded; past that, they are answered by what is there.
constexpr std::size_t maximum_parked = 16 << 20;

std::string subscription_meta(const RpcId& id) {
  return fmt::format(R"("_meta":{{"{}":{}}})", subscription_key, id);
}

}  // namespace

/// The members' answers, until the last one is there.
struct Connection::Batch {
  std::mutex mutex;
  std::size_t open = 0;
  std::vector<std::string> answers;
};

Connection::Connection(FrameSink& sink, const Session& session, const ServerIdentity& server,
                       ConnectionOptions options)
    : sink_(sink), session_(session), server_(server), options_(options) {}

const std::map<std::string_view, Connection::Method>& Connection::methods() {
  static const std::map<std::string_view, Method> table{
      {"initialize", {&Connection::initialize, true, false}},
      {"ping", {&Connection::ping, true, false}},
      {"logging/setLevel", {&Connection::set_level, true, false}},
      {"server/discover", {&Connection::discover, false, true}},
      {"subscriptions/listen", {&Connection::listen, false, true}},
      {"tools/list", {&Connection::list_tools, true, true}},
      {"tools/call", {&Connection::call_tool, true, true}},
  };
  return table;
}

void Connection::on_frame(std::string_view text) {
  const std::lock_guard lock(dispatch_mutex_);
  take_frame(text);
}

void Connection::tools_ready() {
  const std::lock_guard lock(dispatch_mutex_);
  tools_ready_ = true;
  for (std::string& frame : std::exchange(parked_, {})) {
    const std::size_t size = frame.size();
    // Room to read behind the end, which every frame has to have.
    frame.resize(size + simdjson::SIMDJSON_PADDING);
    take_frame(std::string_view(frame).substr(0, size));
  }
  parked_bytes_ = 0;
}

bool Connection::waits_for_tools(const RpcParser::Frame& frame) {
  if (tools_ready_) return false;
  return std::any_of(frame.members.begin(), frame.members.end(), [&](const RpcParser::One& member) {
    const auto* message = std::get_if<RpcMessage>(&member);
    if (message == nullptr || !message->method.starts_with("tools/")) return false;
    if (message->method != "tools/call") return true;
    // A tool that is there does not wait for those that are still compiled.
    const auto read = params_reader_.read(message->params);
    const auto* params = std::get_if<RequestParams>(&read);
    return params != nullptr && params->name && !session_.has_tool(*params->name);
  });
}

void Connection::take_frame(std::string_view text) {
  auto parsed = parser_.parse(text);
  if (auto* error = std::get_if<RpcError>(&parsed)) return refuse(std::move(*error));
  const auto& frame = std::get<RpcParser::Frame>(parsed);
  if (waits_for_tools(frame)) {
    parked_bytes_ += text.size();
    if (parked_bytes_ <= maximum_parked) {
      parked_.emplace_back(text);
      return;
    }
  }
  if (!frame.is_batch) return dispatch(frame.members.front(), nullptr);
  {
    const std::lock_guard lock(mutex_);
    if (negotiated_ != Version::v2025_03_26) {
      return refuse({RpcCode::invalid_request,
                     "batches are taken only where version 2025-03-26 was negotiated",
                     {},
                     {}});
    }
  }
  if (frame.members.empty()) {
    return refuse({RpcCode::invalid_request, "an empty batch", {}, {}});
  }
  auto batch = std::make_shared<Batch>();
  // One more than there are members, so that the last answer cannot come before the last member.
  batch->open = 1;
  for (const RpcParser::One& member : frame.members) dispatch(member, batch);
  answer(batch, std::nullopt);
}

void Connection::on_oversized_frame() {
  refuse({RpcCode::invalid_request, "the message is longer than this server reads", {}, {}});
}

void Connection::dispatch(const RpcParser::One& member, const std::shared_ptr<Batch>& batch) {
  const auto* message = std::get_if<RpcMessage>(&member);
  const bool answered = message == nullptr || message->kind == RpcMessage::Kind::request;
  if (batch && answered) {
    const std::lock_guard lock(batch->mutex);
    ++batch->open;
  }
  if (message == nullptr) {
    return answer(batch, error_frame(std::get<RpcError>(member)));
  }
  switch (message->kind) {
    case RpcMessage::Kind::request: return handle_request(*message, batch);
    case RpcMessage::Kind::notification: return handle_notification(*message);
    case RpcMessage::Kind::response:
      // This server asks clients nothing, so nobody waits for it.
      return;
  }
}

void Connection::handle_request(const RpcMessage& message, const std::shared_ptr<Batch>& batch) {
  const auto refuse_this = [&](RpcCode code, std::string text, std::string data = {}) {
    answer(batch, error_frame({code, std::move(text), std::move(data), message.id}));
  };
  auto read = params_reader_.read(message.params);
  if (const auto* problem = std::get_if<std::string>(&read)) {
    return refuse_this(RpcCode::invalid_params, *problem);
  }
  const auto& params = std::get<RequestParams>(read);
  RequestContext context;
  context.id = message.id;
  if (auto error = read_context(params, message.method, context)) {
    error->id = message.id;
    return answer(batch, error_frame(*error));
  }
  const auto method = methods().find(message.method);
  const bool known =
      method != methods().end() &&
      (is_stateless(context.version) ? method->second.stateless : method->second.with_handshake);
  if (!known) {
    return refuse_this(RpcCode::method_not_found,
                       fmt::format("no method \"{}\" in version {}", one_line(message.method, 80),
                                   name_of(context.version)));
  }
  // The answer of a batch would wait for the end of a subscription.
  if (batch && (message.method == "initialize" || message.method == "subscriptions/listen")) {
    return refuse_this(RpcCode::invalid_request,
                       fmt::format("{} cannot be part of a batch", message.method));
  }
  {
    const std::lock_guard lock(mutex_);
    const bool unwanted = cancelled_early_.erase(message.id) > 0;
    if (ended_ || unwanted || (input_ended_ && message.method == "tools/call")) {
      return answer(batch, std::nullopt);
    }
    if (running_.contains(message.id)) {
      return refuse_this(RpcCode::invalid_request, "a request with this id is under way");
    }
    if (running_.size() >= options_.in_flight) {
      return refuse_this(RpcCode::internal_error,
                         fmt::format("{} requests are under way; wait for some of their answers",
                                     running_.size()));
    }
    running_.emplace(message.id, Running{nullptr, false, batch});
  }
  (this->*method->second.handler)(context, params);
}

std::optional<RpcError> Connection::read_context(const RequestParams& params,
                                                 std::string_view method,
                                                 RequestContext& context) const {
  const RequestMeta& meta = params.meta;
  context.progress_token = meta.progress_token;
  const auto wrong = [](std::string message, std::string data = {}) {
    return RpcError{RpcCode::invalid_params, std::move(message), std::move(data), {}};
  };
  // The handshake is always the old way, whatever else comes with it.
  if (meta.has_version && method != "initialize") {
    if (!meta.version) return wrong("_meta: the protocol version has to be a string");
    if (!meta.has_capabilities) {
      return wrong("_meta: \"io.modelcontextprotocol/clientCapabilities\" is missing");
    }
    const auto version = parse_version(*meta.version);
    if (!version || !is_stateless(*version)) {
      return RpcError{RpcCode::unsupported_version,
                      fmt::format("version {} is not spoken this way", one_line(*meta.version, 40)),
                      fmt::format(R"({{"supported":["{}"],"requested":{}}})",
                                  name_of(Version::v2026_07_28), json_string(*meta.version)),
                      {}};
    }
    context.version = *version;
    if (meta.has_log_level) {
      context.log_level = meta.log_level ? parse_log_level(*meta.log_level) : std::nullopt;
      if (!context.log_level) return wrong("_meta: no such log level");
    }
    return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  context.version = negotiated_.value_or(newest_with_handshake);
  context.log_level = log_level_;
  if (!negotiated_ && method != "initialize" && method != "ping") {
    return wrong(
        "_meta: \"io.modelcontextprotocol/protocolVersion\" is missing, and there was no "
        "initialize",
        fmt::format(R"({{"supported":["{}"]}})", name_of(Version::v2026_07_28)));
  }
  return std::nullopt;
}

void Connection::handle_notification(const RpcMessage& message) {
  if (message.method == "notifications/cancelled") {
    const auto read = params_reader_.read(message.params);
    const auto* params = std::get_if<RequestParams>(&read);
    if (params != nullptr && params->request_id) cancel(*params->request_id);
  } else if (message.method == "notifications/initialized") {
    const std::lock_guard lock(mutex_);
    initialized_ = true;
  }
}

void Connection::cancel(const RpcId& id) {
  std::shared_ptr<toolbox::CallHandle> call;
  {
    const std::lock_guard lock(mutex_);
    const auto running = running_.find(id);
    if (running == running_.end()) {
      if (!parked_.empty() && cancelled_early_.size() < options_.in_flight) {
        cancelled_early_.insert(id);
      }
      return;
    }
    if (subscriptions_.erase(id) > 0) {
      running_.erase(running);
      return;
    }
    running->second.cancelled = true;
    call = running->second.call;
  }
  if (call) call->cancel();
}

bool Connection::is_wanted(const RpcId& id) const {
  const std::lock_guard lock(mutex_);
  const auto running = running_.find(id);
  return running != running_.end() && !running->second.cancelled;
}

void Connection::finish(const RpcId& id, std::string frame) {
  std::shared_ptr<Batch> batch;
  bool wanted = false;
  {
    const std::lock_guard lock(mutex_);
    const auto running = running_.find(id);
    if (running == running_.end()) return;
    wanted = !running->second.cancelled && !ended_;
    batch = std::move(running->second.batch);
    running_.erase(running);
  }
  finished_.notify_all();
  answer(batch, wanted ? std::optional(std::move(frame)) : std::nullopt);
}

void Connection::answer(const std::shared_ptr<Batch>& batch, std::optional<std::string> frame) {
  if (!batch) {
    if (frame) sink_.send(*std::move(frame));
    return;
  }
  std::string whole;
  {
    const std::lock_guard lock(batch->mutex);
    if (frame) batch->answers.push_back(*std::move(frame));
    if (--batch->open > 0 || batch->answers.empty()) return;
    for (const std::string& one : batch->answers) whole += (whole.empty() ? "[" : ",") + one;
  }
  sink_.send(whole + "]");
}

void Connection::reply(const RequestContext& context, std::string_view result) {
  finish(context.id, result_frame(context.id, result));
}

void Connection::refuse(RpcError error) { sink_.send(error_frame(error)); }

void Connection::initialize(const RequestContext& context, const RequestParams& params) {
  if (!params.protocol_version) {
    return finish(
        context.id,
        error_frame({RpcCode::invalid_params, "\"protocolVersion\" is missing", {}, context.id}));
  }
  // A version that is not spoken gets the newest one that could be meant.
  auto version = parse_version(*params.protocol_version);
  if (!version || is_stateless(*version)) version = newest_with_handshake;
  {
    const std::lock_guard lock(mutex_);
    negotiated_ = version;
  }
  reply(context, encode_initialize(server_, *version));
}

void Connection::discover(const RequestContext& context, const RequestParams&) {
  reply(context, encode_discover(server_));
}

void Connection::ping(const RequestContext& context, const RequestParams&) {
  reply(context, encode_empty(server_, context.version));
}

void Connection::set_level(const RequestContext& context, const RequestParams& params) {
  const auto level = params.level ? parse_log_level(*params.level) : std::nullopt;
  if (!level) {
    return finish(context.id,
                  error_frame({RpcCode::invalid_params,
                               "\"level\" has to be one of debug, info, notice, warning, "
                               "error, critical, alert, emergency",
                               {},
                               context.id}));
  }
  {
    const std::lock_guard lock(mutex_);
    log_level_ = *level;
  }
  reply(context, encode_empty(server_, context.version));
}

void Connection::list_tools(const RequestContext& context, const RequestParams& params) {
  auto page = session_.list_tools(params.cursor);
  if (auto* error = std::get_if<RpcError>(&page)) {
    error->id = context.id;
    return finish(context.id, error_frame(*error));
  }
  auto& tools = std::get<ToolPage>(page);
  // What a tool may do is told with it, and right after a change that is read from the state.
  const bool known = std::all_of(tools.tools.begin(), tools.tools.end(),
                                 [](const auto& tool) { return tool->knows_annotations(); });
  Workers::Job answer_it = [self = shared_from_this(), context, tools = std::move(tools)] {
    self->reply(context, encode_tools(self->server_, tools, context.version));
  };
  if (known || !options_.elsewhere) return answer_it();
  if (options_.elsewhere(answer_it)) return;
  finish(context.id, error_frame({RpcCode::internal_error,
                                  "too much waits for the state folder; is its disk slow or "
                                  "locked?",
                                  {},
                                  context.id}));
}

void Connection::call_tool(const RequestContext& context, const RequestParams& params) {
  if (!params.name) {
    return finish(context.id,
                  error_frame({RpcCode::invalid_params, "\"name\" is missing", {}, context.id}));
  }
  Session::CallEvents events;
  const auto self = shared_from_this();
  if (context.progress_token) {
    events.progress = [self, id = context.id, token = *context.progress_token,
                       gate = std::make_shared<ProgressGate>()](std::uint64_t items) {
      if (!gate->pass(items) || !self->is_wanted(id)) return;
      self->sink_.send(
          notification_frame("notifications/progress",
                             fmt::format(R"({{"progressToken":{},"progress":{}}})", token, items)));
    };
  }
  std::shared_ptr<OutputRelay> relay;
  if (context.log_level && *context.log_level <= LogLevel::warning) {
    relay = std::make_shared<OutputRelay>([self, id = context.id, least = *context.log_level,
                                           tool = *params.name](int stream, std::string line) {
      // What a program says on standard error is worth more attention than what it prints.
      const LogLevel level = stream == 2 ? LogLevel::warning : LogLevel::info;
      if (level < least || !self->is_wanted(id)) return;
      self->sink_.send(
          notification_frame("notifications/message",
                             fmt::format(R"({{"level":"{}","logger":{},"data":{}}})",
                                         name_of(level), json_string(tool), json_string(line))));
    });
    events.output = [relay](int stream, std::string_view bytes) { relay->take(stream, bytes); };
  }
  auto done = [self, context, relay](const toolbox::ToolInfo& tool, Result<Outcome> outcome) {
    if (relay) relay->finish();
    if (!outcome) {
      const auto code = static_cast<RpcCode>(error_row(outcome.error().code()).json_rpc);
      self->finish(context.id, error_frame({code, outcome.error().describe(), {}, context.id}));
      return;
    }
    self->finish(context.id, result_frame(context.id, encode_call(self->server_, tool, *outcome,
                                                                  context.version)));
  };
  const auto call =
      session_.call_tool(*params.name, params.arguments, std::move(events), std::move(done));
  if (!call) {
    return finish(context.id,
                  error_frame({RpcCode::invalid_params,
                               fmt::format("Unknown tool: {}", one_line(*params.name, 80)),
                               {},
                               context.id}));
  }
  bool cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    const auto running = running_.find(context.id);
    // It may have ended already, and been asked to stop while it began.
    if (running == running_.end()) return;
    running->second.call = call;
    cancelled = running->second.cancelled;
  }
  if (cancelled) call->cancel();
}

void Connection::listen(const RequestContext& context, const RequestParams& params) {
  if (!params.has_notifications) {
    return finish(
        context.id,
        error_frame({RpcCode::invalid_params, "\"notifications\" is missing", {}, context.id}));
  }
  {
    const std::lock_guard lock(mutex_);
    if (subscriptions_.size() >= options_.subscriptions) {
      running_.erase(context.id);
      sink_.send(error_frame(
          {RpcCode::internal_error, "too many subscriptions are open", {}, context.id}));
      return;
    }
  }
  // The acknowledgement comes before anything that the subscription brings.
  sink_.send(notification_frame(
      "notifications/subscriptions/acknowledged",
      fmt::format(R"({{{},"notifications":{{{}}}}})", subscription_meta(context.id),
                  params.tools_list_changed ? R"("toolsListChanged":true)" : "")));
  const std::lock_guard lock(mutex_);
  subscriptions_.emplace(context.id, params.tools_list_changed);
}

void Connection::tools_changed() {
  if (!tools_ready_) return;
  std::vector<RpcId> subscriptions;
  bool unasked = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    for (const auto& [id, wanted] : subscriptions_) {
      if (wanted) subscriptions.push_back(id);
    }
    unasked = initialized_;
  }
  constexpr std::string_view method = "notifications/tools/list_changed";
  for (const RpcId& id : subscriptions) {
    sink_.send(notification_frame(method, fmt::format("{{{}}}", subscription_meta(id))));
  }
  if (unasked) sink_.send(notification_frame(method, "{}"));
}

void Connection::on_end() {
  std::vector<std::shared_ptr<toolbox::CallHandle>> calls;
  {
    const std::lock_guard lock(mutex_);
    input_ended_ = true;
    for (auto& [id, running] : running_) {
      running.cancelled = true;
      if (running.call) calls.push_back(running.call);
    }
  }
  for (const auto& call : calls) call->cancel();
}

void Connection::close(std::chrono::milliseconds patience) {
  std::map<RpcId, bool> subscriptions;
  {
    std::unique_lock lock(mutex_);
    finished_.wait_for(lock, patience, [&] { return running_.size() <= subscriptions_.size(); });
    subscriptions = std::exchange(subscriptions_, {});
    for (const auto& [id, wanted] : subscriptions) running_.erase(id);
    ended_ = true;
  }
  for (const auto& [id, wanted] : subscriptions) {
    sink_.send(result_frame(id, encode_listen_end(server_, id)));
  }
}

std::size_t Connection::in_flight() const {
  const std::lock_guard lock(mutex_);
  return running_.size() - subscriptions_.size();
}

}  // namespace belljar::mcp
