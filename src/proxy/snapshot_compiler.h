#pragma once

// Compiles transactions into Changes, and keeps what must be the same object in every snapshot:
// endpoints with their counts, route policies with theirs.
//
// compile(), commit() and interned() on one thread at a time (discovery's); policies(), clusters(),
// resources() and routes() from any thread. The clock outlives it.

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/resource.h"
#include "proxy/affinity.h"
#include "proxy/identity_compiler.h"
#include "proxy/limits.h"
#include "proxy/request_id.h"
#include "proxy/route_info.h"
#include "proxy/snapshot.h"

namespace holdfast::proxy {

class SnapshotCompiler {
 public:
  /// `zone`: where this process runs; empty: nobody knows.
  SnapshotCompiler(unsigned workers, const base::Clock& clock, std::string zone = {},
                   std::size_t route_series_most = kRouteSeriesMost)
      : workers_(workers),
        route_series_most_(route_series_most),
        clock_(clock),
        zone_(std::move(zone)) {}

  /// Compiles without changing anything but the intern tables. Refusals: nothing of it may be used.
  struct Result {
    Change change;
    std::vector<model::Refusal> refusals;
  };
  Result compile(const model::Transaction& transaction);

  /// The transaction compiled last is accepted: remembers its resources and sets the live settings
  /// of its routes, for open connections too. True when a setting has changed.
  bool commit(const model::Transaction& transaction);

  /// Every policy that a route or a connection still refers to.
  [[nodiscard]] std::vector<std::shared_ptr<RoutePolicy>> policies() const;
  [[nodiscard]] std::vector<model::ResourcePtr> resources() const;
  /// Of every host, sorted by it.
  [[nodiscard]] std::vector<RouteInfo> routes() const;
  /// The certificates in force.
  [[nodiscard]] IdentityCompiler::Certificates certificates() const {
    return identities_.certificates();
  }
  using Clusters = std::map<std::string, std::shared_ptr<const Cluster>>;
  /// Those in force.
  [[nodiscard]] Clusters clusters() const;
  /// Entries of the intern tables, those that nothing refers to any more included: at most twice
  /// as many as were referred to at some time, and kInternedLeast.
  [[nodiscard]] std::size_t interned() const;

 private:
  /// The Service's namespace; address and port as Address::to_string() writes them, which is one
  /// way for each; the UID of the pod. What one namespace finds of an address is not another's
  /// affair.
  struct EndpointKey {
    std::string namespace_name;
    std::string address;
    std::string pod_uid;

    auto operator<=>(const EndpointKey&) const = default;
  };

  /// Below this many entries nobody looks for unused ones.
  static constexpr std::size_t kInternedLeast = 1000;

  std::shared_ptr<const VirtualHost> compile_host(const model::v1::VirtualHost& host);
  // cluster_compiler.cc: endpoints and their checks.
  /// Gives the clusters that the transaction is about, be it by a Secret, what their Cluster asks
  /// for.
  void compile_settings(const model::Transaction& transaction);
  void commit_clusters();
  /// Null: an address is none.
  std::shared_ptr<Cluster> compile_cluster(const std::string& name,
                                           const model::v1::EndpointSet& set);
  /// The cluster in force; may be null.
  [[nodiscard]] std::shared_ptr<const Cluster> cluster_in_force(const std::string& name) const;
  std::shared_ptr<ClusterState> intern_state(const std::string& name);
  /// What its Cluster resource says of it; null: it has none.
  using Settings = std::shared_ptr<const model::v1::Cluster>;
  [[nodiscard]] Settings settings_of(const std::string& name) const;
  /// Gives the cluster the checks and the TLS that its Cluster asks for.
  void settle(const std::string& name, Cluster& cluster);
  EndpointPtr intern_endpoint(const std::string& cluster, const model::v1::Endpoint& endpoint);
  std::shared_ptr<Route> compile_route(const model::v1::Route& route,
                                       std::shared_ptr<const RouteSettings> settings,
                                       base::Duration idle_timeout);
  /// Of a route's requests that go to `cluster`; a new one begins with that timeout.
  std::shared_ptr<RoutePolicy> intern_policy(const model::v1::Route& route,
                                             const std::string& cluster,
                                             base::Duration idle_timeout);
  /// With series of its own while kRouteSeriesMost is not reached.
  std::shared_ptr<RoutePolicy> make_policy(const RouteNames& names);
  void forget_unused();

  const unsigned workers_;
  const std::size_t route_series_most_;
  /// Policies alive that have series; they may outlive this object.
  const std::shared_ptr<std::atomic<std::size_t>> route_series_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  const base::Clock& clock_;
  const std::string zone_;
  /// Salts the sets that have no salt.
  const std::string secret_ = make_salt();
  Random random_;
  IdentityCompiler identities_;
  std::map<EndpointKey, std::weak_ptr<Endpoint>> endpoints_;
  /// Of Clusters with a health check or TLS, in force.
  std::map<std::string, Settings> settings_;
  /// What the transaction compiled last says of clusters and their settings; null: removed.
  std::map<std::string, std::shared_ptr<Cluster>> pending_clusters_;
  std::map<std::string, Settings> pending_settings_;
  std::map<std::string, std::weak_ptr<ClusterState>> states_;
  /// So many entries make the next look for unused ones worth its while.
  std::size_t look_at_ = kInternedLeast;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<RouteNames, std::weak_ptr<RoutePolicy>> policies_;
  std::map<model::ResourceKey, model::ResourcePtr> resources_;
  RouteHistory history_;
  Clusters clusters_;
};

}  // namespace holdfast::proxy
