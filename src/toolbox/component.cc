#include "toolbox/component.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "host/call_host.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"
#include "toolbox/call.h"
#include "toolbox/docs.h"
#include "toolbox/schema.h"

namespace belljar::toolbox {
namespace {

constexpr std::size_t maximum_description = 8 * 1024;
constexpr std::size_t longest_named = 8 * 1024;
/// Of all tools of a component, for they are kept and listed.
constexpr std::size_t maximum_schemas = 8 << 20;

std::string describe_tool(const engine::Description& description, const engine::Function& function,
                          bool& cleaned) {
  // What is said of parameters is shown with them, and deceives no less there.
  cleaned = clean_text(function.docs, function.docs.size()).changed;
  const FunctionDocs docs = read_docs(function);
  const std::string text(trim(clean_text(docs.description, maximum_description).text));
  if (!text.empty()) return text;
  if (function.is_command()) {
    const std::string about(trim(clean_text(description.docs, maximum_description).text));
    return about.empty() ? "Runs the program with the given arguments and standard input." : about;
  }
  return {};
}

std::string title_of(const NamedFunction& named) {
  std::string title = named.whole;
  std::replace(title.begin(), title.end(), '-', ' ');
  std::replace(title.begin(), title.end(), '_', ' ');
  if (!title.empty() && title.front() >= 'a' && title.front() <= 'z') {
    title.front() = static_cast<char>(title.front() - 'a' + 'A');
  }
  return title;
}

class ComponentTool final : public Tool {
 public:
  /// `function` is one of the component's own: a call needs it for as long as the component, also
  /// where its tool is unloaded meanwhile.
  ComponentTool(std::shared_ptr<Component> component, const NamedFunction& function, ToolInfo info)
      : component_(std::move(component)), function_(function), info_(std::move(info)) {
    const engine::Function& called =
        component_->artifact().description.functions[function_.function];
    keeps_state_ = gives_back() || !called.resource.empty() || component_->takes_resources(called);
  }

  const ToolInfo& info() const override { return info_; }
  Annotations annotations() const override {
    Annotations hints = component_->annotations();
    // An instance that lives on remembers: the same call may answer otherwise the next time.
    if (keeps_state_) hints.read_only = hints.idempotent = false;
    if (gives_back()) hints.destructive = true;
    return hints;
  }
  bool knows_annotations() const override { return component_->knows_permissions(); }
  std::shared_ptr<CallHandle> start(const ToolCall& call, Completion completion) override {
    return component_->start(function_, call, std::move(completion));
  }

 private:
  [[nodiscard]] bool gives_back() const { return !function_.dropped_resource.empty(); }

