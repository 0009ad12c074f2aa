// Belljar's library under a stopwatch. It obeys one command a line on standard input and answers
// with one line of numbers; bench/run asks, compares and prints.
//
//   load NAME PATH POLICY          nanoseconds of each step, see `load`
//   call TOOL ARGUMENTS            the result, once
//   calls audited|silent TOOL COUNT ARGUMENTS
//                                  nanoseconds of each call; `silent` keeps no audit log
//   late TOOL COUNT MILLISECONDS   nanoseconds by which each call overran its deadline
//   hold TOOL COUNT                KiB and mappings of a live sandbox
//   crowd COUNT                    makes it so many tools
//   crowded-calls TOOL COUNT ARGUMENTS
//   crowded-list COUNT             nanoseconds of listing all tools, page by page

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "belljar/belljar.h"
#include "mcp/codec.h"
#include "mcp/session.h"
#include "runtime/core.h"
#include "runtime/launch.h"
#include "support/result.h"

namespace belljar::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t nanoseconds_since(Clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began).count();
}

template <typename Function>
std::vector<std::int64_t> time_each(std::size_t count, Function function) {
  std::vector<std::int64_t> times;
  times.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto began = Clock::now();
    function();
    times.push_back(nanoseconds_since(began));
  }
  return times;
}

/// A tool that costs nothing, to make a crowd of.
class IdleTool final : public toolbox::Tool {
 public:
  explicit IdleTool(std::size_t number) {
    info_.name = fmt::format("crowd_tool-{:05}", number);
    info_.title = "One of many";
    info_.description = "Stands among others, so that there are many.";
    info_.group = "crowd";
    info_.input_schema = R"({"type":"object","properties":{"text":{"type":"string"}}})";
  }
  const toolbox::ToolInfo& info() const override { return info_; }
  toolbox::Annotations annotations() const override { return {}; }
  std::shared_ptr<toolbox::CallHandle> start(const toolbox::ToolCall&,
                                             toolbox::Completion completion) override {
    completion(Outcome{.result = Returned{"null"},
                       .refusals = {},
                       .reached = {},
                       .usage = {},
                       .standard_output = {},
                       .standard_error = {}});
    return nullptr;
  }

 private:
  toolbox::ToolInfo info_;
};

/// KiB of this process's own memory, and its mappings.
std::pair<double, double> footprint() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  double kib = 0;
  for (std::string line; std::getline(rollup, line);) {
    if (line.starts_with("Pss:")) kib = std::stod(line.substr(4));
  }
  std::ifstream maps("/proc/self/maps");
  double mappings = 0;
  for (std::string line; std::getline(maps, line);) ++mappings;
  return {kib, mappings};
}

class Bench {
 public:
  static Result<std::unique_ptr<Bench>> make() {
    auto bench = std::unique_ptr<Bench>(new Bench);
    BELLJAR_TRY(bench->library_, Runtime::create());
    BELLJAR_TRY(const runtime::Settings settings,
                runtime::read_settings(store::environment_variable));
    BELLJAR_TRY(const auto compiler, runtime::find_compiler());
    for (const bool audit : {true, false}) {
      BELLJAR_TRY(bench->core(audit), runtime::Core::create({.paths = settings.paths,
                                                             .config = settings.config,
                                                             .compiler = compiler,
                                                             .compilers = nullptr,
                                                             .capabilities = {},
                                                             .ceilings = {},
                                                             .session = "bench",
                                                             .role = "bench",
                                                             .opener = nullptr,
                                                             .audit = audit}));
    }
    bench->session_ =
        std::make_unique<mcp::Session>(bench->audited_->toolbox(), "bench", mcp::SessionOptions{});
    return bench;
  }

