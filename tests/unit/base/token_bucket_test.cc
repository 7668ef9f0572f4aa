#include "base/token_bucket.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace holdfast::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TokenBucketTest, ABurstAndThenTheRate) {
  FakeClock clock;
  TokenBucket bucket(2, 3, clock.now());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(clock.now())) << i;
  EXPECT_FALSE(bucket.take(clock.now()));
  EXPECT_EQ(bucket.ready_at(), clock.now() + milliseconds(500));
  clock.advance(milliseconds(499));
  EXPECT_FALSE(bucket.take(clock.now()));
  clock.advance(milliseconds(1));
  EXPECT_TRUE(bucket.take(clock.now()));
  EXPECT_FALSE(bucket.take(clock.now()));
}

TEST(TokenBucketTest, ItIsReadyWhenItSaysSo) {
  FakeClock clock;
  TokenBucket bucket(1.0 / 3, 1, clock.now());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(bucket.take(clock.now())) << i;
    clock.advance(bucket.ready_at() - clock.now());
  }
}

TEST(TokenBucketTest, RestIsNotSavedBeyondTheBurst) {
  FakeClock clock;
  TokenBucket bucket(10, 2, clock.now());
  EXPECT_TRUE(bucket.is_full(clock.now()));
  EXPECT_TRUE(bucket.take(clock.now()));
  EXPECT_FALSE(bucket.is_full(clock.now()));
  clock.advance(seconds(3600));
  EXPECT_TRUE(bucket.is_full(clock.now()));
  EXPECT_TRUE(bucket.take(clock.now()));
  EXPECT_TRUE(bucket.take(clock.now()));
  EXPECT_FALSE(bucket.take(clock.now()));
}

}  // namespace
}  // namespace holdfast::base
