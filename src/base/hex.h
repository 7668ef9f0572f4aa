#pragma once

// Numbers in hexadecimal.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::base {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Appends the lowest `digits` hex digits of `number`, in lower case, leading zeros included.
inline void append_hex(std::string& text, std::uint64_t number, std::size_t digits) {
  while (digits-- > 0) text += kHexDigits[(number >> (4 * digits)) & 15];
}

}  // namespace holdfast::base
