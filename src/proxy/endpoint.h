#pragma once

// Endpoints, how many connections each has, and the clusters that have them. An Endpoint is one
// address, port and pod UID of a namespace; it is the same object in every snapshot and on every
// worker as long as anything refers to it, so that its count survives every change of the
// configuration. What a cluster knows of its endpoints is the cluster's own (Membership).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "holdfast/discovery/v1/discovery.pb.h"
#include "proxy/address.h"
#include "proxy/endpoint_health.h"
#include "tls/client_context.h"

namespace holdfast::proxy {

/// Any thread; immutable but for the atomics. Shared by snapshots and leases.
struct Endpoint {
  explicit Endpoint(const Address& where) : address(where), text(where.to_string()) {}

  const Address address;
  /// "10.244.0.7:8080", for logs and metrics.
  const std::string text;
  /// Open upgraded connections and requests under way, of all workers and clusters.
  alignas(64) std::atomic<std::uint32_t> open{0};
};
using EndpointPtr = std::shared_ptr<Endpoint>;

/// Counts as one open connection of an endpoint while it exists.
class EndpointLease {
 public:
  EndpointLease() = default;
  explicit EndpointLease(EndpointPtr endpoint) : endpoint_(std::move(endpoint)) {
    endpoint_->open.fetch_add(1, std::memory_order_relaxed);
  }
  EndpointLease(EndpointLease&& other) noexcept : endpoint_(std::move(other.endpoint_)) {}
  EndpointLease& operator=(EndpointLease&& other) noexcept {
    std::swap(endpoint_, other.endpoint_);
    return *this;
  }
  ~EndpointLease() {
    if (endpoint_) endpoint_->open.fetch_sub(1, std::memory_order_relaxed);
  }

  [[nodiscard]] const EndpointPtr& endpoint() const { return endpoint_; }
  explicit operator bool() const { return endpoint_ != nullptr; }

 private:
  EndpointPtr endpoint_;
};

/// What an affinity cookie names an endpoint of a cluster by.
struct AffinityKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const AffinityKey&) const = default;
};

/// What a cluster knows of one of its endpoints.
struct Membership {
  /// When it became one, as this process knows.
  base::Instant since = base::Instant::min();
  /// It joined others that were ready: slow start is for it.
  bool newcomer = false;
  AffinityKey key = {};
  /// What hashing knows it by: the pod and its port, whichever of the pod's addresses is used. The
  /// same in every process.
  std::uint64_t identity = 0;
  /// Never null. Stays while the endpoint is one of the cluster's.
  std::shared_ptr<EndpointHealth> health = {};

  /// When it joined others or last returned to them, for slow start; Instant::min(): it has always
  /// been in.
  [[nodiscard]] base::Instant in_since() const {
    return std::max(newcomer ? since : base::Instant::min(), health->returned_at());
  }
};

/// How a cluster's endpoints are spoken to over TLS.
struct UpstreamTls {
  /// Null: not now, since a Secret that it needs is not known.
  std::shared_ptr<const tls::ClientContext> context;
};

/// What a snapshot knows of one cluster. Immutable; shared by the workers.
struct Cluster {
  std::vector<EndpointPtr> ready;
  /// Serving, but on their way out: used only while none is ready, and by who comes back to one.
  std::vector<EndpointPtr> terminating;
  /// Of `ready`, those for our zone, where they are enough for it; else empty.
  std::vector<EndpointPtr> local;
  /// Beside the endpoints of the same place.
  std::vector<Membership> ready_members;
  std::vector<Membership> terminating_members;
  std::vector<Membership> local_members;
  /// When the last newcomer joined.
  base::Instant last_joined = base::Instant::min();
  std::shared_ptr<ClusterState> state;
  /// What all affinity cookies of this cluster begin with, and no other's.
  std::uint32_t affinity_tag = 0;
  /// Absent: no health checks.
  std::optional<discovery::v1::HealthCheck> health_check;
  /// Absent: its endpoints are spoken to in the clear.
  std::optional<UpstreamTls> tls;
};

}  // namespace holdfast::proxy
