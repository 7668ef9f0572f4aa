#pragma once

// Which fields of a message stay behind when it is forwarded (RFC 9110 section 7.6.1). Pure; one
// thread per object; the head must outlive it.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/head.h"
#include "http/limits.h"

namespace holdfast::http {

/// Names that CGI and its like take for the same: case, and '-' and '_', make no difference.
bool equal_as_variable(std::string_view a, std::string_view b);

class ForwardFilter {
 public:
  /// `replaced`: fields that will be written afresh; incoming ones of these names, with '-' and '_'
  /// alike, are dropped.
  ForwardFilter(const Head& head, std::span<const Field> replaced);

  [[nodiscard]] bool drops(std::string_view name) const;

 private:
  void nominate(std::string_view option);

  std::span<const Field> replaced_;
  std::array<std::string_view, kConnectionOptionsMost> nominated_;
  std::size_t nominated_count_ = 0;
  /// Bit n: some name with size n modulo 64 is replaced or nominated.
  std::uint64_t sizes_ = 0;
};

}  // namespace holdfast::http
