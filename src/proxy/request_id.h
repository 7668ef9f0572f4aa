#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::proxy {

/// A fast random source for ids and tie-breaking (xoshiro256++); not for secrets. One thread.
class Random {
 public:
  /// Seeds itself from the operating system.
  Random();
  /// The same numbers each time, for tests.
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  /// In [0, 1), evenly.
  double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::array<std::uint64_t, 4> state_;
};

/// What names a request in logs and as X-Request-ID: 128 random bits, or what a trusted proxy calls
/// it.
class RequestId {
 public:
  RequestId() = default;
  static RequestId make(Random& random);

  /// What to_string() is from now on.
  void set_given(std::string_view text) { given_ = std::make_unique<const std::string>(text); }
  /// 32 lower-case hex digits, or what was given.
  [[nodiscard]] std::string to_string() const { return given_ == nullptr ? hex() : *given_; }
  /// The random bits: 32 lower-case hex digits.
  [[nodiscard]] std::string hex() const;

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
  std::unique_ptr<const std::string> given_;
};

}  // namespace holdfast::proxy
