// Goal: an endpoint is chosen as its policy says: evenly among equals, slow starters and endpoints
// of the zone by their share, what was tried or is out only when nothing else is left, what is on
// probation by one at a time; a hash moves only the keys that have to, and no endpoint above its
// bound.
// Method: random numbers from fixed seeds; figures are printed as they are measured.

#include "proxy/balancer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/hash.h"
#include "proxy/limits.h"

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;

class BalancerTest : public testing::Test {
 protected:
  BalancerTest() {
    balancing_.load_balance = v1::LOAD_BALANCE_LEAST_CONNECTIONS;
    cluster_.state = std::make_shared<ClusterState>();
    add(4);
  }

  void add(std::uint32_t count, bool newcomers = false) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto port = static_cast<std::uint32_t>(cluster_.ready.size() + 1);
      cluster_.ready.push_back(std::make_shared<Endpoint>(*Address::from_ip("10.0.0.1", port)));
      cluster_.ready_members.push_back(member_of(*cluster_.ready.back(), newcomers));
      if (newcomers) cluster_.last_joined = now_;
    }
  }
  Membership member_of(const Endpoint& endpoint, bool newcomer = false) {
    return {.since = now_,
            .newcomer = newcomer,
            .identity = base::mix(base::fnv1a(endpoint.text)),
            .health = std::make_shared<EndpointHealth>(cluster_.state)};
  }
  EndpointHealth& health(std::size_t index) { return *cluster_.ready_members[index].health; }
  void set_ill(std::size_t index, bool ill = true) { health(index).set_fails_checks(ill, now_); }
  EndpointPtr pick(std::optional<std::uint64_t> key = {}) { return pick_and_hold(key).endpoint; }
  /// With the right to connect, where that is one's alone.
  Pick pick_and_hold(std::optional<std::uint64_t> key = {}) {
    return pick_endpoint(
        cluster_,
        {.balancing = balancing_, .key = key, .tried = tried_, .now = now_, .random = random_});
  }
  /// How often each is chosen, in the order of the cluster, while nothing is opened.
  std::vector<int> shares(int picks) {
    std::map<EndpointPtr, int> chosen;
    for (int i = 0; i < picks; ++i) ++chosen[pick()];
    std::vector<int> result;
    for (const auto& endpoint : cluster_.ready) result.push_back(chosen[endpoint]);
    return result;
  }
  void hash(std::uint32_t factor = 1000) {
    balancing_.hash_by.emplace().set_path(true);
    balancing_.hash_by->set_balance_factor(factor);
  }
  /// Where each key goes.
  std::vector<EndpointPtr> places(std::uint64_t keys) {
    std::vector<EndpointPtr> result;
    for (std::uint64_t key = 0; key < keys; ++key) result.push_back(pick(base::mix(key + 1)));
    return result;
  }
  bool fail(std::size_t index) {
    return count_failed_connect(cluster_, health(index), balancing_.ejection, now_, now_);
  }
  /// In whole seconds.
  base::Duration out_for(std::size_t index) {
    std::chrono::seconds duration(0);
    while (health(index).is_ejected(balancing_.ejection, now_ + duration)) ++duration;
    return duration;
  }

  base::Instant now_ = base::Instant(std::chrono::hours(1));
  Random random_{7};
  Balancing balancing_;
  Cluster cluster_;
  std::vector<EndpointPtr> tried_;
};

TEST_F(BalancerTest, LeastConnectionsEvensOutWhateverTheRandomNumbersAre) {
  cluster_.ready[2]->open = 5;
  std::vector<EndpointLease> leases;
  for (std::uint32_t i = 0; i < 17; ++i) leases.emplace_back(pick());
  std::multiset<std::uint32_t> open;
  for (const auto& endpoint : cluster_.ready) open.insert(endpoint->open);
  EXPECT_EQ(open, (std::multiset<std::uint32_t>{5, 5, 6, 6}));
  leases.clear();
  EXPECT_EQ(cluster_.ready[0]->open, 0U);
}

