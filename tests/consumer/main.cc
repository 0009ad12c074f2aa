// Gives a component an interface of this program's own, and calls a tool that uses it: first
// without the right to, then with it.
//
//   stock-keeper COMPONENT HOME

#include <belljar/belljar.h>

#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace {

constexpr const char* policy = R"(version: "1.1"
permissions:
  capabilities:
    allow: [{interface: "example:stock/shelf@1.0.0"}]
)";

/// Threads that answer later, as one does that asks a database.
class Workers {
 public:
  ~Workers() {
    for (std::thread& thread : threads_) thread.join();
  }
  template <typename Work>
  void run(Work work) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(work));
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

belljar::Capability shelf(Workers& workers) {
  return {.interface = "example:stock/shelf@1.0.0",
          .functions = {"count", "ordered"},
          .call = [&workers](const belljar::CapabilityCall& call, belljar::CapabilityReply reply) {
            const bool item_seven = call.arguments == R"({"item":7})";
            if (call.component != "reorder" || !item_seven) {
              reply.fail("asked by " + std::string(call.component) + " for " +
                         std::string(call.arguments));
            } else if (call.function == "count") {
              reply.complete("30");
            } else {
              workers.run([later = std::move(reply)]() mutable { later.complete("28"); });
            }
          }};
}

int fail(const std::string& what) {
  std::fprintf(stderr, "stock-keeper: %s\n", what.c_str());
  return 1;
}

/// Loads the component anew, calls its tool, and gives what came of it.
belljar::Result<belljar::Outcome> ask(belljar::Runtime& runtime, const std::string& component,
                                      const belljar::LoadOptions& options) {
  auto name = runtime.load("reorder=" + component, options);
  if (!name) return std::unexpected(std::move(name).error());
  return runtime.call({.tool = *name + "_missing", .arguments = R"({"item": 7})"});
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return fail("stock-keeper COMPONENT HOME");
  const std::string component = arguments[1];

  Workers workers;
  belljar::Options options;
  options.home = arguments[2];
  options.capabilities.push_back(shelf(workers));
  auto runtime = belljar::Runtime::create(std::move(options));
  if (!runtime) return fail(runtime.error().describe());

  const auto refused = ask(**runtime, component, {});
  if (!refused) return fail(refused.error().describe());
  if (!std::holds_alternative<belljar::Denied>(refused->result)) {
    return fail("without a grant, the call should be denied");
  }
  if (refused->refusals.size() != 1 || refused->refusals[0].kind != "capability" ||
      refused->refusals[0].remedy.empty()) {
    return fail("the refusal should name the capability and how to grant it");
  }
  std::printf("refused: %s\n", refused->refusals[0].reason.c_str());

  const auto allowed = ask(**runtime, component, {.policy = policy});
  if (!allowed) return fail(allowed.error().describe());
  const auto* const returned = std::get_if<belljar::Returned>(&allowed->result);
  if (returned == nullptr) return fail("with the grant, the call should return");
  if (returned->json != "42") return fail("100 - 30 - 28 is 42, not " + returned->json);
  std::printf("granted: %s\n", returned->json.c_str());
  return 0;
}
