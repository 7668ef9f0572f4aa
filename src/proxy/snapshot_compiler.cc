#include "proxy/snapshot_compiler.h"

#include <algorithm>
#include <string_view>

#include "base/url_path.h"
#include "model/limits.h"
#include "proxy/affinity.h"
#include "proxy/duration.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

std::string service_of(const std::string& cluster) {
  const auto parts = model::parse_cluster_name(cluster);
  return parts ? parts->service : cluster;
}

const std::string& websocket_cluster_of(const v1::Route& route) {
  return route.websocket_cluster().empty() ? route.cluster() : route.websocket_cluster();
}

Balancing balancing_of(const v1::RoutePolicy& policy) {
  Balancing balancing;
  balancing.load_balance = policy.load_balance();
  if (policy.has_affinity()) balancing.affinity = policy.affinity();
  if (policy.has_hash_by()) balancing.hash_by = policy.hash_by();
  balancing.slow_start = duration_of(policy.slow_start());
  balancing.ejection = {policy.eject_after(), duration_of(policy.eject_for())};
  return balancing;
}

template <class List>
std::vector<base::Cidr> cidrs_of(const List& texts) {
  std::vector<base::Cidr> blocks;
  for (const std::string& text : texts) {
    // The validator has refused what is none.
    if (const auto block = base::parse_cidr(text)) blocks.push_back(*block);
  }
  return blocks;
}

Admission admission_of(const v1::RoutePolicy& policy) {
  Admission admission{cidrs_of(policy.allow_cidrs()), cidrs_of(policy.deny_cidrs()), {}};
  if (policy.has_origin_check()) admission.origins = policy.origin_check();
  return admission;
}

Forwarding forwarding_of(const v1::RoutePolicy& policy) {
  Forwarding forwarding;
  forwarding.request_fields = {policy.request_fields().begin(), policy.request_fields().end()};
  forwarding.response_fields = {policy.response_fields().begin(), policy.response_fields().end()};
  forwarding.upstream_host = policy.upstream_host();
  forwarding.rewrite_prefix = policy.rewrite_prefix();
  forwarding.starts_trace = !policy.traceparent_passed_only();
  forwarding.proxy_protocol = policy.proxy_protocol();
  forwarding.https_redirect = policy.https_redirect();
  forwarding.strict_transport_security = policy.strict_transport_security();
  return forwarding;
}

std::shared_ptr<const RouteSettings> route_settings_of(const v1::RoutePolicy& policy) {
  auto settings = std::make_shared<RouteSettings>();
  settings->balancing = balancing_of(policy);
  settings->admission = admission_of(policy);
  settings->forwarding = forwarding_of(policy);
  settings->connect_timeout = duration_of(policy.connect_timeout());
  settings->request_timeout = duration_of(policy.request_timeout());
  settings->upgrade_timeout = duration_of(policy.upgrade_timeout());
  if (policy.max_body_bytes() > 0) settings->body_bytes_most = policy.max_body_bytes();
  return settings;
}

void set_match(const v1::PathMatch& path, Route& route) {
  route.matched = path.has_exact() ? path.exact() : path.prefix();
  while (path.has_prefix() && route.matched.ends_with('/')) route.matched.pop_back();
  std::string storage;
  std::string_view matched = base::matched_path(route.matched, storage);
  while (path.has_prefix() && matched.ends_with('/')) matched.remove_suffix(1);
  route.matched_bytes = matched.size();
}

base::StatusOr<Address> address_of(const v1::Endpoint& endpoint) {
  const std::string_view text = endpoint.address();
  if (text.starts_with(model::kUnixPrefix)) {
    return Address::from_unix_path(text.substr(model::kUnixPrefix.size()));
  }
  return Address::from_ip(endpoint.address(), endpoint.port());
}

