#include "mcp/management.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/grant.h"
#include "policy/summary.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::mcp {
namespace {

/// No component can have this name.
constexpr std::string_view management_group = "belljar";
constexpr Bytes arguments_limit{64 * 1024};
constexpr std::size_t maximum_reason = 500;
/// As much of it as is kept, with what stands around it.
constexpr std::size_t shown_reason = 270;
constexpr std::size_t maximum_permission = 300;

/// The result of a management tool: JSON for the agent, or what was wrong with its arguments.
using Answer = Result<Json>;
using Reply = std::move_only_function<void(Answer)>;

/// Reads a member that has to be a string.
Result<std::string> read_text(const Json& arguments, const char* key) {
  const auto found = arguments.find(key);
  if (found == arguments.end()) {
    return fail(ErrorCode::invalid_argument, "/{}: missing", key);
  }
  if (!found->is_string()) return fail(ErrorCode::invalid_argument, "/{}: expected a string", key);
  return found->get<std::string>();
}

Json object_schema(std::initializer_list<std::pair<const char*, const char*>> members) {
  Json schema = {{"type", "object"}, {"properties", Json::object()}};
  Json required = Json::array();
  for (const auto& [name, description] : members) {
    schema["properties"][name] = {{"type", "string"}, {"description", description}};
    required.push_back(name);
  }
  if (!required.empty()) schema["required"] = std::move(required);
  schema["additionalProperties"] = false;
  return schema;
}

/// A call that has ended before it could be cancelled.
class EndedCall final : public toolbox::CallHandle {
 public:
  void cancel() override {}
};

/// A tool that is a function of its arguments.
class ManagementTool final : public toolbox::Tool {
 public:
  using Body = std::function<void(const Json&, Reply)>;
  ManagementTool(toolbox::ToolInfo info, toolbox::Annotations annotations, Json input, Body body)
      : info_(std::move(info)),
        annotations_(annotations),
        input_(std::move(input)),
        body_(std::move(body)) {
    info_.group = management_group;
    info_.input_schema = input_.dump();
    info_.output_schema = R"({"type":"object"})";
    info_.output_is_object = true;
  }

  const toolbox::ToolInfo& info() const override { return info_; }
  toolbox::Annotations annotations() const override { return annotations_; }

  std::shared_ptr<toolbox::CallHandle> start(const toolbox::ToolCall& call,
                                             toolbox::Completion completion) override {
    Reply reply = [completion = std::move(completion)](Answer answer) mutable {
      if (!answer && answer.error().code() != ErrorCode::invalid_argument) {
        return completion(std::unexpected(std::move(answer).error()));
      }
      Outcome outcome;
      if (answer) {
        outcome.result = Returned{to_text(*answer)};
      } else {
        outcome.result = ToolError{{}, answer.error().message()};
      }
      completion(std::move(outcome));
    };
    if (auto arguments = read(call.arguments); arguments) {
      body_(*arguments, std::move(reply));
    } else {
      reply(std::unexpected(std::move(arguments).error()));
    }
    return std::make_shared<EndedCall>();
  }

 private:
  Result<Json> read(std::string_view text) const {
    BELLJAR_TRY(Json arguments, parse_json(text, arguments_limit));
    if (!arguments.is_object()) {
      return fail(ErrorCode::invalid_argument, "arguments: expected an object");
    }
    for (const auto& [key, value] : arguments.items()) {
      if (!input_["properties"].contains(key)) {
        return fail(ErrorCode::invalid_argument, "/{}: unknown key", one_line(key, 60));
      }
    }
    return arguments;
  }

