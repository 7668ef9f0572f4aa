// Passive ejection: endpoints that cannot be connected to, time after time, are left out of the
// choice for a while.

#include <algorithm>

#include "proxy/balancer.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

/// One more may be ejected.
bool has_room(const Cluster& cluster, base::Instant now) {
  const auto& endpoints = cluster.ready.empty() ? cluster.terminating : cluster.ready;
  const auto ejected = static_cast<std::size_t>(std::ranges::count_if(
      endpoints, [&](const EndpointPtr& endpoint) { return endpoint->is_ejected(now); }));
  return (ejected + 1) * 100 <= endpoints.size() * kEjectedPercentMost;
}

base::Duration doubled(base::Duration duration, std::uint32_t times) {
  const base::Duration most = std::max(duration, base::Duration(kEjectionMost));
  while (times-- > 0 && duration < most) duration *= 2;
  return std::min(duration, most);
}

}  // namespace

bool count_failed_connect(const Cluster& cluster, Endpoint& endpoint, const Balancing& balancing,
                           base::Instant now) {
  const std::uint32_t failures =
      endpoint.connect_failures.fetch_add(1, std::memory_order_relaxed) + 1;
  if (balancing.eject_after == 0 || failures < balancing.eject_after) return false;
  std::int64_t until = endpoint.ejected_until.load(std::memory_order_relaxed);
  const base::Instant before = base::Instant(base::Duration(until));
  if (now < before || !has_room(cluster, now)) return false;
  const bool again = until != 0 && now - before < kEjectionMost;
  const std::uint32_t times = again ? endpoint.ejections.load(std::memory_order_relaxed) : 0;
  const base::Instant end = now + doubled(balancing.eject_for, times);
  // Of workers that come here together one does it.
  if (!endpoint.ejected_until.compare_exchange_strong(until, end.time_since_epoch().count(),
                                                      std::memory_order_relaxed)) {
    return false;
  }
  endpoint.ejections.store(times + 1, std::memory_order_relaxed);
  return true;
}

void count_made_connect(Endpoint& endpoint) {
  // Mostly there is nothing to forget, and nothing is written to what all workers share.
  if (endpoint.connect_failures.load(std::memory_order_relaxed) == 0) return;
  endpoint.connect_failures.store(0, std::memory_order_relaxed);
}

}  // namespace holdfast::proxy
