#include "tests/fuzz/session_world.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "proxy/session.h"
#include "tests/fuzz/target.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define HOLDFAST_COUNTS_BYTES
#endif
#endif

namespace {

holdfast::fuzz::World* world = nullptr;
/// It is the far ends that call the kernel now, not the worker.
bool peers_turn = false;

class PeersTurn {
 public:
  PeersTurn() : before_(std::exchange(peers_turn, true)) {}
  ~PeersTurn() { peers_turn = before_; }
  PeersTurn(const PeersTurn&) = delete;
  PeersTurn& operator=(const PeersTurn&) = delete;

 private:
  const bool before_;
};

/// True, with errno set: the worker's call fails.
bool fails() {
  if (peers_turn || world == nullptr) return false;
  const int error = world->error_of_next_operation();
  if (error != 0) errno = error;
  return error != 0;
}

}  // namespace

// What the linker's --wrap puts in the place of the kernel's.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the linker gives these names.
int __real_setsockopt(int, int, int, const void*, socklen_t);
int __wrap_setsockopt(int descriptor, int level, int option, const void* value, socklen_t size) {
  if (level == IPPROTO_TCP) return 0;
  return __real_setsockopt(descriptor, level, option, value, size);
}
int __wrap_socket(int, int, int) { return fails() ? -1 : world->make_socket(); }
int __wrap_connect(int, const sockaddr*, socklen_t) { return fails() ? -1 : world->connect(); }
ssize_t __real_send(int, const void*, size_t, int);
ssize_t __wrap_send(int descriptor, const void* bytes, size_t size, int flags) {
  return fails() ? -1 : __real_send(descriptor, bytes, size, flags);
}
ssize_t __real_recv(int, void*, size_t, int);
ssize_t __wrap_recv(int descriptor, void* bytes, size_t size, int flags) {
  return fails() ? -1 : __real_recv(descriptor, bytes, size, flags);
}
// NOLINTEND
}

namespace holdfast::fuzz {

using namespace std::chrono_literals;

namespace {

/// Of the worker's sockets; small, so that writes come up short.
constexpr int kSendBufferBytes = 8 * 1024;
constexpr int kRoundsMost = 2000;
/// What a session may hold: both heads as received and as sent, what came behind either, and what a
/// write owes in either direction; twice, since strings grow by doubling.
constexpr std::size_t kBytesPerClientMost =
    2 * (6 * proxy::kHeadBufferBytesMost + 2 * proxy::kScratchBytes);
constexpr std::size_t kOtherBytesMost = std::size_t{256} * 1024;
constexpr std::uint64_t kDescriptorsMost = 40;

struct Ends {
  int near = -1;
  int far = -1;
};

Ends make_pair() {
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0,
          "socketpair");
  ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  return {ends[0], ends[1]};
}

std::size_t allocated_bytes() {
#ifdef HOLDFAST_COUNTS_BYTES
  return __sanitizer_get_current_allocated_bytes();
#else
  return 0;
#endif
}

}  // namespace

void Peer::send(std::string_view bytes) {
  if (broke_off() || ended_) return;
  const PeersTurn turn;
  const ssize_t taken = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (taken > 0) sent_ += bytes.substr(0, static_cast<std::size_t>(taken));
}

bool Peer::receive() {
  if (broke_off()) return false;
  const PeersTurn turn;
  static std::array<char, 65536> buffer;
  bool moved = false;
  for (ssize_t n = 0; (n = ::recv(descriptor_, buffer.data(), buffer.size(), 0)) > 0;) {
    received_.append(buffer.data(), static_cast<std::size_t>(n));
    moved = true;
  }
  if (moved) receipts_.push_back({received_.size(), sent_.size()});
  return moved;
}

void Peer::hold(bool holds) {
  holds_ = holds;
  has_held_ |= holds;
}

std::size_t Peer::sent_before(std::size_t received) const {
  if (has_held_) return 0;
  for (const Receipt& receipt : receipts_) {
    if (receipt.received >= received) return receipt.sent;
  }
  return 0;
}

