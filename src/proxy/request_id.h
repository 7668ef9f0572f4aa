#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace holdfast::proxy {

/// A fast random source for ids and tie-breaking (xoshiro256++); not for secrets. One thread.
class Random {
 public:
  /// Seeds itself from the operating system.
  Random();
  /// The same numbers each time, for tests.
  explicit Random(std::uint64_t seed);
  std::uint64_t next();

 private:
  std::array<std::uint64_t, 4> state_;
};

/// 128 random bits that name a request in logs and as X-Request-ID.
struct RequestId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static RequestId make(Random& random) { return {random.next(), random.next()}; }
  /// 32 lower-case hex digits.
  [[nodiscard]] std::string to_string() const;
};

}  // namespace holdfast::proxy
