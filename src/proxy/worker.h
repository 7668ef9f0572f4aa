#pragma once

// One worker: a thread with its io_context, its socket set, its timers, its snapshot and every
// connection that it accepted, for life. Everything but post() and the counters belongs to that
// thread (before start and after join: to whoever owns the Worker).

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip_address.h"
#include "base/log.h"
#include "base/status.h"
#include "proxy/connection_info.h"
#include "proxy/dialer.h"
#include "proxy/histogram.h"
#include "proxy/listener.h"
#include "proxy/request_id.h"
#include "proxy/route.h"
#include "proxy/snapshot.h"
#include "proxy/socket_set.h"
#include "proxy/timer_wheel.h"
#include "proxy/tls_counters.h"
#include "proxy/upstream_pool.h"
#include "tls/server_context.h"

namespace holdfast::proxy {

class Connection;
class Worker;

/// What all workers of a process share. Any thread; outlives them.
struct Shared {
  const base::Clock& clock;
  const base::Log& log;
  /// Null: no access log.
  base::LogSink* access_log;
  /// Descriptors for downstream connections, for an upstream one each, and for kept ones.
  std::uint64_t descriptors_most;
  /// Fixed before the workers are made.
  std::vector<Address> upstream_sources = {};
  /// All that run. Fixed before the first does.
  std::vector<Worker*> workers = {};
  std::vector<base::Cidr> trusted_proxies = {};
  /// Null: nobody listens for TLS. Fixed before the first worker runs.
  const tls::ServerContext* tls = nullptr;
  alignas(64) std::atomic<std::uint64_t> connections{0};
  alignas(64) std::atomic<std::uint64_t> kept_upstreams{0};
  alignas(64) std::atomic<std::uint64_t> connections_begun{0};

  /// `open` downstream connections, what is kept now and `more` to be kept fit into the
  /// descriptors.
  [[nodiscard]] bool has_room_for(std::uint64_t open, std::uint64_t more = 0) const {
    return 2 * open + kept_upstreams.load(std::memory_order_relaxed) + more <= descriptors_most;
  }
};

/// What a worker counts beyond its routes.
struct alignas(64) WorkerCounters {
  Counter accepted;
  Counter open_connections;
  /// 1 while accepting is paused for want of descriptors, else 0.
  Counter accept_paused;
  Counter accept_pauses;
  /// Connections closed before a request, by reason.
  std::array<Counter, kCloseReasonCount> refused;
  /// Requests refused before a route was known, by reason.
  std::array<Counter, kCloseReasonCount> unrouted;
  TlsCounters tls;
  Histogram<kHandshakeBounds> handshakes;
  Histogram<kLifetimeBounds> lifetimes;
};

class Worker {
 public:
  Worker(unsigned index, Shared& shared);
  ~Worker();

  base::Status open();
  /// Binds one more listening socket (SO_REUSEPORT). Port 0 lets the kernel choose; returns the
  /// port.
  base::StatusOr<std::uint16_t> listen(const Address& address, Preamble preamble);

  /// Serves until stop(). Runs on the worker's own thread.
  void run();
  /// Runs `task` on the worker's thread. Any thread.
  void post(std::function<void()> task);
  /// Stops accepting, closes every connection and ends run().
  void stop();
  /// Closes the upstream connections that are kept, of all workers: descriptors have run out. The
  /// others close theirs when they come to it.
  void give_up_kept();
  /// Writes to the log, at most once in kPauseLogInterval, that accepting is paused.
  void log_accept_pause(std::string_view why);

  // For connections.

  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] SocketSet& sockets() { return sockets_; }
  [[nodiscard]] Snapshot& snapshot() { return snapshot_; }
  [[nodiscard]] Dialer& dialer() { return dialer_; }
  [[nodiscard]] UpstreamPool& upstreams() { return upstreams_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] WorkerCounters& counters() { return counters_; }
  [[nodiscard]] const WorkerCounters& counters() const { return counters_; }
  /// kScratchBytes that are free to use between two waits.
  [[nodiscard]] char* scratch() { return scratch_.get(); }
  /// A second scratch, for what is encoded on its way out; empty between two waits.
  [[nodiscard]] std::string& staging() { return staging_; }
  /// The time at which the current batch of events began.
  [[nodiscard]] base::Instant now() const { return now_; }
  /// The Date field for now.
  [[nodiscard]] std::string_view date();
  /// Arms a connection's timer; makes sure that the worker wakes for it.
  void set_timer(Timer& timer, base::Instant when);
  void clear_timer(Timer& timer) { timers_.clear(timer); }
  /// Reads the clock for a new batch of events. Every handler of the loop begins with it.
  void begin_batch() {
    now_ = shared_.clock.now();
    handshake_steps_ = 0;
  }
  /// A TLS handshake may go on in this batch; else it has to take a turn.
  bool take_handshake_step() { return handshake_steps_++ < kHandshakeStepsPerBatch; }
  /// Sessions whose TLS handshake is under way, the first begun first.
  [[nodiscard]] std::list<Connection*>& handshakes() { return handshakes_; }
  /// Deletes what was retired, sees to the turns asked for. Every handler of the loop ends with it.
  void end_batch();

  /// Fires the timers that are due; the worker's own tick does it.
  void run_timers();

  void enlist(Connection& connection);
  /// Tells every connection that live settings have changed.
  void announce_policy_change();
  /// The newest connections that match, newest first.
  [[nodiscard]] std::vector<ConnectionInfo> list(const ConnectionQuery& query) const;
  [[nodiscard]] boost::asio::io_context& io_context() { return context_; }

 private:
  void wait_for_sockets();
  void on_sockets_ready();
  /// Gives the turns that connections have asked for, behind whatever else is due.
  void post_turns();
  void wait_for_tick();
  void close_connections();

  const unsigned index_;
  Shared& shared_;
  boost::asio::io_context context_{1};
  std::unique_ptr<char[]> scratch_;
  std::string staging_;
  base::Instant now_;
  std::string date_;
  std::int64_t date_second_ = -1;
  Random random_;
  WorkerCounters counters_;
  SocketSet sockets_;
  boost::asio::posix::stream_descriptor readiness_{context_};
  TimerWheel timers_;
  boost::asio::steady_timer tick_{context_};
  /// When tick_ fires; the far future while it is not armed.
  base::Instant tick_at_ = base::Instant::max();
  Snapshot snapshot_;
  /// Every connection, newest first.
  Connection* connections_ = nullptr;
  UpstreamPool upstreams_{*this};
  Dialer dialer_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool turns_posted_ = false;
  int handshake_steps_ = 0;
  std::list<Connection*> handshakes_;
  base::Instant next_pause_log_ = base::Instant::min();
};

}  // namespace holdfast::proxy
