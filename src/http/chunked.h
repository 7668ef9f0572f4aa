#pragma once

// The chunked transfer coding (RFC 9112 section 7.1): a strict incremental decoder and the
// encoder's chunk header. Pure; one thread per object.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::http {

/// Decodes a chunked body given in pieces of any size. Extensions are checked and dropped, trailers
/// are checked for form, bounded and dropped: never merged, never forwarded.
class ChunkDecoder {
 public:
  enum class State : std::uint8_t {
    /// `consumed` bytes were used up; call again with the rest, or with more.
    kMore,
    /// The whole body, trailers included, ended after `consumed` bytes.
    kDone,
    kError,
  };
  struct Step {
    State state = State::kMore;
    std::size_t consumed = 0;
    /// Body bytes, inside the given piece; may be empty.
    std::string_view data;
  };

  /// Takes from the front of `bytes` at most one run of body bytes. Makes progress whenever `bytes`
  /// is not empty. After kDone or kError it may not be called again.
  Step next(std::string_view bytes);

  [[nodiscard]] bool done() const { return phase_ == Phase::kDone; }

 private:
  enum class Phase : std::uint8_t {
    kSize,
    kExtensionSpace,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailer,
    kTrailerLf,
    kEndLf,
    kDone,
    kError,
  };

  /// One byte outside the data: the phase that it leads to.
  Phase follow(char c);
  Phase follow_size_line(char c);
  Phase end_of_size_line();
  Phase follow_trailer(char c);

  std::uint64_t remaining_ = 0;
  std::uint32_t line_bytes_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  Phase phase_ = Phase::kSize;
  bool has_digit_ = false;
};

/// Writes "SIZE\r\n" in lower-case hex for a chunk of `size` > 0 bytes into `out` (at least
/// kChunkHeaderBytes) and returns its length. The chunk's data is followed by "\r\n", the body by
/// kLastChunk.
inline constexpr std::size_t kChunkHeaderBytes = 18;
std::size_t write_chunk_header(std::uint64_t size, char* out);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace holdfast::http