  Result<std::string> obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    std::string name;
    std::string text;
    std::size_t count = 0;
    words >> command;
    const auto rest = [&] {
      std::string remainder;
      std::getline(words >> std::ws, remainder);
      return remainder;
    };
    if (command == "load") {
      words >> name >> text;
      return load(name, text, rest());
    }
    if (command == "call") {
      words >> name;
      BELLJAR_TRY(const Outcome outcome, library_->call(plain_call(name, rest())));
      return describe(outcome);
    }
    if (command == "calls") {
      words >> text >> name >> count;
      return calls(text, name, count, rest());
    }
    if (command == "late") {
      std::int64_t milliseconds = 0;
      words >> name >> count >> milliseconds;
      return late(name, count, std::chrono::milliseconds(milliseconds));
    }
    if (command == "hold") {
      words >> name >> count;
      return hold(name, count);
    }
    if (command == "crowd") {
      words >> count;
      return crowd(count);
    }
    if (command == "crowded-calls") {
      words >> name >> count;
      return crowded_calls(name, count, rest());
    }
    if (command == "crowded-list") {
      words >> count;
      return list(time_each(count, [&] { list_all(); }));
    }
    return fail(ErrorCode::invalid_argument, "unknown command");
  }

 private:
  Bench() = default;
  std::unique_ptr<runtime::Core>& core(bool audit) { return audit ? audited_ : silent_; }

  static std::string list(const std::vector<std::int64_t>& numbers) {
    return fmt::format("{}", fmt::join(numbers, " "));
  }

  static Call plain_call(const std::string& tool, std::string arguments) {
    Call call;
    call.tool = tool;
    call.arguments = std::move(arguments);
    return call;
  }

  static std::string describe(const Outcome& outcome) {
    if (const auto* returned = std::get_if<Returned>(&outcome.result)) return returned->json;
    if (const auto* error = std::get_if<ToolError>(&outcome.result)) {
      return error->json + error->message;
    }
    if (const auto* trapped = std::get_if<Trapped>(&outcome.result)) return trapped->message;
    return fmt::format("outcome {}", outcome.result.index());
  }

  /// Gives the nanoseconds of loading with the load on record, and without a log.
  Result<std::string> load(const std::string& name, const std::string& path,
                           const std::string& policy) {
    runtime::ComponentLoad load;
    load.reference = {name, path};
    BELLJAR_TRY(load.grants.documents.emplace_back(), policy::parse_policy(policy, "policy", "/"));
    std::vector<std::int64_t> times;
    for (const bool audit : {true, false}) {
      // Held until the clock has stopped: freeing what was loaded before is no part of loading.
      const auto before = core(audit)->component(name);
      const auto began = Clock::now();
      BELLJAR_CHECK(core(audit)->load(load));
      times.push_back(nanoseconds_since(began));
    }
    LoadOptions options;
    options.policy = policy;
    BELLJAR_CHECK(library_->load(name + "=" + path, options));
    return list(times);
  }

  Result<std::string> calls(const std::string& way, const std::string& tool, std::size_t count,
                            const std::string& arguments) {
    const Call call = plain_call(tool, arguments);
    if (way == "audited") {
      return list(time_each(count, [&] { static_cast<void>(library_->call(call)); }));
    }
    // Both ways of this comparison go through a core, so that only the log differs.
    const auto found = core(way == "core")->toolbox().current()->find(tool);
    if (!found) return fail(ErrorCode::not_found, "no tool {}", tool);
    toolbox::ToolCall request;
    request.arguments = arguments;
    return list(time_each(count, [&] {
      std::promise<void> ended;
      const auto running =
          found->start(request, [&](const Result<Outcome>&) { ended.set_value(); });
      ended.get_future().get();
    }));
  }

  Result<std::string> late(const std::string& tool, std::size_t count,
                           std::chrono::nanoseconds timeout) {
    Call call = plain_call(tool, "{}");
    call.timeout = timeout;
    auto times = time_each(count, [&] { static_cast<void>(library_->call(call)); });
    for (std::int64_t& time : times) time -= timeout.count();
    return list(times);
  }

  Result<std::string> hold(const std::string& tool, std::size_t count) {
    const auto make = [&](std::size_t number) {
      Call call = plain_call(tool, "{}");
      // One client may hold only so many.
      call.client = fmt::format("client-{}", number / 16);
      return library_->call(call);
    };
    BELLJAR_CHECK(make(count));
    const auto before = footprint();
    for (std::size_t i = 0; i < count; ++i) {
      BELLJAR_TRY(const Outcome outcome, make(i));
      if (!outcome.ok()) return fail(ErrorCode::internal, "{}", describe(outcome));
    }
    const auto after = footprint();
    const auto each = [&](double from, double to) {
      return (to - from) / static_cast<double>(count);
    };
    return fmt::format("{} {}", each(before.first, after.first), each(before.second, after.second));
  }

  Result<std::string> crowd(std::size_t count) {
    toolbox::ToolGroup group{"crowd", {}};
    for (std::size_t i = 0; i < count; ++i) group.tools.push_back(std::make_shared<IdleTool>(i));
    BELLJAR_CHECK(audited_->toolbox().put(std::move(group)));
    return fmt::format("{}", audited_->toolbox().current()->tools().size());
  }

  Result<std::string> crowded_calls(const std::string& tool, std::size_t count,
                                    const std::string& arguments) {
    return list(time_each(count, [&] {
      std::promise<void> ended;
      const auto running = session_->call_tool(
          tool, arguments, {},
          [&](const toolbox::ToolInfo&, const Result<Outcome>&) { ended.set_value(); });
      if (running) ended.get_future().get();
    }));
  }

  void list_all() const {
    const mcp::ServerIdentity identity{.version = "0", .instructions = {}};
    std::optional<std::string> cursor;
    do {
      const auto page = session_->list_tools(cursor);
      const auto& tools = std::get<mcp::ToolPage>(page);
      static_cast<void>(mcp::encode_tools(identity, tools, mcp::newest_with_handshake));
      cursor = tools.next_cursor;
    } while (cursor);
  }

  std::unique_ptr<Runtime> library_;
  std::unique_ptr<runtime::Core> audited_;
  std::unique_ptr<runtime::Core> silent_;
  std::unique_ptr<mcp::Session> session_;
};

}  // namespace
}  // namespace belljar::bench

int main() {
  auto bench = belljar::bench::Bench::make();
  if (!bench) {
    fmt::print(stderr, "belljar_bench: {}\n", bench.error().describe());
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = (*bench)->obey(line);
    fmt::print("{}\n", answer ? *answer : "error " + answer.error().describe());
    std::fflush(stdout);
  }
  return 0;
}
