// Goal: health checks put an endpoint out after three failures and bring it back after two
// successes, at most so many at a time, spread over the interval, and leave nothing behind; one
// cluster's findings and delays are its own.
// Method: a worker turned by hand on a fake clock, and listening sockets that the test answers on.

#include "proxy/health_checker.h"

#include <netinet/in.h>

#include <set>

#include "proxy/limits.h"
#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

/// A pod: a listening socket whose connections are answered one by one.
class Pod {
 public:
  Pod() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(descriptor_, 2000), 0);
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    EXPECT_EQ(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&bound), &size), 0);
    endpoint = std::make_shared<Endpoint>(Address(bound));
    health = std::make_shared<EndpointHealth>(std::make_shared<ClusterState>());
  }
  ~Pod() {
    close();
    for (const int connection : open_) ::close(connection);
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  /// Takes what has connected.
  std::size_t accept() {
    for (int taken = 0; (taken = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      open_.push_back(taken);
    }
    return open_.size();
  }
  /// Answers every connection and closes it, with a reset where `resets`. The requests.
  std::vector<std::string> answer(std::string_view bytes) {
    accept();
    std::vector<std::string> requests;
    for (const int connection : std::exchange(open_, {})) {
      std::array<char, 1000> buffer{};
      const ssize_t n = ::recv(connection, buffer.data(), buffer.size(), 0);
      requests.emplace_back(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
      ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      const linger abortive{.l_onoff = 1, .l_linger = 0};
      if (resets) ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
      ::close(connection);
    }
    return requests;
  }

  /// The first connection has ended, whatever was sent before. REQUIRES: accept() has taken one.
  bool saw_the_end() {
    std::array<char, 1000> buffer{};
    ssize_t n = 1;
    while (n > 0) n = ::recv(open_.at(0), buffer.data(), buffer.size(), 0);
    return n == 0 || errno == ECONNRESET;
  }

  bool resets = false;
  EndpointPtr endpoint;
  /// As the one cluster that most tests have knows it.
  std::shared_ptr<EndpointHealth> health;
  [[nodiscard]] bool is_ill() const { return health->fails_checks(); }

 private:
  int descriptor_;
  std::vector<int> open_;
};

class HealthCheckerTest : public WorkerTest {
 protected:
  HealthCheckerTest() {
    check_.set_path("/healthz?full");
    check_.mutable_interval()->set_seconds(10);
    check_.mutable_timeout()->set_seconds(1);
  }

  struct Member {
    EndpointPtr endpoint;
    std::shared_ptr<EndpointHealth> health;
  };
  /// Each a member of its own, though it has the pod's address.
  static std::vector<Member> many(const Pod& pod, int count = 1000) {
    std::vector<Member> members;
    const auto state = std::make_shared<ClusterState>();
    for (int i = 0; i < count; ++i) {
      members.push_back({pod.endpoint, std::make_shared<EndpointHealth>(state)});
    }
    return members;
  }

  void apply(const std::vector<Member>& members, bool checked = true,
             const std::string& name = "default/rooms/80") {
    auto cluster = std::make_shared<Cluster>();
    for (const Member& member : members) {
      cluster->ready.push_back(member.endpoint);
      cluster->ready_members.push_back({.health = member.health});
    }
    if (checked) cluster->health_check = check_;
    Change change;
    change.clusters.emplace_back(name, cluster);
    checker_.apply(change);
    worker_.sockets().delete_retired();
  }
  /// Until every check has come once.
  void pass_interval() {
    for (int i = 0; i < 11; ++i) pass_time(1s);
  }
  /// Passes time until the pod has been asked, and answers. What it was asked.
  std::string round(Pod& pod, std::string_view answer) {
    for (int i = 0; i < 120; ++i) {
      pass_time(100ms);
      poll();
      const auto requests = pod.answer(answer);
      poll();
      if (!requests.empty()) return requests[0];
    }
    return {};
  }
  [[nodiscard]] std::uint64_t results() const {
    return checker_.succeeded().value() + checker_.failed().value();
  }

  discovery::v1::HealthCheck check_;
  HealthChecker checker_{worker_};
};

constexpr std::string_view kIll = "HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kWell = "HTTP/1.1 204 Well\r\n\r\n";

TEST_F(HealthCheckerTest, ThreeFailuresPutOutAndTwoSuccessesBringBack) {
  Pod pod;
  apply({{pod.endpoint, pod.health}});
  EXPECT_EQ(round(pod, kWell), "GET /healthz?full HTTP/1.1\r\nHost: " + pod.endpoint->text +
                                   "\r\nUser-Agent: holdfast-health-check\r\n"
                                   "Connection: close\r\n\r\n");
  round(pod, kIll);
  round(pod, kIll);
  round(pod, kWell);
  round(pod, kIll);
  round(pod, kIll);
  EXPECT_FALSE(pod.is_ill());
  round(pod, kIll);
  EXPECT_TRUE(pod.is_ill());
  round(pod, kWell);
  round(pod, kIll);
  round(pod, kWell);
  EXPECT_TRUE(pod.is_ill());
  round(pod, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\n\r\n");
  EXPECT_FALSE(pod.is_ill());
  EXPECT_EQ(checker_.failed().value(), 6U);
  EXPECT_EQ(checker_.succeeded().value(), 5U);
  EXPECT_EQ(pod.endpoint->open, 0U);
}

TEST_F(HealthCheckerTest, WhatIsNoGoodAnswerInTimeIsAFailure) {
  Pod pod;
  apply({{pod.endpoint, pod.health}});
  for (const std::string_view bad :
       {"", "HTTP/1.1 2", "nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n"}) {
    const auto before = checker_.failed().value();
    round(pod, bad);
    EXPECT_EQ(checker_.failed().value(), before + 1) << bad;
  }
  // No answer at all.
  const auto before = checker_.failed().value();
  while (pod.accept() == 0) {
    pass_time(100ms);
    poll();
  }
  pass_time(1100ms);
  EXPECT_EQ(checker_.failed().value(), before + 1);
  // Nobody there.
  pod.close();
  pass_interval();
  poll();
  EXPECT_GE(checker_.failed().value(), before + 2);
  EXPECT_EQ(checker_.succeeded().value(), 0U);
}

TEST_F(HealthCheckerTest, AnAnswerThatAResetFollowsIsOne) {
  Pod pod;
  pod.resets = true;
  apply({{pod.endpoint, pod.health}});
  round(pod, kWell);
  EXPECT_EQ(checker_.succeeded().value(), 1U);
  round(pod, "HTTP/1.1 2");
  EXPECT_EQ(checker_.failed().value(), 1U);
}

TEST_F(HealthCheckerTest, ChecksEndWithWhatTheyAreOfAndTakeBackWhatTheySaid) {
  Pod pod;
  Pod other;
  const auto make_ill = [&] {
    for (int i = 0; i < 3; ++i) round(pod, kIll);
    EXPECT_TRUE(pod.is_ill());
  };
  apply({{pod.endpoint, pod.health}});
  make_ill();
  apply({{other.endpoint, other.health}, {pod.endpoint, pod.health}});
  EXPECT_TRUE(pod.is_ill()) << "others come and go";
  apply({{other.endpoint, other.health}});
  EXPECT_FALSE(pod.is_ill());
  apply({{pod.endpoint, pod.health}});
  make_ill();
  apply({{pod.endpoint, pod.health}}, false);
  EXPECT_FALSE(pod.is_ill());
  apply({{pod.endpoint, pod.health}});
  make_ill();
  check_.mutable_interval()->set_seconds(5);
  apply({{pod.endpoint, pod.health}});
  EXPECT_TRUE(pod.is_ill()) << "the same question, at another pace";
  check_.set_path("/other");
  apply({{pod.endpoint, pod.health}});
  EXPECT_FALSE(pod.is_ill()) << "another question";
  make_ill();
  // One that is under way.
  while (pod.accept() == 0) {
    pass_time(100ms);
    poll();
  }
  Change change;
  change.clusters.emplace_back("default/rooms/80", nullptr);
  checker_.apply(change);
  worker_.sockets().delete_retired();
  EXPECT_FALSE(pod.is_ill());
  const std::uint64_t before = results();
  pod.answer(kWell);
  poll();
  pass_interval();
  EXPECT_EQ(pod.accept(), 0U);
  EXPECT_EQ(results(), before);
}

TEST_F(HealthCheckerTest, WhatOneClusterFindsOfAPodIsNotAnothers) {
  Pod pod;
  const auto others = std::make_shared<EndpointHealth>(std::make_shared<ClusterState>());
  apply({{pod.endpoint, pod.health}});
  apply({{pod.endpoint, others}}, false, "default/unchecked/80");
  for (int i = 0; i < 3; ++i) round(pod, kIll);
  EXPECT_TRUE(pod.is_ill());
  EXPECT_FALSE(others->fails_checks());
  // Each asks for itself, and takes back what it said itself.
  apply({{pod.endpoint, others}}, true, "default/unchecked/80");
  while (!others->fails_checks()) round(pod, kIll);
  apply({{pod.endpoint, pod.health}}, false);
  EXPECT_FALSE(pod.is_ill());
  EXPECT_TRUE(others->fails_checks());
}

TEST_F(HealthCheckerTest, OnlySoManyAreUnderWay) {
  constexpr int kClusters = 10;
  Pod pod;
  for (int i = 0; i < kClusters; ++i)
    apply(many(pod, 100), true, "default/" + std::to_string(i) + "/80");
  // Nobody answers: after a second each is given up, and those that wait come.
  std::size_t asked = 0;
  for (int second = 0; second < 5; ++second) {
    pass_time(1s);
    poll();
    const std::size_t now = pod.accept() - asked;
    EXPECT_LE(now, kHealthChecksUnderWayMost);
    asked += now;
  }
  EXPECT_GE(asked, 4 * (kHealthChecksUnderWayMost - kHealthChecksKeptFree));
}

TEST_F(HealthCheckerTest, OneClusterHasItsShareOnly) {
  Pod pod;
  apply(many(pod));
  pass_time(1s);
  poll();
  EXPECT_EQ(pod.accept(), kHealthChecksPerClusterMost);
}

TEST_F(HealthCheckerTest, PodsThatDoNotAnswerDelayTheChecksOfTheirOwnClusterOnly) {
  constexpr int kClusters = 20;
  check_.mutable_timeout()->set_seconds(60);
  Pod silent;
  for (int i = 0; i < kClusters; ++i) {
    apply(many(silent, 100), true, "default/silent" + std::to_string(i) + "/80");
  }
  pass_interval();
  Pod pod;
  check_.mutable_timeout()->set_seconds(1);
  apply({{pod.endpoint, pod.health}});
  // Not one of theirs ends meanwhile.
  for (int i = 0; i < 3; ++i) {
    std::size_t asked = 0;
    for (int second = 0; second < 12; ++second) {
      pass_time(1s);
      poll();
      asked += pod.answer(kWell).size();
      poll();
    }
    EXPECT_GE(asked, 1U);
  }
}

TEST_F(HealthCheckerTest, ClustersTakeTurns) {
  // As many as there is room for, and each with a pod that does not answer for an interval.
  constexpr int kClusters = 2 * int{kHealthChecksUnderWayMost};
  check_.mutable_interval()->set_seconds(1);
  check_.mutable_timeout()->set_seconds(1);
  std::vector<Pod> pods(kClusters);
  Pod crowd;
  apply(many(crowd, 5000), true, "default/crowd/80");
  for (int i = 0; i < kClusters; ++i) {
    apply({{pods[i].endpoint, pods[i].health}}, true, "default/" + std::to_string(i) + "/80");
  }
  // A round of all of them takes three seconds or so; the crowd alone would take a minute.
  for (int second = 0; second < 6; ++second) {
    pass_time(1100ms);
    poll();
  }
  for (Pod& pod : pods) EXPECT_GE(pod.accept(), 1U);
}

TEST_F(HealthCheckerTest, ManyClustersUseAllTheRoom) {
  Pod pod;
  check_.mutable_timeout()->set_seconds(60);
  for (int i = 0; i < 2 * int{kHealthChecksUnderWayMost}; ++i) {
    apply(many(pod, 1), true, "default/" + std::to_string(i) + "/80");
  }
  pass_interval();
  poll();
  EXPECT_EQ(pod.accept(), kHealthChecksUnderWayMost);
}

TEST_F(HealthCheckerTest, ThoseThatWaitCanGo) {
  Pod pod;
  const std::vector<Member> members = many(pod);
  apply(members);
  for (int i = 0; i < 10; ++i) pass_time(1s);
  // One of two leaves, then all but one, then the cluster.
  std::vector<Member> half;
  for (std::size_t i = 0; i < members.size(); i += 2) half.push_back(members[i]);
  apply(half);
  pass_time(2s);
  apply({half[0]});
  for (int i = 0; i < 22; ++i) pass_time(1s);
  poll();
  const std::size_t before = pod.accept();
  // An interval, and what it takes to give one up.
  for (int i = 0; i < 14; ++i) pass_time(1s);
  poll();
  const std::size_t asked = pod.accept() - before;
  EXPECT_GE(asked, 1U);
  EXPECT_LE(asked, 2U);
  Change change;
  change.clusters.emplace_back("default/rooms/80", nullptr);
  checker_.apply(change);
  worker_.sockets().delete_retired();
  const std::uint64_t results_before = results();
  pass_interval();
  EXPECT_EQ(results(), results_before);
}

TEST_F(HealthCheckerTest, ChecksAreSpreadOverTheInterval) {
  Pod pod;
  apply(many(pod));
  for (int second = 0; second < 9; ++second) {
    std::size_t asked = 0;
    for (int i = 0; i < 10; ++i) {
      pass_time(100ms);
      poll();
      asked += pod.answer(kWell).size();
      poll();
    }
    // A hundred each second, give or take six standard deviations.
    EXPECT_NEAR(static_cast<double>(asked), 100, 60);
  }
}

TEST_F(HealthCheckerTest, AWorkerThatStopsLeavesNoneBehind) {
  Pod pod;
  apply({{pod.endpoint, pod.health}});
  while (pod.accept() == 0) {
    pass_time(100ms);
    poll();
  }
  worker_.stop();
  worker_.run();
  EXPECT_EQ(results(), 0U);
  EXPECT_TRUE(pod.saw_the_end());
}

}  // namespace
}  // namespace holdfast::proxy
