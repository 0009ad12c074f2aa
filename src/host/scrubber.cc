#include "host/scrubber.h"

#include <algorithm>
#include <optional>

#include "support/crypto.h"
#include "support/text.h"

// Every window of a text is compared with a secret by the polynomial of its symbols, modulo 2^64,
// which takes the same work whatever it compares with. Sums that are equal by chance are one in
// 2^64; then an innocent text is hidden.

namespace belljar::host {
namespace {

/// Odd, so that no power of it vanishes.
constexpr std::uint64_t base = 0x9E37'79B9'7F4A'7C15;

/// By Newton's method, which doubles the bits that are right.
constexpr std::uint64_t inverse_of(std::uint64_t odd) {
  std::uint64_t inverse = odd;
  for (int bits = 3; bits < 64; bits *= 2) inverse *= 2 - odd * inverse;
  return inverse;
}
constexpr std::uint64_t inverse_of_base = inverse_of(base);
static_assert(base * inverse_of_base == 1);

using Symbols = std::array<std::uint64_t, 256>;

/// What stands for a byte in a sum (SplitMix64).
constexpr std::uint64_t value_of(unsigned char byte) {
  std::uint64_t mixed = (byte + 1ULL) * 0xD134'2543'DE82'EF95;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EB;
  return mixed ^ (mixed >> 31);
}

template <typename Fold>
constexpr Symbols symbols_of(Fold fold) {
  Symbols symbols{};
  for (std::size_t byte = 0; byte < symbols.size(); ++byte) {
    symbols[byte] = value_of(fold(static_cast<unsigned char>(byte)));
  }
  return symbols;
}

/// By reading: what counts as the same symbol. Both alphabets of base64 are read as one, and in
/// what is decoded a blank and the plus that forms write for it.
constexpr std::array<Symbols, 4> symbols{
    symbols_of([](unsigned char c) { return c; }), symbols_of([](unsigned char c) -> unsigned char {
      return c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c - 'A' + 'a') : c;
    }),
    symbols_of([](unsigned char c) -> unsigned char {
      return c == '-' ? '+' : c == '_' ? '/' : c;
    }),
    symbols_of([](unsigned char c) -> unsigned char { return c == ' ' ? '+' : c; })};

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

bool ends_line(char c) { return c == '\n' || c == '\r' || c == '\0'; }

/// The characters of the base64 form that depend on the secret alone, where it stands behind
/// `offset` other bytes.
std::string base64_core(std::string_view secret, std::size_t offset) {
  const std::string encoded = to_base64(std::string(offset, '\0') + std::string(secret));
  const std::size_t first = (8 * offset + 5) / 6;
  const std::size_t end = 8 * (offset + secret.size()) / 6;
  return encoded.substr(first, end - first);
}

/// Bytes of `%XX`.
constexpr std::size_t escape_length = 3;
/// Shorter ones would be found in everything. Those that people set are longer by far.
constexpr std::size_t shortest = 3;
/// What is looked through at a time, which bounds what is kept of it: 24 bytes a byte and reading.
constexpr std::size_t block = 4'096;

}  // namespace

SecretPatterns::SecretPatterns(const std::vector<std::string_view>& secrets) {
  for (const std::string_view secret : secrets) {
    if (secret.size() < shortest) continue;
    // Covers the plain form as well: nothing has to be encoded. Only a percent sign may be read as
    // the beginning of something else.
    add(Reading::decoded, secret);
    if (secret.find('%') != std::string_view::npos) add(Reading::as_it_is, secret);
    add(Reading::lower_case,
        to_hex({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()}));
    for (std::size_t offset = 0; offset < 3; ++offset) {
      add(Reading::base64, base64_core(secret, offset));
    }
    // Encoded throughout, it is longer than in any other form.
    longest_ = std::max(longest_, escape_length * secret.size());
    within_lines_ = within_lines_ && std::none_of(secret.begin(), secret.end(), ends_line);
  }
}

std::size_t SecretPatterns::held_back() const noexcept {
  // A secret that ends with a percent sign is found when the two bytes behind it are known.
  return empty() ? 0 : longest_ - 1 + (escape_length - 1);
}

void SecretPatterns::add(Reading reading, std::string_view text) {
  Pattern pattern;
  for (const char c : text) {
    const Symbols& values = symbols[static_cast<std::size_t>(reading)];
    pattern.sum = pattern.sum * base + values[static_cast<unsigned char>(c)];
    pattern.power *= base;
    ++pattern.length;
  }
  patterns_[static_cast<std::size_t>(reading)].push_back(pattern);
}

void Scrubber::read_bytes(Reading reading, std::string_view piece) {
  if (patterns_->of(reading).empty()) return;
  const Symbols& values = symbols[static_cast<std::size_t>(reading)];
  std::vector<std::uint64_t>& sums = sums_[static_cast<std::size_t>(reading)];
  if (sums.empty()) sums.push_back(0);
  std::uint64_t sum = sums.back();
  sums.reserve(sums.size() + piece.size());
  for (const char c : piece) {
    sum = sum * base + values[static_cast<unsigned char>(c)];
    sums.push_back(sum);
  }
  find_bytes(reading, piece.size());
}

void Scrubber::find_bytes(Reading reading, std::size_t count) {
  const std::vector<std::uint64_t>& sums = sums_[static_cast<std::size_t>(reading)];
  for (const Pattern& pattern : patterns_->of(reading)) {
    const std::size_t first = std::max(sums.size() - count, pattern.length);
    for (std::size_t at = first; at < sums.size(); ++at) {
      if (sums[at] - sums[at - pattern.length] * pattern.power == pattern.sum) {
        hide(begin_ + at - pattern.length, begin_ + at);
      }
    }
  }
}

