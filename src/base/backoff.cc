#include "base/backoff.h"

#include <algorithm>

namespace holdfast::base {

Duration Backoff::next() {
  std::uniform_int_distribution<std::int64_t> jitter(delay_.count() / 2, delay_.count());
  const Duration wait(jitter(random_));
  delay_ = std::min(delay_ * 2, most_);
  return wait;
}

}  // namespace holdfast::base
