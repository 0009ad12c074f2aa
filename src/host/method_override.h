// Methods that a request names besides its own, as some servers read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/host.h"

namespace belljar::host {

/// The methods that headers and the query name, in upper case: `X-HTTP-Method`,
/// `X-HTTP-Method-Override`, `X-Method-Override` and other headers whose name says method, in any
/// spelling, and `_method`, `method` and the like in the query. Frameworks act on these instead of
/// the method that was sent, so a request has to be allowed with each of them. What is no name of a
/// method counts only where the header or parameter is for nothing else.
[[nodiscard]] std::vector<std::string> overriding_methods(
    std::span<const engine::HttpHeader> headers, std::string_view target);

/// Methods that one of a few rules would tell apart: those of HTTP, of WebDAV, and one that nobody
/// has heard of.
[[nodiscard]] std::span<const std::string_view> methods_to_try();

/// Looks for such a parameter in a body that goes out in pieces: a form, in either encoding, or
/// JSON.
class OverrideScanner {
 public:
  /// `refused` are the methods that `method=` may not name; `_method` and the like are found
  /// whatever they name.
  explicit OverrideScanner(std::vector<std::string_view> refused) : refused_(std::move(refused)) {}

  /// Whether one was found, in this piece or before.
  [[nodiscard]] bool look(std::string_view bytes);
  /// The same for the end of the body.
  [[nodiscard]] bool finish();

 private:
  /// The longest word that is compared; longer ones are none of those that are looked for.
  static constexpr std::size_t longest_word = 32;

  /// Undoes the escapes of JSON (`\u005f`) and of quoted text in the head of a part (`\_`).
  void unquote(char c);
  void take(char c);
  void end_word(char c);

  std::vector<std::string_view> refused_;
  bool found_ = false;
  /// A percent sign and what followed it, where they may be an escape.
  std::array<char, 2> escape_{};
  std::size_t escape_length_ = 0;
  /// A backslash and what followed it, where they may be an escape of JSON.
  std::string quote_;
  std::string word_;
  bool word_is_longer_ = false;
  /// What stood before the word.
  char before_ = '\0';
  /// The word before was `method`, and an equals sign followed it.
  bool method_is_next_ = false;
};

}  // namespace belljar::host
