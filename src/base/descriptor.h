#pragma once

#include <unistd.h>

namespace holdfast::base {

/// Owns a file descriptor for a scope; a negative value is none. One thread. Never fails.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  const int value_;
};

}  // namespace holdfast::base
