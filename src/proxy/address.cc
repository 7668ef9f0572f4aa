#include "proxy/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>

#include "base/ip_address.h"
#include "model/limits.h"

namespace holdfast::proxy {

namespace {

base::Status bad_address(std::string_view text) {
  return absl::InvalidArgumentError("\"" + std::string(text) + "\" is not ADDR:PORT");
}

/// The one sockaddr_un of a path. Any thread; never freed.
const sockaddr_un* interned(std::string_view path) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::string, sockaddr_un, std::less<>>;
  const std::lock_guard lock(mutex);
  const auto found = known->find(path);
  if (found != known->end()) return &found->second;
  sockaddr_un& made = (*known)[std::string(path)];
  made.sun_family = AF_UNIX;
  path.copy(made.sun_path, sizeof made.sun_path - 1);
  return &made;
}

}  // namespace

Address::Address(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    std::memcpy(&address_.v4, &storage, sizeof address_.v4);
    return;
  }
  std::memcpy(&address_.v6, &storage, sizeof address_.v6);
  if (!IN6_IS_ADDR_V4MAPPED(&address_.v6.sin6_addr)) return;
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = address_.v6.sin6_port;
  std::memcpy(&v4.sin_addr, address_.v6.sin6_addr.s6_addr + 12, 4);
  address_ = {};
  address_.v4 = v4;
}

base::StatusOr<Address> Address::from_ip(const std::string& ip, std::uint32_t port) {
  const std::optional<base::IpAddress> parsed = base::parse_ip(ip);
  if (!parsed || port > 65535) return bad_address(ip + ":" + std::to_string(port));
  const in_port_t network_port = htons(static_cast<std::uint16_t>(port));
  sockaddr_storage storage = {};
  storage.ss_family = parsed->ipv6 ? AF_INET6 : AF_INET;
  if (parsed->ipv6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_port = network_port;
    std::memcpy(&v6.sin6_addr, parsed->bytes.data(), sizeof v6.sin6_addr);
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_port = network_port;
    std::memcpy(&v4.sin_addr, parsed->bytes.data(), sizeof v4.sin_addr);
  }
  return Address(storage);
}

base::StatusOr<Address> Address::parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad_address(text);
  std::string ip = text.substr(0, colon);
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
  } else if (ip.find(':') != std::string::npos) {
    return bad_address(text);
  }
  std::uint32_t port = 0;
  const char* first = text.data() + colon + 1;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, port);
  if (error != std::errc() || end != last || first == last || port > 65535) {
    return bad_address(text);
  }
  return from_ip(ip.empty() ? "0.0.0.0" : ip, port);
}

base::StatusOr<Address> Address::from_unix_path(std::string_view path) {
  if (path.empty() || path.size() > model::kUnixPathBytes) {
    return absl::InvalidArgumentError("\"" + std::string(path) + "\" is no path of a Unix socket");
  }
  Address address;
  address.address_.local.family = AF_UNIX;
  const sockaddr_un* const where = interned(path);
  std::memcpy(address.address_.local.where.data(), &where, sizeof(void*));
  return address;
}

const sockaddr_un* Address::local() const {
  const sockaddr_un* where = nullptr;
  std::memcpy(&where, address_.local.where.data(), sizeof(void*));
  return where;
}

socklen_t Address::size() const {
  if (is_unix()) {
    const std::size_t path_bytes = std::strlen(local()->sun_path) + 1;
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_bytes);
  }
  return family() == AF_INET ? sizeof address_.v4 : sizeof address_.v6;
}

std::uint16_t Address::port() const {
  if (is_unix()) return 0;
  return ntohs(family() == AF_INET ? address_.v4.sin_port : address_.v6.sin6_port);
}

std::string Address::ip() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &address_.v4.sin_addr, text, sizeof text);
  } else if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &address_.v6.sin6_addr, text, sizeof text);
  }
  return text;
}

base::IpAddress Address::ip_address() const {
  base::IpAddress address;
  address.ipv6 = family() == AF_INET6;
  if (address.ipv6) {
    std::memcpy(address.bytes.data(), &address_.v6.sin6_addr, sizeof address_.v6.sin6_addr);
  } else {
    std::memcpy(address.bytes.data(), &address_.v4.sin_addr, sizeof address_.v4.sin_addr);
  }
  return address;
}

std::string Address::to_string() const {
  if (is_unix()) return std::string(model::kUnixPrefix) + local()->sun_path;
  const std::string port_text = ":" + std::to_string(port());
  return family() == AF_INET6 ? "[" + ip() + "]" + port_text : ip() + port_text;
}

}  // namespace holdfast::proxy
