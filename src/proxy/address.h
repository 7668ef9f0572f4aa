#pragma once

// IP addresses and ports, and Unix sockets, as the kernel takes them and as people write them.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "base/status.h"

namespace holdfast::proxy {

/// An IPv4 or IPv6 address with a port, or the path of a Unix socket. A value; IPv4-mapped IPv6
/// addresses become IPv4.
class Address {
 public:
  Address() = default;
  explicit Address(const sockaddr_storage& storage);
  Address(const base::IpAddress& ip, std::uint16_t port);

  /// "10.0.0.1" or "fd00::1", with a port of 0 to 65535.
  static base::StatusOr<Address> from_ip(const std::string& ip, std::uint32_t port);
  /// "ADDR:PORT", IPv6 in brackets; an empty ADDR is 0.0.0.0.
  static base::StatusOr<Address> parse(const std::string& text);
  /// The Unix socket of that path, of 1 to 107 bytes (unix(7)). What is made of it is kept for the
  /// life of the process, once a path: so that no Address is bigger than an IPv6 one, and because
  /// a process has as many as its flags name.
  static base::StatusOr<Address> from_unix_path(std::string_view path);

  [[nodiscard]] const sockaddr* data() const {
    return is_unix() ? reinterpret_cast<const sockaddr*>(local())
                     : reinterpret_cast<const sockaddr*>(&address_);
  }
  [[nodiscard]] socklen_t size() const;
  [[nodiscard]] int family() const { return address_.v6.sin6_family; }
  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  /// 0 of a Unix socket.
  [[nodiscard]] std::uint16_t port() const;
  /// Without port and brackets; empty of a Unix socket.
  [[nodiscard]] std::string ip() const;
  /// REQUIRES: not a Unix socket.
  [[nodiscard]] base::IpAddress ip_address() const;
  /// "10.0.0.1:80", "[fd00::1]:80", "unix:/run/app.sock".
  [[nodiscard]] std::string to_string() const;
  /// The same address and port, or the same path.
  bool operator==(const Address& other) const {
    if (is_unix() || other.is_unix()) {
      return is_unix() && other.is_unix() && local() == other.local();
    }
    return port() == other.port() && ip_address() == other.ip_address();
  }

 private:
  /// The bytes of a pointer: as a pointer they would make every Address bigger.
  struct Local {
    sa_family_t family;
    std::array<unsigned char, sizeof(void*)> where;
  };
  [[nodiscard]] const sockaddr_un* local() const;
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
    Local local;
  } address_ = {};
};
static_assert(sizeof(Address) == sizeof(sockaddr_in6));

}  // namespace holdfast::proxy
