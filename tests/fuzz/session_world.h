#pragma once

// A Worker with everything around it in the fuzzer's hand: the clock, the clients, the backends and
// how connecting to them goes. Connections are Unix socket pairs with small buffers, so that what
// happens depends on the input alone: this program's linker turns the worker's socket(), connect()
// and setsockopt() to the World (see CMakeLists.txt).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/worker.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"

namespace holdfast::fuzz {

/// The far end of one of the worker's connections, with all that has passed there.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { break_off(); }

  /// What the kernel does not take at once is not sent.
  void send(std::string_view bytes);
  /// True: something has come.
  bool receive();
  /// Receives at most so much of what has come, though it holds.
  void receive_some(std::size_t bytes);
  /// Receives what has come, and knows nothing of it.
  void drop_received();
  void end();
  void break_off();
  /// The worker has closed its end. REQUIRES: !broke_off().
  bool sees_the_end();

  [[nodiscard]] bool broke_off() const { return descriptor_ < 0; }
  [[nodiscard]] bool ended() const { return ended_ || broke_off(); }
  [[nodiscard]] const std::string& sent() const { return sent_; }
  [[nodiscard]] const std::string& received() const { return received_; }
  /// How much had been sent when the first `received` bytes were there; 0 when it cannot be told.
  [[nodiscard]] std::size_t sent_before(std::size_t received) const;

  /// Memory that this object holds.
  [[nodiscard]] std::size_t bytes() const {
    return sizeof *this + sent_.capacity() + received_.capacity() +
           receipts_.capacity() * sizeof(Receipt);
  }

  /// Takes nothing more for now.
  void hold(bool holds);
  [[nodiscard]] bool holds() const { return holds_; }
  [[nodiscard]] bool has_held() const { return has_held_; }
  /// The worker's connect() has not come to its end.
  bool under_way = false;

 private:
  struct Receipt {
    std::size_t received = 0;
    std::size_t sent = 0;
  };

  int descriptor_;
  bool ended_ = false;
  bool holds_ = false;
  bool has_held_ = false;
  std::string sent_;
  std::string received_;
  std::vector<Receipt> receipts_;
};

/// Host "a" has a route: "/" to one endpoint, "/limited" likewise for bodies of up to
/// kBodyBytesLimited, "/many" to three, "/none" and "/gone" to none.
class World {
 public:
  static constexpr std::uint64_t kBodyBytesLimited = 10;

  enum class Connecting : std::uint8_t { kAtOnce, kLater, kRefused, kNoDescriptor };

  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// "192.0.2.1" is the first, and so on.
  void add_client();
  static std::string ip_of_client(std::size_t index);
  /// How the next connections go, in order; afterwards at once.
  void plan(Connecting connecting) { plan_.push_back(connecting); }
  /// Lets a connection under way be made.
  void establish();
  /// With routes, or without any.
  void configure(bool routes);
  /// The worker's call of socket(), connect(), send() or recv() behind the next `number` ones
  /// fails.
  void fail_operation(std::size_t number, int error);
  /// That call has come.
  [[nodiscard]] bool has_failed() const { return failure_ == 0; }
  void set_idle_timeout(base::Duration timeout);
  void pass_time(base::Duration duration);
  /// Runs the worker until nothing moves any more.
  void settle();
  /// Runs one handler of the worker's.
  void step();
  /// Closes everything; what was still to come for the peers has come.
  void shut_down();
  [[nodiscard]] std::uint64_t open_connections() const { return shared_.connections; }

  std::vector<std::unique_ptr<Peer>> clients;
  std::vector<std::unique_ptr<Peer>> backends;
  base::LineSink access_log;
  /// Deadlines may have passed before the worker had looked at what came in time.
  bool hurried = false;
  /// A connection may have seemed broken to the worker, so that it never saw what was sent.
  bool lossy = false;

  // For the worker, in place of the kernel.
  int make_socket();
  int connect();
  int error_of_next_operation();

 private:
  void require_bounded_memory() const;
  [[nodiscard]] std::size_t own_bytes() const;

  base::FakeClock clock_;
  base::LineSink log_sink_;
  base::Log log_{log_sink_, clock_};
  proxy::Shared shared_;
  std::shared_ptr<proxy::RoutePolicy> policy_;
  std::vector<std::shared_ptr<proxy::Endpoint>> endpoints_;
  std::unique_ptr<proxy::Worker> worker_;
  std::vector<Connecting> plan_;
  std::size_t connections_made_ = 0;
  /// Both ends of the socket made last.
  int near_end_ = -1;
  int far_end_ = -1;
  std::size_t bytes_before_ = 0;
  std::size_t operations_left_ = 0;
  /// 0: none is planned any more.
  int failure_ = 0;
};

}  // namespace holdfast::fuzz
