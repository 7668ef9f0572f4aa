#pragma once

// Endpoints and how many connections each has. An Endpoint is one address, port and pod UID; it is
// the same object in every snapshot and on every worker as long as anything refers to it, so that
// its count survives every change of the configuration.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/address.h"

namespace holdfast::proxy {

/// Any thread; immutable but for the count. Shared by snapshots and leases.
struct Endpoint {
  explicit Endpoint(const Address& where) : address(where), text(where.to_string()) {}

  const Address address;
  /// "10.244.0.7:8080", for logs and metrics.
  const std::string text;
  /// Open upgraded connections and requests under way, of all workers. On a cache line of its own.
  alignas(64) std::atomic<std::uint32_t> open{0};
};

/// Counts as one open connection of an endpoint while it exists.
class EndpointLease {
 public:
  EndpointLease() = default;
  explicit EndpointLease(std::shared_ptr<Endpoint> endpoint) : endpoint_(std::move(endpoint)) {
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

  [[nodiscard]] const std::shared_ptr<Endpoint>& endpoint() const { return endpoint_; }
  explicit operator bool() const { return endpoint_ != nullptr; }

 private:
  std::shared_ptr<Endpoint> endpoint_;
};

/// Whose turn it is in a cluster, for all workers; survives endpoint changes.
struct RoundRobinTurn {
  alignas(64) std::atomic<std::uint32_t> next{0};
};

/// What a snapshot knows of one cluster. Immutable; shared by the workers.
struct Cluster {
  std::vector<std::shared_ptr<Endpoint>> ready;
  /// Serving, but on their way out: used only while none is ready.
  std::vector<std::shared_ptr<Endpoint>> terminating;
  std::shared_ptr<RoundRobinTurn> turn;

  [[nodiscard]] const std::vector<std::shared_ptr<Endpoint>>& usable() const {
    return ready.empty() ? terminating : ready;
  }
};

}  // namespace holdfast::proxy