  toolbox::ToolInfo info_;
  toolbox::Annotations annotations_;
  Json input_;
  Body body_;
};

/// What a component may do now, in short sentences.
Json permissions_of(const toolbox::Component& component) {
  const auto snapshot = component.host().permissions().current();
  if (!snapshot) return Json::array();
  return policy::sentences(policy::summarize(**snapshot));
}

Json summary_of(const toolbox::Component& component) {
  Json tools = Json::array();
  for (const auto& name : component.tool_names()) tools.push_back(name);
  return {{"name", component.name()},
          {"digest", "sha256:" + component.artifact().digest},
          {"tools", std::move(tools)},
          {"may", permissions_of(component)}};
}

Result<std::shared_ptr<toolbox::Component>> find_component(const ManagementServices& services,
                                                           const Json& arguments) {
  BELLJAR_TRY(const std::string name, read_text(arguments, "component"));
  const auto components = services.components();
  const auto found = std::find_if(components.begin(), components.end(),
                                  [&](const auto& component) { return component->name() == name; });
  if (found != components.end()) return *found;
  std::vector<std::string> names;
  for (const auto& component : components) names.push_back(component->name());
  const auto meant = closest(name, names);
  return fail(
      ErrorCode::invalid_argument, "/component: \"{}\" is not loaded{}", one_line(name, 60),
      meant ? fmt::format("; did you mean \"{}\"?", *meant) : "; belljar_list shows what is");
}

Answer list(const ManagementServices& services, const Json&) {
  Json components = Json::array();
  for (const auto& component : services.components()) components.push_back(summary_of(*component));
  Json json{{"components", std::move(components)}};
  // Why is the user's to read: it has paths of their machine in it.
  if (const auto failed = services.failed(); !failed.empty()) {
    json["failed"] = failed;
    json["note"] =
        "What failed could not be loaded. The user finds the reason in the messages of "
        "the server, or with belljar inspect.";
  }
  return json;
}

Answer inspect(const ManagementServices& services, const Json& arguments) {
  BELLJAR_TRY(const auto component, find_component(services, arguments));
  Json json = summary_of(*component);
  json["imports"] = component->artifact().description.imports;
  json["size"] = component->artifact().size.value;
  if (const auto snapshot = component->host().permissions().current()) {
    const policy::Limits& limits = (*snapshot)->limits();
    json["limits"] = {{"memory", policy_bytes(limits.memory)},
                      {"timeout", policy_duration(limits.timeout)},
                      {"output", policy_bytes(limits.output)},
                      {"instances", limits.instances}};
  }
  return json;
}

Answer unload(const ManagementServices& services, const Json& arguments) {
  BELLJAR_TRY(const auto component, find_component(services, arguments));
  return Json{{"unloaded", services.unload(component->name())}};
}

struct PermissionRequest {
  std::shared_ptr<toolbox::Component> component;
  policy::Grant grant;
  std::string reason;
};

Result<PermissionRequest> read_request(const ManagementServices& services, const Json& arguments) {
  PermissionRequest request;
  BELLJAR_TRY(request.component, find_component(services, arguments));
  BELLJAR_TRY(const std::string text, read_text(arguments, "permission"));
  BELLJAR_TRY(request.reason, read_text(arguments, "reason"));
  if (request.reason.size() > maximum_reason) {
    return fail(ErrorCode::invalid_argument, "/reason: longer than {} bytes", maximum_reason);
  }
  // From here on nobody is shown it but as what the agent said.
  request.reason = fmt::format("the agent says: {}", quoted(request.reason, shown_reason));
  // Where the server runs is nobody's folder, and which of the user's is meant only they know.
  if (text.starts_with("storage=") && !text.starts_with("storage=/")) {
    return fail(ErrorCode::invalid_argument,
                "/permission: a folder of the user's machine is named from its root, as in "
                "storage=/srv/data:/data");
  }
  auto grant = policy::parse_grant(text, "/");
  if (!grant) {
    return fail(ErrorCode::invalid_argument, "/permission: {}", grant.error().message());
  }
  request.grant = *std::move(grant);
  if (request.grant.value.starts_with("cidr:")) {
    return fail(ErrorCode::invalid_argument,
                "/permission: name the host that has an address in that range, as in "
                "network=http://db.internal:8080 cidr:10.0.0.0/8");
  }
  // A person reads all of it before they decide.
  if (request.grant.text().size() > maximum_permission) {
    return fail(ErrorCode::invalid_argument, "/permission: longer than {} bytes",
                maximum_permission);
  }
  return request;
}

void request_permission(const ManagementServices& services, const Json& arguments, Reply reply) {
  auto request = read_request(services, arguments);
  if (!request) return reply(std::unexpected(std::move(request).error()));
  services.request(std::move(request->component), std::move(request->grant),
                   std::move(request->reason),
                   [reply = std::move(reply)](Result<std::string> id) mutable {
                     if (!id) return reply(std::unexpected(std::move(id).error()));
                     reply(Json{{"request", *id},
                                {"note",
                                 "Noted. Nothing was granted: only the user can do that, in "
                                 "Belljar and not in this conversation. Tell them the request's id "
                                 "and why it is needed."}});
                   });
}

/// Answers on a thread that may wait: what is told of components is read from the state.
void answer_elsewhere(const ManagementServices& services, Reply reply,
                      std::function<Answer()> answer) {
  const auto shared = std::make_shared<Reply>(std::move(reply));
  Workers::Job job = [shared, answer = std::move(answer)] { (*shared)(answer()); };
  if (!services.elsewhere) return job();
  if (services.elsewhere(job)) return;
  (*shared)(fail(ErrorCode::unavailable,
                 "too much waits for the state folder; is its disk slow or locked?"));
}

}  // namespace

