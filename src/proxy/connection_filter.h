#pragma once

// Which open connections are asked for, by what people know of them. Values.

#include <array>
#include <string>
#include <string_view>

namespace holdfast::proxy {

/// Each text that is not empty must be that of the connection (see ConnectionInfo).
struct ConnectionFilter {
  std::string kind;
  std::string ingress_namespace;
  std::string ingress;
  std::string service;
  std::string endpoint;
  std::string client;
};

/// A part of it: what flags and queries call it, and which connections it leaves.
struct ConnectionFilterPart {
  std::string_view name;
  std::string ConnectionFilter::*text;
  /// Behind "Only connections".
  std::string_view whose;
};

inline constexpr std::array<ConnectionFilterPart, 6> kConnectionFilterParts{{
    {"kind", &ConnectionFilter::kind, "of a kind: websocket, request or stream"},
    {"namespace", &ConnectionFilter::ingress_namespace, "of Ingresses in a namespace"},
    {"ingress", &ConnectionFilter::ingress, "of an Ingress"},
    {"service", &ConnectionFilter::service, "to a Service"},
    {"endpoint", &ConnectionFilter::endpoint, "to an endpoint, such as 10.0.0.7:8080"},
    {"client", &ConnectionFilter::client, "from an IP address"},
}};

}  // namespace holdfast::proxy
