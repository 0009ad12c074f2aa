#include "runtime/core.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "support/json.h"
#include "support/result.h"

namespace belljar::runtime {
namespace {

/// Sandboxes of the engine beyond those that calls may take: a slot is given back a moment after
/// its call has ended, and live instances hold theirs.
constexpr std::uint32_t spare_sandboxes = 300;
/// The same where the number of calls is known, none of which outlives the process.
constexpr std::uint32_t few_spare_sandboxes = 4;

/// Threads for what calls wait for before they start, and how many calls may wait for one.
constexpr std::size_t waiting_threads = 8;
constexpr std::size_t waiting_jobs = 4'096;

}  // namespace

Bytes default_memory() {
  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 0L));
  const auto size = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 0L));
  const std::uint64_t total = pages * size;
  return Bytes{total == 0 ? std::uint64_t{4} << 30 : total / 4 * 3};
}

Result<std::filesystem::path> find_compiler() {
  std::vector<std::filesystem::path> homes;
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&default_memory), &info) != 0 &&
      info.dli_fname != nullptr) {
    std::error_code error;
    homes.push_back(std::filesystem::canonical(info.dli_fname, error));
  }
  std::array<char, 4096> buffer{};
  const ssize_t length = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  if (length > 0) homes.emplace_back(std::string(buffer.data(), static_cast<std::size_t>(length)));
  for (const auto& home : homes) {
    // PREFIX/bin/belljar, PREFIX/lib/libbelljar.so, PREFIX/lib/TRIPLET/libbelljar.so
    for (const auto& prefix :
         {home.parent_path().parent_path(), home.parent_path().parent_path().parent_path()}) {
      const auto helper = prefix / "libexec" / "belljar" / "belljar-compiler";
      if (::access(helper.c_str(), X_OK) == 0) return helper;
    }
  }
  return fail(ErrorCode::internal,
              "the compiler belljar-compiler is not where it was installed (../libexec/belljar); "
              "install Belljar as a whole, or set Options::compiler");
}

Core::Core(CoreOptions options)
    : config_(options.config),
      session_(std::move(options.session)),
      capabilities_(std::move(options.capabilities)),
      ceilings_(std::move(options.ceilings)) {}

Core::~Core() {
  // Nobody finds a tool any more. The calls that run are waited for before anything goes that they
  // use, and so is what others had the workers do.
  components_.clear();
  const auto set = toolbox_.current();
  for (const toolbox::ToolGroup& group : set->groups()) {
    toolbox_.remove(group.name);
  }
  tasks_.wait();
  workers_.reset();
}

Result<std::unique_ptr<Core>> Core::create(CoreOptions options) {
  std::unique_ptr<Core> core(new Core({.paths = {},
                                       .config = options.config,
                                       .compiler = {},
                                       .compilers = nullptr,
                                       .capabilities = options.capabilities,
                                       .ceilings = options.ceilings,
                                       .session = options.session,
                                       .role = {},
                                       .opener = nullptr}));
  try {
    BELLJAR_CHECK(core->build(std::move(options)));
  } catch (const std::system_error& error) {
    // All threads that live as long as the core are started there.
    return fail(ErrorCode::unavailable, "a thread could not be started: {}", error.what());
  }
  return core;
}

Result<void> Core::build(CoreOptions options) {
  const store::Paths paths = options.paths;
  const std::uint32_t processors = std::max(1U, std::thread::hardware_concurrency());
  engine::EngineOptions engine_options;
  engine_options.instances =
      options.calls > 0 ? options.calls + few_spare_sandboxes : config_.sandboxes + spare_sandboxes;
  engine_options.workers = config_.workers > 0 ? config_.workers : processors;
  engine_options.memory = config_.memory.value > 0 ? config_.memory : default_memory();
  // Meanwhile the databases are opened.
  auto starting = std::async(std::launch::async, engine::make_engine, engine_options);
  BELLJAR_TRY(state_, store::State::open(paths, clock_));
  secrets_ = std::make_unique<store::Secrets>(*state_, config_.secret_key);
  if (options.audit) {
    BELLJAR_TRY(log_,
                audit::Writer::open(paths.data / "audit.db", clock_,
                                    fmt::format("\"process\":{},\"role\":\"{}\",\"session\":{}",
                                                ::getpid(), options.role, json_string(session_))));
  } else {
    log_ = std::make_unique<audit::NullLog>();
  }
  opener_ = std::move(options.opener);
  BELLJAR_TRY(egress_, host::make_egress(config_.egress));
  compiler_ =
      options.compilers
          ? std::make_unique<engine::Compiler>(std::move(options.compilers), config_.compiler)
          : std::make_unique<engine::Compiler>(std::move(options.compiler), config_.compiler);
  artifact::Loader::Options loading;
  loading.cache = paths.cache;
  if (opener_) {
    loading.open_file = [this](const std::filesystem::path& path) {
      return opener_->open_file(path);
    };
  }
  BELLJAR_CHECK(make_private_directory(paths.cache));
  loader_ =
      std::make_unique<artifact::Loader>(std::move(loading), *compiler_, state_->mac_key(), clock_);
  host::FileService& files = opener_ ? static_cast<host::FileService&>(*opener_) : direct_files_;
  services_ = std::make_unique<host::Services>(host::Services{*state_, *secrets_, *log_, files,
                                                              *egress_, clock_, capabilities_,
                                                              store::environment_variable});
  BELLJAR_TRY(engine_, starting.get());
  for (const Capability& capability : capabilities_) {
    BELLJAR_CHECK(engine_->add_capability(capability.interface, capability.functions));
  }
  handles_ = std::make_unique<toolbox::Handles>(
      toolbox::Handles::Options{}, [this](std::uint64_t live) { engine_->drop_live(live); });
  admission_ = std::make_unique<toolbox::Admission>(config_.sandboxes);
  refusals_ = std::make_unique<toolbox::RefusalDesk>();
  BELLJAR_TRY(workers_, Workers::start(waiting_threads, waiting_jobs));
  return {};
}

