// Goal: whatever threads ask, one probe at a time goes to an endpoint on probation, and of those
// that would eject it together one does; one cluster's findings are not another's. Method: threads
// that race.

#include "proxy/endpoint_health.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

#include "proxy/limits.h"

namespace holdfast::proxy {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 20'000;
constexpr int kTurnsAwake = 10'000;

/// Of those that the process may use the `index`-th; where there are fewer, it stays free to move.
void stay_on_core(int index) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || index-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    return;
  }
}

class EndpointHealthTest : public testing::Test {
 protected:
  void put_on_probation() {
    EXPECT_TRUE(health_.count_failure(policy_, now_, now_));
    EXPECT_TRUE(health_.eject(policy_, now_));
    now_ += policy_.duration;
  }
  template <class Function>
  static void race(Function function) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(function);
    for (std::thread& thread : threads) thread.join();
  }

  base::Instant now_ = base::Instant(std::chrono::hours(1));
  const EjectionPolicy policy_{.after = 1, .duration = 10s};
  std::shared_ptr<ClusterState> cluster_ = std::make_shared<ClusterState>();
  EndpointHealth health_{cluster_};
};

TEST_F(EndpointHealthTest, OneProbeAtATimeWhateverThreadsAsk) {
  put_on_probation();
  std::atomic<int> held{0};
  std::atomic<int> most{0};
  std::atomic<int> probes{0};
  race([&] {
    for (int i = 0; i < kRounds; ++i) {
      Probe probe;
      if (!health_.may_connect(policy_, now_, probe)) continue;
      const int now = held.fetch_add(1) + 1;
      if (now > most) most = now;
      ++probes;
      held.fetch_sub(1);
    }
  });
  EXPECT_EQ(most, 1);
  EXPECT_GT(probes, 0);
}

TEST_F(EndpointHealthTest, OfThreadsThatEjectTogetherOneDoes) {
  // To a route with a longer time it stays out, so that no ejection moves the end.
  const EjectionPolicy longer{.after = 1, .duration = 2h * kRounds};
  ASSERT_TRUE(health_.count_failure(longer, now_, now_));
  ASSERT_TRUE(health_.eject(longer, now_));
  std::atomic<int> arrived{0};
  std::atomic<int> ejections{0};
  const auto eject_each_round = [&](int thread) {
    for (int round = 1; round <= kRounds; ++round) {
      ++arrived;
      // Awake, so that they start within nanoseconds of each other; unless there is one core only.
      for (int turns = 0; arrived < 2 * round; ++turns) {
        if (turns > kTurnsAwake) std::this_thread::yield();
      }
      const base::Instant now = now_ + 1h * round + std::chrono::nanoseconds(thread);
      if (health_.eject(policy_, now)) ++ejections;
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      stay_on_core(i);
      eject_each_round(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ejections, kRounds);
}

TEST_F(EndpointHealthTest, NoProbeBeginsOnWhatHasJustBeenEjected) {
  EXPECT_TRUE(health_.count_failure(policy_, now_, now_));
  EXPECT_TRUE(health_.eject(policy_, now_));
  Probe probe;
  EXPECT_FALSE(health_.may_connect(policy_, now_, probe));
  now_ += policy_.duration;
  EXPECT_TRUE(health_.may_connect(policy_, now_, probe)) << "the right to it was given back";
}

TEST_F(EndpointHealthTest, WithoutProbationAnyNumberConnects) {
  Probe first;
  Probe second;
  EXPECT_TRUE(health_.may_connect(policy_, now_, first));
  EXPECT_TRUE(health_.may_connect(policy_, now_, second));
  EXPECT_FALSE(health_.is_out(policy_, now_));
}

TEST_F(EndpointHealthTest, AProbeThatIsMovedIsStillOne) {
  put_on_probation();
  Probe probe;
  ASSERT_TRUE(health_.may_connect(policy_, now_, probe));
  {
    Probe moved = std::move(probe);
    EXPECT_TRUE(health_.is_out(policy_, now_));
    probe = std::move(moved);
  }
  EXPECT_TRUE(health_.is_out(policy_, now_));
  probe = {};
  EXPECT_FALSE(health_.is_out(policy_, now_));
}

TEST_F(EndpointHealthTest, OtherRoutesGoByTheirOwnCount) {
  put_on_probation();
  Probe probe;
  ASSERT_TRUE(health_.may_connect(policy_, now_, probe));
  EXPECT_FALSE(health_.is_out({.after = 2, .duration = 10s}, now_));
  EXPECT_FALSE(health_.is_out({}, now_));
}

TEST_F(EndpointHealthTest, ARouteWithAShorterTimeFreesItForNoOther) {
  const EjectionPolicy longer{.after = 1, .duration = 1h};
  ASSERT_TRUE(health_.count_failure(longer, now_, now_));
  ASSERT_TRUE(health_.eject(longer, now_));
  now_ += 10s;
  EXPECT_FALSE(health_.is_ejected(policy_, now_));
  ASSERT_TRUE(health_.count_failure(policy_, now_, now_));
  ASSERT_TRUE(health_.eject(policy_, now_));
  now_ += 20s;
  EXPECT_FALSE(health_.is_ejected(policy_, now_));
  EXPECT_TRUE(health_.is_ejected(longer, now_));
  now_ += 1h;
  EXPECT_FALSE(health_.is_ejected(longer, now_));
}

TEST_F(EndpointHealthTest, AnotherClusterKnowsNothingOfIt) {
  put_on_probation();
  health_.set_fails_checks(true, now_);
  EndpointHealth other(std::make_shared<ClusterState>());
  EXPECT_FALSE(other.fails_checks());
  EXPECT_FALSE(other.is_on_probation(policy_));
}

TEST_F(EndpointHealthTest, AReturnIsNotedWhereTheClusterLooks) {
  EXPECT_EQ(cluster_->returned_at(), base::Instant::min());
  health_.set_fails_checks(false, now_);
  EXPECT_EQ(cluster_->returned_at(), base::Instant::min()) << "it was not out";
  health_.set_fails_checks(true, now_);
  now_ += 1s;
  health_.set_fails_checks(false, now_);
  EXPECT_EQ(cluster_->returned_at(), now_);
  put_on_probation();
  EXPECT_LT(health_.returned_at(), now_);
  health_.count_success(policy_, now_);
  EXPECT_EQ(health_.returned_at(), now_);
  EXPECT_EQ(cluster_->returned_at(), now_);
}

}  // namespace
}  // namespace holdfast::proxy
