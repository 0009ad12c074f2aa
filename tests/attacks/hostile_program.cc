#include "hostile_program.h"

#include <fmt/format.h>

namespace belljar::attacks {
namespace {

// Where things lie in the memory of the program.
constexpr int descriptor_at = 64;
constexpr int vector_at = 128;
constexpr int results_at = 1'024;
constexpr int scratch_at = 8'192;
constexpr int scratch_size = 32'768;
constexpr int texts_at = 65'536;
/// Error numbers are written as characters from this one on.
constexpr char first_character = '0';

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("\\{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

std::string HostileProgram::text_at(std::string_view text) {
  const std::size_t at = texts_at + data_.size() / 3;
  data_ += escaped(text);
  return fmt::format("(i32.const {}) (i32.const {})", at, text.size());
}

HostileProgram& HostileProgram::step(const std::string& code) {
  steps_ += fmt::format("    (i32.store8 (i32.const {}) (i32.add (i32.const {}) {}))\n",
                        results_at + count_++, static_cast<int>(first_character), code);
  return *this;
}

HostileProgram& HostileProgram::path_open(std::string_view path, int how, std::uint64_t rights) {
  // After a failure there is nothing open, and not what was open before or the standard input.
  steps_ += fmt::format("    (i32.store (i32.const {}) (i32.const -1))\n", descriptor_at);
  return step(
      fmt::format("(call $path_open (i32.const 3) (i32.const 1) {} (i32.const {}) "
                  "(i64.const {}) (i64.const 0) (i32.const 0) (i32.const {}))",
                  text_at(path), how, rights, descriptor_at));
}

HostileProgram& HostileProgram::on_path(std::string_view function, std::string_view path) {
  return step(fmt::format("(call ${} (i32.const 3) {})", function, text_at(path)));
}

HostileProgram& HostileProgram::close() {
  return step(fmt::format("(call $fd_close (i32.load (i32.const {})))", descriptor_at));
}

HostileProgram& HostileProgram::read_exactly(std::string_view text) {
  return step(fmt::format("(call $read_exactly {})", text_at(text)));
}

HostileProgram& HostileProgram::read_some() {
  steps_ += fmt::format(
      "    (i32.store (i32.const {}) (i32.const {})) (i32.store (i32.const {}) (i32.const {}))\n",
      vector_at, scratch_at, vector_at + 4, scratch_size);
  return step(
      fmt::format("(call $fd_read (i32.load (i32.const {})) (i32.const {}) (i32.const 1) "
                  "(i32.const {}))",
                  descriptor_at, vector_at, vector_at + 8));
}

HostileProgram& HostileProgram::write_at(std::uint64_t offset, std::string_view text) {
  // Puts the text where the vector says.
  static_cast<void>(text_at(text));
  steps_ += fmt::format(
      "    (i32.store (i32.const {}) (i32.const {})) (i32.store (i32.const {}) (i32.const {}))\n",
      vector_at, texts_at + data_.size() / 3 - text.size(), vector_at + 4, text.size());
  return step(
      fmt::format("(call $fd_pwrite (i32.load (i32.const {})) (i32.const {}) (i32.const 1) "
                  "(i64.const {}) (i32.const {}))",
                  descriptor_at, vector_at, offset, vector_at + 8));
}

HostileProgram& HostileProgram::set_size(std::uint64_t size) {
  return step(fmt::format("(call $fd_filestat_set_size (i32.load (i32.const {})) (i64.const {}))",
                          descriptor_at, size));
}

HostileProgram& HostileProgram::allocate(std::uint64_t offset, std::uint64_t length) {
  return step(
      fmt::format("(call $fd_allocate (i32.load (i32.const {})) (i64.const {}) (i64.const {}))",
                  descriptor_at, offset, length));
}

HostileProgram& HostileProgram::read_folder() {
  return step(
      fmt::format("(call $fd_readdir (i32.load (i32.const {})) (i32.const {}) (i32.const {}) "
                  "(i64.const 0) (i32.const {}))",
                  descriptor_at, scratch_at, scratch_size, vector_at));
}

HostileProgram& HostileProgram::status(std::string_view path) {
  return step(fmt::format("(call $path_filestat_get (i32.const 3) (i32.const 1) {} (i32.const {}))",
                          text_at(path), scratch_at));
}

HostileProgram& HostileProgram::rename(std::string_view from, std::string_view to) {
  const std::string source = text_at(from);
  return step(
      fmt::format("(call $path_rename (i32.const 3) {} (i32.const 3) {})", source, text_at(to)));
}

HostileProgram& HostileProgram::link(std::string_view from, std::string_view to) {
  const std::string source = text_at(from);
  return step(fmt::format("(call $path_link (i32.const 3) (i32.const 0) {} (i32.const 3) {})",
                          source, text_at(to)));
}

HostileProgram& HostileProgram::symbolic_link(std::string_view target, std::string_view path) {
  const std::string source = text_at(target);
  return step(fmt::format("(call $path_symlink {} (i32.const 3) {})", source, text_at(path)));
}

HostileProgram& HostileProgram::read_link(std::string_view path) {
  return step(fmt::format(
      "(call $path_readlink (i32.const 3) {} (i32.const {}) (i32.const {}) (i32.const {}))",
      text_at(path), scratch_at, scratch_size, vector_at));
}

HostileProgram& HostileProgram::set_times(std::string_view path) {
  // Both times, to what is given.
  return step(
      fmt::format("(call $path_filestat_set_times (i32.const 3) (i32.const 1) {} "
                  "(i64.const 1000000000) (i64.const 1000000000) (i32.const 5))",
                  text_at(path)));
}

std::string HostileProgram::text() const {
  std::string imports;
  const auto import = [&](std::string_view name, std::string_view parameters) {
    imports += fmt::format(
        "  (import \"wasi_snapshot_preview1\" \"{0}\" (func ${0} (param {1}) (result i32)))\n",
        name, parameters);
  };
  import("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32");
  import("fd_close", "i32");
  import("fd_read", "i32 i32 i32 i32");
  import("fd_write", "i32 i32 i32 i32");
  import("fd_pwrite", "i32 i32 i32 i64 i32");
  import("fd_filestat_set_size", "i32 i64");
  import("fd_allocate", "i32 i64 i64");
  import("fd_readdir", "i32 i32 i32 i64 i32");
  import("path_filestat_get", "i32 i32 i32 i32 i32");
  import("path_unlink_file", "i32 i32 i32");
  import("path_remove_directory", "i32 i32 i32");
  import("path_create_directory", "i32 i32 i32");
  import("path_rename", "i32 i32 i32 i32 i32 i32");
  import("path_link", "i32 i32 i32 i32 i32 i32 i32");
  import("path_symlink", "i32 i32 i32 i32 i32");
  import("path_readlink", "i32 i32 i32 i32 i32 i32");
  import("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32");
  const std::size_t pages = 2 + data_.size() / 3 / 65'536;
  // As much as fits is read, so that a longer text is no equal one.
  const std::string reading = fmt::format(
      R"(  (func $read_exactly (param $text i32) (param $size i32) (result i32) (local $error i32)
    (i32.store (i32.const {0}) (i32.const {1})) (i32.store (i32.const {2}) (i32.const {3}))
    (local.set $error (call $fd_read
      (i32.load (i32.const {4})) (i32.const {0}) (i32.const 1) (i32.const {5})))
    (if (local.get $error) (then (return (local.get $error))))
    (if (i32.ne (i32.load (i32.const {5})) (local.get $size)) (then (return (i32.const {6}))))
    (loop $next
      (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (br_if $next (i32.eq
        (i32.load8_u (i32.add (local.get $text) (local.get $size)))
        (i32.load8_u (i32.add (i32.const {1}) (local.get $size))))))
    (i32.const {6}))
)",
      vector_at, scratch_at, vector_at + 4, scratch_size, descriptor_at, vector_at + 8,
      other_contents);
  return fmt::format(R"((module
{}  (memory (export "memory") {})
  (data (i32.const {}) "{}")
{}  (func (export "_start")
{}    (i32.store8 (i32.const {}) (i32.const 10))
    (i32.store (i32.const {}) (i32.const {})) (i32.store (i32.const {}) (i32.const {}))
    (drop (call $fd_write (i32.const 1) (i32.const {}) (i32.const 1) (i32.const {})))))
)",
                     imports, pages, texts_at, data_, reading, steps_, results_at + count_,
                     vector_at, results_at, vector_at + 4, count_ + 1, vector_at, vector_at + 8);
}

std::vector<int> results_of(std::string_view output) {
  std::vector<int> results;
  for (const char c : output) {
    if (c != '\n') results.push_back(c - first_character);
  }
  return results;
}

}  // namespace belljar::attacks
