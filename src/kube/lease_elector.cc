#include "kube/lease_elector.h"

#include <algorithm>
#include <utility>

#include "kube/limits.h"

namespace holdfast::kube {

LeaseElector::LeaseElector(ObjectName lease, std::string identity, std::uint64_t seed,
                           ApiCaller& caller, const base::Clock& clock, const base::Log& log,
                           std::function<void()> changed)
    : lease_(std::move(lease)),
      identity_(std::move(identity)),
      caller_(caller),
      clock_(clock),
      log_(log),
      changed_(std::move(changed)),
      random_(seed) {}

bool LeaseElector::is_leader() const {
  return renewed_at_ && clock_.now() < *renewed_at_ + kLeaseRenewDeadline;
}

std::optional<base::Instant> LeaseElector::deadline() const {
  std::optional<base::Instant> due;
  if (!under_way_) due = next_;
  if (told_leading_ && renewed_at_) {
    const base::Instant lost = *renewed_at_ + kLeaseRenewDeadline;
    due = std::min(lost, due.value_or(lost));
  }
  return due;
}

void LeaseElector::start() { next_ = clock_.now(); }

void LeaseElector::run_due() {
  tell();
  if (under_way_ || !next_ || clock_.now() < *next_) return;
  next_.reset();
  attempt();
}

void LeaseElector::attempt() {
  // A leader knows what it wrote; 409 says when that is no longer so.
  if (is_leader() && observed_) {
    write(own_record());
  } else {
    read();
  }
}

void LeaseElector::read() {
  under_way_ = true;
  caller_.call(read_lease(lease_), [this](ApiAnswer answer) {
    under_way_ = false;
    read_done(std::move(answer));
    finish();
  });
}

void LeaseElector::read_done(ApiAnswer answer) {
  if (released_) return;
  if (answer.refused_with() == 404) {
    observed_.reset();
    write(own_record());
    return;
  }
  if (answer.failure) return failed(*answer.failure);
  base::StatusOr<Lease> lease = parse_lease(answer.body);
  if (!lease.ok()) {
    return failed({FailureKind::kMalformed, {}, std::string(lease.status().message())});
  }
  observe(*std::move(lease));
  if (may_take(clock_.now())) {
    write(own_record());
  } else {
    attempt_later();
  }
}

void LeaseElector::observe(Lease seen) {
  const bool same = observed_ && observed_->same_record(seen);
  if (!same) observed_at_ = clock_.now();
  observed_ = std::move(seen);
}

bool LeaseElector::may_take(base::Instant now) const {
  if (observed_->holder.empty() || observed_->holder == identity_) return true;
  return now >= observed_at_ + kLeaseDuration;
}

Lease LeaseElector::own_record() const {
  Lease record;
  record.holder = identity_;
  record.duration_seconds = static_cast<std::int32_t>(kLeaseDuration.count());
  record.renew_time = micro_time(clock_.wall_now());
  record.acquire_time = record.renew_time;
  if (!observed_) return record;
  record.resource_version = observed_->resource_version;
  record.transitions = observed_->transitions;
  if (observed_->holder == identity_) {
    record.acquire_time = observed_->acquire_time;
  } else {
    ++record.transitions;
  }
  return record;
}

void LeaseElector::write(const Lease& record) {
  under_way_ = true;
  caller_.call(write_lease(lease_, record), [this, asked = clock_.now()](ApiAnswer answer) {
    under_way_ = false;
    write_done(std::move(answer), asked);
    finish();
  });
}

void LeaseElector::write_done(ApiAnswer answer, base::Instant asked) {
  if (answer.refused_with() == 409) {
    // Somebody else was first: what stands there now is another's until it is read.
    renewed_at_.reset();
    return attempt_later();
  }
  if (answer.failure) return failed(*answer.failure);
  base::StatusOr<Lease> written = parse_lease(answer.body);
  if (!written.ok()) {
    return failed({FailureKind::kMalformed, {}, std::string(written.status().message())});
  }
  complaint_.clear();
  observe(*std::move(written));
  if (observed_->holder == identity_) {
    renewed_at_ = asked;
  } else {
    renewed_at_.reset();
  }
  attempt_later();
}

void LeaseElector::failed(const Failure& failure) {
  if (std::exchange(complaint_, failure.detail) != failure.detail) {
    log_.warn("the lease of the leader cannot be used; nothing but traffic goes on without",
              {{"namespace", lease_.namespace_name},
               {"name", lease_.name},
               {"reason", std::string_view(failure.detail)}});
  }
  attempt_later();
}

void LeaseElector::attempt_later() {
  std::uniform_real_distribution<double> jitter(0, is_leader() ? 0 : kLeaseJitter);
  const std::chrono::duration<double> wait = kLeaseRetryPeriod * (1 + jitter(random_));
  next_ = clock_.now() + std::chrono::duration_cast<base::Duration>(wait);
}

void LeaseElector::finish() {
  if (released_ && !under_way_) {
    const std::function<void()> again = std::exchange(released_, nullptr);
    release(again);
    return;
  }
  tell();
  changed_();
}

void LeaseElector::tell() {
  const bool leading = is_leader();
  if (std::exchange(told_leading_, leading) == leading) return;
  if (leading) {
    log_.info("leading: status and Events are written by this process",
              {{"lease", lease_.name}, {"identity", identity_}});
  } else {
    log_.warn("no longer leading", {{"lease", lease_.name}, {"identity", identity_}});
  }
}

void LeaseElector::release(std::function<void()> done) {
  next_.reset();
  if (under_way_) {
    released_ = std::move(done);
    return;
  }
  if (!is_leader() || !observed_) {
    renewed_at_.reset();
    done();
    return;
  }
  Lease record = own_record();
  record.holder.clear();
  // The API server takes no duration of 0.
  record.duration_seconds = 1;
  renewed_at_.reset();
  under_way_ = true;
  caller_.call(write_lease(lease_, record), [this, done = std::move(done)](ApiAnswer answer) {
    under_way_ = false;
    if (answer.failure) {
      log_.warn("the lease of the leader was not given up; it runs out by itself",
                {{"reason", std::string_view(answer.failure->detail)}});
    }
    done();
  });
}

}  // namespace holdfast::kube
