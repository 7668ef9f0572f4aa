#pragma once

// What can be told of a route, and since when it is as it is. Values, but for RouteHistory: one
// thread at a time.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "holdfast/discovery/v1/discovery.pb.h"

namespace holdfast::proxy {

struct RouteInfo {
  std::string host;
  /// "exact", "prefix" or "fallback"; the last has no path.
  std::string match;
  std::string path;
  std::string ingress_namespace;
  std::string ingress;
  std::string cluster;
  /// Of handshakes, where it is another; else empty.
  std::string websocket_cluster;
  /// When it came, or last changed.
  base::WallTime since;
};

/// What the configuration as a whole is.
struct ConfigurationInfo {
  /// Transactions put in force since the start of the process; 0: none yet.
  std::uint64_t version = 0;
  /// When the last one was. Meaningless while version is 0.
  base::WallTime since;
  /// Transactions refused as a whole.
  std::uint64_t refused = 0;
};

/// When each route came or changed: 16 bytes a route.
class RouteHistory {
 public:
  /// A route that is as it was before keeps its time; its place in the Ingress does not matter.
  void put(const discovery::v1::VirtualHost& host, base::WallTime when);
  void remove(const std::string& host) { marks_.erase(host); }

  /// Appends what is told of a host's routes. REQUIRES: put() was called with this very host.
  void describe(const discovery::v1::VirtualHost& host, std::vector<RouteInfo>& out) const;

 private:
  struct Mark {
    std::size_t content_hash = 0;
    base::WallTime since;
  };
  /// By host, in the order of its routes.
  std::map<std::string, std::vector<Mark>> marks_;
};

}  // namespace holdfast::proxy
