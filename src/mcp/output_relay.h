// What a guest writes, as log messages: whole lines, no more of them than a client can take.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace belljar::mcp {

/// Cuts the output of one call into lines. Any thread.
class OutputRelay {
 public:
  /// `line` gets the stream (1 or 2) and a clean line.
  explicit OutputRelay(std::function<void(int, std::string)> line) : line_(std::move(line)) {}

  void take(int stream, std::string_view bytes);
  /// Passes on what has no line break yet, and how much was left out.
  void finish();

  /// Lines of one call that are passed on, and bytes of one line.
  static constexpr std::size_t maximum_lines = 500;
  static constexpr std::size_t maximum_line = 2'000;

 private:
  void emit(int stream, std::string_view line);

  std::function<void(int, std::string)> line_;
  std::mutex mutex_;
  std::array<std::string, 2> partial_;
  std::size_t lines_ = 0;
  std::size_t left_out_ = 0;
};

/// Lets progress through at most so often, and only when it grows. Any thread.
class ProgressGate {
 public:
  [[nodiscard]] bool pass(std::uint64_t progress);

  static constexpr std::chrono::milliseconds interval{100};

 private:
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace belljar::mcp
