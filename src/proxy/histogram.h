#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "base/clock.h"
#include "base/metric.h"
#include "proxy/counter.h"

namespace holdfast::proxy {

/// Durations in fixed buckets, written by one worker and read by the scraping thread.
/// `Bounds` is a constexpr array of upper bounds in seconds, ascending.
template <const auto& Bounds>
class Histogram {
 public:
  void observe(base::Duration duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t bucket = 0;
    while (bucket < Bounds.size() && seconds > Bounds[bucket]) ++bucket;
    buckets_[bucket].add();
    sum_microseconds_.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count()));
  }

  /// Adds what this histogram holds to a sample that has the same bounds (or none yet).
  void add_to(base::MetricSample& sample) const {
    if (sample.buckets.empty()) {
      for (const double bound : Bounds) sample.buckets.emplace_back(bound, 0);
    }
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < Bounds.size(); ++i) {
      cumulative += buckets_[i].value();
      sample.buckets[i].second += cumulative;
    }
    sample.count += cumulative + buckets_[Bounds.size()].value();
    sample.sum += static_cast<double>(sum_microseconds_.value()) / 1e6;
  }

 private:
  std::array<Counter, Bounds.size() + 1> buckets_;
  Counter sum_microseconds_;
};

/// Seconds from a handshake's first byte to its 101.
inline constexpr std::array<double, 11> kHandshakeBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                            0.1,   0.25,   1,     2.5,  10};
/// Seconds that a WebSocket was open, to a week.
inline constexpr std::array<double, 11> kLifetimeBounds = {1,     10,    60,    300,    900,   3600,
                                                           14400, 43200, 86400, 259200, 604800};

}  // namespace holdfast::proxy
