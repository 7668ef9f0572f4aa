#include "proxy/endpoint_health.h"

#include <algorithm>

#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

base::Duration doubled(base::Duration duration, std::uint32_t times) {
  const base::Duration most = std::max(duration, base::Duration(kEjectionMost));
  while (times-- > 0 && duration < most) duration *= 2;
  return std::min(duration, most);
}

base::Instant instant_of(const std::atomic<std::int64_t>& count) {
  return base::Instant(base::Duration(count.load(std::memory_order_relaxed)));
}

}  // namespace

base::Instant EndpointHealth::ejection_end(const EjectionPolicy& policy) const {
  const base::Instant at = instant_of(ejected_at_);
  if (policy.after == 0 || at == base::Instant::min()) return base::Instant::min();
  const std::uint32_t times = ejections();
  // A longer time than it was ejected for is for the next ejection.
  return std::min(instant_of(ejected_until_),
                  at + doubled(policy.duration, times > 0 ? times - 1 : 0));
}

bool EndpointHealth::may_connect(const EjectionPolicy& policy, base::Instant now, Probe& probe) {
  if (!is_on_probation(policy)) return true;
  if (probing_.exchange(true, std::memory_order_acquire)) return false;
  Probe taken(*this);
  // The probe before this one may have failed since the caller looked: what it wrote is seen now.
  if (is_ejected(policy, now)) return false;
  probe = std::move(taken);
  return true;
}

bool EndpointHealth::count_failure(const EjectionPolicy& policy, base::Instant begun,
                                   base::Instant now) {
  // It was tried before it was ejected: nothing that the ejection does not know.
  if (count_of(begun) < ejected_at_.load(std::memory_order_relaxed)) return false;
  failures_.fetch_add(1, std::memory_order_relaxed);
  return is_on_probation(policy) && now >= ejection_end(policy);
}

bool EndpointHealth::eject(const EjectionPolicy& policy, base::Instant now) {
  // Of threads that come here together one does it; who comes after it finds what it has written.
  if (ejecting_.exchange(true, std::memory_order_acquire)) return false;
  const bool done = eject_alone(policy, now);
  ejecting_.store(false, std::memory_order_release);
  return done;
}

bool EndpointHealth::eject_alone(const EjectionPolicy& policy, base::Instant now) {
  const base::Instant before = ejection_end(policy);
  if (now < before) return false;
  const bool again = before != base::Instant::min() && now - before < kEjectionMost;
  const std::uint32_t times = again ? ejections() : 0;
  // To a route with a longer time it may be out still.
  const std::int64_t end = std::max(ejected_until_.load(std::memory_order_relaxed),
                                    count_of(now + doubled(policy.duration, times)));
  // Who asks is_ejected() before all is written finds the endpoint in for a moment longer.
  ejected_until_.store(end, std::memory_order_relaxed);
  ejections_.store(times + 1, std::memory_order_relaxed);
  ejected_at_.store(count_of(now), std::memory_order_relaxed);
  return true;
}

void EndpointHealth::count_success(const EjectionPolicy& policy, base::Instant now) {
  // Mostly there is nothing to forget, and nothing is written to what all workers share.
  if (failures_.load(std::memory_order_relaxed) == 0) return;
  failures_.store(0, std::memory_order_relaxed);
  const base::Instant ejected_at = instant_of(ejected_at_);
  const bool ejected_since = ejected_at != base::Instant::min() && ejected_at >= returned_at();
  if (ejected_since) note_return(std::max(now, ejection_end(policy)));
}

void EndpointHealth::set_fails_checks(bool fails, base::Instant now) {
  if (fails_checks_.exchange(fails, std::memory_order_relaxed) && !fails) note_return(now);
}

void EndpointHealth::note_return(base::Instant when) {
  returned_at_.store(count_of(when), std::memory_order_relaxed);
  // Two that return at one moment may write in either order; they are as old as each other.
  if (when > cluster_->returned_at()) {
    cluster_->last_returned.store(count_of(when), std::memory_order_relaxed);
  }
}

}  // namespace holdfast::proxy
