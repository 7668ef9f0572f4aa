// The chunked coding (RFC 9112 section 7.1).

#include "http/chunked.h"

#include <ostream>
#include <random>
#include <string>

#include "http/limits.h"
#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::kMore;
  std::string data;
  std::size_t consumed = 0;
};

/// Decodes `bytes` given in pieces, whose sizes `next_size` tells.
template <typename NextSize>
Decoded decode(const std::string& bytes, NextSize&& next_size) {
  ChunkDecoder decoder;
  Decoded decoded;
  while (decoded.consumed < bytes.size()) {
    const std::string piece = bytes.substr(decoded.consumed, next_size());
    std::string_view rest = piece;
    while (!rest.empty()) {
      const ChunkDecoder::Step step = decoder.next(rest);
      EXPECT_GT(step.consumed, 0u);
      decoded.data += step.data;
      decoded.consumed += step.consumed;
      decoded.state = step.state;
      rest.remove_prefix(step.consumed);
      EXPECT_EQ(decoder.done(), step.state == ChunkDecoder::State::kDone);
      if (step.state != ChunkDecoder::State::kMore) return decoded;
    }
  }
  return decoded;
}

Decoded decode(const std::string& bytes) {
  return decode(bytes, [&] { return bytes.size(); });
}

const std::string kEnd = "0\r\n\r\n";

struct Good {
  const char* name;
  const char* section;
  std::string bytes;
  std::string data;
};
void PrintTo(const Good& row, std::ostream* out) { *out << row.section; }

class ChunkedBody : public testing::TestWithParam<Good> {};

