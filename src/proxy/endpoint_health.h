#pragma once

// How an endpoint does, as one cluster has found: connects that failed in a row, its ejection for
// them, the probation after it, and what health checks say. Another cluster of the same pod has one
// of its own, so that no Service takes a pod out of another.
//
// Any thread, no locks. It is the same object in every compilation of the cluster while the
// endpoint is one of its own; a Probe must not outlive it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/clock.h"

namespace holdfast::proxy {

class EndpointHealth;

/// Instants as atomics hold them.
constexpr std::int64_t count_of(base::Instant instant) {
  return instant.time_since_epoch().count();
}
inline constexpr std::int64_t kNever = count_of(base::Instant::min());

/// What a cluster's workers share beside its endpoints; survives endpoint changes.
struct ClusterState {
  /// Whose turn it is.
  alignas(64) std::atomic<std::uint32_t> next_turn{0};
  /// An Instant's count: when one of its endpoints last returned from being out. Read for each
  /// choice, written seldom.
  alignas(64) std::atomic<std::int64_t> last_returned{kNever};

  [[nodiscard]] base::Instant returned_at() const {
    return base::Instant(base::Duration(last_returned.load(std::memory_order_relaxed)));
  }
};

/// When a route's failed connects put an endpoint out (RoutePolicy.eject_after and eject_for). Each
/// route goes by its own: what is changed or switched off while an endpoint is out holds at once.
struct EjectionPolicy {
  /// In a row; 0: never, and whoever is out for others is not for this route.
  std::uint32_t after = 0;
  /// The first time; doubled each time it happens again soon.
  base::Duration duration{};
};

/// The right to connect to an endpoint on probation, which one connect at a time has. Given back
/// when it goes, whatever became of the connect.
class Probe {
 public:
  Probe() = default;
  Probe(Probe&& other) noexcept : health_(std::exchange(other.health_, nullptr)) {}
  Probe& operator=(Probe&& other) noexcept {
    std::swap(health_, other.health_);
    return *this;
  }
  ~Probe();

 private:
  friend class EndpointHealth;
  explicit Probe(EndpointHealth& health) : health_(&health) {}

  EndpointHealth* health_ = nullptr;
};

class EndpointHealth {
 public:
  explicit EndpointHealth(std::shared_ptr<ClusterState> cluster) : cluster_(std::move(cluster)) {}

  /// Chosen only when every other one is out as well: ejected, unhealthy, or on probation with a
  /// probe under way.
  [[nodiscard]] bool is_out(const EjectionPolicy& policy, base::Instant now) const {
    return fails_checks() || is_out_for_connects(policy, now);
  }
  /// What is_out() says where health checks are not believed: ejected, or being probed.
  [[nodiscard]] bool is_out_for_connects(const EjectionPolicy& policy, base::Instant now) const {
    return is_ejected(policy, now) ||
           (is_on_probation(policy) && probing_.load(std::memory_order_relaxed));
  }
  /// Ejected or unhealthy.
  [[nodiscard]] bool has_failed(const EjectionPolicy& policy, base::Instant now) const {
    return fails_checks() || is_ejected(policy, now);
  }
  [[nodiscard]] bool fails_checks() const { return fails_checks_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_ejected(const EjectionPolicy& policy, base::Instant now) const {
    // What nearly all say, for one look.
    if (count_of(now) >= ejected_until_.load(std::memory_order_relaxed)) return false;
    return now < ejection_end(policy);
  }
  /// So many connects have failed in a row that another failure ejects it.
  [[nodiscard]] bool is_on_probation(const EjectionPolicy& policy) const {
    return policy.after > 0 && failures_.load(std::memory_order_relaxed) >= policy.after;
  }
  /// When it was in again after it had been out: by a health check, or by the first connect that
  /// was made after an ejection. Instant::min(): never.
  [[nodiscard]] base::Instant returned_at() const {
    return base::Instant(base::Duration(returned_at_.load(std::memory_order_relaxed)));
  }
  /// How often in a row it has been ejected.
  [[nodiscard]] std::uint32_t ejections() const {
    return ejections_.load(std::memory_order_relaxed);
  }

  /// True, with the right to it in `probe` where one is needed: a connect may begin. False: another
  /// one is trying, or it is ejected.
  [[nodiscard]] bool may_connect(const EjectionPolicy& policy, base::Instant now, Probe& probe);

  /// A connect that began then has failed for the endpoint's own fault. True: it is to be ejected.
  [[nodiscard]] bool count_failure(const EjectionPolicy& policy, base::Instant begun,
                                   base::Instant now);
  /// False when another thread has done it meanwhile, or is doing it.
  bool eject(const EjectionPolicy& policy, base::Instant now);
  void count_success(const EjectionPolicy& policy, base::Instant now);
  /// What health checks have found. One thread at a time.
  void set_fails_checks(bool fails, base::Instant now);

 private:
  friend class Probe;

  /// REQUIRES: this thread has set `ejecting_`.
  bool eject_alone(const EjectionPolicy& policy, base::Instant now);
  [[nodiscard]] base::Instant ejection_end(const EjectionPolicy& policy) const;
  void note_return(base::Instant when);

  const std::shared_ptr<ClusterState> cluster_;
  std::atomic<std::uint32_t> failures_{0};
  std::atomic<std::uint32_t> ejections_{0};
  std::atomic<bool> fails_checks_{false};
  std::atomic<bool> probing_{false};
  /// A thread is in eject(). What that writes is read and decided upon by one thread at a time.
  std::atomic<bool> ejecting_{false};
  /// Instants' counts.
  std::atomic<std::int64_t> ejected_at_{kNever};
  std::atomic<std::int64_t> ejected_until_{kNever};
  std::atomic<std::int64_t> returned_at_{kNever};
};

inline Probe::~Probe() {
  if (health_ != nullptr) health_->probing_.store(false, std::memory_order_release);
}

}  // namespace holdfast::proxy
