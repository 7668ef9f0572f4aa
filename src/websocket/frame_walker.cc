#include "websocket/frame_walker.h"

#include <algorithm>

namespace holdfast::websocket {
namespace {

constexpr std::uint8_t kFinBit = 0x80;
constexpr std::uint8_t kControlBit = 0x08;
constexpr std::uint8_t kOpcodeBits = 0x0f;
constexpr std::uint8_t kMaskBit = 0x80;
constexpr std::uint8_t kLengthBits = 0x7f;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kCloseOpcode = 0x08;
constexpr std::uint16_t kNoStatusReceived = 1005;

bool is_close(std::uint8_t first_byte) { return (first_byte & kOpcodeBits) == kCloseOpcode; }

/// Bytes of the header whose second byte this is.
std::size_t header_size(std::uint8_t second_byte) {
  const std::size_t key = second_byte >= kMaskBit ? 4 : 0;
  const std::uint8_t length = second_byte & kLengthBits;
  if (length < kLength16) return 2 + key;
  return (length == kLength16 ? 4 : 10) + key;
}

std::uint64_t payload_size(const std::uint8_t* header) {
  const std::uint8_t length = header[1] & kLengthBits;
  if (length < kLength16) return length;
  if (length == kLength16) return static_cast<std::uint64_t>(header[2]) << 8 | header[3];
  std::uint64_t size = 0;
  for (int i = 2; i < 10; ++i) size = size << 8 | header[i];
  return size;
}

}  // namespace

WalkTally FrameWalker::walk(const void* bytes, std::size_t size) {
  WalkTally tally;
  if (phase_ == Phase::kPayload && size <= remaining_) {
    pass_payload(size, tally);
    return tally;
  }
  const auto* at = static_cast<const std::uint8_t*>(bytes);
  const std::uint8_t* const end = at + size;
  while (at != end) {
    if (at_frame_boundary()) at = walk_short_frames(at, end, tally);
    if (phase_ == Phase::kHeader) at = take_header(at, end);
    if (phase_ == Phase::kClosePayload) at = read_close_code(at, end);
    if (phase_ == Phase::kPayload) {
      const auto left = static_cast<std::size_t>(end - at);
      const std::uint64_t payload = std::min<std::uint64_t>(remaining_, left);
      pass_payload(payload, tally);
      at += payload;
    }
  }
  return tally;
}

/// The hot path: frames of less than 126 bytes that are here in whole, but for Close.
const std::uint8_t* FrameWalker::walk_short_frames(const std::uint8_t* at, const std::uint8_t* end,
                                                   WalkTally& tally) {
  while (end - at >= 2) {
    const std::uint8_t first = at[0];
    const std::uint8_t second = at[1];
    const std::size_t payload = second & kLengthBits;
    const std::size_t frame = 2 + (second >= kMaskBit ? 4 : 0) + payload;
    if (payload >= kLength16 || is_close(first) || frame > static_cast<std::size_t>(end - at)) {
      break;
    }
    at += frame;
    count_frame(first, tally);
  }
  return at;
}

/// A header that is here in whole is read where it is, another one is gathered.
const std::uint8_t* FrameWalker::take_header(const std::uint8_t* at, const std::uint8_t* end) {
  const auto left = static_cast<std::size_t>(end - at);
  if (header_bytes_ == 0 && left >= 2 && left >= header_size(at[1])) {
    begin_frame(at);
    return at + header_size(at[1]);
  }
  while (at != end) {
    header_[header_bytes_++] = *at++;
    if (header_bytes_ >= 2 && header_bytes_ == header_size(header_[1])) {
      header_bytes_ = 0;
      begin_frame(header_);
      break;
    }
  }
  return at;
}

void FrameWalker::begin_frame(const std::uint8_t* header) {
  first_byte_ = header[0];
  remaining_ = payload_size(header);
  phase_ = Phase::kPayload;
  if (is_close(first_byte_) && !closed_) [[unlikely]] {
    close_code_ = kNoStatusReceived;
    if (remaining_ < 2) return;
    const bool masked = (header[1] & kMaskBit) != 0;
    const std::uint8_t* key = header + header_size(header[1]) - 4;
    close_code_ = masked ? static_cast<std::uint16_t>(key[0] << 8 | key[1]) : std::uint16_t{0};
    close_bytes_ = 0;
    phase_ = Phase::kClosePayload;
  }
}

const std::uint8_t* FrameWalker::read_close_code(const std::uint8_t* at, const std::uint8_t* end) {
  while (at != end && close_bytes_ < 2) {
    close_code_ ^= static_cast<std::uint16_t>(close_bytes_ == 0 ? *at << 8 : *at);
    ++at;
    ++close_bytes_;
    --remaining_;
  }
  if (close_bytes_ == 2) phase_ = Phase::kPayload;
  return at;
}

void FrameWalker::pass_payload(std::uint64_t size, WalkTally& tally) {
  remaining_ -= size;
  if (remaining_ > 0) return;
  phase_ = Phase::kHeader;
  count_frame(first_byte_, tally);
}

void FrameWalker::count_frame(std::uint8_t first_byte, WalkTally& tally) {
  ++tally.frames;
  if ((first_byte & kControlBit) == 0) {
    const bool final = (first_byte & kFinBit) != 0;
    tally.messages += final ? 1 : 0;
    in_message_ = !final;
  } else if (is_close(first_byte)) {
    closed_ = true;
  }
}

}  // namespace holdfast::websocket
