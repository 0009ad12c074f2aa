// One program for all targets: linked once, and named on the command line by BELLJAR_FUZZ_TARGET.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "targets.h"

namespace {

using Target = void (*)(std::string_view);

constexpr std::array<std::pair<std::string_view, Target>, 12> targets{{
    {"arguments", belljar::fuzz::arguments},
    {"code-cache", belljar::fuzz::code_cache},
    {"config", belljar::fuzz::config},
    {"description", belljar::fuzz::description},
    {"grant", belljar::fuzz::grant},
    {"host", belljar::fuzz::host},
    {"json-rpc", belljar::fuzz::json_rpc},
    {"opener-wire", belljar::fuzz::opener_wire},
    {"policy", belljar::fuzz::policy},
    {"scrubber", belljar::fuzz::scrubber},
    {"text", belljar::fuzz::text},
    {"url", belljar::fuzz::url},
}};

Target chosen() {
  const char* const name = std::getenv("BELLJAR_FUZZ_TARGET");
  for (const auto& [known, target] : targets) {
    if (name != nullptr && known == name) return target;
  }
  std::fputs("Set BELLJAR_FUZZ_TARGET to one of:\n", stderr);
  for (const auto& [known, target] : targets) {
    std::fprintf(stderr, "  %.*s\n", static_cast<int>(known.size()), known.data());
  }
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Target target = chosen();
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
