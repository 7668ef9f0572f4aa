#include "proxy/endpoint_info.h"

#include <algorithm>
#include <utility>

#include "proxy/address.h"
#include "proxy/duration.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

std::string state_of(const Membership& member, const ClusterPolicy& policy, base::Instant now) {
  const EndpointHealth& health = *member.health;
  if (health.is_ejected(policy.ejection, now)) return "ejected";
  if (health.fails_checks()) return "unhealthy";
  if (health.is_on_probation(policy.ejection)) return "probation";
  const base::Instant since = member.in_since();
  const bool slow = since != base::Instant::min() && now - since < policy.slow_start;
  return slow ? "slow_start" : "ready";
}

void add(ClusterPolicy& policy, const v1::RoutePolicy& route) {
  policy.slow_start = std::max(policy.slow_start, duration_of(route.slow_start()));
  EjectionPolicy& ejection = policy.ejection;
  if (route.eject_after() == 0) return;
  ejection.after =
      ejection.after == 0 ? route.eject_after() : std::min(ejection.after, route.eject_after());
  ejection.duration = std::max(ejection.duration, duration_of(route.eject_for()));
}

}  // namespace

ClusterPolicies policies_of(const std::vector<model::ResourcePtr>& resources) {
  ClusterPolicies result;
  for (const model::ResourcePtr& resource : resources) {
    const v1::VirtualHost& host = resource->virtual_host();
    for (const v1::Route& route : host.routes()) {
      const v1::RoutePolicy& policy = model::policy_of(host, route);
      add(result[route.cluster()], policy);
      if (!route.websocket_cluster().empty()) add(result[route.websocket_cluster()], policy);
    }
  }
  return result;
}

ClusterPolicy policy_of(const ClusterPolicies& policies, const std::string& cluster) {
  const auto found = policies.find(cluster);
  return found == policies.end() ? ClusterPolicy() : found->second;
}

std::vector<EndpointInfo> list_endpoints(
    const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
    const ClusterPolicies& policies, base::Instant now) {
  std::vector<EndpointInfo> list;
  for (const auto& entry : clusters) {
    const std::string& name = entry.first;
    const Cluster& cluster = *entry.second;
    const ClusterPolicy policy = policy_of(policies, name);
    const auto tell = [&](const Endpoint& endpoint, const Membership& member, std::string state) {
      list.push_back({name,
                      endpoint.text,
                      std::move(state),
                      endpoint.open.load(std::memory_order_relaxed),
                      now - member.since,
                      {}});
    };
    for (std::size_t i = 0; i < cluster.ready.size(); ++i) {
      const Membership& member = cluster.ready_members[i];
      tell(*cluster.ready[i], member, state_of(member, policy, now));
    }
    for (std::size_t i = 0; i < cluster.terminating.size(); ++i) {
      tell(*cluster.terminating[i], cluster.terminating_members[i], "terminating");
    }
  }
  return list;
}

void set_zones(std::vector<EndpointInfo>& endpoints,
               const std::vector<model::ResourcePtr>& resources) {
  std::map<std::pair<std::string, std::string>, std::string> zones;
  for (const model::ResourcePtr& resource : resources) {
    for (const v1::Endpoint& endpoint : resource->endpoint_set().endpoints()) {
      const auto address = Address::from_ip(endpoint.address(), endpoint.port());
      if (address.ok() && !endpoint.zone().empty()) {
        zones[{resource->name(), address->to_string()}] = endpoint.zone();
      }
    }
  }
  for (EndpointInfo& info : endpoints) {
    const auto zone = zones.find({info.cluster, info.address});
    if (zone != zones.end()) info.zone = zone->second;
  }
}

}  // namespace holdfast::proxy
