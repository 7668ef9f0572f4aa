// Passive ejection: endpoints that cannot be connected to, time after time, are left out of the
// choice for a while, as far as enough others are left.

#include <algorithm>

#include "proxy/balancer.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

/// One more may be ejected.
bool has_room(const Cluster& cluster, const EjectionPolicy& policy, base::Instant now) {
  const auto& members = cluster.ready.empty() ? cluster.terminating_members : cluster.ready_members;
  const auto ejected = static_cast<std::size_t>(std::ranges::count_if(
      members, [&](const Membership& member) { return member.health->is_ejected(policy, now); }));
  return (ejected + 1) * 100 <= members.size() * kEjectedPercentMost;
}

}  // namespace

bool count_failed_connect(const Cluster& cluster, EndpointHealth& health,
                          const EjectionPolicy& policy, base::Instant begun, base::Instant now) {
  return health.count_failure(policy, begun, now) && has_room(cluster, policy, now) &&
         health.eject(policy, now);
}

}  // namespace holdfast::proxy
