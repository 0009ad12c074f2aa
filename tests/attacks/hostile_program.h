// A WASI 0.1 program, written step by step, that tries things with files and tells how each went.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::attacks {

/// Builds the program as WebAssembly text. Its standard output has a line with a character for each
/// step: see `results_of`. Paths are relative to the first granted folder, descriptor 3.
class HostileProgram {
 public:
  /// Opens a path and keeps the descriptor for the steps that follow.
  HostileProgram& open(std::string_view path) { return path_open(path, 0, read); }
  HostileProgram& open_to_write(std::string_view path) { return path_open(path, 0, write); }
  HostileProgram& create(std::string_view path) { return path_open(path, creates, write); }
  HostileProgram& truncate(std::string_view path) { return path_open(path, truncates, write); }
  HostileProgram& open_folder(std::string_view path) { return path_open(path, directory, list); }

  /// Closes what was opened last, which gives its handle back.
  HostileProgram& close();

  HostileProgram& read_some();
  /// Reads what was opened last from where it stands: `other_contents` where that is not `text`.
  HostileProgram& read_exactly(std::string_view text);
  HostileProgram& write_at(std::uint64_t offset, std::string_view text);
  HostileProgram& set_size(std::uint64_t size);
  HostileProgram& allocate(std::uint64_t offset, std::uint64_t length);
  HostileProgram& read_folder();

  HostileProgram& status(std::string_view path);
  HostileProgram& remove(std::string_view path) { return on_path("path_unlink_file", path); }
  HostileProgram& remove_folder(std::string_view path) {
    return on_path("path_remove_directory", path);
  }
  HostileProgram& make_folder(std::string_view path) {
    return on_path("path_create_directory", path);
  }
  HostileProgram& rename(std::string_view from, std::string_view to);
  HostileProgram& link(std::string_view from, std::string_view to);
  HostileProgram& symbolic_link(std::string_view target, std::string_view path);
  HostileProgram& read_link(std::string_view path);
  HostileProgram& set_times(std::string_view path);

  [[nodiscard]] std::string text() const;

 private:
  // Rights and flags as wasi_snapshot_preview1 numbers them.
  static constexpr std::uint64_t read = 1U << 1U | 1U << 2U | 1U << 5U | 1U << 21U;
  static constexpr std::uint64_t write = read | 1U << 6U | 1U << 8U | 1U << 22U;
  static constexpr std::uint64_t list = 1U << 13U | 1U << 14U | 1U << 18U;
  static constexpr int creates = 1;
  static constexpr int directory = 2;
  static constexpr int truncates = 8;

  HostileProgram& path_open(std::string_view path, int how, std::uint64_t rights);
  HostileProgram& on_path(std::string_view function, std::string_view path);
  /// Adds a step that leaves an error number.
  HostileProgram& step(const std::string& code);
  /// `(i32.const ADDRESS) (i32.const LENGTH)` of a text that is put into the memory.
  std::string text_at(std::string_view text);

  std::string data_;
  std::string steps_;
  std::size_t count_ = 0;
};

/// The end of a step that read something else than it wanted; WASI 0.1 has no error of this number.
inline constexpr int other_contents = 77;

/// The error number of each step, in the order of the program; 0 is success.
[[nodiscard]] std::vector<int> results_of(std::string_view output);

}  // namespace belljar::attacks
