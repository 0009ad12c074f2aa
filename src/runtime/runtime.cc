// The public runtime, over the core.

#include "belljar/runtime.h"

#include <future>
#include <utility>

#include "policy/grant.h"
#include "runtime/core.h"
#include "runtime/launch.h"
#include "store/pinned_places.h"
#include "support/crypto.h"
#include "support/result.h"

namespace belljar {
namespace {

/// A call as the embedder holds it.
class CoreCall final : public RunningCall {
 public:
  explicit CoreCall(std::shared_ptr<toolbox::CallHandle> call) : call_(std::move(call)) {}
  void cancel() override {
    if (call_) call_->cancel();
  }

 private:
  std::shared_ptr<toolbox::CallHandle> call_;
};

class CoreRuntime final : public Runtime {
 public:
  explicit CoreRuntime(std::unique_ptr<runtime::Core> core) : core_(std::move(core)) {}

  Result<std::string> load(std::string_view text, const LoadOptions& options) override {
    runtime::ComponentLoad load;
    BELLJAR_TRY(load.reference, artifact::parse_reference(text));
    std::vector<policy::Document>& documents = load.grants.documents;
    if (!options.policy.empty()) {
      BELLJAR_TRY(auto given,
                  store::read_given_policy(options.policy, "policy", options.policy_folder));
      documents.push_back(std::move(given.document));
    }
    policy::Document single;
    for (const std::string& grant_text : options.grants) {
      std::error_code error;
      BELLJAR_TRY(policy::Grant grant,
                  policy::parse_grant(grant_text, std::filesystem::current_path(error)));
      BELLJAR_TRY(grant, store::pin(std::move(grant)));
      BELLJAR_CHECK(policy::apply_grant(single, grant));
    }
    documents.push_back(std::move(single));
    BELLJAR_TRY(const auto component, core_->load(load));
    return component->name();
  }

  bool unload(std::string_view name) override { return core_->unload(name); }

  std::vector<ToolDescription> tools() const override {
    std::vector<ToolDescription> tools;
    const auto set = core_->toolbox().current();
    for (const auto& tool : set->tools()) {
      const toolbox::ToolInfo& info = tool->info();
      tools.push_back({info.name, info.title, info.description, info.input_schema,
                       info.output_schema, info.group});
    }
    return tools;
  }

  std::unique_ptr<RunningCall> start(const Call& call, Completion completion) override {
    const auto tool = core_->toolbox().current()->find(call.tool);
    if (!tool) {
      completion(fail(ErrorCode::not_found, "no tool \"{}\" is loaded", call.tool));
      return std::make_unique<CoreCall>(nullptr);
    }
    toolbox::ToolCall request;
    request.arguments = call.arguments;
    request.client = call.client;
    request.timeout = call.timeout;
    if (call.seed) request.seed = engine::Seed{*call.seed, {}};
    return std::make_unique<CoreCall>(tool->start(request, std::move(completion)));
  }

 private:
  std::unique_ptr<runtime::Core> core_;
};

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::create(Options options) {
  runtime::CoreOptions core;
  BELLJAR_TRY(core.paths, store::find_paths([&](const char* name) {
                const bool home = std::string_view(name) == "BELLJAR_HOME";
                if (home && !options.home.empty()) {
                  return std::optional<std::string>(options.home.native());
                }
                return store::environment_variable(name);
              }));
  BELLJAR_TRY(core.config, runtime::read_config(core.paths.config / "belljar.toml"));
  // The operator's ceiling holds for every program that uses this state.
  BELLJAR_TRY(core.ceilings, runtime::read_ceilings(core.config));
  core.config.sandboxes = options.sandboxes;
  core.config.workers = options.workers;
  core.config.memory = Bytes{options.memory};
  core.compiler = std::move(options.compiler);
  if (core.compiler.empty()) {
    BELLJAR_TRY(core.compiler, runtime::find_compiler());
  }
  core.capabilities = std::move(options.capabilities);
  if (!options.ceiling.empty()) {
    BELLJAR_TRY(auto given, store::read_given_policy(options.ceiling, "ceiling", "/"));
    core.ceilings.push_back(std::move(given.document));
  }
  core.session = to_hex(random_bytes<8>());
  core.role = "library";
  BELLJAR_TRY(auto made, runtime::Core::create(std::move(core)));
  return std::make_unique<CoreRuntime>(std::move(made));
}

Result<Outcome> Runtime::call(const Call& call) {
  // The call may end on this thread, within start; the promise does not mind.
  std::promise<Result<Outcome>> ended;
  auto future = ended.get_future();
  const auto running =
      start(call, [&](Result<Outcome> outcome) { ended.set_value(std::move(outcome)); });
  return future.get();
}

}  // namespace belljar
