#include "number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace csv_query {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

bool is_byte(std::string_view text, std::size_t at, char c) {
  return at < text.size() && text[at] == c;
}

bool is_sign(std::string_view text, std::size_t at) {
  return is_byte(text, at, '+') || is_byte(text, at, '-');
}

// What a text is by its form alone.
enum class Form { kText, kWhole, kFractional };

Form form_of(std::string_view text) {
  std::size_t at = is_sign(text, 0) ? 1 : 0;
  const std::size_t whole = digits_at(text, at);
  if (whole > 1 && text[at] == '0') return Form::kText;
  at += whole;

  std::size_t fraction = 0;
  const bool has_point = is_byte(text, at, '.');
  if (has_point) {
    fraction = digits_at(text, at + 1);
    at += 1 + fraction;
  }
  if (whole + fraction == 0) return Form::kText;

  const bool has_exponent = is_byte(text, at, 'e') || is_byte(text, at, 'E');
  if (has_exponent) {
    at += is_sign(text, at + 1) ? 2 : 1;
    const std::size_t exponent = digits_at(text, at);
    if (exponent == 0) return Form::kText;
    at += exponent;
  }
  if (at != text.size()) return Form::kText;
  return has_point || has_exponent ? Form::kFractional : Form::kWhole;
}

std::string format(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

std::string format(Int128 value) {
  const bool negative = value < 0;
  // Digits are taken from the unsigned magnitude: the most negative value has no positive twin.
  auto magnitude = negative ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  } while (magnitude != 0);
  if (negative) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

double as_double(const Number& number) {
  return std::visit([](auto value) { return static_cast<double>(value); }, number);
}

}  // namespace

std::optional<Number> parse_number(std::string_view text) {
  const Form form = form_of(text);
  if (form == Form::kText) return std::nullopt;
  if (form == Form::kWhole) {
    const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
    std::int64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc{}) {
      return value;
    }
  }
  const double value = std::strtod(std::string(text).c_str(), nullptr);
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::weak_ordering compare_numbers(const Number& left, const Number& right) {
  const auto* left_whole = std::get_if<std::int64_t>(&left);
  const auto* right_whole = std::get_if<std::int64_t>(&right);
  if (left_whole != nullptr && right_whole != nullptr) return *left_whole <=> *right_whole;
  const double a = as_double(left);
  const double b = as_double(right);
  if (a < b) return std::weak_ordering::less;
  if (b < a) return std::weak_ordering::greater;
  return std::weak_ordering::equivalent;
}

void Sum::add(const Number& number) {
  if (const auto* whole = std::get_if<std::int64_t>(&number)) {
    whole_ += *whole;
    return;
  }
  all_whole_ = false;
  const double value = std::get<double>(number);
  const double sum = fraction_ + value;
  error_ += std::abs(fraction_) >= std::abs(value) ? (fraction_ - sum) + value
                                                   : (value - sum) + fraction_;
  fraction_ = sum;
}

double Sum::approximate() const { return static_cast<double>(whole_) + (fraction_ + error_); }

std::string Sum::total() const { return all_whole_ ? format(whole_) : format(approximate()); }

std::string Sum::divided_by(std::uint32_t count) const { return format(approximate() / count); }

}  // namespace csv_query