  std::shared_ptr<Component> component_;
  const NamedFunction& function_;
  ToolInfo info_;
  bool keeps_state_ = false;
};

}  // namespace

bool is_known_import(std::string_view interface) {
  constexpr std::array<std::string_view, 7> packages{
      "wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:http/",
      "wasi:io/",  "wasi:random/", "wasi:sockets/"};
  return std::any_of(packages.begin(), packages.end(),
                     [&](std::string_view package) { return interface.starts_with(package); });
}

Component::Component(ComponentServices services, std::string name, artifact::Artifact artifact,
                     std::shared_ptr<host::Permissions> permissions)
    : services_(services), name_(std::move(name)), artifact_(std::move(artifact)) {
  host_ = std::make_shared<host::ComponentHost>(services_.host, std::move(permissions),
                                                imports("wasi:filesystem/"));
  for (const engine::Function& function : artifact_.description.functions) {
    function_names_.push_back({function.interface, function.name});
  }
}

bool Component::imports(std::string_view prefix) const {
  const auto& all = artifact_.description.imports;
  return std::any_of(all.begin(), all.end(),
                     [&](const std::string& import) { return import.starts_with(prefix); });
}

Result<std::shared_ptr<Component>> Component::load(ComponentServices services, std::string name,
                                                   artifact::Artifact artifact,
                                                   std::shared_ptr<host::Permissions> permissions) {
  for (const std::string& import : artifact.description.imports) {
    const auto& offered = services.host.capabilities;
    const bool known =
        is_known_import(import) ||
        std::any_of(offered.begin(), offered.end(),
                    [&](const Capability& capability) { return capability.interface == import; });
    if (!known) {
      return fail(ErrorCode::load_failed,
                  "it imports {}, which this host does not offer; it offers WASI 0.2 and 0.3 (cli, "
                  "clocks, filesystem, http, io, random, sockets)",
                  one_line(import, 120));
    }
  }
  std::shared_ptr<Component> component(
      new Component(services, std::move(name), std::move(artifact), std::move(permissions)));
  BELLJAR_TRY(component->named_,
              name_functions(component->name_, component->artifact_.description));
  if (component->named_.empty()) {
    return fail(ErrorCode::load_failed, "it exports no function that could be a tool");
  }
  // Every schema is made once here, so that a type that cannot be shown is a load error. A type of
  // a few lines can be part of thousands of tools.
  std::size_t schemas = 0;
  for (const NamedFunction& named : component->named_) {
    const engine::Function& function = component->artifact_.description.functions[named.function];
    if (function.is_command() || !named.dropped_resource.empty()) continue;
    BELLJAR_TRY(const ToolSchemas made,
                in_context(make_schemas(component->artifact_.description, function), named.tool));
    schemas += made.input.size() + made.output.size();
    if (schemas > maximum_schemas) {
      return fail(ErrorCode::load_failed, "the schemas of its tools are larger than {} together",
                  format_bytes(Bytes{maximum_schemas}));
    }
  }
  BELLJAR_TRY(component->plain_program_, services.engine.load(component->artifact_.code.path(),
                                                              component->function_names_, false));
  return component;
}

bool Component::is_command() const {
  return std::any_of(named_.begin(), named_.end(),
                     [&](const NamedFunction& named) { return function_of(named).is_command(); });
}

std::vector<std::string> Component::tool_names() const {
  std::vector<std::string> names;
  for (const NamedFunction& named : named_) names.push_back(named.tool);
  return names;
}

ToolGroup Component::tools() {
  ToolGroup group{name_, {}};
  const engine::Description& description = artifact_.description;
  for (const NamedFunction& named : named_) {
    const engine::Function& function = description.functions[named.function];
    ToolInfo info;
    info.name = named.tool;
    info.title = title_of(named);
    info.group = name_;
    ToolSchemas schemas;
    if (!named.dropped_resource.empty()) {
      schemas = drop_schemas(named.dropped_resource);
      info.description = fmt::format("Gives a {} back. Its handle is of no use afterwards.",
                                     named.dropped_resource);
    } else {
      // Made before, when the component was loaded.
      schemas = function.is_command() ? command_schemas()
                                      : make_schemas(description, function).value_or(ToolSchemas{});
      info.description = describe_tool(description, function, info.cleaned);
    }
    info.input_schema = std::move(schemas.input);
    info.output_schema = std::move(schemas.output);
    info.output_is_object = schemas.output_is_object;
    group.tools.push_back(
        std::make_shared<ComponentTool>(shared_from_this(), named, std::move(info)));
  }
  return group;
}

bool Component::knows_permissions() const { return host_->permissions().known() != nullptr; }

Annotations Component::annotations() const {
  Annotations annotations;
  const auto snapshot = host_->permissions().current();
  // Nobody knows what holds, so it could be anything.
  if (!snapshot)
    return {.read_only = false, .destructive = true, .idempotent = false, .open_world = true};
  const bool writes =
      imports("wasi:filesystem/") &&
      std::any_of((*snapshot)->mounts().begin(), (*snapshot)->mounts().end(),
                  [](const policy::Mount& mount) { return mount.rule.access.write; });
  const bool talks =
      (imports("wasi:http/") && (*snapshot)->has_network()) ||
      (imports("wasi:sockets/") && ((*snapshot)->has_sockets(policy::Transport::tcp) ||
                                    (*snapshot)->has_sockets(policy::Transport::udp)));
  const bool changes_elsewhere = talks && !(*snapshot)->network_only_reads();
  const bool embedder = std::any_of(
      artifact_.description.imports.begin(), artifact_.description.imports.end(),
      [&](const std::string& import) {
        return !is_known_import(import) && (*snapshot)->decide_capability(import).allowed;
      });
  annotations.read_only = !writes && !changes_elsewhere && !embedder;
  annotations.destructive = !annotations.read_only;
  // What changes nothing can be done as often as one likes.
  annotations.idempotent = annotations.read_only;
  annotations.open_world = talks || embedder;
  return annotations;
}

Result<std::shared_ptr<engine::Program>> Component::program(bool fuel) {
  if (!fuel) return plain_program_;
  if (auto made = fuel_program_.load()) return made;
  const std::lock_guard lock(fuel_mutex_);
  if (auto made = fuel_program_.load()) return made;
  BELLJAR_TRY(const artifact::Artifact counted, services_.loader.load(artifact_.path, true));
  if (counted.digest != artifact_.digest) {
    return fail(ErrorCode::unavailable,
                "the file {} has changed since it was loaded; load it again: belljar upgrade {}",
                artifact_.path.native(), name_);
  }
  BELLJAR_TRY(std::shared_ptr<engine::Program> program,
              services_.engine.load(counted.code.path(), function_names_, true));
  fuel_program_.store(program);
  return program;
}

/// A call from its admission to its end.
class Component::ActiveCall final : public CallHandle,
                                    public std::enable_shared_from_this<ActiveCall> {
 public:
  ActiveCall(std::shared_ptr<Component> component, const NamedFunction& function,
             const ToolCall& call, Completion completion)
      : component_(std::move(component)),
        function_(function),
        call_(call),
        completion_(std::move(completion)),
        began_(std::chrono::steady_clock::now()) {}

  void begin() {
    audit::Log& log = component_->services_.host.log;
    // Before anything is done or used up, a grant for one call above all.
    if (!log.accepts()) return complete(std::unexpected(log.refusal()));
    if (auto ready = component_->host_->ready()) {
      grip_ = *std::move(ready);
      return begin_with_grip();
    }
    if (!keep_arguments()) return too_much_waits();
    elsewhere([this]() -> Step {
      auto grip = component_->host_->grip();
      if (!grip) return [this, error = std::move(grip).error()] { end(std::unexpected(error)); };
      return [this, made = *std::move(grip)]() mutable {
        grip_ = std::move(made);
        begin_with_grip();
      };
    });
  }

  void cancel() override {
    std::optional<std::uint64_t> waiting;
    bool prepared_elsewhere = false;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      if (invocation_) invocation_->cancel();
      waiting = waiting_;
      prepared_elsewhere = std::exchange(is_elsewhere_, false);
    }
    if (prepared_elsewhere) return end_cancelled();
    if (waiting) withdraw(*waiting);
  }

