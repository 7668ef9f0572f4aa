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
  /// To this cluster: "ready", "slow_start", "ejected", "probation", "unhealthy", "terminating".
  std::string state;
  /// Open upgraded connections and requests under way, of all workers and clusters.
  std::uint32_t open = 0;
  /// For how long it has been an endpoint of the cluster, as this process knows.
  base::Duration since{};
  /// The topology zone, or empty.
  std::string zone;
};

/// What the routes of a cluster ask for, put together: an endpoint is told to be what it is to any
/// of them.
struct ClusterPolicy {
  /// The longest.
  base::Duration slow_start{};
  /// The fewest failures, the longest time.
  EjectionPolicy ejection;
};
/// By cluster.
using ClusterPolicies = std::map<std::string, ClusterPolicy>;
ClusterPolicies policies_of(const std::vector<model::ResourcePtr>& resources);
/// That of a cluster that no route uses asks for nothing.
ClusterPolicy policy_of(const ClusterPolicies& policies, const std::string& cluster);

/// Every endpoint of the clusters, in order. Any thread.
std::vector<EndpointInfo> list_endpoints(
    const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
    const ClusterPolicies& policies, base::Instant now);

/// Sets the zone of each, of which only the EndpointSets among `resources` know: connections follow
/// EndpointSlice hints, and where there are none, all zones are one.
void set_zones(std::vector<EndpointInfo>& endpoints,
               const std::vector<model::ResourcePtr>& resources);

}  // namespace holdfast::proxy
