#include "proxy/route_info.h"

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

std::size_t text_hash(const std::string& text) { return std::hash<std::string>()(text); }

std::size_t content_hash(v1::Route route, std::size_t policy_hash) {
  // Another path before it in the Ingress changes nothing of it, nor does where its policy stands.
  route.mutable_origin()->clear_field();
  route.clear_policy();
  return text_hash(route.SerializeAsString() + std::to_string(policy_hash));
}

}  // namespace

void RouteHistory::put(const v1::VirtualHost& host, base::WallTime when) {
  std::vector<Mark>& known = marks_[host.host()];
  std::unordered_map<std::size_t, base::WallTime> since;
  for (const Mark& mark : known) since.emplace(mark.content_hash, mark.since);
  std::vector<std::size_t> policies;
  for (const v1::RoutePolicy& policy : host.policies()) {
    policies.push_back(text_hash(policy.SerializeAsString()));
  }
  std::vector<Mark> marks;
  for (const v1::Route& route : host.routes()) {
    const std::size_t hash = content_hash(route, policies[route.policy()]);
    const auto same = since.find(hash);
    marks.push_back({hash, same == since.end() ? when : same->second});
  }
  known = std::move(marks);
}

void RouteHistory::describe(const v1::VirtualHost& host, std::vector<RouteInfo>& out) const {
  const std::vector<Mark>& marks = marks_.at(host.host());
  for (int i = 0; i < host.routes_size(); ++i) {
    const v1::Route& route = host.routes(i);
    RouteInfo& info = out.emplace_back();
    info.host = host.host();
    info.match = route.path().has_exact()    ? "exact"
                 : route.path().has_prefix() ? "prefix"
                                             : "fallback";
    info.path = route.path().has_exact() ? route.path().exact() : route.path().prefix();
    info.ingress_namespace = route.origin().namespace_();
    info.ingress = route.origin().name();
    info.cluster = route.cluster();
    info.websocket_cluster = route.websocket_cluster();
    info.since = marks[static_cast<std::size_t>(i)].since;
  }
}

}  // namespace holdfast::proxy
