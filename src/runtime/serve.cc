#include "runtime/serve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <semaphore.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include "mcp/connection.h"
#include "mcp/management.h"
#include "mcp/session.h"
#include "mcp/stdio.h"
#include "runtime/control.h"
#include "runtime/version.h"
#include "store/components.h"
#include "support/json.h"
#include "support/result.h"
#include "toolbox/bare_names.h"

namespace belljar::runtime {
namespace {

using std::chrono::milliseconds;

/// How long the end of the input waits for tools that are still being loaded.
constexpr milliseconds loading_grace{700};
/// How long cancelled calls and unread answers are waited for.
constexpr milliseconds ending_grace{700};
/// How often a log that could not be written is looked at.
constexpr milliseconds log_interval{200};
/// When the process ends in any case.
constexpr milliseconds ending_limit{1'900};

volatile std::sig_atomic_t stop_requested = 0;
/// Posted when the end begins: by a signal, or when the input has ended.
sem_t ending;

/// Makes the reader of standard input see its end, wherever it is at this moment.
extern "C" void on_stop_signal(int) {
  stop_requested = 1;
  ::sem_post(&ending);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
}

constexpr std::array stop_signals{SIGINT, SIGTERM, SIGHUP};

/// Keeps stop signals from the threads that are started meanwhile: they are the reader's.
class BlockedStopSignals {
 public:
  BlockedStopSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : stop_signals) sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~BlockedStopSignals() {
    struct sigaction action{};
    action.sa_handler = on_stop_signal;
    for (const int signal : stop_signals) ::sigaction(signal, &action, nullptr);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockedStopSignals(const BlockedStopSignals&) = delete;
  BlockedStopSignals& operator=(const BlockedStopSignals&) = delete;

 private:
  sigset_t before_{};
};

/// Ends the process if something keeps it from ending by itself: a thread in a system call that
/// nothing ends, say. It watches from the start, so that a signal ends also a process in which the
/// reader itself hangs.
class EndingWatch {
 public:
  EndingWatch()
      : thread_([this](const std::stop_token& stop) {
          while (::sem_wait(&ending) != 0) {
          }
          std::unique_lock lock(mutex_);
          if (!ended_.wait_for(lock, stop, ending_limit, [] { return false; }) &&
              !stop.stop_requested()) {
            ::_exit(0);
          }
        }) {}
  ~EndingWatch() {
    thread_.request_stop();
    begin();
  }
  EndingWatch(const EndingWatch&) = delete;
  EndingWatch& operator=(const EndingWatch&) = delete;

  /// From now on the process has `ending_limit`.
  static void begin() { ::sem_post(&ending); }

 private:
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;
};

/// One server on standard streams.
class StdioServer {
 public:
  StdioServer(std::unique_ptr<Core> core, ServeOptions options, mcp::LineWriter& writer,
              std::optional<ControlSocket> commands)
      : core_(std::move(core)),
        options_(std::move(options)),
        commands_(std::move(commands)),
        writer_(writer),
        identity_{.version = std::string(version()),
                  .instructions = std::string(server_instructions())},
        session_(core_->toolbox(), core_->session(), {}),
        connection_(
            std::make_shared<mcp::Connection>(writer_, session_, identity_, connection_options())) {
    core_->toolbox().on_change([weak = std::weak_ptr(connection_)] {
      if (const auto connection = weak.lock()) connection->tools_changed();
    });
  }

  /// Calls that end while the core goes still tell the connection.
  ~StdioServer() { core_.reset(); }
  StdioServer(const StdioServer&) = delete;
  StdioServer& operator=(const StdioServer&) = delete;

  Result<void> run() {
    BELLJAR_CHECK(core_->toolbox().put(mcp::management_tools(management())));
    std::unique_ptr<ControlServer> control;
    if (commands_) {
      auto started = ControlServer::start(*std::move(commands_),
                                          [this](const Json& request, const std::stop_token& stop) {
                                            return handle(request, stop);
                                          });
      if (!started) options_.warn(started.error().describe());
      if (started) control = *std::move(started);
    }
    try {
      loader_ = std::jthread([this](const std::stop_token& stop) { load_all(stop); });
    } catch (const std::system_error& error) {
      return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
    }
    mcp::LineReader(STDIN_FILENO, core_->config().frame).run(*connection_, stop_requested);

    EndingWatch::begin();
    if (stop_requested == 0) wait_until_loaded();
    loader_.request_stop();
    control.reset();
    loader_.join();
    connection_->close(ending_grace);
    writer_.drain(ending_grace);
    if (connection_->in_flight() > 0) leave_running_calls();
    return {};
  }

 private:
  /// Calls that were cancelled and have not ended yet still use everything that would be taken down
  /// under them. What they did so far is put on disk, and they end with the process.
  [[noreturn]] void leave_running_calls() {
    auto written = std::make_shared<std::promise<void>>();
    const auto done = written->get_future();
    core_->log().when_durable([written](bool) { written->set_value(); });
    done.wait_for(ending_grace);
    ::_exit(0);
  }

  void wait_until_loaded() {
    std::unique_lock lock(mutex_);
    loaded_changed_.wait_for(lock, loading_grace, [&] { return loaded_; });
  }

  void load_all(const std::stop_token& stop) {
    std::vector<ComponentLoad> held;
    for (const ComponentLoad& load : components()) {
      if (stop.stop_requested()) break;
      if (!load_one(load, stop) && !core_->log().accepts()) held.push_back(load);
    }
    if (options_.bare_names) toolbox::publish_bare_names(core_->toolbox());
    connection_->tools_ready();
    {
      const std::lock_guard lock(mutex_);
      loaded_ = true;
    }
    loaded_changed_.notify_all();
    load_later(std::move(held), stop);
  }

  bool load_one(const ComponentLoad& load, const std::stop_token& stop) {
    const auto component = core_->load(load, stop);
    if (!component) {
      options_.warn(component.error().describe());
      const std::lock_guard lock(mutex_);
      failed_.push_back(load.reference.name);
      return false;
    }
    if (!options_.components && !is_kept(**component)) core_->unload(load.reference.name);
    return true;
  }

  /// Loads what could not be loaded because that could not be recorded, once it can be.
  void load_later(std::vector<ComponentLoad> held, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    while (!held.empty()) {
      stopped.wait_for(lock, stop, log_interval, [] { return false; });
      if (stop.stop_requested()) return;
      if (!core_->log().accepts()) continue;
      std::erase_if(held, [&](const ComponentLoad& load) {
        {
          const std::lock_guard failing(mutex_);
          std::erase(failed_, load.reference.name);
        }
        return load_one(load, stop) || core_->log().accepts();
      });
      if (options_.bare_names) toolbox::publish_bare_names(core_->toolbox());
    }
  }

  std::vector<ComponentLoad> components() {
    std::vector<ComponentLoad> loads;
    if (options_.components) {
      loads = *options_.components;
      for (ComponentLoad& load : loads) load.grants = grants_of(load.reference.name);
      return loads;
    }
    const auto stored = store::Components(core_->state()).list();
    if (!stored) {
      options_.warn(stored.error().describe());
      return loads;
    }
    for (const store::StoredComponent& component : *stored) {
      loads.push_back(
          {{component.name, component.reference}, grants_of(component.name), component.digest});
    }
    return loads;
  }

  ComponentGrants grants_of(std::string_view name) const {
    const auto found = options_.grants.find(name);
    return found == options_.grants.end() ? ComponentGrants{} : found->second;
  }

  /// What may wait for the state does so on a thread of its own.
  mcp::ConnectionOptions connection_options() {
    mcp::ConnectionOptions made;
    made.elsewhere = [this](Workers::Job& job) { return core_->workers().add(job); };
    return made;
  }

  mcp::ManagementServices management() {
    return {.elsewhere = [this](Workers::Job& job) { return core_->workers().add(job); },
            .components = [this] { return core_->components(); },
            .failed =
                [this] {
                  const std::lock_guard lock(mutex_);
                  return failed_;
                },
            .unload = [this](std::string_view name) { return core_->unload(name); },
            .request =
                [this](const std::shared_ptr<toolbox::Component>& component, policy::Grant grant,
                       std::string reason, auto done) {
                  core_->note_request(*component, std::move(grant), std::move(reason),
                                      std::move(done));
                }};
  }

  Json handle(const Json& request, const std::stop_token& stop) {
    const std::string what = request.value("do", "");
    if (what == "list") return list();
    if (what == "unload") {
      if (options_.components) return {{"skipped", "it serves its own set"}};
      return {{"unloaded", core_->unload(request.value("name", ""))}};
    }
    if (what == "load") return load(request.value("name", ""), stop);
    if (what == "announce") {
      core_->toolbox().announce();
      return {{"announced", true}};
    }
    return {{"error", "this server does not know the command; is it of another version?"}};
  }

  Json list() {
    Json components = Json::array();
    for (const auto& component : core_->components()) {
      components.push_back({{"name", component->name()},
                            {"digest", component->artifact().digest},
                            {"path", component->artifact().path.native()},
                            {"tools", component->tool_names()}});
    }
    return {{"process", ::getpid()},
            {"session", core_->session()},
            {"version", version()},
            {"own_set", options_.components.has_value()},
            {"components", std::move(components)}};
  }

  /// Loads what a person put into the state under this name, in the content that is there.
  Json load(const std::string& name, const std::stop_token& stop) {
    if (options_.components) return {{"skipped", "it serves its own set"}};
    const auto stored = store::Components(core_->state()).find(name);
    if (!stored) return {{"error", stored.error().describe()}};
    if (!*stored) return {{"error", "nothing of this name is kept"}};
    const auto component =
        core_->load({{name, (*stored)->reference}, grants_of(name), (*stored)->digest}, stop);
    if (!component) return {{"error", component.error().describe()}};
    if (!is_kept(**component)) {
      core_->unload(name);
      return {{"error", "it was unloaded or upgraded meanwhile"}};
    }
    return {{"loaded", (*component)->tool_names()}};
  }

  /// Whether a person still wants this content, after the time that compiling takes.
  bool is_kept(const toolbox::Component& component) const {
    const auto stored = store::Components(core_->state()).find(component.name());
    return !stored || (*stored && (*stored)->digest == component.artifact().digest);
  }

  std::unique_ptr<Core> core_;
  ServeOptions options_;
  std::optional<ControlSocket> commands_;
  mcp::LineWriter& writer_;
  mcp::ServerIdentity identity_;
  mcp::Session session_;
  std::shared_ptr<mcp::Connection> connection_;

  std::mutex mutex_;
  std::condition_variable loaded_changed_;
  bool loaded_ = false;
  std::vector<std::string> failed_;
  std::jthread loader_;
};

}  // namespace

std::string_view server_instructions() {
  return "These tools run in sandboxes that start with no rights. When a tool was not allowed to "
         "do "
         "something, its error says what and gives the id of a request. You cannot grant anything: "
         "tell the user what is needed and why, with the request's id, and let them decide. Do not "
         "look for a way around a refusal.";
}

Result<void> serve_stdio(const Settings& settings, ServeOptions options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::filesystem::path> files;
  if (options.components) {
    for (const ComponentLoad& load : *options.components) files.push_back(load.reference.path);
  }
  // Goes last: it watches over all of the ending.
  std::optional<EndingWatch> watch;
  // Opened before the process gives up opening things.
  mcp::LineWriter writer(STDOUT_FILENO, [warn = options.warn] {
    warn("the client reads none of its answers, and 64 MiB of them wait; giving up on it");
    // As if somebody had asked the server to stop: the reader may wait for input.
    ::kill(::getpid(), SIGTERM);
  });
  std::unique_ptr<StdioServer> server;
  {
    const BlockedStopSignals blocked;
    // Made before the process gives up making sockets. A server that cannot be managed still
    // serves.
    auto commands = ControlSocket::make(settings.paths.run);
    if (!commands) options.warn(commands.error().describe());
    BELLJAR_TRY(
        Launched launched,
        launch(settings, {.role = "serve", .files = std::move(files), .grants = options.grants}));
    if (!launched.warning.empty()) options.warn(launched.warning);
    BELLJAR_CHECK(writer.start());
    ::sem_init(&ending, 0, 0);
    try {
      watch.emplace();
      server = std::make_unique<StdioServer>(
          std::move(launched.core), std::move(options), writer,
          commands ? std::optional(*std::move(commands)) : std::nullopt);
    } catch (const std::system_error& error) {
      return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
    }
  }
  return server->run();
}

}  // namespace belljar::runtime
