#pragma once

// Where traffic goes, written into the status of the Ingresses that are served, as `kubectl get
// ingress` and external-dns read it. What is already there is not written again; an Ingress that
// is served no longer loses what Holdfast wrote, and nothing that another controller did.
//
// Control thread only, but collect(): any thread. Owns no timer: the owner asks deadline() after
// every call, and calls run_due(). One request at a time; a failure is logged and tried again,
// and holds up no other Ingress for long.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "kube/api_caller.h"
#include "kube/objects.h"

namespace holdfast::controller {

/// What is published: one of the two; with neither, nothing is.
struct PublishOptions {
  /// --publish-service: whatever leads to this Service.
  std::optional<kube::ObjectName> service = std::nullopt;
  /// --publish-address
  std::vector<kube::PublishedAddress> addresses = {};

  [[nodiscard]] bool any() const { return service.has_value() || !addresses.empty(); }
};

/// Where a Service can be reached, sorted: of type LoadBalancer what its status says, and its
/// external addresses; else its external addresses, or its cluster address; of type ExternalName
/// the name. Empty: not known (yet).
std::vector<kube::PublishedAddress> addresses_of(const kube::Service& service);

class StatusWriter final : public base::MetricSource {
 public:
  /// `manager`: who writes, in the object's managedFields; 128 bytes at the most. `changed` is
  /// called when there is something new to ask, not from within.
  StatusWriter(PublishOptions options, std::string manager, std::uint64_t seed,
               kube::ApiCaller& caller, const base::Clock& clock, const base::Log& log,
               std::function<void()> changed);

  // What stands at the API server.
  void saw(const kube::Object& object);
  void saw_all(const kube::Scope& scope, const std::vector<kube::Object>& objects);
  void saw_gone(kube::Kind kind, const kube::ObjectName& name);

  /// An Ingress is served from now on, or no longer.
  void serve(const kube::ObjectName& ingress, bool served);
  /// Only a leader writes.
  void lead(bool leading);

  [[nodiscard]] std::optional<base::Instant> deadline() const;
  void run_due();
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  struct Entry {
    std::vector<kube::PublishedAddress> published;
    bool served = false;
    /// It was, since this process began.
    bool was_served = false;
    /// `published` is somebody else's.
    bool foreign = false;
  };

  void saw_ingress(const kube::Ingress& ingress);
  void saw_service(const kube::Service& service);
  void publish(std::vector<kube::PublishedAddress> addresses);
  void touch(const kube::ObjectName& ingress);
  void touch_all();
  void drop_if_idle(const kube::ObjectName& ingress);
  /// What is to stand there; absent: it is well as it is.
  [[nodiscard]] std::optional<std::vector<kube::PublishedAddress>> wanted_of(
      const Entry& entry) const;
  void begin(const kube::ObjectName& ingress);
  void read_done(const kube::ObjectName& ingress, kube::ApiAnswer answer);
  void write_done(const kube::ObjectName& ingress, std::vector<kube::PublishedAddress> written,
                  kube::ApiAnswer answer);
  void failed(const kube::ObjectName& ingress, const kube::Failure& failure);
  void finish();

  // Fixed after construction.
  const PublishOptions options_;
  const std::string manager_;
  kube::ApiCaller& caller_;
  const base::Clock& clock_;
  const base::Log& log_;
  const std::function<void()> changed_;

  /// Absent: not known.
  std::optional<std::vector<kube::PublishedAddress>> addresses_;
  /// Of the Ingresses that are served, or whose status is not empty.
  std::map<kube::ObjectName, Entry> entries_;
  /// To be looked at; with how many conflicts in a row.
  std::map<kube::ObjectName, int> pending_;
  /// Those that failed, for the next round.
  std::set<kube::ObjectName> later_;
  base::Backoff backoff_;
  /// Not before.
  base::Instant next_;
  bool leading_ = false;
  bool under_way_ = false;

  // Read on any thread.
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> conflicts_{0};
  std::atomic<std::uint64_t> failures_{0};
};

}  // namespace holdfast::controller
