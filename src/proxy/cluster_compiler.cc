// The clusters of a transaction: their endpoints and what was known of them, who of them is new,
// who is for our zone, and the health checks and TLS that their Cluster resource
// asks for.

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "proxy/affinity.h"
#include "proxy/limits.h"
#include "proxy/snapshot_compiler.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

using Members = std::unordered_map<const Endpoint*, const Membership*>;

Members members_of(const Cluster* cluster) {
  Members members;
  if (cluster == nullptr) return members;
  const auto add = [&](const auto& endpoints, const auto& memberships) {
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      members.emplace(endpoints[i].get(), &memberships[i]);
    }
  };
  add(cluster->ready, cluster->ready_members);
  add(cluster->terminating, cluster->terminating_members);
  return members;
}

/// What the endpoints of a set are to those who come back to them: a pod and its port, so that a
/// key stays where it is when a dual-stack Service's set changes to the other family. An endpoint
/// of no pod, or of a pod that has several in the set, is its address as well.
class Identities {
 public:
  explicit Identities(const v1::EndpointSet& set) {
    for (const v1::Endpoint& endpoint : set.endpoints()) ++count_[pod_of(endpoint)];
  }

  /// `address` is Endpoint::text.
  [[nodiscard]] std::string of(const v1::Endpoint& endpoint, const std::string& address) const {
    if (endpoint.uid().empty()) return address;
    const std::string pod = pod_of(endpoint);
    return count_.at(pod) == 1 ? pod : address + '/' + pod;
  }

 private:
  /// No address begins with a colon and has a slash.
  static std::string pod_of(const v1::Endpoint& endpoint) {
    return ':' + std::to_string(endpoint.port()) + '/' + endpoint.uid();
  }

  std::unordered_map<std::string, int> count_;
};

/// Whether those hinted for `zone` can take its share: EndpointSlice hints are followed only when
/// every endpoint has some, as kube-proxy does.
bool is_enough(const v1::EndpointSet& set, const std::string& zone) {
  std::size_t ready = 0;
  std::size_t local = 0;
  std::set<std::string_view> zones;
  for (const v1::Endpoint& endpoint : set.endpoints()) {
    if (endpoint.terminating()) continue;
    if (endpoint.hint_zones().empty()) return false;
    ++ready;
    local += std::ranges::count(endpoint.hint_zones(), zone) > 0 ? 1 : 0;
    zones.insert(endpoint.hint_zones().begin(), endpoint.hint_zones().end());
  }
  return local > 0 && local * 100 * zones.size() >= ready * kZoneSharePercentLeast;
}

}  // namespace

std::shared_ptr<const Cluster> SnapshotCompiler::cluster_in_force(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = clusters_.find(name);
  return found == clusters_.end() ? nullptr : found->second;
}

std::shared_ptr<ClusterState> SnapshotCompiler::intern_state(const std::string& name) {
  auto& known = states_[name];
  if (auto alive = known.lock()) return alive;
  auto made = std::make_shared<ClusterState>();
  // Replicas that start together must not move in step. Not near the end of its range, where it
  // would miss a turn.
  made->next_turn = static_cast<std::uint32_t>(random_.next() >> 48);
  known = made;
  return made;
}

