// Takes secrets out of what comes back, also where they are encoded or cut by a chunk's border.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::host {

/// The forms in which a set of secrets is recognised: as it is, with any part percent-encoded,
/// hexadecimal in either case, and base64 (both alphabets) in its three alignments. Other
/// transformations are not defended against (THREAT-MODEL.md). Keeps sums of the secrets and no
/// text of them. Immutable; any thread.
class SecretPatterns {
 public:
  explicit SecretPatterns(const std::vector<std::string_view>& secrets);
  [[nodiscard]] bool empty() const noexcept { return longest_ == 0; }
  /// Bytes that are held back at the end of a text, because they may belong to a secret of which
  /// the rest has yet to come. Decided by the lengths of the secrets alone.
  [[nodiscard]] std::size_t held_back() const noexcept;

 private:
  friend class Scrubber;
  /// How a text is read. In all but the last a byte is a symbol; the last has a symbol also for
  /// each %XX.
  enum class Reading : std::uint8_t { as_it_is, lower_case, base64, decoded };
  static constexpr std::size_t readings = 4;
  /// Some symbols in a row, by their polynomial.
  struct Pattern {
    std::size_t length = 0;
    std::uint64_t sum = 0;
    /// The base to the power of `length`.
    std::uint64_t power = 1;
  };
  void add(Reading reading, std::string_view text);
  [[nodiscard]] const std::vector<Pattern>& of(Reading reading) const {
    return patterns_[static_cast<std::size_t>(reading)];
  }

  std::array<std::vector<Pattern>, readings> patterns_;
  /// Bytes of the longest form.
  std::size_t longest_ = 0;
  /// No secret has a line break or a NUL in it, so that none goes on behind one.
  bool within_lines_ = true;
};

/// Scrubs one stream. Found secrets become asterisks, as many as there were characters, so that
/// lengths stay true.
///
/// What comes out, and when, tells nothing about a secret but where it stands as a whole: it
/// depends on how much came and where its line breaks are, never on how a part of it compares with
/// a secret. Nor does the work that is done for a byte.
class Scrubber {
 public:
  explicit Scrubber(std::shared_ptr<const SecretPatterns> patterns)
      : patterns_(std::move(patterns)) {}

  /// Takes a piece and gives what is decided: all but the newest `SecretPatterns::held_back`
  /// bytes, and what stands before the newest line break.
  [[nodiscard]] std::string push(std::string_view piece);
  /// Gives what still waits. For a text that came to its own end: one that breaks off may break off
  /// within a secret, so what waits of it is not given.
  [[nodiscard]] std::string finish();
  /// Scrubs a text that is complete in itself.
  [[nodiscard]] std::string scrub(std::string_view text) const;

 private:
  using Reading = SecretPatterns::Reading;
  using Pattern = SecretPatterns::Pattern;
  /// A symbol of the decoded reading: the sum of all up to it, and where in the text it ends.
  struct Symbol {
    std::uint64_t sum = 0;
    std::uint64_t end = 0;
  };

  void read(std::string_view piece);
  void read_bytes(Reading reading, std::string_view piece);
  void decode(bool last);
  void add_symbol(unsigned char symbol, std::uint64_t end);
  void find_bytes(Reading reading, std::size_t count);
  void find_decoded(std::size_t first);
  /// Looks for a secret that begins with what was read as the digits of an escape: one that begins
  /// with "25", and stands behind "100%".
  void find_in_escapes(const Pattern& pattern, std::size_t first);
  void hide(std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] std::string release(std::uint64_t to);
  void forget();
  [[nodiscard]] std::uint64_t end() const noexcept { return begin_ + text_.size(); }

  std::shared_ptr<const SecretPatterns> patterns_;
  /// What came, as far back as a secret may reach, and where in the stream it begins.
  std::string text_;
  std::uint64_t begin_ = 0;
  /// A mark for each byte of `text_` that belongs to a secret.
  std::string hidden_;
  /// For each reading of bytes, the sums up to each byte of `text_`, with the one before it.
  std::array<std::vector<std::uint64_t>, SecretPatterns::readings> sums_;
  std::vector<Symbol> symbols_{Symbol{}};
  /// Up to where the text was decoded; a `%` at its end waits for what follows.
  std::uint64_t decoded_ = 0;
  /// Behind the newest escape.
  std::uint64_t escaped_ = 0;
  std::uint64_t released_ = 0;
  /// Behind the newest line break.
  std::uint64_t line_ = 0;
};

}  // namespace belljar::host
