#pragma once

// What can be told of an endpoint of a cluster. A value.

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace holdfast::proxy {

struct EndpointInfo {
  /// "NAMESPACE/SERVICE/PORT".
  std::string cluster;
  /// "10.244.0.7:8080".
  std::string address;
  /// "ready", "terminating".
  std::string state;
  /// Open upgraded connections and requests under way, of all workers and clusters.
  std::uint32_t open = 0;
  /// For how long it has been an endpoint of the cluster, as this process knows.
  base::Duration since{};
};

}  // namespace holdfast::proxy
