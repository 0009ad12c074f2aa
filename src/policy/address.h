// IP addresses: every way to write one, and which of them a guest may not reach.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belljar/error.h"

namespace belljar::policy {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are held as the IPv4 address they are.
class Address {
 public:
  [[nodiscard]] static Address v4(std::array<std::uint8_t, 4> bytes);
  [[nodiscard]] static Address v6(std::array<std::uint8_t, 16> bytes);

  /// Reads the standard text forms (RFC 4291, 2.2, and dotted decimal), without a zone.
  [[nodiscard]] static std::optional<Address> parse(std::string_view text);
  /// Reads what C libraries and browsers take for an IPv4 address as well: octal and hexadecimal
  /// parts, fewer than four parts, one number.
  [[nodiscard]] static std::optional<Address> parse_lenient_v4(std::string_view text);

  [[nodiscard]] bool is_v4() const noexcept { return v4_; }
  /// 4 or 16 bytes, in network order; the rest are zero.
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::string text() const;
  /// Whether it is this machine's own: 127.0.0.0/8 or ::1.
  [[nodiscard]] bool is_loopback() const noexcept;

  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};
};

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`.
class Cidr {
 public:
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);
  /// The range that holds one address.
  [[nodiscard]] static Cidr of(const Address& address);

  [[nodiscard]] bool contains(const Address& address) const noexcept;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool is_single() const noexcept;
  /// Whether the range is every address of its family.
  [[nodiscard]] bool is_everything() const noexcept { return prefix_ == 0; }

  friend bool operator==(const Cidr&, const Cidr&) = default;

 private:
  Address base_ = Address::v4({});
  int prefix_ = 0;
};

/// Why an address is not of the public internet: `a loopback address`; nothing for one that is.
/// Addresses that embed an IPv4 address (NAT64, 6to4, Teredo, ISATAP and others) are never public.
/// Source: the IANA special-purpose address registries, and the metadata addresses of clouds.
[[nodiscard]] std::optional<std::string_view> special_purpose(const Address& address);

/// Whether clouds serve credentials at this address. A range does not lift the refusal of such an
/// address; naming it alone does.
[[nodiscard]] bool is_metadata(const Address& address);

}  // namespace belljar::policy
