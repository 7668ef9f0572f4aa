// The PROXY header's parser, whatever the pieces, against what it writes itself. The first byte of
// an input says how many of the next give sizes of pieces, which repeat; the rest is the stream.

#include "proxy/proxy_header.h"

#include <algorithm>

#include "proxy/limits.h"
#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

using proxy::ProxyHeader;
using proxy::ProxyHeaderState;
using proxy::ProxyHeaderVersion;

constexpr std::size_t kExpandedBytesMost = 6'000;
constexpr std::size_t kPieceSizesMost = 8;
/// Streams up to this size are cut at every place.
constexpr std::size_t kPiecesMost = 300;

struct Outcome {
  ProxyHeaderState state = ProxyHeaderState::kNeedMore;
  ProxyHeader header;

  bool operator==(const Outcome& other) const {
    if (state != other.state) return false;
    return state != ProxyHeaderState::kDone ||
           (header.bytes == other.header.bytes && header.ends == other.header.ends);
  }
};

Outcome parse(std::string_view bytes) {
  const Exactly exactly(bytes);
  Outcome outcome;
  outcome.state = proxy::parse_proxy_header(exactly.view(), outcome.header);
  if (outcome.state == ProxyHeaderState::kDone) {
    require(outcome.header.bytes <= bytes.size(), "a header is part of the stream");
    require(outcome.header.bytes <= proxy::kProxyHeaderV2BytesMost, "a header is bounded");
  }
  if (outcome.state == ProxyHeaderState::kNeedMore) {
    require(bytes.size() < proxy::kProxyHeaderV2BytesMost, "no endless wait");
  }
  return outcome;
}

/// Asks again after every piece until it is decided, as a session does.
Outcome parse_in_pieces(std::string_view stream, std::string_view sizes) {
  const std::size_t size_least = 1 + stream.size() / kPiecesMost;
  std::size_t size = 0;
  for (std::size_t turn = 0; size < stream.size(); ++turn) {
    const auto asked = static_cast<unsigned char>(sizes[turn % sizes.size()]);
    size = std::min(stream.size(), size + std::max<std::size_t>(asked, size_least));
    const Outcome outcome = parse(stream.substr(0, size));
    if (outcome.state != ProxyHeaderState::kNeedMore) return outcome;
  }
  return parse(stream);
}

void check_written(const ProxyHeader::Ends& ends) {
  for (const ProxyHeaderVersion version : {ProxyHeaderVersion::kV1, ProxyHeaderVersion::kV2}) {
    std::string bytes;
    proxy::append_proxy_header(bytes, version, ends);
    if (version == ProxyHeaderVersion::kV1) {
      require(bytes.size() <= proxy::kProxyHeaderV1BytesMost, "version 1 is short", bytes);
    }
    const Outcome outcome = parse(bytes);
    require(outcome.state == ProxyHeaderState::kDone && outcome.header.bytes == bytes.size(),
            "what is written is one header", bytes);
    require(outcome.header.ends == ends, "what is written is read again", bytes);
  }
}

void run(std::string_view input) {
  if (input.empty()) return;
  const std::size_t count = static_cast<unsigned char>(input[0]) % (kPieceSizesMost + 1);
  const std::string_view sizes = input.substr(1, count);
  const std::string stream = expand(input.substr(1 + sizes.size()), kExpandedBytesMost);
  const Outcome whole = parse(stream);
  for (const std::string_view pieces :
       {std::string_view("\x01"), std::string_view("\x03\x07"), sizes}) {
    if (pieces.empty()) continue;
    require(parse_in_pieces(stream, pieces) == whole, "pieces are read as the stream");
  }
  if (whole.state != ProxyHeaderState::kDone) return;
  require(parse(std::string_view(stream).substr(0, whole.header.bytes)) == whole,
          "what is behind a header does not matter");
  if (whole.header.ends) check_written(*whole.header.ends);
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
