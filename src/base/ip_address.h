#pragma once

// IP addresses in text.

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::base {

/// An IPv4 or IPv6 address in binary form, so that two spellings of one address are equal.
struct IpAddress {
  bool ipv6 = false;
  /// Network byte order; of an IPv4 address the first four.
  std::array<unsigned char, 16> bytes{};

  auto operator<=>(const IpAddress&) const = default;
};

/// As inet_pton(3) reads it (no brackets, no zone, no port); absent when it is not an address.
std::optional<IpAddress> parse_ip(const std::string& text);

/// 127.0.0.0/8 or ::1.
bool is_loopback(const IpAddress& address);

/// The IPv4 address that an IPv4-mapped one (RFC 4291 section 2.5.5.2) stands for; others as they
/// are.
IpAddress unmapped(const IpAddress& address);
/// The IPv4-mapped form of an IPv4 address; others as they are.
IpAddress mapped(const IpAddress& address);

/// As inet_ntop(3) writes it.
std::string to_string(const IpAddress& address);

/// A block of addresses (RFC 4632, RFC 4291 section 2.3). Bits of `address` behind the prefix are
/// 0.
struct Cidr {
  IpAddress address;
  unsigned prefix_bits = 0;

  auto operator<=>(const Cidr&) const = default;

  /// IPv4 addresses are in IPv4 blocks only.
  [[nodiscard]] bool contains(const IpAddress& other) const;
};

bool any_contains(const std::vector<Cidr>& blocks, const IpAddress& address);

/// "10.0.0.0/8", "fd00::/8", or an address alone; absent when it is neither. A block of IPv4-mapped
/// addresses is the IPv4 block; one that is written with such an address and holds others too
/// ("::ffff:10.0.0.0/95") is none.
std::optional<Cidr> parse_cidr(const std::string& text);

/// "10.0.0.0/8": always with the prefix's length.
std::string to_string(const Cidr& block);

}  // namespace holdfast::base
