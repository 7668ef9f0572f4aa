#include "proxy/upstream_pool.h"

#include <algorithm>
#include <utility>

#include "proxy/connection.h"

namespace holdfast::proxy {

class UpstreamPool::Kept final : public Connection {
 public:
  Kept(Worker& worker, UpstreamPool& pool, std::shared_ptr<Endpoint> endpoint, SocketPtr socket)
      : Connection(worker),
        pool_(pool),
        endpoint_(std::move(endpoint)),
        socket_(std::move(socket)) {
    socket_->set_handler(this);
    worker.set_timer(*this, worker.now() + kUpstreamIdleTimeout);
  }

  [[nodiscard]] const Endpoint& endpoint() const { return *endpoint_; }
  [[nodiscard]] const tls::ClientContext* tls() const {
    return socket_->tls() == nullptr ? nullptr : socket_->tls()->client().get();
  }

  /// Gives the socket away and ends.
  SocketPtr release() {
    SocketPtr socket = std::move(socket_);
    abort(CloseReason::kCompleted);
    return socket;
  }

  void on_ready(Socket& socket) override {
    // A session ticket is nothing that was asked for, and no harm.
    const bool quiet = socket.tls() != nullptr && socket.quiet();
    if ((socket.readable() && !quiet) || socket.peer_ended()) abort(CloseReason::kUpstreamEnded);
  }
  void on_turn() override {}
  void on_deadline() override { abort(CloseReason::kIdleTimedOut); }
  void abort(CloseReason) override {
    pool_.forget(*this);
    socket_.reset();
    retire();
  }

 private:
  UpstreamPool& pool_;
  const std::shared_ptr<Endpoint> endpoint_;
  SocketPtr socket_;
};

SocketPtr UpstreamPool::take(const Endpoint& endpoint, const tls::ClientContext* tls) {
  for (;;) {
    SocketPtr socket(nullptr, SocketCloser{&worker_.sockets()});
    const auto found = kept_.find(&endpoint);
    if (found == kept_.end()) return socket;
    const auto last = std::find_if(found->second.rbegin(), found->second.rend(),
                                   [&](const Kept* one) { return one->tls() == tls; });
    if (last == found->second.rend()) return socket;
    socket = (*last)->release();
    // Bytes that came while nothing was asked are nobody's answer (RFC 9112 section 9.2).
    if (socket->quiet()) return socket;
  }
}

void UpstreamPool::put(std::shared_ptr<Endpoint> endpoint, SocketPtr socket) {
  if (count_ >= kIdleMost || socket->peer_ended()) return;
  Shared& shared = worker_.shared();
  const std::uint64_t open = shared.connections.load(std::memory_order_relaxed);
  if (!shared.has_room_for(open + 1, 1)) return;
  if (socket->readable() && !socket->quiet()) return;
  std::vector<Kept*>& kept = kept_[endpoint.get()];
  if (kept.size() >= kIdlePerEndpointMost) return;
  kept.push_back(new Kept(worker_, *this, std::move(endpoint), std::move(socket)));
  ++count_;
  shared.kept_upstreams.fetch_add(1, std::memory_order_relaxed);
}

void UpstreamPool::clear() {
  while (!kept_.empty()) kept_.begin()->second.back()->abort(CloseReason::kShutdown);
}

void UpstreamPool::forget(Kept& kept) {
  const auto found = kept_.find(&kept.endpoint());
  std::erase(found->second, &kept);
  if (found->second.empty()) kept_.erase(found);
  --count_;
  worker_.shared().kept_upstreams.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace holdfast::proxy
