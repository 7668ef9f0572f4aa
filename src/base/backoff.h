#pragma once

#include <cstdint>
#include <random>

#include "base/clock.h"

namespace holdfast::base {

/// Jittered exponential backoff: each wait is drawn evenly from [delay / 2, delay], delay doubles
/// from `first` up to `most`, and reset() starts over. One thread. Never fails.
class Backoff {
 public:
  Backoff(Duration first, Duration most, std::uint64_t seed)
      : first_(first), most_(most), delay_(first), random_(seed) {}

  /// How long to wait before the next try.
  Duration next();
  /// REQUIRES: called only after the thing retried has been healthy for a while, so that something
  /// that succeeds and breaks at once is still slowed down.
  void reset() { delay_ = first_; }

 private:
  const Duration first_;
  const Duration most_;
  Duration delay_;
  std::mt19937_64 random_;
};

}  // namespace holdfast::base
