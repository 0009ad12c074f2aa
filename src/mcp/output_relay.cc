#include "mcp/output_relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "support/text.h"

namespace belljar::mcp {

void OutputRelay::take(int stream, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  std::string& partial = partial_[stream == 2 ? 1 : 0];
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    // What is beyond the longest line is not kept.
    partial += piece.substr(0, maximum_line + 1 - std::min(maximum_line + 1, partial.size()));
    if (end == std::string_view::npos) return;
    emit(stream, std::exchange(partial, {}));
    bytes.remove_prefix(end + 1);
  }
}

void OutputRelay::finish() {
  const std::lock_guard lock(mutex_);
  for (const int stream : {1, 2}) {
    const std::string rest = std::exchange(partial_[stream == 2 ? 1 : 0], {});
    if (!rest.empty()) emit(stream, rest);
  }
  if (left_out_ > 0) line_(2, fmt::format("{} more lines were left out", left_out_));
}

void OutputRelay::emit(int stream, std::string_view line) {
  if (lines_ >= maximum_lines) {
    ++left_out_;
    return;
  }
  ++lines_;
  line_(stream, one_line(line, maximum_line));
}

bool ProgressGate::pass(std::uint64_t progress) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (progress <= last_ || now < next_) return false;
  last_ = progress;
  next_ = now + interval;
  return true;
}

}  // namespace belljar::mcp
