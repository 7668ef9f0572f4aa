#include "base/host_port.h"

#include "base/ip_address.h"
#include "base/port.h"

namespace holdfast::base {

bool HostPort::is_numeric() const { return parse_ip(host).has_value(); }

bool HostPort::is_loopback() const {
  const auto address = parse_ip(host);
  return address ? base::is_loopback(*address) : host == "localhost";
}

StatusOr<HostPort> parse_host_port(const std::string& text) {
  const Status bad = absl::InvalidArgumentError(
      "\"" + text + "\" is not HOST:PORT (IPv6 addresses stand in brackets)");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad;
  HostPort result;
  result.host = text.substr(0, colon);
  if (result.host.size() > 2 && result.host.front() == '[' && result.host.back() == ']') {
    result.host = result.host.substr(1, result.host.size() - 2);
    if (result.host.find(':') == std::string::npos || !result.is_numeric()) return bad;
  } else if (result.host.empty() || result.host.find_first_of(":[]") != std::string::npos) {
    return bad;
  }
  const auto port = parse_port(std::string_view(text).substr(colon + 1));
  if (!port) return bad;
  result.port = *port;
  return result;
}

}  // namespace holdfast::base
