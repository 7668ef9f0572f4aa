#pragma once

// The header of the PROXY protocol, versions 1 and 2
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt; sections below are its own): who
// connected to the proxy in front, and to what. Bytes in, values out. Pure; any thread.
//
// Strict where the specification lets a receiver choose: one spelling of version 1, only TCP and
// Unix streams in version 2, addresses in full. What follows them are whole TLVs, passed over.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/address.h"

namespace holdfast::proxy {

struct ProxyHeader {
  /// Who connected, and to what.
  struct Ends {
    Address source;
    Address destination;
    bool operator==(const Ends&) const = default;
  };
  /// Absent for LOCAL, UNKNOWN, AF_UNSPEC and AF_UNIX: the connection's own addresses count.
  std::optional<Ends> ends;
  /// The proxy speaks for somebody whom it does not name (UNKNOWN, AF_UNSPEC, AF_UNIX), not for
  /// itself (LOCAL): what it passes on is that client's word.
  bool client_unknown = false;
  /// What it takes at the front of the stream; what is behind it belongs to the next protocol.
  std::size_t bytes = 0;
};

enum class ProxyHeaderState : std::uint8_t { kNeedMore, kDone, kBad };

/// Reads the header at the front of `bytes`, all of the connection received so far; `header` is set
/// when it is done. An error is told at the first byte that cannot be part of a header, except
/// within a line of version 1, which is read when it is whole.
ProxyHeaderState parse_proxy_header(std::string_view bytes, ProxyHeader& header);

enum class ProxyHeaderVersion : std::uint8_t { kV1, kV2 };

/// One that names nobody, for connections of our own: version 1's UNKNOWN, version 2's LOCAL.
void append_local_proxy_header(std::string& out, ProxyHeaderVersion version);

/// Where the two addresses are of different families, both are written as IPv6, IPv4 in its mapped
/// form. REQUIRES: each is an IPv4 or IPv6 address.
void append_proxy_header(std::string& out, ProxyHeaderVersion version,
                         const ProxyHeader::Ends& ends);

}  // namespace holdfast::proxy
