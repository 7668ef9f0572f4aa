#pragma once

// Hashes that are the same on every machine and in every release, unlike std::hash. They guard
// against nobody.

#include <cstdint>
#include <string_view>

namespace holdfast::base {

/// FNV-1a, 64 bits. Tells contents apart; its low bits are not evenly spread.
constexpr std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3;
  }
  return hash;
}

/// Spreads a number evenly over 64 bits, each to another one (MurmurHash3's finalizer).
constexpr std::uint64_t mix(std::uint64_t number) {
  number ^= number >> 33;
  number *= 0xff51afd7ed558ccd;
  number ^= number >> 33;
  number *= 0xc4ceb9fe1a85ec53;
  number ^= number >> 33;
  return number;
}

}  // namespace holdfast::base
