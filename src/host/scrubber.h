// Takes secrets out of what comes back, also where they are encoded or cut by a chunk's border.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::host {

/// The forms in which a set of secrets is recognised: as it is, with any part percent-encoded,
/// hexadecimal in either case, and base64 (both alphabets) in its three alignments. Other
/// transformations are not defended against (SECURITY.md). Immutable; any thread.
class SecretPatterns {
 public:
  explicit SecretPatterns(const std::vector<std::string_view>& secrets);
  [[nodiscard]] bool empty() const noexcept { return patterns_.empty(); }

 private:
  friend class Scrubber;
  enum class Form { literal, hexadecimal, percent };
  struct Pattern {
    Form form;
    std::string text;
  };
  /// How a pattern compares with a piece of text: the length of a match, no match, or a match so
  /// far that ends with the text.
  struct Comparison {
    enum class Kind { none, partial, full } kind = Kind::none;
    std::size_t length = 0;
  };
  [[nodiscard]] static Comparison compare(const Pattern& pattern, std::string_view text);
  void add(Form form, std::string text);

  std::vector<Pattern> patterns_;
  /// The pairs of bytes that some pattern can begin with: all other places are skipped at once.
  std::bitset<65'536> beginnings_;
};

/// Scrubs one stream. Found secrets become asterisks, as many as there were characters, so that
/// lengths stay true.
class Scrubber {
 public:
  explicit Scrubber(std::shared_ptr<const SecretPatterns> patterns)
      : patterns_(std::move(patterns)) {}

  /// Takes a piece and gives what is safe to pass on; the beginning of a possible secret waits.
  [[nodiscard]] std::string push(std::string_view piece);
  /// Gives what still waits.
  [[nodiscard]] std::string finish();
  /// Scrubs a text that is complete in itself.
  [[nodiscard]] std::string scrub(std::string_view text) const;
  [[nodiscard]] std::uint64_t found() const noexcept { return state_.found; }

 private:
  enum class End { open, closed };
  struct State {
    /// What waits, as it came.
    std::string text;
    /// How much of its beginning belongs to a secret that was found.
    std::size_t hidden = 0;
    std::uint64_t found = 0;
  };
  [[nodiscard]] static std::string run(const SecretPatterns& patterns, State& state, End end);

  std::shared_ptr<const SecretPatterns> patterns_;
  State state_;
};

}  // namespace belljar::host
