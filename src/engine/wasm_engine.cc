#include <dlfcn.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <utility>

#include "belljar-engine/src/bridge.rs.h"
#include "engine/bridge_host.h"
#include "engine/engine.h"
#include "engine/library.h"
#include "support/result.h"

namespace belljar::engine {
namespace {

std::string copy(const rust::String& text) { return {text.data(), text.size()}; }

rust::Slice<const std::uint8_t> slice(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

OutcomeKind from_bridge(bridge::OutcomeKind kind) {
  switch (kind) {
    case bridge::OutcomeKind::Returned: return OutcomeKind::returned;
    case bridge::OutcomeKind::ToolError: return OutcomeKind::tool_error;
    case bridge::OutcomeKind::BadArguments: return OutcomeKind::bad_arguments;
    case bridge::OutcomeKind::Trapped: return OutcomeKind::trapped;
    case bridge::OutcomeKind::Limit: return OutcomeKind::limit;
    case bridge::OutcomeKind::Cancelled: return OutcomeKind::cancelled;
    case bridge::OutcomeKind::Exited: return OutcomeKind::exited;
    case bridge::OutcomeKind::Fault: return OutcomeKind::fault;
  }
  return OutcomeKind::fault;
}

Outcome from_bridge(const bridge::Outcome& outcome) {
  Outcome converted;
  converted.kind = from_bridge(outcome.kind);
  converted.value = copy(outcome.value);
  converted.message = copy(outcome.message);
  for (const bridge::Frame& frame : outcome.frames) {
    converted.frames.push_back({copy(frame.module), copy(frame.function), copy(frame.file),
                                frame.line, frame.column, frame.offset});
  }
  converted.limit = copy(outcome.limit);
  converted.used = outcome.used;
  converted.allowed = outcome.allowed;
  converted.exit_code = outcome.exit_code;
  converted.fuel_used = Fuel{outcome.fuel_used};
  converted.peak_memory = Bytes{outcome.peak_memory};
  converted.live = outcome.live;
  for (const rust::String& handle : outcome.handles) converted.handles.push_back(copy(handle));
  return converted;
}

class BridgeCompletion final : public bridge::Completion {
 public:
  explicit BridgeCompletion(engine::Completion completion) : completion_(std::move(completion)) {}
  void complete(const bridge::Outcome& outcome) noexcept override {
    completion_(from_bridge(outcome));
  }

 private:
  // The base class has the plain name.
  engine::Completion completion_;
};

class WasmInvocation final : public Invocation {
 public:
  explicit WasmInvocation(rust::Box<bridge::Invocation> invocation)
      : invocation_(std::move(invocation)) {}
  void cancel() override { invocation_->cancel(); }

 private:
  rust::Box<bridge::Invocation> invocation_;
};

class WasmProgram final : public Program {
 public:
  explicit WasmProgram(rust::Box<bridge::Program> program) : program_(std::move(program)) {}

  std::unique_ptr<Invocation> start(std::uint32_t function, std::string_view arguments,
                                    const CallSettings& settings, std::shared_ptr<Host> host,
                                    Completion completion) override {
    // The transport has checked that it is UTF-8; a caller that has not gets the check here.
    const rust::Str text = utf8(arguments);
    const bridge::CallInput input{
        .function = function,
        .arguments = text,
        .memory = settings.memory.value,
        .fuel = settings.fuel.value,
        .timeout_nanoseconds = static_cast<std::uint64_t>(settings.timeout.count()),
        .output = settings.output.value,
        .handles = settings.handles,
        .written = settings.written.value,
        .seeded = settings.seed.has_value(),
        .seed = settings.seed ? settings.seed->value : 0,
        .start_nanoseconds =
            settings.seed ? static_cast<std::uint64_t>(settings.seed->start.count()) : 0,
        .clock_resolution_nanoseconds =
            static_cast<std::uint64_t>(settings.clock_resolution.count()),
        .inherit_stdio = settings.inherit_stdio,
        .live = settings.live,
        .drop_handle = utf8(settings.drop_handle),
    };
    return std::make_unique<WasmInvocation>(
        program_->start(input, bridge_host(std::move(host)),
                        std::make_unique<BridgeCompletion>(std::move(completion))));
  }

 private:
  /// A view for Rust; what is not UTF-8 becomes the empty text, which is no JSON.
  static rust::Str utf8(std::string_view text) {
    try {
      return {text.data(), text.size()};
    } catch (const std::exception&) {
      return {};
    }
  }

  rust::Box<bridge::Program> program_;
};

class WasmEngine final : public Engine {
 public:
  explicit WasmEngine(rust::Box<bridge::Machine> machine) : machine_(std::move(machine)) {}

  Result<std::unique_ptr<Program>> load(const std::filesystem::path& code,
                                        std::span<const FunctionName> functions,
                                        bool fuel) override {
    try {
      rust::Vec<bridge::FunctionName> names;
      for (const FunctionName& function : functions) {
        names.push_back({rust::String(function.interface), rust::String(function.name)});
      }
      return std::make_unique<WasmProgram>(machine_->load(code.native(), names, fuel));
    } catch (const std::exception& error) {
      return fail(ErrorCode::load_failed, "{}", error.what());
    }
  }

  Result<void> add_capability(std::string_view interface,
                              std::span<const std::string> functions) override {
    try {
      rust::Vec<rust::String> names;
      for (const std::string& function : functions) names.emplace_back(function);
      machine_->add_capability(std::string(interface), names);
      return {};
    } catch (const std::exception& error) {
      return fail(ErrorCode::invalid_argument, "the interface {} cannot be added: {}", interface,
                  error.what());
    }
  }

  bool drop_live(std::uint64_t live) override { return machine_->drop_live(live); }

 private:
  rust::Box<bridge::Machine> machine_;
};

}  // namespace

namespace {

/// Half of the descriptors that this process may open: the rest are its own, and connections.
std::uint64_t half_of_the_descriptors() {
  constexpr std::uint64_t usual = 1'024;
  rlimit files{};
  const bool known = ::getrlimit(RLIMIT_NOFILE, &files) == 0;
  return (known ? files.rlim_cur : usual) / 2;
}

}  // namespace

Result<std::unique_ptr<Engine>> make_engine(const EngineOptions& options) {
  try {
    return std::make_unique<WasmEngine>(bridge::machine_new(
        {.instances = options.instances,
         .workers = options.workers,
         .memory = options.memory.value,
         .handles = options.handles > 0 ? options.handles : half_of_the_descriptors()}));
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "the engine does not start: {}", error.what());
  }
}

bool open_page_map() { return bridge::open_page_map(); }

Result<std::string> engine_fingerprint(bool fuel) {
  try {
    return copy(bridge::fingerprint(fuel));
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "the engine does not start: {}", error.what());
  }
}

std::string engine_version() { return copy(bridge::engine_version()); }

std::filesystem::path engine_library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&bridge::engine_version), &info) == 0) return {};
  std::error_code error;
  return std::filesystem::canonical(info.dli_fname, error);
}

Result<CompiledComponent> compile_here(std::string_view wasm, bool fuel) {
  try {
    const auto compiled = bridge::compile(slice(wasm), fuel);
    const auto code = compiled->artifact();
    const auto description = compiled->description();
    return CompiledComponent{{reinterpret_cast<const char*>(code.data()), code.size()},
                             {description.data(), description.size()}};
  } catch (const std::exception& error) {
    return fail(ErrorCode::load_failed, "{}", error.what());
  }
}

Result<std::string> inject_docs(const std::filesystem::path& wit, std::string_view component) {
  try {
    const auto output = bridge::inject_docs(wit.native(), slice(component));
    return std::string(output.begin(), output.end());
  } catch (const std::exception& error) {
    return fail(ErrorCode::invalid_argument, "{}", error.what());
  }
}

}  // namespace belljar::engine
