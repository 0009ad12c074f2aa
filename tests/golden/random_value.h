// Random values of WIT types, each in three notations.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/wit.h"

namespace belljar::golden {

/// One value.
struct RandomValue {
  /// JSON as a caller may write it: with every leniency, in any order of keys.
  std::string input;
  /// JSON as Belljar writes it, but for how floats are spelled.
  std::string output;
  /// What the guest `checks` calls it; see tests/guests/checks/src/canonical.rs.
  std::string canonical;
};

/// Makes values. The same seed gives the same values.
class RandomValues {
 public:
  RandomValues(const engine::Description& description, std::uint64_t seed)
      : description_(description), random_(seed) {}

  [[nodiscard]] RandomValue value(const engine::Type& type);
  /// A number below `end`.
  [[nodiscard]] std::uint64_t below(std::uint64_t end) { return random_() % end; }

 private:
  using Parts = std::vector<RandomValue>;
  [[nodiscard]] bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  [[nodiscard]] RandomValue primitive(engine::Primitive primitive);
  [[nodiscard]] RandomValue integer(unsigned bits, bool is_signed);
  template <typename Float, typename Bits>
  [[nodiscard]] RandomValue floating();
  [[nodiscard]] std::uint32_t code_point();
  [[nodiscard]] RandomValue character();
  [[nodiscard]] RandomValue string();
  [[nodiscard]] RandomValue bytes();
  [[nodiscard]] RandomValue list(const engine::Type& element);
  [[nodiscard]] RandomValue map(const engine::Type& key, const engine::Type& value);
  [[nodiscard]] RandomValue record(const engine::TypeDefinition& definition);
  [[nodiscard]] RandomValue variant(const engine::TypeDefinition& definition);
  [[nodiscard]] RandomValue flags(const engine::TypeDefinition& definition);
  [[nodiscard]] RandomValue option(const engine::TypeDefinition& definition);
  [[nodiscard]] RandomValue result(const engine::TypeDefinition& definition);
  /// Writes a JSON string of code points, with escapes here and there.
  [[nodiscard]] std::string spell(const std::vector<std::uint32_t>& code_points);
  /// Space that JSON allows anywhere.
  [[nodiscard]] std::string_view space();
  /// Puts entries of an object or array between brackets, in any order if `shuffled`.
  [[nodiscard]] std::string join(std::vector<std::string> entries, char open, char close,
                                 bool shuffled);

  const engine::Description& description_;
  std::mt19937_64 random_;
};

}  // namespace belljar::golden
