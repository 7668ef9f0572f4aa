#include "base/backoff.h"

#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesWithJitterUpToTheMost) {
  Backoff backoff(milliseconds(100), milliseconds(1000), 1);
  for (const int delay : {100, 200, 400, 800, 1000, 1000}) {
    const Duration wait = backoff.next();
    EXPECT_GE(wait, milliseconds(delay) / 2);
    EXPECT_LE(wait, milliseconds(delay));
  }
}

TEST(Backoff, StartsOverAfterAReset) {
  Backoff backoff(milliseconds(100), milliseconds(1000), 1);
  for (int i = 0; i < 5; ++i) backoff.next();
  backoff.reset();
  EXPECT_LE(backoff.next(), milliseconds(100));
}

TEST(Backoff, DiffersBySeed) {
  Backoff one(milliseconds(100), milliseconds(1000), 1);
  Backoff two(milliseconds(100), milliseconds(1000), 2);
  EXPECT_NE(one.next(), two.next());
}

}  // namespace
}  // namespace holdfast::base
