#pragma once

// IP addresses in text.

#include <array>
#include <compare>
#include <optional>
#include <string>

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

/// As inet_ntop(3) writes it.
std::string to_string(const IpAddress& address);

}  // namespace holdfast::base
