// A loaded component and its tools.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "artifact/loader.h"
#include "engine/engine.h"
#include "host/component_host.h"
#include "support/task_group.h"
#include "support/workers.h"
#include "toolbox/admission.h"
#include "toolbox/handles.h"
#include "toolbox/names.h"
#include "toolbox/refusal_desk.h"
#include "toolbox/tool.h"
#include "toolbox/waiting_room.h"

namespace belljar::toolbox {

/// What all components share.
struct ComponentServices {
  engine::Engine& engine;
  const artifact::Loader& loader;
  host::Services& host;
  Admission& admission;
  WaitingRoom& waiting_room;
  Handles& handles;
  RefusalDesk& refusals;
  TaskGroup& tasks;
  /// For what a call has to wait for before it starts.
  Workers& workers;
};

/// What a component may import, beyond what the embedder offers: the interfaces of WASI that the
/// engine gives. Others are refused when the component is loaded.
[[nodiscard]] bool is_known_import(std::string_view interface);

/// A component that is ready to be called. Any thread; lives as long as its last call.
class Component : public std::enable_shared_from_this<Component> {
 public:
  /// Loads a component into the engine. Errors say what is wrong with it.
  [[nodiscard]] static Result<std::shared_ptr<Component>> load(
      ComponentServices services, std::string name, artifact::Artifact artifact,
      std::shared_ptr<host::Permissions> permissions);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const artifact::Artifact& artifact() const noexcept { return artifact_; }
  [[nodiscard]] host::ComponentHost& host() const noexcept { return *host_; }
  [[nodiscard]] const std::shared_ptr<host::ComponentHost>& shared_host() const noexcept {
    return host_;
  }
  [[nodiscard]] std::vector<std::string> tool_names() const;
  /// Whether it is a program: it exports `wasi:cli/run`.
  [[nodiscard]] bool is_command() const;
  /// Its tools, as a group for the toolbox.
  [[nodiscard]] ToolGroup tools();

  /// Starts a call of a tool.
  std::shared_ptr<CallHandle> start(const NamedFunction& function, const ToolCall& call,
                                    Completion completion);
  /// What the component can do under the permissions that hold now. May wait for the state, unless
  /// `knows_permissions`.
  [[nodiscard]] Annotations annotations() const;
  [[nodiscard]] bool knows_permissions() const;
  /// Whether a resource is among what the function takes or gives.
  [[nodiscard]] bool takes_resources(const engine::Function& function) const;

 private:
  class ActiveCall;
  Component(ComponentServices services, std::string name, artifact::Artifact artifact,
            std::shared_ptr<host::Permissions> permissions);
  [[nodiscard]] Result<std::shared_ptr<engine::Program>> program(bool fuel);
  [[nodiscard]] bool imports(std::string_view prefix) const;
  [[nodiscard]] const engine::Function& function_of(const NamedFunction& named) const;

  ComponentServices services_;
  std::string name_;
  artifact::Artifact artifact_;
  std::shared_ptr<host::ComponentHost> host_;
  std::vector<engine::FunctionName> function_names_;
  std::vector<NamedFunction> named_;
  std::shared_ptr<Lane> lane_ = std::make_shared<Lane>();
  std::shared_ptr<engine::Program> plain_program_;
  /// Held while the program with fuel is made; nobody waits for it who only looks.
  std::mutex fuel_mutex_;
  std::atomic<std::shared_ptr<engine::Program>> fuel_program_;
};

}  // namespace belljar::toolbox
