// FrameWalker against a walker that has the whole stream before it (RFC 6455 section 5.2), in
// pieces of any size. The first byte of an input says how many of the next give sizes of pieces,
// which repeat; the rest is the stream.

#include "websocket/frame_walker.h"

#include <algorithm>

#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

constexpr std::size_t kExpandedBytesMost = 20'000;
constexpr std::size_t kPieceSizesMost = 8;
/// Streams up to this size are cut at every place.
constexpr std::size_t kPiecesMost = 300;

struct Outcome {
  std::uint64_t messages = 0;
  std::uint64_t frames = 0;
  bool at_boundary = true;
  bool in_message = false;
  bool closed = false;
  std::uint16_t close_code = 0;
  std::uint64_t remaining = 0;

  bool operator==(const Outcome&) const = default;
};

/// The close code in a Close frame's payload, of which there are at least two bytes.
std::uint16_t code_of(std::string_view header, std::string_view payload, bool masked) {
  const auto byte = [&](std::size_t i) {
    const int key = masked ? static_cast<unsigned char>(header[header.size() - 4 + i]) : 0;
    return static_cast<unsigned char>(payload[i]) ^ key;
  };
  return static_cast<std::uint16_t>(byte(0) * 256 + byte(1));
}

Outcome walk_naively(std::string_view stream) {
  Outcome outcome;
  while (!stream.empty()) {
    outcome.at_boundary = false;
    if (stream.size() < 2) return outcome;
    const auto first = static_cast<unsigned char>(stream[0]);
    const auto second = static_cast<unsigned char>(stream[1]);
    const bool masked = second >= 128;
    std::uint64_t length = second % 128;
    const std::size_t length_bytes = length == 127 ? 8 : length == 126 ? 2 : 0;
    const std::size_t header_bytes = 2 + length_bytes + (masked ? 4 : 0);
    if (stream.size() < header_bytes) return outcome;
    if (length_bytes > 0) length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
      length = length * 256 + static_cast<unsigned char>(stream[2 + i]);
    }
    const std::string_view header = stream.substr(0, header_bytes);
    stream.remove_prefix(header_bytes);
    if (stream.size() < length) {
      // A close code has to be read; nothing else has.
      const bool in_code = first % 16 == 8 && !outcome.closed && length >= 2 && stream.size() < 2;
      if (!in_code) outcome.remaining = length - stream.size();
      return outcome;
    }
    const std::string_view payload = stream.substr(0, length);
    stream.remove_prefix(length);
    ++outcome.frames;
    const unsigned opcode = first % 16;
    if (opcode < 8) {
      outcome.in_message = first < 128;
      if (first >= 128) ++outcome.messages;
    }
    if (opcode == 8 && !outcome.closed) {
      outcome.closed = true;
      outcome.close_code = length < 2 ? std::uint16_t{1005} : code_of(header, payload, masked);
    }
    outcome.at_boundary = true;
  }
  return outcome;
}

Outcome walk(std::string_view stream, std::string_view sizes) {
  const std::size_t size_least = 1 + stream.size() / kPiecesMost;
  websocket::FrameWalker walker;
  Outcome outcome;
  std::size_t turn = 0;
  while (!stream.empty()) {
    const std::size_t size =
        sizes.empty() ? stream.size() : static_cast<unsigned char>(sizes[turn++ % sizes.size()]);
    const std::string_view piece = stream.substr(0, std::max(size, size_least));
    stream.remove_prefix(piece.size());
    const bool unread = piece.size() <= walker.payload_remaining();
    const Exactly bytes(piece);
    const websocket::WalkTally tally =
        walker.walk(unread ? nullptr : bytes.view().data(), piece.size());
    outcome.messages += tally.messages;
    outcome.frames += tally.frames;
    require(tally.messages <= tally.frames, "a message is at least one frame");
  }
  outcome.at_boundary = walker.at_frame_boundary();
  outcome.in_message = walker.in_message();
  outcome.closed = walker.closed();
  outcome.close_code = walker.close_code();
  outcome.remaining = walker.payload_remaining();
  return outcome;
}

void run(std::string_view input) {
  if (input.empty()) return;
  const std::size_t count = static_cast<unsigned char>(input[0]) % (kPieceSizesMost + 1);
  const std::string_view sizes = input.substr(1, count);
  const std::string stream = expand(input.substr(1 + sizes.size()), kExpandedBytesMost);
  const Outcome naive = walk_naively(stream);
  require(walk(stream, {}) == naive, "one piece is walked as the stream");
  require(walk(stream, sizes) == naive, "pieces are walked as the stream");
  require(walk(stream, "\x01") == naive, "bytes are walked as the stream");
  require(walk(stream, "\x03\x07") == naive, "odd pieces are walked as the stream");
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
