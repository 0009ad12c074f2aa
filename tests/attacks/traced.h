// A program that is killed at one of its writes: each one in turn, and not at a lucky moment.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::attacks {

/// How a traced program ended.
struct TracedEnd {
  /// Whether it was killed; otherwise it ended by itself before it came to that write.
  bool killed = false;
  /// Its exit code, where it ended by itself.
  int code = -1;
};

/// Runs a program and kills it, with every thread and child of it, as it enters its `at`th system
/// call that changes a file or folder (counted from 1, over all its threads).
[[nodiscard]] TracedEnd kill_at_write(const std::vector<std::string>& arguments,
                                      const std::map<std::string, std::string>& environment,
                                      const std::filesystem::path& folder, std::string_view input,
                                      int at);

}  // namespace belljar::attacks
