#include "policy/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

/// A range in a table, with what it is.
struct Range {
  std::string_view cidr;
  std::string_view what;
};

constexpr std::array special_v4{
    Range{"0.0.0.0/8", "an address of this very machine"},
    Range{"10.0.0.0/8", "a private address"},
    Range{"100.64.0.0/10", "a carrier's private address"},
    Range{"127.0.0.0/8", "a loopback address"},
    Range{"169.254.0.0/16", "a link-local address"},
    Range{"172.16.0.0/12", "a private address"},
    Range{"192.0.0.0/24", "a protocol assignment"},
    Range{"192.0.2.0/24", "a documentation address"},
    Range{"192.31.196.0/24", "an anycast service address"},
    Range{"192.52.193.0/24", "an anycast service address"},
    Range{"192.88.99.0/24", "a 6to4 relay address"},
    Range{"192.168.0.0/16", "a private address"},
    Range{"192.175.48.0/24", "an anycast service address"},
    Range{"198.18.0.0/15", "a benchmarking address"},
    Range{"198.51.100.0/24", "a documentation address"},
    Range{"203.0.113.0/24", "a documentation address"},
    Range{"224.0.0.0/4", "a multicast address"},
    Range{"240.0.0.0/4", "a reserved address"},
};

/// What lies inside 2000::/3, the only part of IPv6 that is given out, and is not public.
constexpr std::array special_v6{
    Range{"2001::/23", "a protocol assignment, Teredo among them"},
    Range{"2001:db8::/32", "a documentation address"},
    Range{"2002::/16", "a 6to4 address, which embeds an IPv4 address"},
    Range{"2620:4f:8000::/48", "an anycast service address"},
    Range{"3fff::/20", "a documentation address"},
    Range{"3ffe::/16", "an address of the former 6bone"},
};

/// Parts outside 2000::/3 that deserve a better name than "not a public address".
constexpr std::array named_v6{
    Range{"::/128", "an address of this very machine"},
    Range{"::1/128", "a loopback address"},
    Range{"64:ff9b::/96", "a NAT64 address, which embeds an IPv4 address"},
    Range{"64:ff9b:1::/48", "a NAT64 address, which embeds an IPv4 address"},
    Range{"::/96", "an IPv4-compatible address"},
    Range{"::ffff:0:0:0/96", "an IPv4-translated address"},
    Range{"fc00::/7", "a private address"},
    Range{"fe80::/10", "a link-local address"},
    Range{"fec0::/10", "a site-local address"},
    Range{"ff00::/8", "a multicast address"},
};

/// Where clouds answer with credentials or settings of the machine.
constexpr std::array metadata{
    "169.254.169.254/32", "169.254.169.253/32", "169.254.169.123/32",    "169.254.170.2/32",
    "169.254.170.23/32",  "168.63.129.16/32",   "100.100.100.200/32",    "169.254.0.23/32",
    "169.254.42.42/32",   "192.0.0.192/32",     "192.80.8.124/32",       "fd00:ec2::/32",
    "fd20:ce::254/128",   "fd00:42::42/128",    "fd00:a9fe:a9fe::1/128", "fe80::a9fe:a9fe/128",
};

bool in(const Address& address, std::string_view cidr) {
  const auto range = Cidr::parse(cidr);
  return range && range->contains(address);
}

std::optional<std::string_view> find(std::span<const Range> ranges, const Address& address) {
  const auto found = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const Range& range) { return in(address, range.cidr); });
  if (found == ranges.end()) return std::nullopt;
  return found->what;
}

