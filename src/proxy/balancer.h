#pragma once

// Which endpoint of a cluster the next connection goes to. Nothing is allocated for a choice; it
// looks at each endpoint a few times: once or twice for each kind of endpoint that it has to leave
// out, and more where checks have to be believed or endpoints start slowly. Any thread.

#include <cstdint>
#include <optional>
#include <span>

#include "proxy/endpoint.h"
#include "proxy/request_id.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// What a choice depends on beside the cluster.
struct Choice {
  const Balancing& balancing;
  /// Of the request, where `balancing` hashes and the request has it (hash_key.h).
  std::optional<std::uint64_t> key = {};
  std::span<const EndpointPtr> tried = {};
  base::Instant now;
  /// Breaks ties among equals, so that workers and replicas do not move in step.
  Random& random;
};

/// An endpoint that was chosen, and the right to connect to it. The cluster outlives it.
struct Pick {
  /// Null: there is none.
  EndpointPtr endpoint;
  EndpointHealth* health = nullptr;
  Probe probe = {};
};

/// False: so few of the cluster's endpoints pass its health checks (kUsablePercentLeast) that no
/// endpoint is out for failing them. Ejection, which has a floor of its own, is believed always.
bool checks_are_believed(const Cluster& cluster);

/// None when every endpoint is in `tried`. Those that are out (EndpointHealth::is_out) are chosen
/// only when no other is left: those that are just being probed first, then those that fail checks,
/// and ejected ones last. Those of other zones are chosen only when too few of ours are left, or by
/// hash, where all replicas have to agree.
Pick pick_endpoint(const Cluster& cluster, const Choice& choice);

/// Of `total` open connections over `endpoints`: with so many an endpoint takes no more by hash.
std::uint64_t load_bound(std::uint32_t factor_percent, std::uint64_t total, std::size_t endpoints);

/// A connect to an endpoint of the cluster, begun at `begun`, has failed for its own fault. True
/// when that has put it out. Not more than kEjectedPercentMost of the cluster are put out, save
/// that workers who do it at the same moment may not know of each other.
bool count_failed_connect(const Cluster& cluster, EndpointHealth& health,
                          const EjectionPolicy& policy, base::Instant begun, base::Instant now);

}  // namespace holdfast::proxy
