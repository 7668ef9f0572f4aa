#pragma once

// Where discovery listens or connects: "unix:PATH" or HOST:PORT, without mutual TLS of loopback.
//
// Any thread, but claim() is for the one server of the process. Errors are sentences that name the
// address.

#include <cstdint>
#include <string>

#include "base/status.h"

namespace holdfast::discovery {

struct Address {
  /// The path of a Unix socket; empty: TCP.
  std::string path;
  /// TCP.
  std::string host;
  std::uint16_t port = 0;

  /// As gRPC wants it.
  [[nodiscard]] std::string target() const;
};

base::StatusOr<Address> parse_address(const std::string& text, bool with_tls);

/// Makes way for a server on `address` and finds out, with the kernel's reason, whether it could
/// listen there. A socket file left by a dead process is removed; one that a living process serves
/// is an error, and so is a file of another kind.
base::Status claim(const Address& address);

}  // namespace holdfast::discovery
