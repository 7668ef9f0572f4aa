#pragma once

// What can be told of an endpoint of a cluster. A value.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/resource.h"
#include "proxy/endpoint.h"

namespace holdfast::proxy {

struct EndpointInfo {
  /// "NAMESPACE/SERVICE/PORT".
  std::string cluster;
  /// "10.244.0.7:8080".
  std::string address;
  /// "ready", "slow_start", "ejected", "unhealthy", "terminating".
  std::string state;
  /// Open upgraded connections and requests under way, of all workers and clusters.
  std::uint32_t open = 0;
  /// For how long it has been an endpoint of the cluster, as this process knows.
  base::Duration since{};
  /// The topology zone, or empty.
  std::string zone;
};

/// How long endpoints that join are slow to start, by cluster: the longest of its routes'.
using SlowStarts = std::map<std::string, base::Duration>;
SlowStarts slow_starts(const std::vector<model::ResourcePtr>& resources);

/// Every endpoint of the clusters, in order. Any thread.
std::vector<EndpointInfo> list_endpoints(
    const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
    const SlowStarts& slow_starts, base::Instant now);

/// Sets the zone of each, of which only the EndpointSets among `resources` know: connections follow
/// EndpointSlice hints, and where there are none, all zones are one.
void set_zones(std::vector<EndpointInfo>& endpoints,
               const std::vector<model::ResourcePtr>& resources);

}  // namespace holdfast::proxy
