#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace holdfast::base {

namespace {

/// ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).
constexpr std::array<unsigned char, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

/// Clears all bits of `bytes` behind the first `bits`.
void mask(std::array<unsigned char, 16>& bytes, unsigned bits) {
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned kept = std::clamp(bits, 8 * i, 8 * i + 8) - 8 * i;
    bytes[i] &= static_cast<unsigned char>(0xff00U >> kept);
  }
}

bool is_mapped(const IpAddress& address) {
  return address.ipv6 &&
         std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
}

}  // namespace

std::optional<IpAddress> parse_ip(const std::string& text) {
  // inet_pton would stop at a NUL within.
  if (text.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) return address;
  address.ipv6 = true;
  if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

bool is_loopback(const IpAddress& address) {
  if (!address.ipv6) return address.bytes[0] == 127;
  IpAddress loopback{.ipv6 = true};
  loopback.bytes.back() = 1;
  return address == loopback;
}

IpAddress unmapped(const IpAddress& address) {
  if (!is_mapped(address)) return address;
  IpAddress v4;
  std::copy(address.bytes.begin() + kMappedPrefix.size(), address.bytes.end(), v4.bytes.begin());
  return v4;
}

IpAddress mapped(const IpAddress& address) {
  if (address.ipv6) return address;
  IpAddress v6{.ipv6 = true};
  const auto rest = std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), v6.bytes.begin());
  std::copy(address.bytes.begin(), address.bytes.begin() + 4, rest);
  return v6;
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(address.ipv6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(),
                   text.size());
}

bool Cidr::contains(const IpAddress& other) const {
  if (other.ipv6 != address.ipv6) return false;
  IpAddress masked = other;
  mask(masked.bytes, prefix_bits);
  return masked == address;
}

bool any_contains(const std::vector<Cidr>& blocks, const IpAddress& address) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const Cidr& block) { return block.contains(address); });
}

std::optional<Cidr> parse_cidr(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned most = address->ipv6 ? 128 : 32;
  Cidr block{*address, most};
  if (slash != std::string::npos) {
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data() + slash + 1, last, block.prefix_bits);
    if (error != std::errc() || end != last || block.prefix_bits > most) return std::nullopt;
  }
  if (is_mapped(*address)) {
    // It would hold no IPv4 address, though it is written with one.
    if (block.prefix_bits < kMappedBits) return std::nullopt;
    block.address = unmapped(*address);
    block.prefix_bits -= kMappedBits;
  }
  mask(block.address.bytes, block.prefix_bits);
  return block;
}

std::string to_string(const Cidr& block) {
  return to_string(block.address) + "/" + std::to_string(block.prefix_bits);
}

}  // namespace holdfast::base
