// The composition root: the only place where long-lived objects are made and wired.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/loader.h"
#include "artifact/reference.h"
#include "audit/writer.h"
#include "belljar/runtime.h"
#include "engine/compiler.h"
#include "engine/engine.h"
#include "host/component_host.h"
#include "host/opener.h"
#include "runtime/config.h"
#include "store/grants.h"
#include "store/secrets.h"
#include "store/state.h"
#include "support/task_group.h"
#include "support/workers.h"
#include "toolbox/component.h"
#include "toolbox/toolbox.h"
#include "toolbox/waiting_room.h"

namespace belljar::runtime {

/// What a core is made of.
struct CoreOptions {
  store::Paths paths;
  Config config;
  std::filesystem::path compiler;
  /// Starts the compiler if this process has locked itself in; absent starts it as a child.
  std::shared_ptr<engine::HelperStarter> compilers;
  std::vector<Capability> capabilities;
  std::vector<policy::Document> ceilings;
  /// Names this process in grants that hold for a session.
  std::string session;
  /// What the process is, for the log: `serve`, `call`, `library`.
  std::string role;
  /// Opens files where this process has locked itself in; absent opens them here.
  std::unique_ptr<host::Opener> opener;
  /// Calls that the process will have under way at once, where that is known: a smaller pool is
  /// made sooner. Zero takes what is configured.
  std::uint32_t calls = 0;
  /// False keeps no log; for measuring what it costs.
  bool audit = true;
};

/// What a component is given besides what the state holds.
struct ComponentGrants {
  std::vector<policy::Document> documents;
};

/// A component that is to be loaded.
struct ComponentLoad {
  artifact::Reference reference;
  ComponentGrants grants;
  /// The content that a person has agreed to; other content is an error. Empty takes any.
  std::string digest;
};

/// Everything that runs components, wired. Any thread.
class Core {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Core>> create(CoreOptions options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// Reads and describes a component without loading it.
  [[nodiscard]] Result<artifact::Artifact> inspect(const artifact::Reference& reference,
                                                   const std::stop_token& stop = {},
                                                   const engine::Compiler::Progress& progress = {});
  /// Loads a component and puts its tools into the toolbox.
  [[nodiscard]] Result<std::shared_ptr<toolbox::Component>> load(
      const ComponentLoad& load, const std::stop_token& stop = {},
      const engine::Compiler::Progress& progress = {});
  /// False where nothing of this name is loaded.
  bool unload(std::string_view name);
  /// Notes that an agent asks for a permission; tells the request's id once that is on disk.
  void note_request(const toolbox::Component& component, policy::Grant grant, std::string reason,
                    std::move_only_function<void(Result<std::string>)> done);
  /// Nothing where it is not loaded.
  [[nodiscard]] std::shared_ptr<toolbox::Component> component(std::string_view name) const;
  [[nodiscard]] std::vector<std::shared_ptr<toolbox::Component>> components() const;

  [[nodiscard]] toolbox::Toolbox& toolbox() noexcept { return toolbox_; }
  [[nodiscard]] store::State& state() noexcept { return *state_; }
  [[nodiscard]] store::Secrets& secrets() noexcept { return *secrets_; }
  [[nodiscard]] audit::Log& log() noexcept { return *log_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const std::string& session() const noexcept { return session_; }
  [[nodiscard]] const artifact::Loader& loader() const noexcept { return *loader_; }
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] toolbox::Handles& handles() noexcept { return *handles_; }
  /// For short work that may wait for the state.
  [[nodiscard]] Workers& workers() noexcept { return *workers_; }

 private:
  explicit Core(CoreOptions options);
  [[nodiscard]] Result<void> build(CoreOptions options);

  SystemClock clock_;
  Config config_;
  std::string session_;
  std::vector<Capability> capabilities_;
  std::vector<policy::Document> ceilings_;

  // In the order in which they need each other; destroyed the other way round.
  std::unique_ptr<store::State> state_;
  std::unique_ptr<store::Secrets> secrets_;
  std::unique_ptr<audit::Log> log_;
  std::unique_ptr<host::Opener> opener_;
  host::DirectFiles direct_files_;
  // Used by the requests that the egress still ends when it is destroyed.
  std::unique_ptr<host::Services> services_;
  std::unique_ptr<host::Egress> egress_;
  std::unique_ptr<engine::Compiler> compiler_;
  std::unique_ptr<artifact::Loader> loader_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<toolbox::Handles> handles_;
  std::unique_ptr<toolbox::Admission> admission_;
  toolbox::WaitingRoom waiting_room_;
  std::unique_ptr<toolbox::RefusalDesk> refusals_;
  toolbox::Toolbox toolbox_;
  std::unique_ptr<Workers> workers_;
  TaskGroup tasks_;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<toolbox::Component>, std::less<>> components_;
};

/// Three quarters of the machine's memory.
[[nodiscard]] Bytes default_memory();
/// Where the compiler helper is, beside this library or program; see Options.
[[nodiscard]] Result<std::filesystem::path> find_compiler();

}  // namespace belljar::runtime
