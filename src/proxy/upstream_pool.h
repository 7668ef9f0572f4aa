#pragma once

// Upstream connections kept open between requests (never after an unclean exchange), at most
// kIdlePerEndpointMost an endpoint and kIdleMost a worker, for kUpstreamIdleTimeout. A kept
// connection that shows any sign of life is closed: nobody asked it anything. Worker thread only.

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/endpoint.h"
#include "proxy/socket_set.h"

namespace holdfast::proxy {

class Worker;

class UpstreamPool {
 public:
  explicit UpstreamPool(Worker& worker) : worker_(worker) {}

  /// The connection of `tls` (null: in the clear) that was used last, or null. The caller sets its
  /// handler.
  SocketPtr take(const Endpoint& endpoint, const tls::ClientContext* tls);
  /// Keeps the connection, or closes it when a limit is reached.
  void put(std::shared_ptr<Endpoint> endpoint, SocketPtr socket);
  /// Closes all, when descriptors have run out.
  void clear();
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  class Kept;

  void forget(Kept& kept);

  Worker& worker_;
  std::unordered_map<const Endpoint*, std::vector<Kept*>> kept_;
  std::size_t count_ = 0;
};

}  // namespace holdfast::proxy
