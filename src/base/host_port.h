#pragma once

// "HOST:PORT" as people write it in flags.

#include <cstdint>
#include <string>

#include "base/status.h"

namespace holdfast::base {

struct HostPort {
  /// Without the brackets of IPv6; never empty.
  std::string host;
  std::uint16_t port = 0;

  /// 127.0.0.0/8, ::1 or "localhost".
  [[nodiscard]] bool is_loopback() const;
  /// An IPv4 or IPv6 address rather than a name.
  [[nodiscard]] bool is_numeric() const;
};

/// "10.0.0.1:80", "[::1]:0", "localhost:15010". The error is half a sentence that quotes `text`.
StatusOr<HostPort> parse_host_port(const std::string& text);

}  // namespace holdfast::base