void Peer::receive_some(std::size_t bytes) {
  const PeersTurn turn;
  std::string buffer(bytes, 0);
  const ssize_t received = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (received > 0) received_.append(buffer, 0, static_cast<std::size_t>(received));
}

void Peer::drop_received() {
  receive();
  received_.clear();
  receipts_.clear();
}

void Peer::end() {
  if (!ended()) ::shutdown(descriptor_, SHUT_WR);
  ended_ = true;
}

void Peer::break_off() {
  if (!broke_off()) ::close(descriptor_);
  descriptor_ = -1;
}

bool Peer::sees_the_end() {
  const PeersTurn turn;
  char byte = 0;
  return ::recv(descriptor_, &byte, 1, 0) == 0 || errno == ECONNRESET;
}

World::World()
    : shared_{.clock = clock_,
              .log = log_,
              .access_log = &access_log,
              .descriptors_most = kDescriptorsMost},
      policy_(std::make_shared<proxy::RoutePolicy>(proxy::RouteNames{"n", "i", "s"}, 1)) {
  world = this;
  for (std::uint32_t i = 1; i <= 4; ++i) {
    const std::string ip = "198.51.100." + std::to_string(i);
    endpoints_.push_back(std::make_shared<proxy::Endpoint>(*proxy::Address::from_ip(ip, 80)));
  }
  policy_->set_idle_timeout(10min);
  worker_ = std::make_unique<proxy::Worker>(0, shared_);
  require(worker_->open().ok(), "the worker opens");
  configure(true);
  bytes_before_ = allocated_bytes();
}

World::~World() {
  shut_down();
  world = nullptr;
}

void World::fail_operation(std::size_t number, int error) {
  operations_left_ = number;
  failure_ = error;
  lossy = true;
}

int World::error_of_next_operation() {
  return failure_ == 0 || operations_left_-- > 0 ? 0 : std::exchange(failure_, 0);
}

std::string World::ip_of_client(std::size_t index) {
  return "192.0.2." + std::to_string(index + 1);
}

void World::add_client() {
  const Ends ends = make_pair();
  const auto address = proxy::Address::from_ip(ip_of_client(clients.size()), 5000);
  clients.push_back(std::make_unique<Peer>(ends.far));
  worker_->begin_batch();
  require(proxy::Session::start(*worker_, ends.near, *address, 80, {}), "a session starts");
}

void World::configure(bool routes) {
  proxy::Change change;
  std::shared_ptr<proxy::VirtualHost> host;
  if (routes) {
    host = std::make_shared<proxy::VirtualHost>();
    proxy::RouteSettings settings;
    // The other balancing breaks ties at random.
    settings.balancing.load_balance = discovery::v1::LOAD_BALANCE_ROUND_ROBIN;
    settings.connect_timeout = 5s;
    settings.request_timeout = 60s;
    settings.upgrade_timeout = 10s;
    const auto shared = std::make_shared<proxy::RouteSettings>(settings);
    settings.body_bytes_most = kBodyBytesLimited;
    const auto limited = std::make_shared<proxy::RouteSettings>(settings);
    for (const std::string cluster : {"", "many", "none", "gone"}) {
      proxy::Route route;
      route.plain = route.websocket = {policy_, cluster};
      route.settings = shared;
      host->add_prefix("/" + cluster, std::make_shared<proxy::Route>(route));
      if (!cluster.empty()) continue;
      route.settings = limited;
      host->add_prefix("/limited", std::make_shared<proxy::Route>(route));
    }
  }
  change.hosts.emplace_back("a", host);
  const auto add_cluster = [&](const std::string& name, std::size_t first, std::size_t count) {
    auto cluster = std::make_shared<proxy::Cluster>();
    const auto begin = endpoints_.begin() + static_cast<std::ptrdiff_t>(first);
    cluster->ready.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    cluster->state = std::make_shared<proxy::ClusterState>();
    for (std::size_t i = 0; i < count; ++i) {
      cluster->ready_members.push_back(
          {.health = std::make_shared<proxy::EndpointHealth>(cluster->state)});
    }
    change.clusters.emplace_back(name, routes ? cluster : nullptr);
  };
  add_cluster("", 0, 1);
  add_cluster("many", 1, 3);
  add_cluster("none", 0, 0);
  worker_->snapshot().apply(change);
}

