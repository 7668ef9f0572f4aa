#pragma once

// Problems as Events on their objects, as `kubectl describe` shows them: a Warning for as long as
// the problem stands, which the API server counts and does not multiply, and a Normal one when it
// is gone. A problem that comes and goes before there was time to tell is not told.
//
// Control thread only, but collect(): any thread. Owns no timer: the owner asks deadline() after
// every call, and calls run_due(). One request at a time, at a limited rate; a failure is logged
// and tried again.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/token_bucket.h"
#include "controller/compile.h"
#include "kube/api_caller.h"
#include "kube/api_writes.h"

namespace holdfast::controller {

class EventWriter final : public base::MetricSource {
 public:
  /// `instance`: this pod. `changed` is called when there is something new to ask, not from within.
  EventWriter(std::string instance, std::uint64_t seed, kube::ApiCaller& caller,
              const base::Clock& clock, const base::Log& log, std::function<void()> changed);

  void appeared(const Problem& problem);
  void gone(const Problem& problem);
  /// Only a leader writes. A new one tells what stands once more.
  void lead(bool leading);

  [[nodiscard]] std::optional<base::Instant> deadline() const;
  void run_due();
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  /// An Event that was written, or is to be.
  struct Told {
    /// Empty: not written yet, as far as is known.
    std::string name;
    /// How often; 0: not known, since another process wrote it first.
    std::int32_t count = 0;
  };
  struct Entry {
    /// It is there; false: only that it is gone has still to be told.
    bool standing = true;
    Told warning;
    Told normal;
    /// When there is something to tell; absent: nothing.
    std::optional<base::Instant> due;
  };
  using Entries = std::map<Problem, Entry>;

  void schedule(Entries::iterator entry, std::optional<base::Instant> due);
  void forget(Entries::iterator entry);
  /// Whether the object of the entry may be told of now; else it is put off.
  bool admit(Entries::iterator entry);
  void forget_full_buckets();
  void begin(Entries::iterator entry);
  void create(const Problem& problem, std::string uid);
  void repeat(const Problem& problem);
  void uid_done(const Problem& problem, const kube::ApiAnswer& answer);
  void create_done(const Problem& problem, const kube::Event& event, const kube::ApiAnswer& answer);
  void repeat_done(const Problem& problem, const kube::Event& event, const kube::ApiAnswer& answer);
  void told(Entries::iterator entry);
  void failed(const Problem& problem, const kube::Failure& failure);
  [[nodiscard]] kube::Event event_of(const Problem& problem, const Entry& entry) const;
  void call(kube::ApiRequest request, std::function<void(const kube::ApiAnswer&)> done);

  // Fixed after construction.
  const std::string instance_;
  kube::ApiCaller& caller_;
  const base::Clock& clock_;
  const base::Log& log_;
  const std::function<void()> changed_;

  Entries entries_;
  std::set<std::pair<base::Instant, const Problem*>> schedule_;
  base::TokenBucket rate_;
  std::map<std::pair<std::string, kube::ObjectName>, base::TokenBucket> rates_;
  base::Backoff backoff_;
  base::Instant next_;
  bool leading_ = false;
  bool under_way_ = false;
  /// What is being told.
  std::optional<Problem> telling_;
  /// More problems than kEventsMost: said once.
  bool overflown_ = false;

  // Read on any thread.
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> failures_{0};
};

}  // namespace holdfast::controller
