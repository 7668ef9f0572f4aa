#include "proxy/endpoint_info.h"

#include <algorithm>
#include <utility>

#include "proxy/address.h"
#include "proxy/duration.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

std::string state_of(const Endpoint& endpoint, const Membership& member, base::Duration slow_start,
                     base::Instant now) {
  if (endpoint.is_ejected(now)) return "ejected";
  if (endpoint.is_out(now)) return "unhealthy";
  return member.newcomer && now - member.since < slow_start ? "slow_start" : "ready";
}

}  // namespace

SlowStarts slow_starts(const std::vector<model::ResourcePtr>& resources) {
  SlowStarts result;
  for (const model::ResourcePtr& resource : resources) {
    for (const v1::Route& route : resource->virtual_host().routes()) {
      const base::Duration duration = duration_of(route.policy().slow_start());
      for (const std::string& cluster : {route.cluster(), route.websocket_cluster()}) {
        base::Duration& longest = result[cluster];
        longest = std::max(longest, duration);
      }
    }
  }
  return result;
}

std::vector<EndpointInfo> list_endpoints(
    const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
    const SlowStarts& slow_starts, base::Instant now) {
  std::vector<EndpointInfo> list;
  for (const auto& entry : clusters) {
    const std::string& name = entry.first;
    const Cluster& cluster = *entry.second;
    const auto found = slow_starts.find(name);
    const base::Duration slow = found == slow_starts.end() ? base::Duration(0) : found->second;
    const auto add = [&](const Endpoint& endpoint, const Membership& member, std::string state) {
      list.push_back({name,
                      endpoint.text,
                      std::move(state),
                      endpoint.open.load(std::memory_order_relaxed),
                      now - member.since,
                      {}});
    };
    for (std::size_t i = 0; i < cluster.ready.size(); ++i) {
      const Membership& member = cluster.ready_members[i];
      add(*cluster.ready[i], member, state_of(*cluster.ready[i], member, slow, now));
    }
    for (std::size_t i = 0; i < cluster.terminating.size(); ++i) {
      add(*cluster.terminating[i], cluster.terminating_members[i], "terminating");
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
