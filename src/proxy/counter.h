#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace holdfast::proxy {

/// A number that one worker writes and the scraping thread reads: plain machine instructions, no
/// lock and no read-modify-write. REQUIRES: add() and subtract() on one thread only.
class Counter {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Counts as one in a gauge for as long as it exists. The gauge outlives it.
class CountedOne {
 public:
  CountedOne() = default;
  explicit CountedOne(Counter& gauge) : gauge_(&gauge) { gauge.add(); }
  CountedOne(CountedOne&& other) noexcept : gauge_(std::exchange(other.gauge_, nullptr)) {}
  CountedOne& operator=(CountedOne&& other) noexcept {
    std::swap(gauge_, other.gauge_);
    return *this;
  }
  ~CountedOne() {
    if (gauge_ != nullptr) gauge_->subtract();
  }
  explicit operator bool() const { return gauge_ != nullptr; }

 private:
  Counter* gauge_ = nullptr;
};

}  // namespace holdfast::proxy
