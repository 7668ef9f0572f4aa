// Goal: a timer fires once, never early, at most one tick late (two beyond the wheel's horizon),
// and can be moved, cleared and destroyed at any time. Method: a wheel advanced by hand.

#include "proxy/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace holdfast::proxy {
namespace {

using base::Instant;

class TestTimer final : public Timer {
 public:
  std::function<void()> action = [] {};
  int fired = 0;

 private:
  void on_deadline() override {
    ++fired;
    action();
  }
};

const Instant kBegun = Instant(std::chrono::hours(5));

TEST(TimerWheel, FiresOnceNotEarlyAndAtMostATickLate) {
  TimerWheel wheel(kBegun);
  TestTimer timer;
  wheel.set(timer, kBegun + 105ms);
  wheel.advance(kBegun + 104ms);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kBegun + 105ms + kTimerTick);
  EXPECT_EQ(timer.fired, 1);
  wheel.advance(kBegun + 10s);
  EXPECT_EQ(timer.fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerWheel, MovedLaterItWaits) {
  TimerWheel wheel(kBegun);
  TestTimer timer;
  wheel.set(timer, kBegun + 100ms);
  wheel.set(timer, kBegun + 500ms);
  wheel.advance(kBegun + 499ms);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kBegun + 500ms + kTimerTick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, MovedEarlierItHurries) {
  TimerWheel wheel(kBegun);
  TestTimer timer;
  wheel.set(timer, kBegun + 1h);
  wheel.set(timer, kBegun + 100ms);
  wheel.advance(kBegun + 100ms + kTimerTick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, BeyondTheHorizonItIsPutOffUntilDue) {
  TimerWheel wheel(kBegun);
  TestTimer timer;
  wheel.set(timer, kBegun + 1h);
  for (auto at = kBegun; at < kBegun + 1h; at += 7s) {
    wheel.advance(at);
    ASSERT_EQ(timer.fired, 0);
  }
  wheel.advance(kBegun + 1h + 2 * kTimerTick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, ALongPauseOfTheProcessLosesNothing) {
  TimerWheel wheel(kBegun);
  TestTimer near;
  TestTimer far;
  wheel.set(near, kBegun + 1s);
  wheel.set(far, kBegun + 30s);
  wheel.advance(kBegun + 10min);
  EXPECT_EQ(near.fired, 1);
  EXPECT_EQ(far.fired, 1);
}

TEST(TimerWheel, ATimerMayDestroyAnotherThatIsDueWithIt) {
  TimerWheel wheel(kBegun);
  TestTimer first;
  auto second = std::make_unique<TestTimer>();
  first.action = [&] { second.reset(); };
  wheel.set(first, kBegun + 100ms);
  wheel.set(*second, kBegun + 100ms);
  wheel.advance(kBegun + 1s);
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(second, nullptr);
}

TEST(TimerWheel, NextIsNeverLaterThanTheEarliestTimer) {
  TimerWheel wheel(kBegun);
  EXPECT_FALSE(wheel.next().has_value());
  std::mt19937 random(7);
  std::vector<std::unique_ptr<TestTimer>> timers;
  Instant earliest = Instant::max();
  for (int i = 0; i < 200; ++i) {
    const Instant when = kBegun + std::chrono::milliseconds(1 + random() % 60000);
    earliest = std::min(earliest, when);
    timers.push_back(std::make_unique<TestTimer>());
    wheel.set(*timers.back(), when);
    ASSERT_TRUE(wheel.next().has_value());
    EXPECT_LE(*wheel.next(), earliest + kTimerTick);
  }
  Instant now = kBegun;
  while (const auto next = wheel.next()) {
    ASSERT_GT(*next, now);
    now = *next;
    wheel.advance(now);
  }
  for (const auto& timer : timers) EXPECT_EQ(timer->fired, 1);
}

}  // namespace
}  // namespace holdfast::proxy