 private:
  /// What follows once something was waited for.
  using Step = std::move_only_function<void()>;

  /// Waits for something outside on a thread that may, and goes on there. A call that is cancelled
  /// meanwhile has ended; what it waited for is dropped.
  void elsewhere(std::move_only_function<Step()> wait) {
    {
      const std::lock_guard lock(mutex_);
      is_elsewhere_ = true;
    }
    Workers::Job job = [self = shared_from_this(), wait = std::move(wait)]() mutable {
      Step next = wait();
      if (self->returns()) next();
    };
    if (component_->services_.workers.add(job) || !returns()) return;
    end(fail(ErrorCode::unavailable,
             "too many calls wait for the state folder or the log; is its disk slow or locked?"));
  }

  /// Whether the call is still wanted by whoever prepared it elsewhere.
  [[nodiscard]] bool returns() {
    const std::lock_guard lock(mutex_);
    return std::exchange(is_elsewhere_, false);
  }

  void end_cancelled() {
    Outcome outcome;
    outcome.result = Cancelled{};
    end(std::move(outcome));
  }

  void begin_with_grip() {
    const policy::Limits& limits = grip_.snapshot->limits();
    timeout_ = limits.timeout;
    if (call_.timeout) timeout_ = std::min(timeout_, *call_.timeout);
    if (auto live = find_live(); !live) {
      return end(Outcome{.result = ToolError{{}, live.error().message()},
                         .refusals = {},
                         .reached = {},
                         .usage = {},
                         .standard_output = {},
                         .standard_error = {}});
    }
    // Fuel needs code of its own, which may have to be compiled first.
    if (limits.fuel.value > 0 && !component_->fuel_program_.load()) return wait_for_fuel_program();
    admit();
  }

