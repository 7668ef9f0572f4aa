#pragma once

// What can be told of a connection while it is open, and which ones are asked for. Values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "base/clock.h"
#include "proxy/connection_filter.h"
#include "proxy/endpoint.h"
#include "proxy/route.h"

namespace holdfast::proxy {

struct ConnectionInfo {
  /// Greater for what began later, within this process. A WebSocket's is given at its 101.
  std::uint64_t number = 0;
  /// "websocket"; "request": a plain one whose answer has not begun; "stream": one whose has.
  std::string kind;
  /// X-Request-ID.
  std::string request_id;
  std::string ingress_namespace;
  std::string ingress;
  std::string service;
  /// Empty while none is chosen.
  std::string endpoint;
  /// The client's IP address.
  std::string client;
  /// Since the 101, or the first byte of the request.
  base::Duration age{};
  /// Of frames, or of bodies.
  std::array<std::uint64_t, kDirectionCount> bytes{};
  std::array<std::uint64_t, kDirectionCount> messages{};

  /// `endpoint` may be null.
  void set_route(const RoutePolicy& policy, const Endpoint* endpoint);
};

struct ConnectionQuery {
  ConnectionFilter filter;
  /// Only those with smaller numbers: the last one of the page before.
  std::uint64_t before = std::numeric_limits<std::uint64_t>::max();
  /// So many at most, the newest.
  std::size_t most = 0;

  [[nodiscard]] bool matches(const ConnectionInfo& info) const;
};

}  // namespace holdfast::proxy
