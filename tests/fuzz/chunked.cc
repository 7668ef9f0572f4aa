// ChunkDecoder against a decoder without states that reads the grammar straight off (RFC 9112
// section 7.1), whole and in pieces; what write_chunk_header encodes is decoded again.

#include "http/chunked.h"

#include <algorithm>

#include "http/limits.h"
#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

using State = http::ChunkDecoder::State;

constexpr std::size_t kExpandedBytesMost = http::kTrailerBytesMost + 2000;
constexpr std::size_t kBytesCutEverywhere = 300;
constexpr std::size_t kCutsOfLongOnes = 24;

struct Outcome {
  State state = State::kMore;
  std::size_t consumed = 0;
  std::string body;

  bool operator==(const Outcome&) const = default;
};

/// Reads one body from its beginning; leaves by an exception where it ends.
class NaiveDecoder {
 public:
  explicit NaiveDecoder(std::string_view bytes) : bytes_(bytes) {}

  Outcome decode() {
    try {
      while (read_chunk()) {
      }
      read_trailers();
      outcome_.state = State::kDone;
    } catch (State state) {
      outcome_.state = state;
    }
    return outcome_;
  }

 private:
  char take() {
    if (outcome_.consumed == bytes_.size()) throw State::kMore;
    return bytes_[outcome_.consumed++];
  }
  void demand(bool holds) {
    if (!holds) throw State::kError;
  }
  static bool is_text(char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
  }
  static bool is_name(char c) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  }

  /// False: it was the last.
  bool read_chunk() {
    const std::size_t begin = outcome_.consumed;
    const auto take_in_line = [&] {
      const char c = take();
      demand(outcome_.consumed - begin <= http::kChunkLineBytesMost);
      return c;
    };
    std::string digits;
    char c = take_in_line();
    for (; std::string_view("0123456789abcdefABCDEF").find(c) != std::string_view::npos;
         c = take_in_line()) {
      digits += c;
      demand(digits.substr(std::min(digits.find_first_not_of('0'), digits.size())).size() <= 16);
    }
    demand(!digits.empty());
    bool spaces = false;
    for (; c == ' ' || c == '\t'; c = take_in_line()) spaces = true;
    if (c == ';') {
      for (c = take_in_line(); c != '\r'; c = take_in_line()) demand(is_text(c));
      spaces = false;
    }
    demand(c == '\r' && !spaces);
    demand(take() == '\n');
    const std::uint64_t size = std::stoull(digits, nullptr, 16);
    if (size == 0) return false;
    const std::size_t here = std::min<std::uint64_t>(size, bytes_.size() - outcome_.consumed);
    outcome_.body += bytes_.substr(outcome_.consumed, here);
    outcome_.consumed += here;
    if (here < size) throw State::kMore;
    demand(take() == '\r');
    demand(take() == '\n');
    return true;
  }

  void read_trailers() {
    const std::size_t begin = outcome_.consumed;
    for (;;) {
      const auto take_in_trailers = [&] {
        const char c = take();
        demand(outcome_.consumed - begin <= http::kTrailerBytesMost);
        return c;
      };
      char c = take();
      if (c == '\r') break;
      demand(outcome_.consumed - begin <= http::kTrailerBytesMost);
      demand(is_name(c));
      for (c = take_in_trailers(); c != ':'; c = take_in_trailers()) demand(is_name(c));
      for (c = take_in_trailers(); c != '\r'; c = take_in_trailers()) demand(is_text(c));
      demand(take_in_trailers() == '\n');
    }
    demand(take() == '\n');
  }

  const std::string_view bytes_;
  Outcome outcome_;
};

Outcome decode(std::string_view bytes, std::size_t piece, std::size_t first_piece) {
  http::ChunkDecoder decoder;
  Outcome outcome;
  std::size_t size = first_piece;
  while (outcome.consumed < bytes.size() && outcome.state == State::kMore) {
    const Exactly given(bytes.substr(outcome.consumed, size));
    for (std::string_view rest = given.view(); !rest.empty() && outcome.state == State::kMore;) {
      const http::ChunkDecoder::Step step = decoder.next(rest);
      require(step.consumed > 0 && step.consumed <= rest.size(), "a step makes progress");
      require(step.data.size() <= step.consumed, "data is part of what was consumed");
      outcome.body += step.data;
      outcome.consumed += step.consumed;
      outcome.state = step.state;
      rest.remove_prefix(step.consumed);
    }
    size = piece;
  }
  require(decoder.done() == (outcome.state == State::kDone), "done() says so");
  return outcome;
}

/// Chunks of `piece` bytes, as they go out, are the same body.
void check_encoded(const std::string& body, std::size_t piece) {
  std::string encoded;
  for (std::size_t at = 0; at < body.size(); at += piece) {
    const std::string_view data = std::string_view(body).substr(at, piece);
    char header[http::kChunkHeaderBytes];
    encoded.append(header, http::write_chunk_header(data.size(), header));
    encoded.append(data).append("\r\n");
  }
  encoded += http::kLastChunk;
  const Outcome again = NaiveDecoder(encoded).decode();
  require(again == Outcome{State::kDone, encoded.size(), body}, "what goes out is the same body");
}

void run(std::string_view input) {
  const std::string bytes = expand(input, kExpandedBytesMost);
  const Outcome naive = NaiveDecoder(bytes).decode();
  const std::size_t all = bytes.size() + 1;
  require(decode(bytes, all, all) == naive, "a whole body is decoded as the grammar says");
  require(decode(bytes, 1, 1) == naive, "bytes are decoded as the grammar says");
  const std::size_t step = bytes.size() <= kBytesCutEverywhere ? 1 : bytes.size() / kCutsOfLongOnes;
  for (std::size_t cut = step; cut < bytes.size(); cut += step) {
    require(decode(bytes, all, cut) == naive, "two pieces are decoded as the grammar says");
  }
  check_encoded(naive.body, 1 + bytes.size() % 40);
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