TEST_F(BalancerTest, EqualsAreChosenEvenlyWhereverTheyStand) {
  cluster_.ready[1]->open = cluster_.ready[2]->open = 5;
  const auto chosen = shares(10'000);
  std::printf("[0 5 5 0] open: chosen %d %d %d %d of 10000\n", chosen[0], chosen[1], chosen[2],
              chosen[3]);
  EXPECT_NEAR(chosen[0], 5000, 150);
  EXPECT_EQ(chosen[1] + chosen[2], 0);
}

TEST_F(BalancerTest, LeastConnectionsStaysEvenUnderChurn) {
  add(16);
  std::vector<EndpointLease> leases;
  for (int i = 0; i < 2000; ++i) leases.emplace_back(pick());
  // Connections that end at random, each followed by another one.
  for (int i = 0; i < 100'000; ++i) leases[random_.next() % leases.size()] = EndpointLease(pick());
  const auto [least, most] = std::ranges::minmax(
      cluster_.ready, {}, [](const EndpointPtr& endpoint) { return endpoint->open.load(); });
  std::printf("churn: 2000 connections on 20 endpoints, %u to %u each\n", least->open.load(),
              most->open.load());
  EXPECT_GE(least->open, 98U);
  EXPECT_LE(most->open, 102U);
}

TEST_F(BalancerTest, RoundRobinTakesTurnsExactly) {
  balancing_.load_balance = v1::LOAD_BALANCE_ROUND_ROBIN;
  EXPECT_EQ(shares(40), (std::vector{10, 10, 10, 10}));
  // Those that are left share evenly, too.
  tried_ = {cluster_.ready[1]};
  EXPECT_EQ(shares(30), (std::vector{10, 0, 10, 10}));
}

TEST_F(BalancerTest, WhatWasTriedIsNotChosenAgain) {
  for (const auto policy : {v1::LOAD_BALANCE_LEAST_CONNECTIONS, v1::LOAD_BALANCE_ROUND_ROBIN}) {
    balancing_.load_balance = policy;
    tried_ = {cluster_.ready[0], cluster_.ready[1], cluster_.ready[3]};
    EXPECT_EQ(pick(), cluster_.ready[2]);
    tried_.push_back(cluster_.ready[2]);
    EXPECT_EQ(pick(), nullptr);
    EXPECT_EQ(pick(1), nullptr);
  }
}

TEST_F(BalancerTest, TerminatingEndpointsServeOnlyWhileNoneIsReady) {
  cluster_.terminating = {std::make_shared<Endpoint>(*Address::from_ip("10.0.0.2", 1))};
  cluster_.terminating_members = {member_of(*cluster_.terminating[0])};
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_NE(pick(), cluster_.terminating[0]);
  cluster_.ready.clear();
  cluster_.ready_members.clear();
  EXPECT_EQ(pick(), cluster_.terminating[0]);
  cluster_.terminating.clear();
  cluster_.terminating_members.clear();
  EXPECT_EQ(pick(), nullptr);
}

TEST_F(BalancerTest, ANewcomersShareGrowsToAFullOne) {
  balancing_.slow_start = 30s;
  for (const auto& endpoint : cluster_.ready) endpoint->open = 100;
  add(1, true);
  const auto share_at = [&](base::Duration age) {
    now_ += age;
    const int chosen = shares(50'000).back();
    now_ -= age;
    std::printf("slow start: %2d s of 30: %.3f of new connections\n", static_cast<int>(age / 1s),
                chosen / 50'000.0);
    return chosen / 50'000.0;
  };
  // f / (4 + f)
  EXPECT_NEAR(share_at(0s), 0.1 / 4.1, 0.004);
  EXPECT_NEAR(share_at(15s), 0.5 / 4.5, 0.006);
  EXPECT_NEAR(share_at(29s), 0.967 / 4.967, 0.008);
  // Then it has the fewest connections.
  EXPECT_EQ(share_at(30s), 1);
}

TEST_F(BalancerTest, SlowStartIsRoundRobinsToo) {
  balancing_.load_balance = v1::LOAD_BALANCE_ROUND_ROBIN;
  balancing_.slow_start = 30s;
  add(1, true);
  const auto chosen = shares(41'000);
  EXPECT_NEAR(chosen[4], 1000, 120);
  // The others go on taking turns.
  const auto [least, most] = std::minmax_element(chosen.begin(), chosen.end() - 1);
  EXPECT_LE(*most - *least, 1);
}

TEST_F(BalancerTest, WhereAllAreNewTheFewestConnectionsDecide) {
  cluster_.ready.clear();
  cluster_.ready_members.clear();
  balancing_.slow_start = 30s;
  // A rollout, after which all clients come back.
  for (int i = 0; i < 10; ++i) {
    add(1, true);
    now_ += 2s;
  }
  std::vector<EndpointLease> leases;
  for (int i = 0; i < 5000; ++i) leases.emplace_back(pick());
  for (const auto& endpoint : cluster_.ready) EXPECT_EQ(endpoint->open, 500U);
  // So do turns.
  balancing_.load_balance = v1::LOAD_BALANCE_ROUND_ROBIN;
  EXPECT_EQ(shares(100), std::vector<int>(10, 10));
}

TEST_F(BalancerTest, WithoutSlowStartANewcomerIsLikeAnyOther) {
  add(1, true);
  for (std::size_t i = 0; i < 4; ++i) cluster_.ready[i]->open = 1;
  EXPECT_EQ(shares(10).back(), 10);
}

TEST_F(BalancerTest, FailuresInARowEjectAndASuccessForgetsThem) {
  balancing_.ejection = {.after = 3, .duration = 10s};
  EXPECT_FALSE(fail(0));
  EXPECT_FALSE(fail(0));
  health(0).count_success(balancing_.ejection, now_);
  EXPECT_FALSE(fail(0));
  EXPECT_FALSE(fail(0));
  EXPECT_TRUE(fail(0));
  EXPECT_FALSE(fail(0)) << "it is out already";
  EXPECT_EQ(shares(100)[0], 0);
  now_ += 10s;
  EXPECT_GT(shares(100)[0], 0);
}

TEST_F(BalancerTest, EjectionsDoubleUpToAMaximumAndAreForgotten) {
  balancing_.ejection = {.after = 1, .duration = 10s};
  std::vector<base::Duration> durations;
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(fail(0));
    durations.push_back(out_for(0));
    now_ += durations.back();
  }
  EXPECT_EQ(durations, (std::vector<base::Duration>{10s, 20s, 40s, 80s, 160s, 5min, 5min}));
  now_ += kEjectionMost;
  EXPECT_TRUE(fail(0));
  EXPECT_EQ(out_for(0), 10s);
  balancing_.ejection.duration = 1h;
  now_ += 1min;
  EXPECT_TRUE(fail(0));
  EXPECT_EQ(out_for(0), 1h) << "what was asked for goes before the maximum";
}

TEST_F(BalancerTest, NoMoreThanHalfAreEjectedAndNeverTheOnlyOne) {
  balancing_.ejection = {.after = 1, .duration = 10s};
  EXPECT_TRUE(fail(0));
  EXPECT_TRUE(fail(1));
  EXPECT_FALSE(fail(2));
  const auto chosen = shares(1000);
  EXPECT_EQ(chosen[0] + chosen[1], 0);
  // With nothing else left, they are better than nothing.
  tried_ = {cluster_.ready[2], cluster_.ready[3]};
  EXPECT_NE(pick(), nullptr);
  cluster_.ready.resize(1);
  cluster_.ready_members = {member_of(*cluster_.ready[0])};
  EXPECT_FALSE(fail(0));
}

TEST_F(BalancerTest, APodThatRefusesCostsEachWorkerLittle) {
  balancing_.ejection = {.after = 3, .duration = 10s};
  int refused = 0;
  std::vector<EndpointLease> leases;
  // One second of 100 handshakes a second, five times: fewest connections of all are on the pod
  // that refuses.
  for (int i = 0; i < 500; ++i) {
    now_ += 10ms;
    EndpointPtr chosen = pick();
    while (chosen == cluster_.ready[0]) {
      ++refused;
      fail(0);
      tried_.push_back(chosen);
      chosen = pick();
    }
    tried_.clear();
    leases.emplace_back(chosen);
  }
  std::printf("a pod that refuses: %d of 500 handshakes tried it\n", refused);
  EXPECT_EQ(refused, 3);
}

TEST_F(BalancerTest, WhatIsOnProbationIsTriedByOneAtATime) {
  balancing_.ejection = {.after = 3, .duration = 10s};
  for (int i = 0; i < 3; ++i) fail(0);
  now_ += 10s;
  tried_ = {cluster_.ready[1], cluster_.ready[2]};
  cluster_.ready[3]->open = 1;
  Pick probe = pick_and_hold();
  EXPECT_EQ(probe.endpoint, cluster_.ready[0]);
  EXPECT_EQ(shares(100)[0], 0) << "one is trying";
  // With nothing else left it is better than nothing.
  tried_.push_back(cluster_.ready[3]);
  EXPECT_EQ(pick(), cluster_.ready[0]);
  tried_.pop_back();
  EXPECT_EQ(shares(100)[0], 0) << "who came beside the probe does not end it";
  // A probe that is given up makes room for the next one.
  probe = {};
  EXPECT_EQ(shares(100)[0], 100);
  // A failure ejects it again at once, for twice as long.
  EXPECT_TRUE(fail(0));
  EXPECT_EQ(out_for(0), 20s);
  now_ += 20s;
  probe = pick_and_hold();
  health(0).count_success(balancing_.ejection, now_);
  EXPECT_EQ(shares(100)[0], 100) << "a success ends it";
  EXPECT_FALSE(fail(0)) << "and failures are counted from the first";
}

TEST_F(BalancerTest, WithNothingElseLeftWhatIsBeingProbedGoesBeforeWhatHasFailed) {
  balancing_.ejection = {.after = 1, .duration = 10s};
  fail(0);
  now_ += 10s;
  tried_ = {cluster_.ready[1], cluster_.ready[2]};
  cluster_.ready[0]->open = 5;
  fail(3);
  const Pick probe = pick_and_hold();
  EXPECT_EQ(probe.endpoint, cluster_.ready[0]);
  EXPECT_EQ(shares(100)[0], 100);
  set_ill(0);
  EXPECT_EQ(shares(100)[0], 100) << "what fails checks goes before what is ejected, too";
}

TEST_F(BalancerTest, AKeyPassesOverWhatIsBeingProbed) {
  hash();
  balancing_.ejection = {.after = 1, .duration = 10s};
  const EndpointPtr home = pick(42);
  fail(std::size_t(std::ranges::find(cluster_.ready, home) - cluster_.ready.begin()));
  now_ += 10s;
  const Pick probe = pick_and_hold(42);
  EXPECT_EQ(probe.endpoint, home);
  EXPECT_NE(pick(42), home);
}

TEST_F(BalancerTest, WhatReturnsStartsSlowly) {
  balancing_.slow_start = 30s;
  balancing_.ejection = {.after = 1, .duration = 10s};
  for (std::size_t i = 1; i < 4; ++i) cluster_.ready[i]->open = 100;
  const auto share = [&] { return shares(50'000)[0] / 50'000.0; };
  fail(0);
  now_ += 1min;
  // It begins with the connect that shows that it is there, whenever that is.
  health(0).count_success(balancing_.ejection, now_);
  EXPECT_NEAR(share(), 0.1 / 3.1, 0.004);
  now_ += 15s;
  EXPECT_NEAR(share(), 0.5 / 3.5, 0.006);
  health(0).count_success(balancing_.ejection, now_);
  EXPECT_NEAR(share(), 0.5 / 3.5, 0.006) << "the first one";
  now_ += 15s;
  EXPECT_EQ(share(), 1);
  set_ill(0);
  now_ += 1h;
  set_ill(0, false);
  EXPECT_NEAR(share(), 0.1 / 3.1, 0.004) << "from failed checks, too";
  now_ += 30s;
  EXPECT_EQ(share(), 1);
}

TEST_F(BalancerTest, AFailureThatIsNoneInARowDoesNotMakeANewcomer) {
  balancing_.slow_start = 30s;
  balancing_.ejection = {.after = 3, .duration = 10s};
  for (std::size_t i = 1; i < 4; ++i) cluster_.ready[i]->open = 100;
  fail(0);
  health(0).count_success(balancing_.ejection, now_);
  EXPECT_EQ(shares(100)[0], 100);
}

TEST_F(BalancerTest, WhatIsChangedWhileAnEndpointIsOutHoldsAtOnce) {
  balancing_.ejection = {.after = 1, .duration = 100s};
  fail(0);
  now_ += 5s;
  balancing_.ejection.after = 0;
  EXPECT_GT(shares(100)[0], 0) << "never ejected: not now either";
  balancing_.ejection = {.after = 1, .duration = 10s};
  EXPECT_EQ(out_for(0), 5s) << "the shorter time";
  balancing_.ejection.duration = 1h;
  EXPECT_EQ(out_for(0), 95s) << "a longer one is for the next time";
  // Of the second ejection, twice the new time.
  now_ += 95s;
  balancing_.ejection.duration = 100s;
  fail(0);
  EXPECT_EQ(out_for(0), 200s);
  balancing_.ejection.duration = 10s;
  EXPECT_EQ(out_for(0), 20s);
}

TEST_F(BalancerTest, FailuresFromBeforeAnEjectionSayNothingNew) {
  balancing_.ejection = {.after = 1, .duration = 1s};
  const base::Instant begun = now_;
  now_ += 5s;
  fail(0);
  // Those that were under way time out one by one.
  now_ += 2s;
  EXPECT_FALSE(count_failed_connect(cluster_, health(0), balancing_.ejection, begun + 3s, now_));
  EXPECT_EQ(out_for(0), 0s);
  EXPECT_TRUE(fail(0));
}

TEST_F(BalancerTest, UnhealthyOnesAreUsedOnlyWhenAllAre) {
  set_ill(0);
  EXPECT_EQ(shares(100)[0], 0);
  for (const std::size_t other : {1, 2, 3}) set_ill(other);
  EXPECT_GT(shares(100)[0], 0);
}

TEST_F(BalancerTest, ChecksThatNearlyAllFailAreNotBelieved) {
  cluster_.health_check.emplace();
  for (const std::size_t ill : {0, 1, 2}) set_ill(ill);
  EXPECT_EQ(shares(1000)[3], 1000);
  add(1);
  set_ill(4);
  for (const int share : shares(1000)) EXPECT_NEAR(share, 200, 60);
}

TEST_F(BalancerTest, EjectionIsBelievedWhetherChecksAreOrNot) {
  add(4);
  cluster_.health_check.emplace();
  balancing_.ejection = {.after = 1, .duration = 1h};
  const auto sum = [this](std::size_t from, std::size_t to) {
    const auto chosen = shares(1000);
    int total = 0;
    for (std::size_t i = from; i < to; ++i) total += chosen[i];
    return total;
  };
  for (const std::size_t dead : {0, 1, 2, 3}) EXPECT_TRUE(fail(dead));
  for (const std::size_t ill : {4, 5, 6}) set_ill(ill);
  EXPECT_TRUE(checks_are_believed(cluster_)) << "five of eight pass them";
  EXPECT_EQ(sum(7, 8), 1000);
  tried_ = {cluster_.ready[7]};
  EXPECT_EQ(sum(4, 7), 1000) << "what can be connected to goes before what cannot";
  tried_.clear();
  for (const std::size_t ill : {0, 1, 2, 3, 7}) set_ill(ill);
  EXPECT_FALSE(checks_are_believed(cluster_));
  for (std::size_t i = 4; i < 8; ++i) cluster_.ready[i]->open = 5;
  EXPECT_EQ(sum(4, 8), 1000);
  tried_ = {cluster_.ready.begin() + 4, cluster_.ready.end()};
  EXPECT_NE(pick(), nullptr);
  tried_.clear();
  // Probation holds, too.
  now_ += 1h;
  std::vector<Pick> probes;
  for (int i = 0; i < 4; ++i) probes.push_back(pick_and_hold());
  EXPECT_EQ(sum(4, 8), 1000);
}

TEST_F(BalancerTest, ChecksThatAreNotBelievedSendNobodyToOtherZones) {
  cluster_.health_check.emplace();
  cluster_.local = {cluster_.ready[0], cluster_.ready[1]};
  cluster_.local_members = {cluster_.ready_members[0], cluster_.ready_members[1]};
  for (const std::size_t ill : {0, 1, 2, 3}) set_ill(ill);
  const auto chosen = shares(1000);
  EXPECT_EQ(chosen[0] + chosen[1], 1000);
}

TEST_F(BalancerTest, TheZonesOwnAreChosenWhileHalfOfThemAreThere) {
  cluster_.local = {cluster_.ready[0], cluster_.ready[1]};
  cluster_.local_members = {cluster_.ready_members[0], cluster_.ready_members[1]};
  cluster_.ready[0]->open = cluster_.ready[1]->open = 50;
  auto chosen = shares(1000);
  EXPECT_EQ(chosen[2] + chosen[3], 0);
  EXPECT_NEAR(chosen[0], 500, 60);
  set_ill(0);
  EXPECT_EQ(shares(1000)[1], 1000);
  cluster_.local.push_back(cluster_.ready[2]);
  cluster_.local_members.push_back(cluster_.ready_members[2]);
  set_ill(2);
  EXPECT_EQ(shares(1000)[3], 1000);
  set_ill(2, false);
  cluster_.local.pop_back();
  cluster_.local_members.pop_back();
  tried_ = {cluster_.ready[1]};
  chosen = shares(1000);
  EXPECT_EQ(chosen[2] + chosen[3], 1000);
}

TEST_F(BalancerTest, AKeyGoesToOneEndpointInEveryProcess) {
  hash();
  const auto here = places(1000);
  Cluster elsewhere;
  for (auto place = cluster_.ready.rbegin(); place != cluster_.ready.rend(); ++place) {
    elsewhere.ready.push_back(std::make_shared<Endpoint>((*place)->address));
    elsewhere.ready_members.push_back(member_of(**place));
  }
  elsewhere.state = cluster_.state;
  std::swap(cluster_, elsewhere);
  const auto there = places(1000);
  for (std::size_t i = 0; i < here.size(); ++i) ASSERT_EQ(here[i]->text, there[i]->text);
}

TEST_F(BalancerTest, AJoinAndALeaveMoveTheirShareOfKeys) {
  constexpr std::uint64_t kKeys = 100'000;
  hash();
  add(6);
  const auto before = places(kKeys);
  std::map<EndpointPtr, int> count;
  for (const auto& endpoint : before) ++count[endpoint];
  for (const auto& [endpoint, keys] : count) EXPECT_NEAR(keys, 10'000, 400) << endpoint->text;
  add(1);
  const auto joined = places(kKeys);
  std::uint64_t moved = 0;
  for (std::size_t i = 0; i < kKeys; ++i) {
    if (joined[i] == before[i]) continue;
    ++moved;
    ASSERT_EQ(joined[i], cluster_.ready.back()) << "only to the one that joined";
  }
  std::printf("a join (10 to 11): %.4f of keys moved, their share is %.4f\n",
              static_cast<double>(moved) / kKeys, 1.0 / 11);
  EXPECT_NEAR(static_cast<double>(moved) / kKeys, 1.0 / 11, 0.004);
  const EndpointPtr gone = cluster_.ready[3];
  cluster_.ready.erase(cluster_.ready.begin() + 3);
  cluster_.ready_members.erase(cluster_.ready_members.begin() + 3);
  const auto left = places(kKeys);
  moved = 0;
  for (std::size_t i = 0; i < kKeys; ++i) {
    if (left[i] == joined[i]) continue;
    ++moved;
    ASSERT_EQ(joined[i], gone) << "only from the one that left";
  }
  std::printf("a leave (11 to 10): %.4f of keys moved, their share is %.4f\n",
              static_cast<double>(moved) / kKeys, 1.0 / 11);
  EXPECT_NEAR(static_cast<double>(moved) / kKeys, 1.0 / 11, 0.004);
}

TEST_F(BalancerTest, ABoundIsRoundedUp) {
  EXPECT_EQ(load_bound(125, 0, 4), 1U);
  EXPECT_EQ(load_bound(125, 3, 4), 2U);
  EXPECT_EQ(load_bound(125, 15, 4), 5U);
  EXPECT_EQ(load_bound(1000, 0, 1), 10U);
}

TEST_F(BalancerTest, NoEndpointIsAboveItsBound) {
  hash(125);
  add(6);
  std::vector<EndpointLease> leases;
  std::uint32_t most = 0;
  // Half of all connections have one key.
  for (std::uint64_t i = 0; i < 1000; ++i) {
    leases.emplace_back(pick(i % 2 == 0 ? 42 : base::mix(i)));
    for (const auto& endpoint : cluster_.ready) {
      most = std::max(most, endpoint->open.load());
      ASSERT_LE(endpoint->open, load_bound(125, i, cluster_.ready.size()));
    }
  }
  std::printf("bounded loads: at most %u of 1000 on one of 10 (125 %% of the mean: 125)\n", most);
  EXPECT_EQ(most, 125U);
}

TEST_F(BalancerTest, AKeyWhoseEndpointIsOutGoesToOneOtherAndComesBack) {
  hash();
  const EndpointPtr home = pick(42);
  const auto place = std::size_t(std::ranges::find(cluster_.ready, home) - cluster_.ready.begin());
  set_ill(place);
  const EndpointPtr other = pick(42);
  EXPECT_NE(other, home);
  EXPECT_EQ(pick(42), other);
  set_ill(place, false);
  EXPECT_EQ(pick(42), home);
}

TEST_F(BalancerTest, WithoutAKeyItIsAsIfThereWereNoHash) {
  hash();
  cluster_.ready[0]->open = cluster_.ready[1]->open = cluster_.ready[3]->open = 3;
  EXPECT_EQ(pick(), cluster_.ready[2]);
}

}  // namespace
}  // namespace holdfast::proxy
