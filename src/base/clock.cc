#include "base/clock.h"

namespace holdfast::base {

Instant SystemClock::now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wall_now() const { return std::chrono::system_clock::now(); }

}  // namespace holdfast::base
