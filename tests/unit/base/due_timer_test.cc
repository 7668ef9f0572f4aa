#include "base/due_timer.h"

#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class DueTimerTest : public testing::Test {
 protected:
  static Instant in(Duration time) { return SystemClock().now() + time; }

  boost::asio::io_context context;
  int runs = 0;
  DueTimer timer{context, [this] { ++runs; }};
};

TEST_F(DueTimerTest, RunsOnceWhenItIsDue) {
  const Instant due = in(milliseconds(20));
  timer.set(due);
  timer.set(due);
  context.run();
  EXPECT_EQ(runs, 1);
  EXPECT_GE(SystemClock().now(), due);
}

TEST_F(DueTimerTest, ANearerTimeTakesThePlaceOfAFartherOne) {
  timer.set(in(hours(1)));
  timer.set(in(milliseconds(1)));
  context.run();
  EXPECT_EQ(runs, 1);
}

TEST_F(DueTimerTest, WhatIsCancelledDoesNotRun) {
  timer.set(in(milliseconds(1)));
  timer.cancel();
  context.run();
  EXPECT_EQ(runs, 0);
}

TEST_F(DueTimerTest, AnExpiryThatIsOnItsWayYieldsToANewTime) {
  // Both are over before the context looks.
  timer.set(in(-hours(1)));
  context.poll_one();
  runs = 0;
  timer.set(in(-milliseconds(2)));
  timer.set(in(-milliseconds(1)));
  context.restart();
  context.run();
  EXPECT_EQ(runs, 1);
}

TEST_F(DueTimerTest, ItCanBeSetFromWithin) {
  DueTimer* self = nullptr;
  DueTimer again(context, [&] {
    if (++runs < 3) self->set(in(Duration(0)));
  });
  self = &again;
  again.set(in(Duration(0)));
  context.run();
  EXPECT_EQ(runs, 3);
}

}  // namespace
}  // namespace holdfast::base
