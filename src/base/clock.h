#pragma once

// Time. Nothing outside this room reads a clock, so that tests run on base::FakeClock
// (tests/support/fake_clock.h) and never sleep.

#include <chrono>

namespace holdfast::base {

using Duration = std::chrono::nanoseconds;
/// A point on the monotonic clock.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// A point on the wall clock, for people and for certificates; never for measuring.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// Where the time comes from. Any thread. Owned by main; outlives every room.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall_now() const override;
};

}  // namespace holdfast::base
