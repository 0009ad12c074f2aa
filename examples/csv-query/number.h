// Numbers as they are written in cells: read, compared, added up and written again.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace csv_query {

// Standard C++ has no integer of this width; the compilers that build this all do.
__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

// A whole number is kept exactly, so that sums and comparisons of large identifiers and amounts
// do not lose their last digits.
using Number = std::variant<std::int64_t, double>;

// Reads a number: an optional sign, digits with an optional fraction, an optional exponent. What
// only looks like one stays text: 007 (a code), 1,000 (a grouped number), NaN, 0x10.
[[nodiscard]] std::optional<Number> parse_number(std::string_view text);

[[nodiscard]] std::weak_ordering compare_numbers(const Number& left, const Number& right);

// Adds numbers up: exactly while they are whole, else with the error of every step carried along
// (Neumaier's variant of compensated summation).
class Sum {
 public:
  void add(const Number& number);

  // The sum in the fewest digits that read back as the same number.
  [[nodiscard]] std::string total() const;
  // The total divided by a count, which must not be 0.
  [[nodiscard]] std::string divided_by(std::uint32_t count) const;

 private:
  [[nodiscard]] double approximate() const;

  Int128 whole_ = 0;  // 2^32 rows of 64 bits cannot overflow it
  double fraction_ = 0;
  double error_ = 0;
  bool all_whole_ = true;
};

}  // namespace csv_query
