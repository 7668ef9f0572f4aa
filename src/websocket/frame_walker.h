#pragma once

// Knows, from the bytes of one direction as they pass, where frames and messages begin and end
// (RFC 6455 section 5.2). Reads only the 2 to 14 header bytes of each frame and the two status
// bytes of a Close; never changes, unmasks or copies the rest. It judges nothing: a frame that
// breaks the protocol is the peers' affair, the walker just follows the lengths.
//
// Plain state of at most 32 bytes; one thread.

#include <cstddef>
#include <cstdint>

namespace holdfast::websocket {

/// What passed during one walk(); the caller adds it to its counters.
struct WalkTally {
  /// Messages whose last byte passed: FIN frames of every opcode that is not a control one.
  std::uint32_t messages = 0;
  /// Frames of every opcode whose last byte passed.
  std::uint32_t frames = 0;
};

class FrameWalker {
 public:
  /// Follows the next `size` bytes of the stream. The first payload_remaining() of them are not
  /// read: for no more than those `bytes` may be nullptr.
  WalkTally walk(const void* bytes, std::size_t size);

  /// No frame is partly through: here another frame may be put in.
  [[nodiscard]] bool at_frame_boundary() const {
    return phase_ == Phase::kHeader && header_bytes_ == 0;
  }
  /// Between a message's first frame and its last (control frames may still be put in).
  [[nodiscard]] bool in_message() const { return in_message_; }
  /// A whole Close frame has passed.
  [[nodiscard]] bool closed() const { return closed_; }
  /// Its status code; 1005 when it had none, 0 before closed(). The first Close frame counts.
  [[nodiscard]] std::uint16_t close_code() const { return closed_ ? close_code_ : 0; }
  /// Payload bytes of the current frame still to come: they need not be looked at.
  [[nodiscard]] std::uint64_t payload_remaining() const {
    return phase_ == Phase::kPayload ? remaining_ : 0;
  }

 private:
  enum class Phase : std::uint8_t { kHeader, kPayload, kClosePayload };

  const std::uint8_t* walk_short_frames(const std::uint8_t* at, const std::uint8_t* end,
                                        WalkTally& tally);
  const std::uint8_t* take_header(const std::uint8_t* at, const std::uint8_t* end);
  /// `header` is whole. Leaves the header phase.
  void begin_frame(const std::uint8_t* header);
  const std::uint8_t* read_close_code(const std::uint8_t* at, const std::uint8_t* end);
  void pass_payload(std::uint64_t size, WalkTally& tally);
  void count_frame(std::uint8_t first_byte, WalkTally& tally);

  std::uint64_t remaining_ = 0;
  std::uint8_t header_[14] = {};
  std::uint8_t header_bytes_ = 0;
  /// The first byte of the current frame: FIN, RSV and opcode.
  std::uint8_t first_byte_ = 0;
  /// Starts as the mask of a Close frame's first two payload bytes and is XORed with them.
  std::uint16_t close_code_ = 0;
  std::uint8_t close_bytes_ = 0;
  Phase phase_ = Phase::kHeader;
  bool in_message_ = false;
  bool closed_ = false;
};
static_assert(sizeof(FrameWalker) <= 32);

}  // namespace holdfast::websocket
