#include "base/ip_address.h"

#include <arpa/inet.h>

namespace holdfast::base {

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

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(address.ipv6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(),
                   text.size());
}

}  // namespace holdfast::base
