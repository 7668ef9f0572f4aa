#pragma once

// What is written to the cluster: the status of Ingresses, Events, and the Lease that says who may.
//
// Control thread only, but collect(): any thread. Owned by the control plane; context, clock and
// log outlive it.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/due_timer.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "controller/event_writer.h"
#include "controller/reconciler.h"
#include "controller/status_writer.h"
#include "kube/connected_api_caller.h"
#include "kube/lease_elector.h"
#include "options.h"

namespace holdfast {

struct ClusterWriterOptions {
  controller::PublishOptions publish;
  bool events = true;
  /// Absent: this process writes, whoever else does.
  std::optional<kube::ObjectName> lease;
  /// Of this process; unlike any other's.
  std::string identity;
  /// Reported with Events: the pod's name, or the machine's.
  std::string instance;
  /// metadata.managedFields[].manager of what is written.
  std::string manager;

  [[nodiscard]] bool writes() const { return events || publish.any(); }
};

/// --publish-service, --publish-address, --events and --leader-lease, beside what the environment
/// says of the pod. The error is one sentence that names the flag.
base::StatusOr<ClusterWriterOptions> cluster_writer_options(const Options& options,
                                                            const kube::ClusterConfig& cluster);

class ClusterWriter final : public controller::ReconcilerObserver, public base::MetricSource {
 public:
  ClusterWriter(boost::asio::io_context& context, const kube::ClusterConfig& cluster,
                ClusterWriterOptions options, const base::Clock& clock, const base::Log& log);

  void start();
  /// Writes nothing more but, where this process leads, that it no longer does; then calls `done`,
  /// after kReleasePatience in any case.
  void stop(std::function<void()> done);

  // What stands at the API server, as it comes.
  void saw(const kube::Object& object);
  void saw_all(const kube::Scope& scope, const std::vector<kube::Object>& objects);
  void saw_gone(kube::Kind kind, const kube::ObjectName& name);

  void problem_appeared(const controller::Problem& problem) override;
  void problem_gone(const controller::Problem& problem) override;
  void ingress_served(const kube::ObjectName& ingress, bool served) override;

  /// To be called after the above, once for several: sets the timer.
  void follow();
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  void run_due();
  /// What one of the parts wants, after an answer.
  void wake();

  // Fixed after construction.
  const ClusterWriterOptions options_;

  /// Each has its own connection, so that a lease is renewed in time whatever else is written.
  std::unique_ptr<kube::ApiCaller> lease_caller_;
  std::unique_ptr<kube::ApiCaller> status_caller_;
  std::unique_ptr<kube::ApiCaller> event_caller_;
  std::optional<kube::LeaseElector> elector_;
  std::optional<controller::StatusWriter> status_;
  std::optional<controller::EventWriter> events_;
  base::DueTimer timer_;
  boost::asio::steady_timer patience_;
  bool stopping_ = false;
  std::function<void()> stopped_;

  // Read on any thread.
  std::atomic<bool> leading_{false};
};

}  // namespace holdfast