TEST_P(ChunkedBody, IsDecodedToThis) {
  const Good& row = GetParam();
  const Decoded decoded = decode(row.bytes + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(decoded.state, ChunkDecoder::State::kDone) << row.section;
  EXPECT_EQ(decoded.data, row.data);
  EXPECT_EQ(decoded.consumed, row.bytes.size());
}

TEST_P(ChunkedBody, IsDecodedToTheSameByteByByteAndInAnyTwoPieces) {
  const Good& row = GetParam();
  for (std::size_t split = 1; split <= row.bytes.size(); ++split) {
    const Decoded decoded = decode(row.bytes, [&] { return split; });
    EXPECT_EQ(decoded.state, ChunkDecoder::State::kDone) << row.section << ' ' << split;
    EXPECT_EQ(decoded.data, row.data) << split;
    EXPECT_EQ(decoded.consumed, row.bytes.size()) << split;
  }
}

const Good kGood[] = {
    {"empty", "9112 7.1", kEnd, ""},
    {"one", "9112 7.1", "5\r\nhello\r\n" + kEnd, "hello"},
    {"several", "9112 7.1", "1\r\na\r\n2\r\nbc\r\n" + kEnd, "abc"},
    {"either case of hexadecimal", "9112 7.1", "a\r\n0123456789\r\nB\r\n0123456789a\r\n" + kEnd,
     "01234567890123456789a"},
    {"leading zeros", "9112 7.1", "0005\r\nhello\r\n00\r\n\r\n", "hello"},
    {"data that looks like framing", "9112 7.1", "5\r\n0\r\n\r\n\r\n" + kEnd, "0\r\n\r\n"},
    {"extension", "9112 7.1.1", "5;a=b;c\r\nhello\r\n" + kEnd, "hello"},
    {"extension in quotes", "9112 7.1.1", "5;a=\"b;\\\"c\"\r\nhello\r\n" + kEnd, "hello"},
    {"extension behind bad whitespace", "9112 7.1.1", "5 \t;a\r\nhello\r\n" + kEnd, "hello"},
    {"extension of the last chunk", "9112 7.1.1", "0;a\r\n\r\n", ""},
    {"trailers", "9112 7.1.2", "5\r\nhello\r\n0\r\nA: b\r\nHost: evil\r\nC:\r\n\r\n", "hello"},
};
INSTANTIATE_TEST_SUITE_P(Good, ChunkedBody, testing::ValuesIn(kGood), test::row_name<Good>);

struct Bad {
  const char* name;
  const char* section;
  std::string bytes;
};
void PrintTo(const Bad& row, std::ostream* out) { *out << row.section; }

class ChunkedBodyRefused : public testing::TestWithParam<Bad> {};

TEST_P(ChunkedBodyRefused, AtOnceAndByteByByte) {
  const Bad& row = GetParam();
  EXPECT_EQ(decode(row.bytes).state, ChunkDecoder::State::kError) << row.section;
  const Decoded slowly = decode(row.bytes, [] { return std::size_t{1}; });
  EXPECT_EQ(slowly.state, ChunkDecoder::State::kError) << row.section;
}

const Bad kBad[] = {
    {"no size", "9112 7.1", "\r\nhello\r\n" + kEnd},
    {"no size of the second chunk", "9112 7.1", "5\r\nhello\r\n\r\n"},
    {"size 0x5", "9112 7.1", "0x5\r\nhello\r\n" + kEnd},
    {"size with plus", "9112 7.1", "+5\r\nhello\r\n" + kEnd},
    {"size with minus", "9112 7.1", "-5\r\nhello\r\n" + kEnd},
    {"size behind space", "9112 7.1", " 5\r\nhello\r\n" + kEnd},
    {"size before space", "9112 7.1", "5 \r\nhello\r\n" + kEnd},
    {"size and more", "9112 7.1", "5 5;\r\nhello\r\n" + kEnd},
    {"size g", "9112 7.1", "g\r\nhello\r\n" + kEnd},
    {"size of 17 digits", "9112 7.1", "FFFFFFFFFFFFFFFFF\r\n"},
    {"size 2 to the 64", "9112 7.1", "10000000000000000\r\n"},
    {"extension without size", "9112 7.1.1", ";a\r\n" + kEnd},
    {"size ends in bare LF", "9112 2.2", "5\nhello\r\n" + kEnd},
    {"size ends in CR and a letter", "9112 2.2", "5\rxhello\r\n" + kEnd},
    {"extension with bare LF", "9112 7.1.1", "5;a\nhello\r\n" + kEnd},
    {"extension with bare CR", "9112 7.1.1", "5;a\rb\r\nhello\r\n" + kEnd},
    {"extension with LF in quotes", "9112 7.1.1", "5;a=\"\n\"\r\nhello\r\n" + kEnd},
    {"extension with control character", "9112 7.1.1", "5;a\x01\r\nhello\r\n" + kEnd},
    {"data longer than its size", "9112 7.1", "4\r\nhello\r\n" + kEnd},
    {"data shorter than its size", "9112 7.1", "6\r\nhello\r\n" + kEnd},
    {"data ends in bare LF", "9112 7.1", "5\r\nhello\n" + kEnd},
    {"data ends in CR CR", "9112 7.1", "5\r\nhello\r\r" + kEnd},
    {"trailer without colon", "9112 7.1.2", "0\r\nA\r\n\r\n"},
    {"trailer without name", "9112 7.1.2", "0\r\n: a\r\n\r\n"},
    {"trailer with space before colon", "9112 5.1", "0\r\nA : b\r\n\r\n"},
    {"trailer that is folded", "9112 5.2", "0\r\nA: b\r\n c\r\n\r\n"},
    {"trailer with bare LF", "9112 2.2", "0\r\nA: b\n\r\n"},
    {"trailer with bare CR", "9112 2.2", "0\r\nA: b\rc\r\n\r\n"},
    {"trailer with NUL", "9110 5.5", "0\r\nA: " + std::string(1, '\0') + "\r\n\r\n"},
    {"end with bare LF", "9112 7.1", "0\r\n\n"},
    {"end with CR and a letter", "9112 7.1", "0\r\n\rx"},
};
INSTANTIATE_TEST_SUITE_P(Bad, ChunkedBodyRefused, testing::ValuesIn(kBad), test::row_name<Bad>);

TEST(ChunkedLimits, SizeLine) {
  const auto line = [](std::size_t size) {
    return "1;" + std::string(size - 3, 'e') + "\r\nx\r\n";
  };
  EXPECT_EQ(decode(line(kChunkLineBytesMost) + kEnd).state, ChunkDecoder::State::kDone);
  EXPECT_EQ(decode(line(kChunkLineBytesMost + 1) + kEnd).state, ChunkDecoder::State::kError);
  EXPECT_EQ(decode(std::string(kChunkLineBytesMost + 1, '0')).state, ChunkDecoder::State::kError);
  std::string many;
  for (int i = 0; i < 10; ++i) many += line(kChunkLineBytesMost);
  EXPECT_EQ(decode(many + kEnd).data, "xxxxxxxxxx");
}

TEST(ChunkedLimits, Trailers) {
  const auto trailers = [](std::size_t size) {
    return "0\r\nA: b\r\nC: " + std::string(size - 11, 'v') + "\r\n\r\n";
  };
  EXPECT_EQ(decode(trailers(kTrailerBytesMost)).state, ChunkDecoder::State::kDone);
  EXPECT_EQ(decode(trailers(kTrailerBytesMost + 1)).state, ChunkDecoder::State::kError);
}

TEST(ChunkedSize, LargestIsFollowed) {
  ChunkDecoder decoder;
  const std::string bytes = "ffffffffffffffff\r\nabc";
  const ChunkDecoder::Step step = decoder.next(bytes);
  EXPECT_EQ(step.state, ChunkDecoder::State::kMore);
  EXPECT_EQ(step.data, "abc");
}

TEST(ChunkHeader, IsWhatTheDecoderReads) {
  const std::uint64_t sizes[] = {1, 15, 16, 255, 4096, 65535, 1u << 20, ~std::uint64_t{0}};
  const char* const texts[] = {"1", "f", "10", "ff", "1000", "ffff", "100000", "ffffffffffffffff"};
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    char header[kChunkHeaderBytes];
    const std::size_t size = write_chunk_header(sizes[i], header);
    EXPECT_EQ(std::string(header, size), std::string(texts[i]) + "\r\n");
  }
}

TEST(ChunkedBodies, OfRandomChunksInRandomPieces) {
  std::mt19937 random(20261124);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    std::string data;
    for (unsigned chunks = random() % 8; chunks > 0; --chunks) {
      const std::string chunk(1 + random() % 300, static_cast<char>('a' + random() % 26));
      char header[kChunkHeaderBytes];
      bytes.append(header, write_chunk_header(chunk.size(), header));
      bytes += chunk + "\r\n";
      data += chunk;
    }
    bytes += kLastChunk;
    const Decoded decoded = decode(bytes, [&] { return 1 + random() % 90; });
    EXPECT_EQ(decoded.state, ChunkDecoder::State::kDone);
    EXPECT_EQ(decoded.data, data);
    EXPECT_EQ(decoded.consumed, bytes.size());
  }
}

}  // namespace
}  // namespace holdfast::http