void World::set_idle_timeout(base::Duration timeout) {
  policy_->set_idle_timeout(timeout);
  worker_->begin_batch();
  worker_->announce_policy_change();
}

int World::make_socket() {
  const std::size_t turn = connections_made_;
  if (turn < plan_.size() && plan_[turn] == Connecting::kNoDescriptor) {
    ++connections_made_;
    errno = EMFILE;
    return -1;
  }
  const Ends ends = make_pair();
  near_end_ = ends.near;
  far_end_ = ends.far;
  return near_end_;
}

int World::connect() {
  const std::size_t turn = connections_made_++;
  const Connecting how = turn < plan_.size() ? plan_[turn] : Connecting::kAtOnce;
  if (how == Connecting::kRefused) {
    ::close(far_end_);
    errno = ECONNREFUSED;
    return -1;
  }
  const PeersTurn peers;
  backends.push_back(std::make_unique<Peer>(far_end_));
  if (how == Connecting::kAtOnce) return 0;
  // A full buffer is not writable until establish() empties it.
  const std::string filling(std::size_t{4} * kSendBufferBytes, '.');
  while (::send(near_end_, filling.data(), filling.size(), MSG_NOSIGNAL) > 0) {
  }
  backends.back()->under_way = true;
  errno = EINPROGRESS;
  return -1;
}

void World::establish() {
  for (auto& backend : backends) {
    if (!std::exchange(backend->under_way, false)) continue;
    backend->drop_received();
    return;
  }
}

void World::pass_time(base::Duration duration) {
  clock_.advance(duration);
  worker_->run_timers();
  settle();
}

void World::step() { worker_->io_context().poll_one(); }

void World::settle() {
  bool moved = true;
  for (int round = 0; moved; ++round) {
    require(round < kRoundsMost, "the worker comes to rest");
    moved = worker_->io_context().poll() > 0;
    for (auto* peers : {&clients, &backends}) {
      for (auto& peer : *peers) {
        if (!peer->holds() && !peer->under_way && peer->receive()) moved = true;
      }
    }
  }
  require_bounded_memory();
}

std::size_t World::own_bytes() const {
  std::size_t bytes = 0;
  for (const auto* peers : {&clients, &backends}) {
    for (const auto& peer : *peers) {
      bytes += peer->bytes();
    }
  }
  for (const std::string& line : access_log.lines) bytes += sizeof line + line.capacity();
  return bytes;
}

void World::require_bounded_memory() const {
  const std::size_t held = allocated_bytes() - bytes_before_;
  const std::size_t most = own_bytes() + clients.size() * kBytesPerClientMost + kOtherBytesMost;
  require(static_cast<std::ptrdiff_t>(held) <= static_cast<std::ptrdiff_t>(most),
          "buffers keep within their limits", std::to_string(held));
}

void World::shut_down() {
  if (worker_ == nullptr) return;
  worker_ = nullptr;
  for (auto* peers : {&clients, &backends}) {
    for (auto& peer : *peers) {
      if (peer->broke_off()) continue;
      peer->receive();
      if (peer->under_way) peer->drop_received();
      require(peer->sees_the_end(), "every connection is closed");
    }
  }
  require(shared_.connections == 0 && shared_.kept_upstreams == 0, "every connection is forgotten");
  require(policy_->counters(0).open_websockets.value() == 0, "no WebSocket is counted as open");
  require(policy_->counters(0).open_requests.value() == 0, "no request is counted as open");
  require(policy_->counters(0).open_streams.value() == 0, "no stream is counted as open");
  for (const auto& endpoint : endpoints_) {
    require(endpoint->open == 0, "every lease has been given back");
  }
}

}  // namespace holdfast::fuzz
