// Hashes, random bytes and their text forms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "belljar/error.h"

namespace belljar {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) over data that comes in pieces.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(Sha256Hasher&&) noexcept;
  Sha256Hasher& operator=(Sha256Hasher&&) noexcept;

  void update(std::string_view data);
  [[nodiscard]] Sha256 finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

[[nodiscard]] Sha256 sha256(std::string_view data);

/// A key that only this user can read, for authenticating local files.
using MacKey = std::array<std::uint8_t, 32>;
using Mac = std::array<std::uint8_t, 32>;

/// Keyed BLAKE2b (RFC 7693).
[[nodiscard]] Mac authenticate(const MacKey& key, std::string_view data);
/// Compares without telling by its time where two values differ.
[[nodiscard]] bool equal_in_constant_time(std::span<const std::uint8_t> a,
                                          std::span<const std::uint8_t> b);

void fill_random(std::span<std::uint8_t> bytes);

template <std::size_t Size>
[[nodiscard]] std::array<std::uint8_t, Size> random_bytes() {
  std::array<std::uint8_t, Size> bytes;
  fill_random(bytes);
  return bytes;
}

[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);
/// RFC 4648, section 4, with padding.
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// Makes libsodium ready; every function above does it by itself.
void prepare_crypto();

}  // namespace belljar
