#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace holdfast::base {

/// Something may happen `per_second` times on average, and `at_once` times in a burst. Whoever
/// uses it brings the time. A value; one thread; never fails.
class TokenBucket {
 public:
  /// REQUIRES: per_second > 0, at_once >= 1.
  TokenBucket(double per_second, double at_once, Instant now)
      : per_second_(per_second), at_once_(at_once), tokens_(at_once), filled_at_(now) {}

  /// False: not before ready_at().
  bool take(Instant now) {
    fill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  [[nodiscard]] Instant ready_at() const {
    if (tokens_ >= 1) return filled_at_;
    const std::chrono::duration<double> wait((1 - tokens_) / per_second_);
    // Rounded up, so that it is never a moment too early.
    return filled_at_ + std::chrono::ceil<std::chrono::microseconds>(wait);
  }
  /// As if nothing had happened yet.
  [[nodiscard]] bool is_full(Instant now) const {
    const std::chrono::duration<double> passed = now - filled_at_;
    return tokens_ + passed.count() * per_second_ >= at_once_;
  }

 private:
  void fill(Instant now) {
    const std::chrono::duration<double> passed = now - filled_at_;
    if (passed.count() <= 0) return;
    tokens_ = std::min(at_once_, tokens_ + passed.count() * per_second_);
    filled_at_ = now;
  }

  double per_second_;
  double at_once_;
  double tokens_;
  Instant filled_at_;
};

}  // namespace holdfast::base
