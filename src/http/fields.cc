#include "http/fields.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "http/chars.h"
#include "http/limits.h"

namespace holdfast::http {
namespace {

/// A name with '_' for '-', and either case, against a lower-case one with '-'.
bool begins_like(std::string_view name, std::string_view trusted) {
  if (name.size() < trusted.size()) return false;
  for (std::size_t i = 0; i < trusted.size(); ++i) {
    const char c = name[i] == '_' ? '-' : to_lower(name[i]);
    if (c != trusted[i]) return false;
  }
  return true;
}

bool imitates_trusted_field(std::string_view name) {
  constexpr std::array<std::string_view, 2> kPrefixes = {"x-forwarded-", "sec-websocket-"};
  constexpr std::array<std::string_view, 4> kNames = {"x-real-ip", "x-request-id", "content-length",
                                                      "transfer-encoding"};
  for (const std::string_view prefix : kPrefixes) {
    if (begins_like(name, prefix)) return true;
  }
  for (const std::string_view trusted : kNames) {
    if (name.size() == trusted.size() && begins_like(name, trusted)) return true;
  }
  return false;
}

/// True when one of 8 bytes is below 0x20 or is 0x7f.
bool has_control(std::uint64_t bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = kOnes * 0x80;
  const std::uint64_t below_space = (bytes - kOnes * 0x20) & ~bytes;
  const std::uint64_t without_delete = bytes ^ (kOnes * 0x7f);
  const std::uint64_t is_delete = (without_delete - kOnes) & ~without_delete;
  return ((below_space | is_delete) & kHighs) != 0;
}

/// The first byte that a field value may not hold, or `end`.
const char* skip_value(const char* at, const char* end) {
  while (end - at >= 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, at, sizeof(bytes));
    if (has_control(bytes)) break;
    at += 8;
  }
  for (; at != end; ++at) {
    // A HTAB is rare enough to go on byte by byte behind it.
    if ((char_class(*at) & kValueChar) == 0) break;
  }
  return at;
}

void note_connection(std::string_view options, FieldFacts& facts) {
  while (!options.empty()) {
    const std::string_view option = take_element(options);
    ++facts.connection_options;
    if (equal_ignoring_case(option, "close")) facts.close = true;
    if (equal_ignoring_case(option, "keep-alive")) facts.keep_alive = true;
  }
}

void note_field(const Field& field, FieldFacts& facts) {
  switch (field.name.size()) {
    case 4:
      if (equal_ignoring_case(field.name, "host")) {
        ++facts.hosts;
        facts.host = field.value;
      }
      break;
    case 6:
      if (equal_ignoring_case(field.name, "expect")) {
        facts.expects_continue |= list_has_token(field.value, "100-continue");
      }
      break;
    case 10:
      if (equal_ignoring_case(field.name, "connection")) note_connection(field.value, facts);
      break;
    case 14:
      if (equal_ignoring_case(field.name, "content-length")) {
        ++facts.content_lengths;
        facts.content_length = field.value;
      }
      break;
    case 17:
      if (equal_ignoring_case(field.name, "transfer-encoding")) {
        ++facts.transfer_encodings;
        facts.transfer_encoding = field.value;
      }
      break;
    default:
      break;
  }
}

/// The first byte of a line is the name's, so whitespace before a name (a fold, or a line that
/// hides behind the start line) is a bad name.
const char* skip_name(const char* at, const char* end, std::uint8_t& classes) {
  for (; at != end; ++at) {
    const std::uint8_t here = char_class(*at);
    if ((here & kToken) == 0) break;
    classes |= here;
  }
  return at;
}

/// One whole field line. kDone leaves `at` behind its line end.
Progress parse_field(const char* line, const char* end, bool is_request, Field& field) {
  std::uint8_t classes = 0;
  const char* at = skip_name(line, end, classes);
  const char* name_end = at;
  if (at != end) {
    if (*at != ':' || at == line) return refuse(HeadError::kBadField);
    ++at;
    while (at != end && is_space(*at)) ++at;
  }
  const char* value = at;
  at = skip_value(at, end);
  if (distance(line, at) > kFieldBytesMost) return refuse(HeadError::kFieldTooLong);
  if (at == end) return need_more(line);
  if (*at != '\r') return refuse(HeadError::kBadField);
  if (at + 1 == end) return need_more(line);
  if (at[1] != '\n') return refuse(HeadError::kBadField);
  const char* value_end = at;
  while (value_end != value && is_space(value_end[-1])) --value_end;
  field.name = {line, distance(line, name_end)};
  field.value = {value, distance(value, value_end)};
  if (is_request && (classes & kUnderscore) != 0 && imitates_trusted_field(field.name)) {
    return refuse(HeadError::kUnderscoreField);
  }
  return {ParseState::kDone, HeadError::kNone, at + 2};
}

}  // namespace

Progress parse_fields(const char* begin, const char* end, bool is_request, Head& head,
                      FieldFacts& facts) {
  const char* line = begin;
  while (line != end) {
    if (*line == '\r') {
      if (line + 1 == end) return need_more(line);
      if (line[1] != '\n') return refuse(HeadError::kBadField);
      return {ParseState::kDone, HeadError::kNone, line + 2};
    }
    if (head.fields.size() == kFieldCountMost) return refuse(HeadError::kTooManyFields);
    Field field;
    const Progress progress = parse_field(line, end, is_request, field);
    if (progress.state == ParseState::kError) return progress;
    const char* reached = progress.state == ParseState::kDone ? progress.at : end;
    if (distance(begin, reached) > kFieldsBytesMost) return refuse(HeadError::kHeadTooLong);
    if (progress.state == ParseState::kNeedMore) return progress;
    head.fields.push_back(field);
    note_field(field, facts);
    if (facts.connection_options > kConnectionOptionsMost) return refuse(HeadError::kTooManyFields);
    line = progress.at;
  }
  return need_more(line);
}

}  // namespace holdfast::http