  /// Arguments outlive the caller's buffer where the call has to wait. False if others keep too
  /// much already.
  [[nodiscard]] bool keep_arguments() {
    if (!kept_arguments_) {
      kept_arguments_ = component_->services_.waiting_room.keep(call_.arguments);
      if (!kept_arguments_) return false;
      call_.arguments = kept_arguments_->text();
    }
    return true;
  }

  void too_much_waits() {
    end(fail(ErrorCode::unavailable,
             "calls that wait keep too much already; send fewer at once, or with less in them"));
  }

  Result<void> find_live() {
    const engine::Function& function = component_->function_of(function_);
    if (function.resource.empty() && !component_->takes_resources(function)) return {};
    BELLJAR_TRY(const auto live, component_->services_.handles.find(call_.arguments, call_.client));
    live_ = live.value_or(0);
    if (live_ == 0) {
      reserved_ = component_->services_.handles.reserve(call_.client);
      if (!reserved_) {
        return fail(ErrorCode::unavailable,
                    "too many resources are held; give some back with their drop tools first");
      }
    }
    if (!function_.dropped_resource.empty()) {
      const auto parsed = parse_json(call_.arguments, Bytes{64 << 20});
      if (!parsed || !parsed->is_object() || parsed->size() != 1 || !parsed->contains("self") ||
          !(*parsed)["self"].is_string() || live_ == 0) {
        return fail(ErrorCode::invalid_argument, "/self: expected the handle of a {}",
                    function_.dropped_resource);
      }
      drop_handle_ = (*parsed)["self"].get<std::string>();
    }
    return {};
  }

  void wait_for_fuel_program() {
    if (!keep_arguments()) return too_much_waits();
    const auto started = component_->services_.tasks.start([self = shared_from_this()] {
      if (auto program = self->component_->program(true); !program) {
        return self->end(std::unexpected(std::move(program).error()));
      }
      self->admit();
    });
    if (!started) end(std::unexpected(started.error()));
  }

  void admit() {
    const std::uint32_t most = grip_.snapshot->limits().instances;
    Admission& admission = component_->services_.admission;
    if (admission.try_enter(*component_->lane_, most)) return run();
    if (!keep_arguments()) return not_admitted();
    const auto waiting = admission.wait(component_->lane_, most, began_ + timeout_,
                                        [self = shared_from_this()](bool may) {
                                          if (may) {
                                            self->run();
                                          } else {
                                            self->not_admitted();
                                          }
                                        });
    if (!waiting) return not_admitted();
    bool cancelled = false;
    {
      const std::lock_guard lock(mutex_);
      waiting_ = waiting;
      cancelled = cancelled_;
    }
    if (cancelled) withdraw(*waiting);
  }

  /// Ends a cancelled call that still waits for its place.
  void withdraw(std::uint64_t waiting) {
    if (component_->services_.admission.withdraw(waiting)) end_cancelled();
  }

  void not_admitted() {
    const std::uint32_t most = grip_.snapshot->limits().instances;
    Outcome outcome;
    if (component_->lane_->running.load() >= most) {
      const auto grant = grip_.snapshot->raise_limit("instances", fmt::format("{}", most * 2));
      outcome.result = belljar::LimitReached{"instances", fmt::format("{} sandboxes", most),
                                             fmt::format("{} sandboxes", most),
                                             grant ? grant->text() : std::string()};
    } else {
      // Other components have them: no grant to this one helps.
      outcome.result = belljar::LimitReached{
          "sandboxes", "all of them are in use",
          fmt::format("{} for all components together", component_->services_.admission.total()),
          ""};
    }
    end(std::move(outcome));
  }

