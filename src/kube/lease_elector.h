#pragma once

// Who of several may write: whoever holds the Lease (coordination.k8s.io/v1), by the rules of
// client-go's leaderelection. A lease is no fence: a leader that was held up may write once more
// after another took over, so that what it writes must be harmless when written twice.
//
// Control thread only. Owns no timer: the owner asks deadline() after every call, and calls
// run_due(). The caller, the clock and the log outlive it. Failures are logged and tried again.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api_caller.h"
#include "kube/api_writes.h"

namespace holdfast::kube {

class LeaseElector {
 public:
  /// `identity`: of this process and of no other, ever. `changed` is called when there is something
  /// new to ask, not from within.
  LeaseElector(ObjectName lease, std::string identity, std::uint64_t seed, ApiCaller& caller,
               const base::Clock& clock, const base::Log& log, std::function<void()> changed);

  /// Holds the lease, as far as the clock's now can tell.
  [[nodiscard]] bool is_leader() const;
  /// When run_due() wants to be called next: also when the lease runs out. Absent until start().
  [[nodiscard]] std::optional<base::Instant> deadline() const;
  void start();
  void run_due();
  /// Gives the lease up, so that another need not wait for it to run out; `done` is called when
  /// that is written, or has failed, and at once when there is nothing to give up.
  void release(std::function<void()> done);

 private:
  void attempt();
  void read();
  void write(const Lease& record);
  void read_done(ApiAnswer answer);
  void write_done(ApiAnswer answer, base::Instant asked);
  /// Remembers what the API server holds, and when it was seen to change.
  void observe(Lease seen);
  [[nodiscard]] bool may_take(base::Instant now) const;
  [[nodiscard]] Lease own_record() const;
  void failed(const Failure& failure);
  void attempt_later();
  void finish();
  /// Tells, once, that this process has begun or ceased to lead.
  void tell();

  // Fixed after construction.
  const ObjectName lease_;
  const std::string identity_;
  ApiCaller& caller_;
  const base::Clock& clock_;
  const base::Log& log_;
  const std::function<void()> changed_;

  std::mt19937_64 random_;
  /// Absent: not known, or there is none.
  std::optional<Lease> observed_;
  /// When observed_ was seen to become what it is.
  base::Instant observed_at_;
  /// Of the last success, when it was asked for.
  std::optional<base::Instant> renewed_at_;
  std::optional<base::Instant> next_;
  bool under_way_ = false;
  bool told_leading_ = false;
  /// Of the failure that was logged last.
  std::string complaint_;
  /// Set: nothing is renewed any more.
  std::function<void()> released_;
};

}  // namespace holdfast::kube
