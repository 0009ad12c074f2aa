#include "host/scrubber.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "support/crypto.h"
#include "support/text.h"

namespace belljar::host {
namespace {

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::size_t pair_index(char first, char second) {
  return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8 |
         static_cast<unsigned char>(second);
}

/// The characters of the base64 form that depend on the secret alone, where it stands behind
/// `offset` other bytes.
std::string base64_core(std::string_view secret, std::size_t offset) {
  const std::string encoded = to_base64(std::string(offset, '\0') + std::string(secret));
  const std::size_t first = (8 * offset + 5) / 6;
  const std::size_t end = 8 * (offset + secret.size()) / 6;
  return encoded.substr(first, end - first);
}

}  // namespace

SecretPatterns::SecretPatterns(const std::vector<std::string_view>& secrets) {
  for (const std::string_view secret : secrets) {
    if (secret.size() < 2) continue;
    // Covers the plain form as well: nothing has to be encoded. Only a percent sign always is.
    add(Form::percent, std::string(secret));
    if (secret.find('%') != std::string_view::npos) add(Form::literal, std::string(secret));
    add(Form::hexadecimal,
        to_hex({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()}));
    for (std::size_t offset = 0; offset < 3; ++offset) {
      std::string core = base64_core(secret, offset);
      std::string url_safe = core;
      std::replace(url_safe.begin(), url_safe.end(), '+', '-');
      std::replace(url_safe.begin(), url_safe.end(), '/', '_');
      if (url_safe != core) add(Form::literal, std::move(url_safe));
      add(Form::literal, std::move(core));
    }
  }
}

void SecretPatterns::add(Form form, std::string text) {
  if (text.size() < 2) return;
  const auto both_cases = [](char c) {
    const char lower = to_lower({&c, 1}).front();
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return std::array{lower, upper};
  };
  if (form == Form::hexadecimal) {
    for (const char first : both_cases(text[0])) {
      for (const char second : both_cases(text[1])) beginnings_.set(pair_index(first, second));
    }
  } else if (form == Form::literal) {
    beginnings_.set(pair_index(text[0], text[1]));
  } else {
    // The first may be written out or as %XX, and so may the second; a blank also as a plus.
    const auto forms = [](char c) { return std::array{c, c == ' ' ? '+' : c}; };
    for (const char first : forms(text[0])) {
      beginnings_.set(pair_index(first, '%'));
      for (const char second : forms(text[1])) beginnings_.set(pair_index(first, second));
    }
    for (const char digit : std::string_view("0123456789abcdefABCDEF")) {
      beginnings_.set(pair_index('%', digit));
    }
  }
  patterns_.push_back({form, std::move(text)});
}

SecretPatterns::Comparison SecretPatterns::compare(const Pattern& pattern, std::string_view text) {
  using Kind = Comparison::Kind;
  std::size_t at = 0;
  for (const char wanted : pattern.text) {
    if (at >= text.size()) return {Kind::partial, 0};
    const char c = text[at];
    switch (pattern.form) {
      case Form::literal:
        if (c != wanted) return {};
        ++at;
        break;
      case Form::hexadecimal:
        if (c != wanted && hex_digit(c) != hex_digit(wanted)) return {};
        ++at;
        break;
      case Form::percent:
        if (wanted != '%' && (c == wanted || (wanted == ' ' && c == '+'))) {
          ++at;
          break;
        }
        if (c != '%') return {};
        if (at + 1 >= text.size()) return {Kind::partial, 0};
        if (hex_digit(text[at + 1]) != static_cast<unsigned char>(wanted) >> 4) return {};
        if (at + 2 >= text.size()) return {Kind::partial, 0};
        if (hex_digit(text[at + 2]) != (static_cast<unsigned char>(wanted) & 0xFU)) return {};
        at += 3;
        break;
    }
  }
  return {Kind::full, at};
}

std::string Scrubber::run(const SecretPatterns& patterns, State& state, End end) {
  using Kind = SecretPatterns::Comparison::Kind;
  std::string& text = state.text;
  // Secrets may overlap, so what is hidden is looked at as well: `text` stays as it came until it
  // is passed on.
  std::size_t hidden = state.hidden;
  std::string safe;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool last = at + 1 == text.size();
    if (last || patterns.beginnings_.test(pair_index(text[at], text[at + 1]))) {
      std::size_t length = 0;
      bool partial = false;
      for (const auto& pattern : patterns.patterns_) {
        const auto compared = SecretPatterns::compare(pattern, std::string_view(text).substr(at));
        if (compared.kind == Kind::full) length = std::max(length, compared.length);
        partial = partial || compared.kind == Kind::partial;
      }
      // What may become a longer secret waits, even if it holds a shorter one.
      if (partial && end == End::open) break;
      if (length > 0) {
        if (at >= hidden) ++state.found;
        hidden = std::max(hidden, at + length);
      }
    }
    safe += at < hidden ? '*' : text[at];
  }
  text.erase(0, at);
  state.hidden = hidden - std::min(hidden, at);
  return safe;
}

std::string Scrubber::push(std::string_view piece) {
  if (patterns_->empty()) return std::string(piece);
  state_.text += piece;
  return run(*patterns_, state_, End::open);
}

std::string Scrubber::finish() {
  std::string rest = run(*patterns_, state_, End::closed);
  state_.hidden = 0;
  return rest;
}

std::string Scrubber::scrub(std::string_view text) const {
  State state{.text = std::string(text), .hidden = 0, .found = 0};
  return run(*patterns_, state, End::closed);
}

}  // namespace belljar::host