template <class Map>
void erase_expired(Map& map) {
  std::erase_if(map, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace

EndpointPtr SnapshotCompiler::intern_endpoint(const std::string& cluster,
                                              const v1::Endpoint& endpoint) {
  const auto address = address_of(endpoint);
  if (!address.ok()) return nullptr;
  const auto parts = model::parse_cluster_name(cluster);
  const std::string owner = parts ? parts->service_namespace : "";
  auto& known = endpoints_[{owner, address->to_string(), endpoint.uid()}];
  if (auto alive = known.lock()) return alive;
  auto made = std::make_shared<Endpoint>(*address);
  known = made;
  return made;
}

std::shared_ptr<RoutePolicy> SnapshotCompiler::intern_policy(const v1::Route& route,
                                                             const std::string& cluster,
                                                             base::Duration idle_timeout) {
  const RouteNames names = {route.origin().namespace_(), route.origin().name(),
                            service_of(cluster)};
  const std::lock_guard lock(mutex_);
  auto& known = policies_[names];
  if (auto alive = known.lock()) return alive;
  auto made = make_policy(names);
  made->set_idle_timeout(idle_timeout);
  known = made;
  return made;
}

std::shared_ptr<RoutePolicy> SnapshotCompiler::make_policy(const RouteNames& names) {
  if (route_series_->load(std::memory_order_relaxed) >= route_series_most_) {
    return std::make_shared<RoutePolicy>(names, workers_, false);
  }
  route_series_->fetch_add(1, std::memory_order_relaxed);
  return {new RoutePolicy(names, workers_), [series = route_series_](RoutePolicy* policy) {
            delete policy;
            series->fetch_sub(1, std::memory_order_relaxed);
          }};
}

std::shared_ptr<Route> SnapshotCompiler::compile_route(
    const v1::Route& route, std::shared_ptr<const RouteSettings> settings,
    base::Duration idle_timeout) {
  auto made = std::make_shared<Route>();
  made->plain = {intern_policy(route, route.cluster(), idle_timeout), route.cluster()};
  const std::string& websocket = websocket_cluster_of(route);
  made->websocket = {intern_policy(route, websocket, idle_timeout), websocket};
  if (settings->balancing.affinity) {
    made->plain.affinity_cookie = settings->balancing.affinity->cookie_name();
    made->websocket.affinity_cookie = made->plain.affinity_cookie;
    // One cookie cannot name the pods of two Services: each would overwrite the other's.
    if (websocket != route.cluster()) made->websocket.affinity_cookie += kWebSocketCookieSuffix;
  }
  made->settings = std::move(settings);
  set_match(route.path(), *made);
  return made;
}

std::shared_ptr<const VirtualHost> SnapshotCompiler::compile_host(const v1::VirtualHost& host) {
  std::vector<std::shared_ptr<const RouteSettings>> settings;
  for (const v1::RoutePolicy& policy : host.policies())
    settings.push_back(route_settings_of(policy));
  auto compiled = std::make_shared<VirtualHost>();
  for (const v1::Route& route : host.routes()) {
    const v1::RoutePolicy& policy = model::policy_of(host, route);
    auto made = compile_route(route, settings[route.policy()], duration_of(policy.idle_timeout()));
    if (route.path().has_exact()) {
      compiled->add_exact(route.path().exact(), std::move(made));
    } else if (route.path().has_prefix()) {
      compiled->add_prefix(route.path().prefix(), std::move(made));
    } else {
      compiled->set_fallback(std::move(made));
    }
  }
  return compiled;
}

SnapshotCompiler::Result SnapshotCompiler::compile(const model::Transaction& transaction) {
  Result result;
  pending_clusters_.clear();
  pending_settings_.clear();
  for (const model::ResourcePtr& resource : transaction.upserts) {
    const auto refuse = [&](std::string reason) {
      result.refusals.push_back({model::key_of(*resource), std::move(reason)});
    };
    if (const base::Status valid = model::validate(*resource); !valid.ok()) {
      refuse(std::string(valid.message()));
    } else if (resource->has_virtual_host()) {
      result.change.hosts.emplace_back(resource->virtual_host().host(),
                                       compile_host(resource->virtual_host()));
    } else if (resource->has_endpoint_set()) {
      auto cluster = compile_cluster(resource->name(), resource->endpoint_set());
      if (cluster == nullptr) {
        refuse("an endpoint's address is neither an IP address nor unix:/PATH");
      }
      pending_clusters_[resource->name()] = std::move(cluster);
    }
  }
  for (const model::ResourceKey& key : transaction.removals) {
    if (key.kind == v1::KIND_VIRTUAL_HOST) result.change.hosts.emplace_back(key.name, nullptr);
    if (key.kind == v1::KIND_ENDPOINT_SET) pending_clusters_[key.name] = nullptr;
  }
  result.change.identities = identities_.compile(transaction, result.refusals);
  compile_settings(transaction);
  result.change.clusters.assign(pending_clusters_.begin(), pending_clusters_.end());
  // Refused transactions, which are never committed, intern as well.
  forget_unused();
  return result;
}

bool SnapshotCompiler::commit(const model::Transaction& transaction) {
  {
    const std::lock_guard lock(mutex_);
    for (const model::ResourcePtr& resource : transaction.upserts) {
      resources_.insert_or_assign(model::key_of(*resource), resource);
      if (resource->has_virtual_host()) history_.put(resource->virtual_host(), clock_.wall_now());
    }
    for (const model::ResourceKey& key : transaction.removals) {
      resources_.erase(key);
      if (key.kind == v1::KIND_VIRTUAL_HOST) history_.remove(key.name);
    }
  }
  commit_clusters();
  identities_.commit();
  bool changed = false;
  for (const model::ResourcePtr& resource : transaction.upserts) {
    const v1::VirtualHost& host = resource->virtual_host();
    for (const v1::Route& route : host.routes()) {
      const base::Duration timeout = duration_of(model::policy_of(host, route).idle_timeout());
      for (const std::string& cluster : {route.cluster(), websocket_cluster_of(route)}) {
        const std::shared_ptr<RoutePolicy> policy = intern_policy(route, cluster, timeout);
        changed |= policy->idle_timeout() != timeout;
        policy->set_idle_timeout(timeout);
      }
    }
  }
  forget_unused();
  return changed;
}

void SnapshotCompiler::forget_unused() {
  if (interned() < look_at_) return;
  erase_expired(endpoints_);
  erase_expired(states_);
  {
    const std::lock_guard lock(mutex_);
    erase_expired(policies_);
  }
  look_at_ = std::max(2 * interned(), kInternedLeast);
}

std::size_t SnapshotCompiler::interned() const {
  const std::lock_guard lock(mutex_);
  return endpoints_.size() + states_.size() + policies_.size();
}

std::vector<std::shared_ptr<RoutePolicy>> SnapshotCompiler::policies() const {
  std::vector<std::shared_ptr<RoutePolicy>> alive;
  const std::lock_guard lock(mutex_);
  alive.reserve(policies_.size());
  for (const auto& [key, policy] : policies_) {
    if (auto pointer = policy.lock()) alive.push_back(std::move(pointer));
  }
  return alive;
}

std::vector<RouteInfo> SnapshotCompiler::routes() const {
  std::vector<RouteInfo> told;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, resource] : resources_) {
    if (resource->has_virtual_host()) history_.describe(resource->virtual_host(), told);
  }
  return told;
}

SnapshotCompiler::Clusters SnapshotCompiler::clusters() const {
  const std::lock_guard lock(mutex_);
  return clusters_;
}

std::vector<model::ResourcePtr> SnapshotCompiler::resources() const {
  std::vector<model::ResourcePtr> held;
  const std::lock_guard lock(mutex_);
  held.reserve(resources_.size());
  for (const auto& [key, resource] : resources_) held.push_back(resource);
  return held;
}

}  // namespace holdfast::proxy
