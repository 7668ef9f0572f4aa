#pragma once

// IP addresses and ports as the kernel takes them and as people write them.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "base/status.h"

namespace holdfast::proxy {

/// An IPv4 or IPv6 address with a port. A value; IPv4-mapped IPv6 addresses become IPv4.
class Address {
 public:
  Address() = default;
  explicit Address(const sockaddr_storage& storage);
  Address(const base::IpAddress& ip, std::uint16_t port);

  /// "10.0.0.1" or "fd00::1", with a port of 0 to 65535.
  static base::StatusOr<Address> from_ip(const std::string& ip, std::uint32_t port);
  /// "ADDR:PORT", IPv6 in brackets; an empty ADDR is 0.0.0.0.
  static base::StatusOr<Address> parse(const std::string& text);

  [[nodiscard]] const sockaddr* data() const {
    return reinterpret_cast<const sockaddr*>(&address_);
  }
  [[nodiscard]] socklen_t size() const;
  [[nodiscard]] int family() const { return address_.v6.sin6_family; }
  [[nodiscard]] std::uint16_t port() const;
  /// Without port and brackets.
  [[nodiscard]] std::string ip() const;
  [[nodiscard]] base::IpAddress ip_address() const;
  /// "10.0.0.1:80", "[fd00::1]:80".
  [[nodiscard]] std::string to_string() const;
  /// The same address and port.
  bool operator==(const Address& other) const {
    return port() == other.port() && ip_address() == other.ip_address();
  }

 private:
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
  } address_ = {};
};

}  // namespace holdfast::proxy
