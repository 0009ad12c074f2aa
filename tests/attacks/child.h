// A program under attack: started with pipes, spoken to without ever waiting without a deadline.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::attacks {

using Deadline = std::chrono::steady_clock::time_point;

/// How long anything may take before a test fails. Long, since it says nothing about speed: it
/// tells what hangs from what is slow on a busy machine.
inline constexpr std::chrono::seconds patience{60};
[[nodiscard]] inline Deadline soon() { return std::chrono::steady_clock::now() + patience; }

/// A descriptor of ours that is closed with its owner.
class Pipe {
 public:
  Pipe() = default;
  explicit Pipe(int descriptor) : descriptor_(descriptor) {}
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { close(); }
  void reset(int descriptor);
  void close();
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// A child process. What it writes is collected, what is written to it waits until it reads. It is
/// killed when this is destroyed.
class Child {
 public:
  struct Options {
    std::vector<std::string> arguments;
    /// Added to this process's environment, or in place of what is there.
    std::map<std::string, std::string> environment;
    std::filesystem::path folder;
  };

  explicit Child(const Options& options);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Sends bytes to its standard input; what it does not take at once is queued.
  void write(std::string_view bytes);
  /// Bytes that it has not read yet.
  [[nodiscard]] std::size_t unwritten() const { return input_.size() - written_; }
  /// Ends its standard input once everything that is queued has been read.
  void end_input() { input_ends_ = true; }
  /// A client that does not read: what the child writes stays in the pipe until this is undone.
  void set_reading(bool reading) { reading_ = reading; }

  /// Waits until the pipe of its standard output is full; false when the deadline comes first.
  [[nodiscard]] bool wait_until_full(Deadline deadline) const;

  /// Moves what can be moved, waiting for it until the deadline. Whether anything was moved: what
  /// was not by then never will be.
  bool pump(Deadline deadline);
  /// Waits until the process has ended; nothing when the deadline comes first. A signal is given
  /// as its negative number.
  [[nodiscard]] std::optional<int> wait(Deadline deadline);
  void signal(int number) const;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string& out() { return out_; }
  [[nodiscard]] std::string& err() { return err_; }
  /// The most memory that it ever had in use, in bytes.
  [[nodiscard]] std::size_t peak_memory() const;

 private:
  static void read_some(Pipe& pipe, std::string& into);
  void write_some();

  pid_t pid_ = -1;
  Pipe handle_;
  Pipe to_;
  Pipe from_;
  Pipe errors_;
  std::string input_;
  std::size_t written_ = 0;
  bool input_ends_ = false;
  bool reading_ = true;
  std::string out_;
  std::string err_;
  std::optional<int> ended_;
  std::size_t peak_ = 0;
};

}  // namespace belljar::attacks
