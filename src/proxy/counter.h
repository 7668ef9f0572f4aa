#pragma once

#include <atomic>
#include <cstdint>

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

}  // namespace holdfast::proxy
