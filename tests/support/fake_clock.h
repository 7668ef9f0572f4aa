#pragma once

#include "base/clock.h"

namespace holdfast::base {

/// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] WallTime wall_now() const override { return wall_now_; }

  void advance(Duration by) {
    now_ += by;
    wall_now_ += by;
  }
  /// People set clocks; nothing else passes.
  void set_wall(WallTime time) { wall_now_ = time; }

 private:
  Instant now_ = Instant(std::chrono::hours(1));
  WallTime wall_now_ = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
};

}  // namespace holdfast::base