std::shared_ptr<Cluster> SnapshotCompiler::compile_cluster(const std::string& name,
                                                           const v1::EndpointSet& set) {
  const std::shared_ptr<const Cluster> before = cluster_in_force(name);
  const Members known = members_of(before.get());
  const Identities identities(set);
  const base::Instant now = clock_.now();
  auto cluster = std::make_shared<Cluster>();
  cluster->state = intern_state(name);
  if (before != nullptr) cluster->tls = before->tls;
  const std::string& salt = set.salt().empty() ? secret_ : set.salt();
  cluster->affinity_tag = affinity_tag(salt, name);
  const bool keeps_keys = before != nullptr && before->affinity_tag == cluster->affinity_tag;
  const bool zoned = !zone_.empty() && is_enough(set, zone_);
  for (const v1::Endpoint& endpoint : set.endpoints()) {
    EndpointPtr interned = intern_endpoint(name, endpoint);
    if (interned == nullptr) return nullptr;
    const std::string identity = identities.of(endpoint, interned->text);
    const std::uint64_t hash = base::mix(base::fnv1a(identity));
    const auto found = known.find(interned.get());
    Membership member{.since = now, .newcomer = before != nullptr && !before->ready.empty()};
    if (found != known.end()) {
      member = *found->second;
    } else {
      member.health = std::make_shared<EndpointHealth>(cluster->state);
    }
    if (member.identity != hash || !keeps_keys) member.key = affinity_key(salt, identity);
    member.identity = hash;
    if (endpoint.terminating()) {
      cluster->terminating.push_back(std::move(interned));
      cluster->terminating_members.push_back(member);
      continue;
    }
    if (member.newcomer) cluster->last_joined = std::max(cluster->last_joined, member.since);
    if (zoned && std::ranges::count(endpoint.hint_zones(), zone_) > 0) {
      cluster->local.push_back(interned);
      cluster->local_members.push_back(member);
    }
    cluster->ready.push_back(std::move(interned));
    cluster->ready_members.push_back(member);
  }
  return cluster;
}

SnapshotCompiler::Settings SnapshotCompiler::settings_of(const std::string& name) const {
  if (const auto pending = pending_settings_.find(name); pending != pending_settings_.end()) {
    return pending->second;
  }
  const auto found = settings_.find(name);
  return found == settings_.end() ? nullptr : found->second;
}

void SnapshotCompiler::settle(const std::string& name, Cluster& cluster) {
  const Settings settings = settings_of(name);
  cluster.health_check.reset();
  if (settings != nullptr && settings->has_health_check()) {
    cluster.health_check = settings->health_check();
  }
  if (settings == nullptr || !settings->has_tls()) {
    cluster.tls.reset();
    return;
  }
  // Kept connections and sessions are the context's: it stays while it says the same.
  const auto before = settings_.find(name);
  const bool same =
      cluster.tls && before != settings_.end() && !identities_.concerns(settings->tls()) &&
      before->second->tls().SerializeAsString() == settings->tls().SerializeAsString();
  if (!same) cluster.tls = UpstreamTls{identities_.make_client(settings->tls())};
}

void SnapshotCompiler::compile_settings(const model::Transaction& transaction) {
  for (const model::ResourcePtr& resource : transaction.upserts) {
    if (!resource->has_cluster()) continue;
    const v1::Cluster& cluster = resource->cluster();
    const bool any = cluster.has_health_check() || cluster.has_tls();
    pending_settings_[resource->name()] = any ? Settings(resource, &cluster) : nullptr;
  }
  for (const model::ResourceKey& key : transaction.removals) {
    if (key.kind == v1::KIND_CLUSTER) pending_settings_[key.name] = nullptr;
  }
  // Where the endpoints are not news, they are those in force.
  const auto take_over = [&](const std::string& name) {
    if (pending_clusters_.contains(name)) return;
    if (const auto before = cluster_in_force(name)) {
      pending_clusters_[name] = std::make_shared<Cluster>(*before);
    }
  };
  for (const auto& [name, settings] : pending_settings_) {
    if (settings != nullptr || settings_.contains(name)) take_over(name);
  }
  for (const auto& [name, settings] : settings_) {
    if (settings->has_tls() && identities_.concerns(settings->tls())) take_over(name);
  }
  for (const auto& [name, cluster] : pending_clusters_) {
    if (cluster != nullptr) settle(name, *cluster);
  }
}

void SnapshotCompiler::commit_clusters() {
  for (auto& [name, settings] : pending_settings_) {
    if (settings != nullptr) {
      settings_.insert_or_assign(name, std::move(settings));
    } else {
      settings_.erase(name);
    }
  }
  pending_settings_.clear();
  const std::lock_guard lock(mutex_);
  for (auto& [name, cluster] : pending_clusters_) {
    if (cluster == nullptr) {
      clusters_.erase(name);
    } else {
      clusters_.insert_or_assign(name, std::move(cluster));
    }
  }
  pending_clusters_.clear();
}

}  // namespace holdfast::proxy