toolbox::ToolGroup management_tools(ManagementServices services) {
  const auto shared = std::make_shared<const ManagementServices>(std::move(services));
  toolbox::ToolGroup group{std::string(management_group), {}};
  const auto add = [&](const char* name, const char* title, const char* description,
                       toolbox::Annotations annotations, Json input, auto* body) {
    toolbox::ToolInfo info;
    info.name = name;
    info.title = title;
    info.description = description;
    group.tools.push_back(std::make_shared<ManagementTool>(
        std::move(info), annotations, std::move(input),
        [shared, body](const Json& arguments, Reply reply) {
          if constexpr (std::is_same_v<decltype(body),
                                       Answer (*)(const ManagementServices&, const Json&)>) {
            answer_elsewhere(*shared, std::move(reply),
                             [shared, body, arguments] { return body(*shared, arguments); });
          } else {
            body(*shared, arguments, std::move(reply));
          }
        }));
  };
  constexpr toolbox::Annotations reads{
      .read_only = true, .destructive = false, .idempotent = true, .open_world = false};
  constexpr toolbox::Annotations narrows{
      .read_only = false, .destructive = true, .idempotent = true, .open_world = false};
  constexpr toolbox::Annotations asks{
      .read_only = false, .destructive = false, .idempotent = true, .open_world = false};
  add("belljar_list", "List components",
      "Lists the components that are loaded, their tools, and what each may do.", reads,
      object_schema({}), list);
  add("belljar_inspect", "Inspect a component",
      "Shows one component: its tools, what it imports, what it may do and its limits.", reads,
      object_schema({{"component", "The component's name, as belljar_list shows it."}}), inspect);
  add("belljar_unload", "Unload a component",
      "Takes a component's tools away until the server starts again. What it was granted stays as "
      "it is.",
      narrows, object_schema({{"component", "The component's name, as belljar_list shows it."}}),
      unload);
  add("belljar_request-permission", "Request a permission",
      "Notes that a component needs a permission, for the user to decide about. It grants nothing: "
      "only the user can, outside this conversation.",
      asks,
      object_schema(
          {{"component", "The component's name, as belljar_list shows it."},
           {"permission",
            "KIND=VALUE. Kinds: storage (/FOLDER[:/PLACE][:rw]), network ([METHOD,... ]HOST or a "
            "URL, "
            "tcp:HOST:PORT, udp:HOST:PORT, each with cidr:RANGE behind it for a host with private "
            "addresses), environment (NAME), secret "
            "(NAME@HOST:header=NAME), limit (NAME=AMOUNT). Example: network=api.example."},
           {"reason", "Why it is needed, in a sentence that the user will read."}}),
      request_permission);
  return group;
}

}  // namespace belljar::mcp
