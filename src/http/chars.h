#pragma once

// Character classes of RFC 9110 and RFC 9112 as one lookup table. Compile-time data; any thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ascii.h"

namespace holdfast::http {

/// Bits of kCharClass.
inline constexpr std::uint8_t kToken = 1;
/// '_', which is a token character too.
inline constexpr std::uint8_t kUnderscore = 2;
/// Visible ASCII without '#': what a request target may hold (RFC 9112 section 3.2).
inline constexpr std::uint8_t kTargetChar = 4;
/// HTAB, SP, VCHAR, obs-text: what a field value may hold (RFC 9110 section 5.5).
inline constexpr std::uint8_t kValueChar = 8;
/// RFC 3986 unreserved: what we take in a host name.
inline constexpr std::uint8_t kHostChar = 16;

namespace internal {

consteval bool is_alphanumeric(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

consteval std::array<std::uint8_t, 256> make_char_class() {
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  constexpr std::string_view kHostMarks = "-._~";
  std::array<std::uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const char character = static_cast<char>(c);
    const bool plain = is_alphanumeric(c);
    unsigned bits = 0;
    if (plain || kTokenMarks.find(character) != std::string_view::npos) bits |= kToken;
    if (plain || kHostMarks.find(character) != std::string_view::npos) bits |= kHostChar;
    if (c == '_') bits |= kUnderscore;
    if (c > ' ' && c < 0x7f && c != '#') bits |= kTargetChar;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) bits |= kValueChar;
    table[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(bits);
  }
  table[0] = 0;
  return table;
}

consteval std::array<char, 256> make_lower() {
  std::array<char, 256> table{};
  for (int c = 0; c < 256; ++c) {
    table[static_cast<std::size_t>(c)] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return table;
}

}  // namespace internal

inline constexpr std::array<std::uint8_t, 256> kCharClass = internal::make_char_class();
inline constexpr std::array<char, 256> kLower = internal::make_lower();

inline std::uint8_t char_class(char c) { return kCharClass[static_cast<unsigned char>(c)]; }
inline char to_lower(char c) { return kLower[static_cast<unsigned char>(c)]; }
using base::is_digit;
/// SP or HTAB, the only whitespace that HTTP knows (RFC 9110 section 5.6.3).
inline bool is_space(char c) { return c == ' ' || c == '\t'; }

/// Bytes from one place of a text to a later one.
inline std::size_t distance(const char* from, const char* to) {
  return static_cast<std::size_t>(to - from);
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes the next element off the front of a comma-separated list; it may be empty. REQUIRES: the
/// list is not empty.
inline std::string_view take_element(std::string_view& list) {
  const std::size_t comma = list.find(',');
  const std::string_view element = trim(list.substr(0, comma));
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  return element;
}

}  // namespace holdfast::http
