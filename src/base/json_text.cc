#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "base/log.h"

namespace holdfast::base {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

unsigned char byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

/// The length of the well-formed UTF-8 sequence at `i`, or 0 (Unicode 15, table 3-7: no overlong
/// forms, no surrogates, nothing above U+10FFFF). REQUIRES: the byte at `i` is at least 0x80.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const unsigned char lead = byte_at(text, i);
  const unsigned char second = byte_at(text, i + 1);
  if (lead >= 0xC2 && lead <= 0xDF) return is_continuation(second) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : 0xBF;
    if (second < low || second > high) return 0;
    return is_continuation(byte_at(text, i + 2)) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
    if (second < low || second > high) return 0;
    return is_continuation(byte_at(text, i + 2)) && is_continuation(byte_at(text, i + 3)) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, unsigned char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
  }
}

template <typename Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

void append_value(std::string& out, std::string_view value) { append_json_string(out, value); }
void append_value(std::string& out, std::int64_t value) { append_number(out, value); }
void append_value(std::string& out, std::uint64_t value) { append_number(out, value); }
void append_value(std::string& out, bool value) { out += value ? "true" : "false"; }
void append_value(std::string& out, double value) {
  // JSON has no infinities.
  if (std::isfinite(value)) {
    append_number(out, value);
  } else {
    out += "null";
  }
}

void append_padded(std::string& out, unsigned value, int width) {
  std::array<char, 10> digits;
  for (int i = width - 1; i >= 0; --i, value /= 10) {
    digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  }
  out.append(digits.data(), static_cast<std::size_t>(width));
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // where the bytes that need no change began
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned char byte = byte_at(text, i);
    const bool ascii = byte < 0x80;
    if (ascii && byte >= 0x20 && byte != '"' && byte != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = ascii ? 0 : sequence_length(text, i);
    if (length != 0) {
      i += length;
      continue;
    }
    out.append(text, plain, i - plain);
    if (ascii) {
      append_escaped(out, byte);
    } else {
      out += kReplacement;
    }
    plain = ++i;
  }
  out.append(text, plain, i - plain);
  out += '"';
}

void append_json_fields(std::string& out, std::initializer_list<LogField> fields) {
  for (const LogField& field : fields) {
    out += ',';
    append_json_string(out, field.key);
    out += ':';
    std::visit([&out](const auto& value) { append_value(out, value); }, field.value);
  }
}

void append_timestamp(std::string& out, WallTime time) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto millis = floor<std::chrono::milliseconds>(time - day);
  const std::chrono::hh_mm_ss<std::chrono::milliseconds> clock(millis);
  append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, static_cast<unsigned>(clock.hours().count()), 2);
  out += ':';
  append_padded(out, static_cast<unsigned>(clock.minutes().count()), 2);
  out += ':';
  append_padded(out, static_cast<unsigned>(clock.seconds().count()), 2);
  out += '.';
  append_padded(out, static_cast<unsigned>(clock.subseconds().count()), 3);
  out += 'Z';
}

}  // namespace holdfast::base
