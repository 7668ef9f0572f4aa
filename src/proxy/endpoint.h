#pragma once

// Endpoints, how many connections each has, and what keeps one out of the choice. An Endpoint is
// one address, port and pod UID; it is the same object in every snapshot and on every worker as
// long as anything refers to it, so that its state survives every change of the configuration.

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

namespace holdfast::proxy {

/// Any thread; immutable but for the atomics. Shared by snapshots and leases.
struct Endpoint {
  explicit Endpoint(const Address& where, std::string_view pod_uid = {});

  /// Ejected, or found unhealthy: chosen only when every other one is out as well.
  [[nodiscard]] bool is_out(base::Instant now) const {
    return failing_checks.load(std::memory_order_relaxed) > 0 || is_ejected(now);
  }
  [[nodiscard]] bool is_ejected(base::Instant now) const {
    return now.time_since_epoch().count() < ejected_until.load(std::memory_order_relaxed);
  }

  void forget_failures();

  const Address address;
  /// "10.244.0.7:8080", for logs and metrics.
  const std::string text;
  /// Of address and pod: the same in every process.
  const std::uint64_t hash;
  // All that a choice looks at, on a cache line of its own.
  /// Open upgraded connections and requests under way, of all workers.
  alignas(64) std::atomic<std::uint32_t> open{0};
  /// In a row, and how often that has put it out lately (balancer's ejection).
  std::atomic<std::uint32_t> connect_failures{0};
  std::atomic<std::uint32_t> ejections{0};
  /// Clusters whose health checks it fails now.
  std::atomic<std::uint32_t> failing_checks{0};
  /// An Instant's count; 0: never.
  std::atomic<std::int64_t> ejected_until{0};
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

/// Whose turn it is in a cluster, for all workers; survives endpoint changes.
struct RoundRobinTurn {
  alignas(64) std::atomic<std::uint32_t> next{0};
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
  std::shared_ptr<RoundRobinTurn> turn;
  /// What all affinity cookies of this cluster begin with, and no other's.
  std::uint32_t affinity_tag = 0;
  /// Absent: no health checks.
  std::optional<discovery::v1::HealthCheck> health_check;
};

}  // namespace holdfast::proxy
