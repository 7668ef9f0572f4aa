#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "base/hex.h"
#include "base/log.h"
#include "base/utf8.h"

namespace holdfast::base {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_escaped(std::string& out, unsigned char byte) {
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
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 0xF];
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
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool ascii = byte < 0x80;
    if (ascii && byte >= 0x20 && byte != '"' && byte != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = ascii ? 0 : utf8_sequence_bytes(text.substr(i));
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