  void run() {
    admitted_ = true;
    const engine::Function& function = component_->function_of(function_);
    host::CallInputs inputs;
    inputs.on_output = call_.on_output;
    inputs.on_progress = call_.on_progress;
    if (function.is_command()) {
      auto parsed = command_inputs(component_->name_, call_, inputs);
      if (!parsed) {
        Outcome outcome;
        outcome.result = ToolError{{}, parsed.error().message()};
        return end(std::move(outcome));
      }
    }
    host_ = std::make_shared<host::CallHost>(component_->host_, grip_, std::move(inputs));
    if (!host_->has_to_prepare()) return run_prepared();
    if (!keep_arguments()) return too_much_waits();
    elsewhere([this]() -> Step {
      if (auto prepared = host_->prepare(); !prepared) {
        return [this, error = prepared.error()] { end(std::unexpected(error)); };
      }
      return [this] { run_prepared(); };
    });
  }

  void run_prepared() {
    // The engine reads them when it starts, and nobody afterwards.
    const auto kept = std::exchange(kept_arguments_, std::nullopt);
    const policy::Limits& limits = grip_.snapshot->limits();
    // Made before, if it is one with fuel.
    auto program = component_->program(limits.fuel.value > 0);
    if (!program) return end(std::unexpected(std::move(program).error()));
    if (live_ != 0) host_->resume(component_->host_->take_reached(live_));
    if (grip_.mounts) named_ = call_.arguments.substr(0, longest_named);
    const auto passed = std::chrono::steady_clock::now() - began_;
    const engine::CallSettings settings{
        .memory = limits.memory,
        .fuel = limits.fuel,
        .timeout = std::max(std::chrono::nanoseconds(1), timeout_ - passed),
        .output = limits.output,
        .handles = limits.handles,
        .written = limits.written,
        .seed = call_.seed,
        .clock_resolution = limits.clock,
        .inherit_stdio = call_.inherit_stdio,
        .live = live_,
        .drop_handle = drop_handle_,
    };
    auto invocation = (*program)->start(function_.function, call_.arguments, settings, host_,
                                        [self = shared_from_this()](engine::Outcome outcome) {
                                          self->finished(std::move(outcome));
                                        });
    const std::lock_guard lock(mutex_);
    invocation_ = std::move(invocation);
    if (cancelled_) invocation_->cancel();
  }

  void finished(engine::Outcome outcome) {
    if (live_ != 0 || outcome.live != 0) {
      component_->services_.handles.settle(live_, outcome.live, outcome.handles, call_.client);
      if (outcome.live != 0) {
        component_->host_->keep_reached(outcome.live, host_->take_reached());
      }
    }
    if (outcome.kind == engine::OutcomeKind::fault) {
      return end(fail(ErrorCode::internal, "{}", outcome.message));
    }
    const CallSummary summary{component_->function_of(function_).is_command(), timeout_,
                              *grip_.snapshot, named_};
    Outcome result = make_outcome(std::move(outcome), *host_, summary);
    result.usage.duration = std::chrono::steady_clock::now() - began_;
    end(std::move(result));
  }

  /// Records the call, gives its place back, and tells the caller once refusals are on disk.
  void end(Result<Outcome> result) {
    kept_arguments_.reset();
    if (std::exchange(reserved_, false)) component_->services_.handles.release(call_.client);
    if (std::exchange(admitted_, false)) {
      component_->services_.admission.leave(*component_->lane_);
    }
    host::Services& services = component_->services_.host;
    if (host_) host_->record_rest();
    const bool has_room = services.log.append({audit::RecordKind::call, services.clock.now(),
                                               component_->host_->subject(),
                                               call_details(function_.tool, result, host_.get())});
    if (result && !result->refusals.empty()) return tell_refused(*std::move(result));
    if (!has_room) return complete_later(std::move(result));
    complete(std::move(result));
  }

  /// The last that a call does: the services may be gone once its place is given back.
  void complete(Result<Outcome> result) {
    completion_(std::move(result));
    place_ = {};
  }

  /// Completes the call once its record is on disk, or cannot be for now. No thread waits.
  void complete_later(Result<Outcome> result) {
    component_->services_.host.log.when_durable(
        [self = shared_from_this(), result = std::move(result)](bool) mutable {
          self->complete(std::move(result));
        });
  }

