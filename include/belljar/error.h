// What went wrong, in words that the reader can act on.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace belljar {

/// What kind of failure an error is. One table (src/support/error_table.h) maps each to an exit
/// code, a JSON-RPC code and an HTTP status.
enum class ErrorCode {
  /// The caller asked for something that makes no sense.
  invalid_argument,
  /// What was named does not exist.
  not_found,
  /// What was named exists already, or two things would share a name.
  conflict,
  /// A policy, grant or configuration file cannot be used.
  invalid_policy,
  /// A component cannot be loaded.
  load_failed,
  /// Policy does not allow it.
  denied,
  /// Something needed is busy or gone; trying again later may help.
  unavailable,
  /// A file, database or device failed.
  storage,
  /// Belljar failed in a way that it should not.
  internal,
};

/// A failure: a code, a sentence for the reader, and what was being done, innermost first.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// The sentence that says what is wrong and what to do about it.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  /// What was being done when it happened, innermost first.
  [[nodiscard]] const std::vector<std::string>& context() const noexcept { return context_; }

  /// The same error, with one more line of what was being done.
  Error with_context(std::string doing) && {
    context_.push_back(std::move(doing));
    return std::move(*this);
  }

  /// `outer: inner: message`, on one line.
  [[nodiscard]] std::string describe() const {
    std::string text;
    for (auto frame = context_.rbegin(); frame != context_.rend(); ++frame) {
      text += *frame;
      text += ": ";
    }
    return text + message_;
  }

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::string> context_;
};

/// A value, or why there is none.
template <typename T>
using Result = std::expected<T, Error>;

}  // namespace belljar
