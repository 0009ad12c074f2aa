#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

namespace belljar::cli {
namespace {

using std::chrono::milliseconds;

/// Measured with the examples on two processors: 0.4 s a MiB for JavaScript and Python components.
constexpr double milliseconds_a_mebibyte = 450;
constexpr milliseconds quiet_time{150};
constexpr milliseconds quiet_time_without_terminal{1'000};
constexpr int bar_width = 24;

std::string bar(double share) {
  const auto full = static_cast<int>(std::lround(share * bar_width));
  std::string text;
  for (int i = 0; i < bar_width; ++i) text += i < full ? "━" : "─";
  return text;
}

}  // namespace

double expected_share(milliseconds passed, milliseconds usual) {
  const double ratio = static_cast<double>(passed.count()) /
                       static_cast<double>(std::max<std::int64_t>(usual.count(), 1));
  // Straight up to three quarters of the bar, and then ever slower.
  if (ratio < 0.75) return ratio;
  return 0.75 + 0.24 * (1 - std::exp(-2 * (ratio - 0.75)));
}

engine::Compiler::Progress compile_progress(Terminal& terminal, std::string name, Bytes size) {
  const milliseconds usual(static_cast<std::int64_t>(
      50 + milliseconds_a_mebibyte * static_cast<double>(size.value) / (1 << 20)));
  return [&terminal, name = std::move(name), size, usual,
          told = false](milliseconds passed) mutable {
    if (terminal.error_is_terminal()) {
      if (passed < quiet_time) return;
      terminal.show_progress(fmt::format("Compiling {} ({}) {} {:.1f} s", name, format_bytes(size),
                                         bar(expected_share(passed, usual)),
                                         static_cast<double>(passed.count()) / 1'000));
    } else if (passed >= quiet_time_without_terminal && !std::exchange(told, true)) {
      terminal.warn(fmt::format("compiling {} ({}); this happens once", name, format_bytes(size)));
    }
  };
}

}  // namespace belljar::cli
