// Goal: a connect says of its pod what it is worth: a client that leaves at once says nothing, one
// that has waited says as much as a timeout; and whatever becomes of a probe, the next one can
// come. Method: sessions on socket pairs and a fake clock, pods whose queue is full, so that they
// answer no SYN.

#include <netinet/in.h>

#include <memory>

#include "proxy/limits.h"
#include "proxy/session.h"
#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

constexpr std::string_view kHandshake =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kPlain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A listening socket of which nobody accepts.
class Pod {
 public:
  explicit Pod(int backlog) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_, address, size), 0);
    EXPECT_EQ(::listen(listener_, backlog), 0);
    EXPECT_EQ(::getsockname(listener_, address, &size), 0);
  }
  Pod(const Pod&) = delete;
  Pod& operator=(const Pod&) = delete;
  ~Pod() {
    ::close(listener_);
    if (filler_ >= 0) ::close(filler_);
  }

  /// Takes the one place of a queue of length 0: further SYNs are dropped.
  void fill() {
    filler_ = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(filler_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
  }
  [[nodiscard]] EndpointPtr endpoint() const {
    return std::make_shared<Endpoint>(*Address::from_ip("127.0.0.1", ntohs(address_.sin_port)));
  }

 private:
  int listener_;
  int filler_ = -1;
  sockaddr_in address_{};
};

class SessionUpstreamTest : public WorkerTest {
 protected:
  SessionUpstreamTest() {
    silent_.fill();
    serve(silent_);
  }

  /// Two endpoints, so that one may be ejected; the second is none of the choice's while the first
  /// is any.
  void serve(const Pod& pod) {
    auto cluster = std::make_shared<Cluster>();
    cluster->state = std::make_shared<ClusterState>();
    for (const EndpointPtr& endpoint : {pod.endpoint(), pod.endpoint()}) {
      cluster->ready.push_back(endpoint);
      cluster->ready_members.push_back(
          {.health = std::make_shared<EndpointHealth>(cluster->state)});
    }
    cluster->ready[1]->open = 100;
    health_ = cluster->ready_members[0].health;
    auto route = std::make_shared<Route>();
    route->plain = route->websocket = {policy_, "default/rooms/80"};
    auto settings = std::make_shared<RouteSettings>();
    settings->balancing.load_balance = discovery::v1::LOAD_BALANCE_LEAST_CONNECTIONS;
    settings->balancing.ejection = ejection_;
    settings->connect_timeout = 5s;
    settings->request_timeout = settings->upgrade_timeout = 60s;
    route->settings = std::move(settings);
    auto host = std::make_shared<VirtualHost>();
    host->add_prefix("/", route);
    Change change;
    change.hosts.emplace_back("a", host);
    change.clusters.emplace_back("default/rooms/80", cluster);
    worker_.snapshot().apply(change);
  }
  /// A client that has asked.
  std::unique_ptr<FarEnd> ask(std::string_view request = kHandshake) {
    auto client = std::make_unique<FarEnd>();
    worker_.begin_batch();
    const Address address(*base::parse_ip("192.0.2.1"), 4000);
    EXPECT_TRUE(Session::start(worker_, client->give(), address, 8080, {}));
    client->write(request);
    poll();
    return client;
  }
  /// It leaves after that time.
  void leave(std::unique_ptr<FarEnd> client, base::Duration after) {
    pass_time(after);
    client->close();
    poll();
  }
  [[nodiscard]] std::uint64_t failures(ConnectFailure failure) {
    return policy_->counters(0).connect_failures[static_cast<std::size_t>(failure)].value();
  }
  [[nodiscard]] bool is_ejected() const { return health_->is_ejected(ejection_, clock_.now()); }
  [[nodiscard]] bool is_out() const { return health_->is_out(ejection_, clock_.now()); }
  void put_on_probation() {
    ASSERT_TRUE(health_->count_failure(ejection_, clock_.now(), clock_.now()));
    ASSERT_TRUE(health_->eject(ejection_, clock_.now()));
    pass_time(ejection_.duration);
    ASSERT_FALSE(is_out());
  }

  const EjectionPolicy ejection_{.after = 1, .duration = 10s};
  const std::shared_ptr<RoutePolicy> policy_ =
      std::make_shared<RoutePolicy>(RouteNames{"default", "chat", "rooms"}, 1);
  std::shared_ptr<EndpointHealth> health_;
  Pod silent_{0};
};

TEST_F(SessionUpstreamTest, AClientThatLeavesAtOnceSaysNothingOfThePod) {
  leave(ask(), 1200ms);
  EXPECT_FALSE(is_out());
  EXPECT_FALSE(health_->is_on_probation(ejection_));
  EXPECT_EQ(failures(ConnectFailure::kAbandoned), 0U);
}

TEST_F(SessionUpstreamTest, OneThatHasWaitedSaysThatItDoesNotAnswer) {
  leave(ask(), base::Duration(5s) * kAbandonedPercentLeast / 100);
  EXPECT_TRUE(is_ejected());
  EXPECT_EQ(failures(ConnectFailure::kAbandoned), 1U);
  EXPECT_EQ(policy_->counters(0).ejections.value(), 1U);
  EXPECT_EQ(policy_->counters(0)
                .upgrades[static_cast<std::size_t>(CloseReason::kDownstreamEnded)]
                .value(),
            1U);
}

TEST_F(SessionUpstreamTest, APlainRequestsClientToo) {
  leave(ask(kPlain), 2s);
  EXPECT_TRUE(is_ejected());
  EXPECT_EQ(failures(ConnectFailure::kAbandoned), 1U);
}

TEST_F(SessionUpstreamTest, ATimeoutIsOneFailure) {
  const auto client = ask();
  pass_time(5100ms);
  EXPECT_TRUE(is_ejected());
  EXPECT_EQ(failures(ConnectFailure::kTimeout), 1U);
}

TEST_F(SessionUpstreamTest, AnAbandonedProbeMakesRoomForTheNextOne) {
  put_on_probation();
  auto probe = ask();
  EXPECT_TRUE(is_out()) << "one is trying";
  leave(std::move(probe), 100ms);
  EXPECT_FALSE(is_out());
  EXPECT_TRUE(health_->is_on_probation(ejection_)) << "nothing is known yet";
  leave(ask(), 2s);
  EXPECT_TRUE(is_ejected());
  pass_time(19900ms);
  EXPECT_TRUE(is_ejected()) << "for twice as long";
  pass_time(100ms);
  EXPECT_FALSE(is_out());
}

TEST_F(SessionUpstreamTest, OthersGoElsewhereWhileOneTries) {
  put_on_probation();
  const auto probe = ask();
  const auto other = ask();
  pass_time(5100ms);
  // Each has waited for an endpoint of its own: both of the first two timed out once.
  EXPECT_EQ(failures(ConnectFailure::kTimeout), 2U);
  EXPECT_EQ(health_->ejections(), 2U);
}

TEST_F(SessionUpstreamTest, AProbeThatIsAnsweredEndsTheProbation) {
  const Pod pod(10);
  serve(pod);
  put_on_probation();
  const auto client = ask();
  poll();
  EXPECT_FALSE(health_->is_on_probation(ejection_));
  EXPECT_FALSE(is_out());
  EXPECT_EQ(health_->returned_at(), clock_.now());
}

}  // namespace
}  // namespace holdfast::proxy