/// One part of a leniently written IPv4 address (WHATWG URL, "IPv4 number parser").
std::optional<std::uint64_t> lenient_number(std::string_view text) {
  int base = 10;
  if (text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
    if (text.empty()) return 0;
  } else if (text.size() >= 2 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [rest, error] = std::from_chars(begin, end, value, base);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

}  // namespace

Address Address::v4(std::array<std::uint8_t, 4> bytes) {
  Address address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

Address Address::v6(std::array<std::uint8_t, 16> bytes) {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(mapped.begin(), mapped.end(), bytes.begin())) {
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  }
  Address address;
  address.v4_ = false;
  address.bytes_ = bytes;
  return address;
}

std::optional<Address> Address::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

std::optional<Address> Address::parse_lenient_v4(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  const auto parts = split(text, '.');
  if (parts.empty() || parts.size() > 4) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = parts[i].empty() ? std::nullopt : lenient_number(parts[i]);
    if (!number) return std::nullopt;
    if (i + 1 < parts.size()) {
      if (*number > 255) return std::nullopt;
      value |= *number << (24 - 8 * i);
    } else {
      // The last part fills what is left.
      const std::uint64_t room = std::uint64_t{1} << (8 * (5 - parts.size()));
      if (*number >= room) return std::nullopt;
      value |= *number;
    }
  }
  const auto byte = [&](int shift) { return static_cast<std::uint8_t>(value >> shift); };
  return v4({byte(24), byte(16), byte(8), byte(0)});
}

bool Address::is_loopback() const noexcept {
  if (v4_) return bytes_[0] == 127;
  std::array<std::uint8_t, 16> one{};
  one.back() = 1;
  return bytes_ == one;
}

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), buffer.data(), buffer.size());
  return buffer.data();
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = Address::parse(text.substr(0, slash));
  int prefix = -1;
  if (base && slash == std::string_view::npos) {
    prefix = base->is_v4() ? 32 : 128;
  } else if (base) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [rest, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc{} || rest != digits.data() + digits.size()) prefix = -1;
  }
  if (!base || prefix < 0 || prefix > (base->is_v4() ? 32 : 128)) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" is not an address range; write it like 10.0.0.0/8 or fd00::/8",
                one_line(text, 60));
  }
  Cidr cidr;
  cidr.base_ = *base;
  cidr.prefix_ = prefix;
  const auto& bytes = base->bytes();
  for (int bit = prefix; bit < (base->is_v4() ? 32 : 128); ++bit) {
    if ((bytes[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8)) & 1) {
      return fail(
          ErrorCode::invalid_argument,
          "\"{}\" has bits set behind its prefix of {}; write the first address of the range", text,
          prefix);
    }
  }
  return cidr;
}

Cidr Cidr::of(const Address& address) {
  Cidr cidr;
  cidr.base_ = address;
  cidr.prefix_ = address.is_v4() ? 32 : 128;
  return cidr;
}

bool Cidr::contains(const Address& address) const noexcept {
  if (address.is_v4() != base_.is_v4()) return false;
  int left = prefix_;
  for (std::size_t i = 0; left > 0; ++i, left -= 8) {
    const int shift = left >= 8 ? 0 : 8 - left;
    if ((address.bytes()[i] >> shift) != (base_.bytes()[i] >> shift)) return false;
  }
  return true;
}

std::string Cidr::text() const { return fmt::format("{}/{}", base_.text(), prefix_); }

bool Cidr::is_single() const noexcept { return prefix_ == (base_.is_v4() ? 32 : 128); }

std::optional<std::string_view> special_purpose(const Address& address) {
  if (is_metadata(address)) return "an address at which clouds serve credentials";
  if (address.is_v4()) return find(special_v4, address);
  if (const auto what = find(named_v6, address)) return what;
  if (!in(address, "2000::/3")) return "not an address of the public internet";
  // ISATAP (RFC 5214, 6.1): an interface identifier that embeds an IPv4 address.
  const auto& bytes = address.bytes();
  if ((bytes[8] & 0xFDU) == 0 && bytes[9] == 0 && bytes[10] == 0x5E && bytes[11] == 0xFE) {
    return "an ISATAP address, which embeds an IPv4 address";
  }
  return find(special_v6, address);
}

bool is_metadata(const Address& address) {
  return std::any_of(metadata.begin(), metadata.end(),
                     [&](std::string_view cidr) { return in(address, cidr); });
}

}  // namespace belljar::policy