  /// Gives refusals the ids of their requests. New ones are on disk before the caller hears of
  /// them, those past the component's budget as a number in the call's record.
  void tell_refused(Outcome outcome) {
    std::vector<Refusal> fresh;
    bool only_counted = false;
    for (Refusal& refusal : outcome.refusals) {
      if (refusal.hint) continue;
      if (auto request = component_->host_->known_refusal(name_of(refusal))) {
        refusal.request_id = *std::move(request);
      } else if (component_->host_->may_note_refusal()) {
        fresh.push_back(refusal);
      } else {
        only_counted = true;
        refusal.reason += unnoted("the component was refused too much in this minute");
      }
    }
    if (fresh.empty()) {
      if (only_counted) return complete_later(std::move(outcome));
      return complete(std::move(outcome));
    }
    component_->services_.refusals.settle(
        component_->host_, function_.tool, std::move(fresh),
        [self = shared_from_this(), outcome = std::move(outcome)](std::vector<Refusal> settled,
                                                                  Result<void> noted) mutable {
          for (const Refusal& known : settled) {
            // What was refused for the log's sake is another matter as soon as it can be written.
            if (noted && known.rule != host::CallHost::log_rule) {
              self->component_->host_->remember_refusal(name_of(known), known.request_id);
            }
            for (Refusal& refusal : outcome.refusals) {
              if (name_of(refusal) != name_of(known)) continue;
              if (noted) {
                refusal.request_id = known.request_id;
              } else if (refusal.rule != host::CallHost::log_rule) {
                refusal.reason += unnoted(noted.error().message());
              }
            }
          }
          self->complete(std::move(outcome));
        });
  }

  /// What is said of a refusal that a person will not find among the requests.
  static std::string unnoted(std::string_view why) {
    return fmt::format(" (no request could be noted: {})", why);
  }

  static std::string name_of(const Refusal& refusal) { return refusal.kind + " " + refusal.what; }

  std::shared_ptr<Component> component_;
  /// Keeps the services until the call has ended.
  TaskGroup::Place place_{component_->services_.tasks};
  const NamedFunction& function_;
  ToolCall call_;
  std::optional<WaitingRoom::Kept> kept_arguments_;
  Completion completion_;
  std::chrono::steady_clock::time_point began_;
  host::Grip grip_;
  std::chrono::nanoseconds timeout_{0};
  std::uint64_t live_ = 0;
  std::string drop_handle_;
  /// The arguments of a component that may open files, as far as paths are looked for in them.
  std::string named_;
  bool admitted_ = false;
  /// Whether room for a live instance is kept.
  bool reserved_ = false;
  std::shared_ptr<host::CallHost> host_;

  std::mutex mutex_;
  bool cancelled_ = false;
  /// Whether it is on another thread, which waits for something, and no further.
  bool is_elsewhere_ = false;
  /// The number of its place in the queue.
  std::optional<std::uint64_t> waiting_;
  std::unique_ptr<engine::Invocation> invocation_;
};

const engine::Function& Component::function_of(const NamedFunction& named) const {
  return artifact_.description.functions[named.function];
}

bool Component::takes_resources(const engine::Function& function) const {
  const auto holds = [&](const auto& self, const engine::Type& type, int depth) -> bool {
    const auto* index = std::get_if<engine::TypeIndex>(&type);
    if (index == nullptr || depth > 64) return false;
    const engine::TypeDefinition& definition = artifact_.description.types[index->value];
    if (definition.kind == engine::TypeKind::own || definition.kind == engine::TypeKind::borrow) {
      return true;
    }
    const auto part = [&](const std::optional<engine::Type>& inner) {
      return inner && self(self, *inner, depth + 1);
    };
    return part(definition.element) || part(definition.other) ||
           std::any_of(definition.members.begin(), definition.members.end(),
                       [&](const engine::Member& member) { return part(member.type); });
  };
  const auto member = [&](const engine::Member& parameter) {
    return parameter.type && holds(holds, *parameter.type, 0);
  };
  return std::any_of(function.parameters.begin(), function.parameters.end(), member) ||
         (function.result && holds(holds, *function.result, 0));
}

std::shared_ptr<CallHandle> Component::start(const NamedFunction& function, const ToolCall& call,
                                             Completion completion) {
  auto active =
      std::make_shared<ActiveCall>(shared_from_this(), function, call, std::move(completion));
  active->begin();
  return active;
}

}  // namespace belljar::toolbox
