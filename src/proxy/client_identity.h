#pragma once

// Who a request is from, and how it reached us, given whom we believe: from the head, the address
// of the peer that sent it and the blocks of trusted proxies. Pure; any thread.
//
// A peer that is not trusted is the client, and what it says of itself and of others is not passed
// on. A trusted one has told us of the hop before it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "http/head.h"

namespace holdfast::proxy {

/// The views point into the head.
struct ClientIdentity {
  /// The first address that is not trusted, coming from us; the farthest one where all are.
  base::IpAddress address;
  /// The peer is a trusted proxy: its X-Forwarded-* is believed, its Forwarded passed on.
  bool by_proxy = false;
  /// The client spoke TLS, to us or to a trusted proxy.
  bool https = false;
  /// A trusted proxy has said whether it did; else a load balancer in front may have ended TLS
  /// without a word of it.
  bool scheme_stated = false;
  /// X-Forwarded-For for the pod: everybody on the way, the peer last.
  std::string forwarded_for;
  /// X-Forwarded-Host for the pod; empty: the request named none.
  std::string_view host;
  /// X-Forwarded-Port for the pod.
  std::string port;
  /// X-Request-ID of a trusted proxy; empty: there is none that can be kept.
  std::string_view request_id;

  [[nodiscard]] std::string_view scheme() const { return https ? "https" : "http"; }
};

/// How a request came in.
struct Arrival {
  base::IpAddress peer;
  /// That the peer connected to.
  std::uint16_t port = 0;
  /// The peer is a proxy that does not say for whom it speaks: it is not believed, since what comes
  /// may be that client's own.
  bool client_unknown = false;
  /// Over TLS.
  bool tls = false;
};

ClientIdentity identify_client(const http::RequestHead& request, const Arrival& arrival,
                               const std::vector<base::Cidr>& trusted);

}  // namespace holdfast::proxy