void Scrubber::add_symbol(unsigned char symbol, std::uint64_t end) {
  const Symbols& values = symbols[static_cast<std::size_t>(Reading::decoded)];
  symbols_.push_back({symbols_.back().sum * base + values[symbol], end});
}

void Scrubber::decode(bool last) {
  const std::size_t first = symbols_.size();
  while (decoded_ < end()) {
    const std::size_t at = decoded_ - begin_;
    if (text_[at] == '%') {
      const std::size_t left = text_.size() - at;
      const auto high = left > 1 ? hex_digit(text_[at + 1]) : std::nullopt;
      const auto low = high && left > 2 ? hex_digit(text_[at + 2]) : std::nullopt;
      const bool may_go_on = left == 1 || (high && left == 2);
      if (may_go_on && !last) break;
      if (low) {
        decoded_ += escape_length;
        escaped_ = decoded_;
        add_symbol(static_cast<unsigned char>(*high << 4U | *low), decoded_);
        continue;
      }
    }
    ++decoded_;
    add_symbol(static_cast<unsigned char>(text_[at]), decoded_);
  }
  find_decoded(first);
}

void Scrubber::find_decoded(std::size_t first) {
  for (const Pattern& pattern : patterns_->of(Reading::decoded)) {
    for (std::size_t at = std::max(first, pattern.length); at < symbols_.size(); ++at) {
      const Symbol& before = symbols_[at - pattern.length];
      if (symbols_[at].sum - before.sum * pattern.power == pattern.sum) {
        hide(before.end, symbols_[at].end);
      }
    }
    // Most texts have no escapes, and where the newest is tells nothing about a secret.
    if (escaped_ + patterns_->longest_ > symbols_[first - 1].end) find_in_escapes(pattern, first);
  }
}

void Scrubber::find_in_escapes(const Pattern& pattern, std::size_t first) {
  const Symbols& values = symbols[static_cast<std::size_t>(Reading::decoded)];
  std::uint64_t power = pattern.power;
  for (std::size_t count = 1; count < escape_length; ++count) {
    power *= inverse_of_base;
    // What follows the digits, of which there are `count`.
    const std::size_t rest = pattern.length - count;
    for (std::size_t at = std::max(first, rest + 1); at < symbols_.size(); ++at) {
      const Symbol& escape = symbols_[at - rest];
      if (escape.end - symbols_[at - rest - 1].end != escape_length) continue;
      std::uint64_t digits = 0;
      for (std::uint64_t place = escape.end - count; place < escape.end; ++place) {
        digits = digits * base + values[static_cast<unsigned char>(text_[place - begin_])];
      }
      if (digits * power + (symbols_[at].sum - escape.sum * power) == pattern.sum) {
        hide(escape.end - count, symbols_[at].end);
      }
    }
  }
}

void Scrubber::hide(std::uint64_t begin, std::uint64_t end) {
  std::fill(hidden_.begin() + static_cast<std::ptrdiff_t>(begin - begin_),
            hidden_.begin() + static_cast<std::ptrdiff_t>(end - begin_), '*');
}

void Scrubber::read(std::string_view piece) {
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (ends_line(piece[i])) line_ = end() + i + 1;
  }
  text_ += piece;
  hidden_.append(piece.size(), '\0');
  for (const Reading reading : {Reading::as_it_is, Reading::lower_case, Reading::base64}) {
    read_bytes(reading, piece);
  }
  decode(false);
}

std::string Scrubber::release(std::uint64_t to) {
  std::string safe;
  if (to <= released_) return safe;
  safe = text_.substr(released_ - begin_, to - released_);
  for (std::size_t i = 0; i < safe.size(); ++i) {
    if (const char mark = hidden_[released_ - begin_ + i]; mark != '\0') safe[i] = mark;
  }
  released_ = to;
  return safe;
}

void Scrubber::forget() {
  const std::uint64_t reach = patterns_->longest_ + 2 * escape_length;
  const std::uint64_t known = end() - std::min<std::uint64_t>(end(), reach);
  const std::uint64_t border = std::min(released_, known);
  // Not for every byte of a stream that drips.
  if (border < begin_ + std::max<std::uint64_t>(block, reach)) return;
  const std::size_t count = border - begin_;
  text_.erase(0, count);
  hidden_.erase(0, count);
  for (std::vector<std::uint64_t>& sums : sums_) {
    if (!sums.empty()) sums.erase(sums.begin(), sums.begin() + static_cast<std::ptrdiff_t>(count));
  }
  begin_ = border;
  const auto first = std::find_if(symbols_.begin(), symbols_.end(),
                                  [&](const Symbol& symbol) { return symbol.end >= begin_; });
  symbols_.erase(symbols_.begin(), first);
}

std::string Scrubber::push(std::string_view piece) {
  if (patterns_->empty()) return std::string(piece);
  std::string safe;
  while (!piece.empty()) {
    const std::string_view part = piece.substr(0, block);
    piece.remove_prefix(part.size());
    read(part);
    const std::uint64_t held = std::min<std::uint64_t>(end(), patterns_->held_back());
    safe += release(std::max(end() - held, patterns_->within_lines_ ? line_ : 0));
    forget();
  }
  return safe;
}

std::string Scrubber::finish() {
  decode(true);
  return release(end());
}

std::string Scrubber::scrub(std::string_view text) const {
  Scrubber fresh(patterns_);
  std::string safe = fresh.push(text);
  safe += fresh.finish();
  return safe;
}

}  // namespace belljar::host
