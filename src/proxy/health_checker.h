#pragma once

// The health checks of a process: GET requests of our own to every ready endpoint of the clusters
// that ask for it. Each check is a connection of its own, at a random time within the interval.
// What comes of it is noted with the cluster's endpoints (EndpointHealth), where all workers see
// it, and taken back when a check ends because its cluster, its endpoint or the wish for it is
// gone.
//
// Only so many are under way at once. The clusters whose checks wait take turns, none has more than
// its share, and half of the room is for those that have none under way: pods that do not answer
// delay the checks of their own cluster.
//
// Lives on one worker: everything but the counters on that worker's thread, or while it does not
// run. The worker and its log outlive it.

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
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
  class Request;
  using Settings = std::shared_ptr<const discovery::v1::HealthCheck>;
  /// The checks of one cluster.
  struct Group {
    Settings settings;
    std::optional<UpstreamTls> tls;
    std::size_t under_way = 0;
    /// Those whose time has come, in that order.
    std::list<Check*> waiting;
    /// In turns_, while any waits.
    std::list<Group*>::iterator turn;
    /// What is left of them goes first: it still looks at the rest.
    std::map<std::shared_ptr<EndpointHealth>, std::unique_ptr<Check>> checks;
  };

  void update(const std::string& name, const Cluster& cluster);
  /// Puts a check into its group's line, and takes it out again: in constant time, since whole
  /// clusters come and go while thousands wait.
  void stand_in_line(Check& check);
  void leave_line(Check& check);
  void begin_waiting();
  [[nodiscard]] bool may_begin(const Group& group) const;

  Worker& worker_;
  Counter succeeded_;
  Counter failed_;
  std::size_t under_way_ = 0;
  /// begin_waiting() is at work: one that ends at once must not call it again.
  bool beginning_ = false;
  /// The groups with checks that wait; the next to begin one is in front.
  std::list<Group*> turns_;
  /// By cluster.
  std::map<std::string, Group> groups_;
};

}  // namespace holdfast::proxy