Result<artifact::Artifact> Core::inspect(const artifact::Reference& reference,
                                         const std::stop_token& stop,
                                         const engine::Compiler::Progress& progress) {
  return loader_->load(reference.path, false, stop, progress);
}

Result<std::shared_ptr<toolbox::Component>> Core::load(const ComponentLoad& load,
                                                       const std::stop_token& stop,
                                                       const engine::Compiler::Progress& progress) {
  const artifact::Reference& reference = load.reference;
  BELLJAR_TRY(artifact::Artifact artifact, inspect(reference, stop, progress));
  if (!load.digest.empty() && load.digest != artifact.digest) {
    return fail(
        ErrorCode::load_failed,
        "{}: {} has changed since it was loaded, so it is held back; look at it and take it "
        "with: belljar upgrade {}",
        reference.name, reference.path.native(), reference.name);
  }
  host::Permissions::Fixed fixed;
  fixed.granted = load.grants.documents;
  fixed.ceilings = ceilings_;
  if (artifact.description.manifest) {
    BELLJAR_TRY(fixed.manifest, in_context(policy::parse_manifest(*artifact.description.manifest,
                                                                  reference.path.native()),
                                           reference.name));
  }
  const store::ComponentKey key{reference.name, artifact.digest};
  auto permissions = std::make_shared<host::Permissions>(*state_, key, session_, std::move(fixed));
  // A policy that cannot be read any more is told now, not at the first call.
  BELLJAR_CHECK(in_context(permissions->current(), reference.name));
  const std::size_t size = artifact.size.value;
  BELLJAR_TRY(auto component,
              in_context(toolbox::Component::load(
                             {*engine_, *loader_, *services_, *admission_, waiting_room_, *handles_,
                              *refusals_, tasks_, *workers_},
                             reference.name, std::move(artifact), std::move(permissions)),
                         reference.path.native()));
  // On disk before the first tool can be called.
  BELLJAR_CHECK(log_->append_durably(
      {audit::RecordKind::load, clock_.now(), component->host().subject(),
       fmt::format("\"path\":{},\"size\":{},\"imports\":{}", json_string(reference.path.native()),
                   size, to_text(component->artifact().description.imports))}));
  BELLJAR_CHECK(toolbox_.put(component->tools()));
  const std::lock_guard lock(mutex_);
  components_[reference.name] = component;
  return component;
}

bool Core::unload(std::string_view name) {
  std::shared_ptr<toolbox::Component> component;
  {
    const std::lock_guard lock(mutex_);
    const auto found = components_.find(name);
    if (found == components_.end()) return false;
    component = std::move(found->second);
    components_.erase(found);
  }
  toolbox_.remove(name);
  log_->append({audit::RecordKind::unload, clock_.now(), component->host().subject(), {}});
  return true;
}

void Core::note_request(const toolbox::Component& component, policy::Grant grant,
                        std::string reason,
                        std::move_only_function<void(Result<std::string>)> done) {
  refusals_->note_request(component.shared_host(), std::move(grant), std::move(reason),
                          std::move(done));
}

std::shared_ptr<toolbox::Component> Core::component(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = components_.find(name);
  return found == components_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<toolbox::Component>> Core::components() const {
  std::vector<std::shared_ptr<toolbox::Component>> components;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, component] : components_) components.push_back(component);
  return components;
}

}  // namespace belljar::runtime
