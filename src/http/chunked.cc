#include "http/chunked.h"

#include <algorithm>
#include <limits>

#include "base/hex.h"
#include "http/chars.h"
#include "http/limits.h"

namespace holdfast::http {
namespace {

/// 0 to 15, or -1.
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::next(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (phase_ == Phase::kData) {
      const std::size_t take =
          static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size() - at));
      remaining_ -= take;
      if (remaining_ == 0) phase_ = Phase::kDataCr;
      return {State::kMore, at + take, bytes.substr(at, take)};
    }
    phase_ = follow(bytes[at]);
    ++at;
    if (phase_ == Phase::kDone) return {State::kDone, at, {}};
    if (phase_ == Phase::kError) return {State::kError, at, {}};
  }
  return {State::kMore, at, {}};
}

ChunkDecoder::Phase ChunkDecoder::follow(char c) {
  switch (phase_) {
    case Phase::kSize:
    case Phase::kExtensionSpace:
    case Phase::kExtension:
      return ++line_bytes_ > kChunkLineBytesMost ? Phase::kError : follow_size_line(c);
    case Phase::kSizeLf:
      return c == '\n' ? end_of_size_line() : Phase::kError;
    case Phase::kDataCr:
      return c == '\r' ? Phase::kDataLf : Phase::kError;
    case Phase::kDataLf:
      return c == '\n' ? Phase::kSize : Phase::kError;
    case Phase::kEndLf:
      return c == '\n' ? Phase::kDone : Phase::kError;
    case Phase::kTrailerStart:
      if (c == '\r') return Phase::kEndLf;
      [[fallthrough]];
    case Phase::kTrailerName:
    case Phase::kTrailer:
    case Phase::kTrailerLf:
      return ++trailer_bytes_ > kTrailerBytesMost ? Phase::kError : follow_trailer(c);
    case Phase::kData:
    case Phase::kDone:
    case Phase::kError:
      break;
  }
  return Phase::kError;
}

/// chunk-size [ chunk-ext ] CRLF. Without CR and LF nothing in an extension can hide the line's
/// end, so its inner grammar does not matter.
ChunkDecoder::Phase ChunkDecoder::follow_size_line(char c) {
  if (phase_ == Phase::kSize) {
    const int digit = hex_value(c);
    if (digit >= 0) {
      if (remaining_ > std::numeric_limits<std::uint64_t>::max() >> 4) return Phase::kError;
      remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
      has_digit_ = true;
      return Phase::kSize;
    }
    if (!has_digit_) return Phase::kError;
    if (c == '\r') return Phase::kSizeLf;
  }
  if (phase_ != Phase::kExtension) {
    if (c == ';') return Phase::kExtension;
    // RFC 9112 section 7.1.1: BWS, which only a ';' may follow.
    return is_space(c) ? Phase::kExtensionSpace : Phase::kError;
  }
  if (c == '\r') return Phase::kSizeLf;
  return (char_class(c) & kValueChar) != 0 ? Phase::kExtension : Phase::kError;
}

ChunkDecoder::Phase ChunkDecoder::end_of_size_line() {
  line_bytes_ = 0;
  has_digit_ = false;
  return remaining_ == 0 ? Phase::kTrailerStart : Phase::kData;
}

ChunkDecoder::Phase ChunkDecoder::follow_trailer(char c) {
  switch (phase_) {
    case Phase::kTrailerStart:
      return (char_class(c) & kToken) != 0 ? Phase::kTrailerName : Phase::kError;
    case Phase::kTrailerName:
      if (c == ':') return Phase::kTrailer;
      return (char_class(c) & kToken) != 0 ? Phase::kTrailerName : Phase::kError;
    case Phase::kTrailer:
      if (c == '\r') return Phase::kTrailerLf;
      return (char_class(c) & kValueChar) != 0 ? Phase::kTrailer : Phase::kError;
    default:
      return c == '\n' ? Phase::kTrailerStart : Phase::kError;
  }
}

std::size_t write_chunk_header(std::uint64_t size, char* out) {
  std::size_t digits = 1;
  while (digits < 16 && size >> (4 * digits) != 0) ++digits;
  for (std::size_t i = digits; i-- > 0; size >>= 4) out[i] = base::kHexDigits[size & 15];
  out[digits] = '\r';
  out[digits + 1] = '\n';
  return digits + 2;
}

}  // namespace holdfast::http
