#pragma once

// The health checks of a process: GET requests of our own to every ready endpoint of the clusters
// that ask for it. Each check is a connection of its own, at a random time within the interval.
// What comes of it is noted on the endpoints, where all workers see it, and taken back when a check
// ends because its cluster, its endpoint or the wish for it is gone.
//
// Lives on one worker: everything but the counters on that worker's thread, or while it does not
// run. The worker and its log outlive it.

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "proxy/counter.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace holdfast::proxy {

class HealthChecker {
 public:
  explicit HealthChecker(Worker& worker);
  ~HealthChecker();

  /// Takes over what a change says of clusters. The others cost nothing.
  void apply(const Change& change);

  /// Checks that succeeded, and that failed. Any thread.
  [[nodiscard]] const Counter& succeeded() const { return succeeded_; }
  [[nodiscard]] const Counter& failed() const { return failed_; }

 private:
  class Check;
  class Probe;
  using Checks = std::map<EndpointPtr, std::unique_ptr<Check>>;

  void update(const std::string& name, const Cluster& cluster);
  /// At most kHealthChecksUnderWayMost run; the others wait for their turn.
  void begin(Check& check);
  void begin_waiting();
  void forget(const Check& check);

  Worker& worker_;
  Counter succeeded_;
  Counter failed_;
  std::size_t under_way_ = 0;
  /// begin_waiting() is at work: one that ends at once must not call it again.
  bool beginning_ = false;
  std::deque<Check*> waiting_;
  /// By cluster.
  std::map<std::string, Checks> checks_;
};

}  // namespace holdfast::proxy
