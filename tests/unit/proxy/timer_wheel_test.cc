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

const Instant kStart = Instant(std::chrono::hours(5));

TEST(TimerWheel, FiresOnceNotEarlyAndAtMostATickLate) {
  TimerWheel wheel(kStart);
  TestTimer timer;
  wheel.set(timer, kStart + 105ms);
  wheel.advance(kStart + 104ms);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + 105ms + kTimerTick);
  EXPECT_EQ(timer.fired, 1);
  wheel.advance(kStart + 10s);
  EXPECT_EQ(timer.fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerWheel, MovedLaterItWaits) {
  TimerWheel wheel(kStart);
  TestTimer timer;
  wheel.set(timer, kStart + 100ms);
  wheel.set(timer, kStart + 500ms);
  wheel.advance(kStart + 499ms);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + 500ms + kTimerTick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, MovedEarlierItHurries) {
  TimerWheel wheel(kStart);
  TestTimer timer;
  wheel.set(timer, kStart + 1h);
  wheel.set(timer, kStart + 100ms);
  wheel.advance(kStart + 100ms + kTimerTick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, BeyondTheHorizonItIsPutOffUntilDue) {
  TimerWheel wheel(kStart);
  TestTimer timer;
  wheel.set(timer, kStart + 1h);
  for (auto at = kStart; at < kStart + 1h; at += 7s) {
    wheel.advance(at);
    ASSERT_EQ(timer.fired, 0);
  }
  wheel.advance(kStart + 1h + 2 * kTimerTick);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, ALongPauseOfTheProcessLosesNothing) {
  TimerWheel wheel(kStart);
  TestTimer near;
  TestTimer far;
  wheel.set(near, kStart + 1s);
  wheel.set(far, kStart + 30s);
  wheel.advance(kStart + 10min);
  EXPECT_EQ(near.fired, 1);
  EXPECT_EQ(far.fired, 1);
}

TEST(TimerWheel, ATimerMayDestroyAnotherThatIsDueWithIt) {
  TimerWheel wheel(kStart);
  TestTimer first;
  auto second = std::make_unique<TestTimer>();
  first.action = [&] { second.reset(); };
  wheel.set(first, kStart + 100ms);
  wheel.set(*second, kStart + 100ms);
  wheel.advance(kStart + 1s);
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(second, nullptr);
}

TEST(TimerWheel, NextIsNeverLaterThanTheEarliestTimer) {
  TimerWheel wheel(kStart);
  EXPECT_FALSE(wheel.next().has_value());
  std::mt19937 random(7);
  std::vector<std::unique_ptr<TestTimer>> timers;
  Instant earliest = Instant::max();
  for (int i = 0; i < 200; ++i) {
    const Instant when = kStart + std::chrono::milliseconds(1 + random() % 60000);
    earliest = std::min(earliest, when);
    timers.push_back(std::make_unique<TestTimer>());
    wheel.set(*timers.back(), when);
    ASSERT_TRUE(wheel.next().has_value());
    EXPECT_LE(*wheel.next(), earliest + kTimerTick);
  }
  Instant now = kStart;
  while (const auto next = wheel.next()) {
    ASSERT_GT(*next, now);
    now = *next;
    wheel.advance(now);
  }
  for (const auto& timer : timers) EXPECT_EQ(timer->fired, 1);
}

}  // namespace
}  // namespace holdfast::proxy
