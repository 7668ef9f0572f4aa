// The walker against a naive one, over every split of short streams and random splits of long ones
// (RFC 6455 section 5.2).

#include "websocket/frame_walker.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/http/row.h"

namespace holdfast::websocket {
namespace {

/// What can be seen of a walker, and the sums of its tallies.
struct View {
  std::uint64_t messages = 0;
  std::uint64_t frames = 0;
  std::uint64_t payload_remaining = 0;
  bool at_frame_boundary = true;
  bool in_message = false;
  bool closed = false;
  std::uint16_t close_code = 0;

  bool operator==(const View&) const = default;
};
void PrintTo(const View& view, std::ostream* out) {
  *out << "messages " << view.messages << " frames " << view.frames << " remaining "
       << view.payload_remaining << " boundary " << view.at_frame_boundary << " in message "
       << view.in_message << " closed " << view.closed << " code " << view.close_code;
}

View view_of(const FrameWalker& walker, const WalkTally& sum) {
  return {
      sum.messages,        sum.frames,      walker.payload_remaining(), walker.at_frame_boundary(),
      walker.in_message(), walker.closed(), walker.close_code()};
}

/// Reads a whole stream from its start each time it is asked, as slowly and plainly as can be.
View naive_view(const std::string& stream) {
  View view;
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(stream[i]); };
  while (at < stream.size()) {
    view.at_frame_boundary = false;
    view.payload_remaining = 0;
    if (stream.size() - at < 2) return view;
    const int opcode = byte(at) & 15;
    const bool final = byte(at) >= 128;
    const bool masked = byte(at + 1) >= 128;
    std::uint64_t payload = byte(at + 1) & 127;
    const std::size_t length_bytes = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    const std::size_t header = 2 + length_bytes + (masked ? 4 : 0);
    if (stream.size() - at < header) return view;
    if (length_bytes > 0) payload = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) payload = payload * 256 + byte(at + 2 + i);
    const std::uint64_t here = stream.size() - at - header;
    if (here < payload) {
      // The status bytes of the first Close are looked at.
      const bool reads_status = opcode == 8 && !view.closed && payload >= 2 && here < 2;
      view.payload_remaining = reads_status ? 0 : payload - here;
      return view;
    }
    if (opcode == 8 && !view.closed) {
      view.closed = true;
      view.close_code = 1005;
      if (payload >= 2) {
        const std::size_t start = at + header;
        const std::size_t mask = start - 4;
        const int high = byte(start) ^ (masked ? byte(mask) : 0);
        const int low = byte(start + 1) ^ (masked ? byte(mask + 1) : 0);
        view.close_code = static_cast<std::uint16_t>(high * 256 + low);
      }
    }
    ++view.frames;
    if (opcode < 8) {
      view.in_message = !final;
      view.messages += final ? 1 : 0;
    }
    view.at_frame_boundary = true;
    at += header + payload;
  }
  return view;
}

struct Frame {
  std::uint8_t first_byte = 0x82;
  std::string payload;
  bool masked = true;
  /// Bytes of the extended length: 0, 2 or 8; -1: as few as possible.
  int length_bytes = -1;
};

std::string frame_head(std::uint8_t first_byte, bool masked, std::uint64_t size, int length_bytes) {
  if (length_bytes < 0) length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const std::uint64_t length = length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127;
  std::string bytes = {static_cast<char>(first_byte),
                       static_cast<char>(length | (masked ? 0x80 : 0))};
  for (int i = length_bytes; i-- > 0;) bytes += static_cast<char>(size >> (8 * i));
  if (masked) bytes += "\x81\x02\xfd\x7e";
  return bytes;
}

std::string encode(const Frame& frame) {
  std::string bytes =
      frame_head(frame.first_byte, frame.masked, frame.payload.size(), frame.length_bytes);
  const std::string key = frame.masked ? bytes.substr(bytes.size() - 4) : std::string(4, '\0');
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    bytes += static_cast<char>(frame.payload[i] ^ key[i % 4]);
  }
  return bytes;
}

std::string close_payload(std::uint16_t code, const std::string& reason = "") {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason;
}

/// Walks `stream` cut behind each of `cuts`. Each piece lies in memory of its own size, so that a
/// read beyond it is found by the sanitizer.
class Walk {
 public:
  explicit Walk(const std::string& stream) : stream_(stream) {}

  void to(std::size_t end) {
    const std::vector<char> piece(stream_.begin() + static_cast<std::ptrdiff_t>(at_),
                                  stream_.begin() + static_cast<std::ptrdiff_t>(end));
    const WalkTally tally = walker_.walk(piece.data(), piece.size());
    sum_.messages += tally.messages;
    sum_.frames += tally.frames;
    at_ = end;
  }
  View view() const { return view_of(walker_, sum_); }

 private:
  const std::string& stream_;
  FrameWalker walker_;
  WalkTally sum_;
  std::size_t at_ = 0;
};

void expect_same_at_every_split(const std::string& stream) {
  const View end = naive_view(stream);
  for (std::size_t split = 0; split <= stream.size(); ++split) {
    Walk walk(stream);
    walk.to(split);
    ASSERT_EQ(walk.view(), naive_view(stream.substr(0, split))) << "at " << split;
    walk.to(stream.size());
    ASSERT_EQ(walk.view(), end) << "split at " << split;
  }
}

void expect_same_byte_by_byte(const std::string& stream) {
  Walk walk(stream);
  for (std::size_t size = 1; size <= stream.size(); ++size) walk.to(size);
  ASSERT_EQ(walk.view(), naive_view(stream));
}

Frame random_frame(std::mt19937& random, bool short_only) {
  constexpr std::uint8_t kFirstBytes[] = {0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88,
                                          0xc1, 0x41, 0x83, 0x07, 0x8b, 0x8f, 0x08, 0x09, 0xf2};
  constexpr std::size_t kSizes[] = {0, 1, 2, 3, 4, 5, 125, 126, 127, 300, 65535, 65536};
  Frame frame;
  frame.first_byte = kFirstBytes[random() % std::size(kFirstBytes)];
  frame.masked = random() % 2 == 0;
  std::size_t size = kSizes[random() % (short_only ? 6 : std::size(kSizes))];
  if (!short_only && random() % 3 == 0) size = random() % 200;
  for (std::size_t i = 0; i < size; ++i) frame.payload += static_cast<char>(random());
  if (random() % 8 == 0) frame.length_bytes = random() % 2 == 0 && size < 65536 ? 2 : 8;
  return frame;
}

TEST(FrameWalker, FollowsEverySplitOfShortStreams) {
  std::mt19937 random(1);
  for (int round = 0; round < 1500; ++round) {
    std::string stream;
    for (unsigned frames = 1 + random() % 6; frames > 0; --frames) {
      stream += encode(random_frame(random, true));
    }
    expect_same_at_every_split(stream);
    expect_same_byte_by_byte(stream);
    if (HasFatalFailure()) return;
  }
}

TEST(FrameWalker, FollowsEverySplitNearTheEdgesOfLengths) {
  for (const std::size_t size : {0, 125, 126, 127}) {
    for (const bool masked : {false, true}) {
      const Frame frame{0x82, std::string(size, 'x'), masked, -1};
      expect_same_at_every_split(encode(frame) + encode(frame));
    }
  }
}

TEST(FrameWalker, FollowsRandomSplitsOfLongStreams) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    std::string stream;
    for (int frames = 0; frames < 30; ++frames) stream += encode(random_frame(random, false));
    Walk walk(stream);
    const std::size_t most = std::size_t{1} << (1 + random() % 17);
    for (std::size_t at = 0; at < stream.size();) {
      at = std::min(stream.size(), at + random() % most + random() % 2);
      walk.to(at);
      // The naive walker starts over each time; now and then is enough.
      if (random() % 64 == 0) {
        ASSERT_EQ(walk.view(), naive_view(stream.substr(0, at)));
      }
    }
    ASSERT_EQ(walk.view(), naive_view(stream));
  }
}

TEST(FrameWalker, FollowsAnyBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    for (unsigned size = random() % 120; size > 0; --size) stream += static_cast<char>(random());
    expect_same_at_every_split(stream);
    if (HasFatalFailure()) return;
  }
}

TEST(FrameWalker, FollowsTheLargestLengths) {
  for (const std::uint64_t size : {std::uint64_t{1} << 32, (std::uint64_t{1} << 63) - 1,
                                   std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    for (const bool masked : {false, true}) {
      const std::string stream = frame_head(0x82, masked, size, 8) + "abc";
      expect_same_at_every_split(stream);
      FrameWalker walker;
      walker.walk(stream.data(), stream.size());
      EXPECT_EQ(walker.payload_remaining(), size - 3);
      EXPECT_FALSE(walker.at_frame_boundary());
    }
  }
}

// For splice: what need not be looked at is not looked at, up to the last byte of the frame.
TEST(FrameWalker, NeedsNoBytesForPayload) {
  FrameWalker walker;
  const std::string head = frame_head(0x82, true, 100000, -1);
  walker.walk(head.data(), head.size());
  ASSERT_EQ(walker.payload_remaining(), 100000u);
  EXPECT_EQ(walker.walk(nullptr, 99999).frames, 0u);
  EXPECT_EQ(walker.payload_remaining(), 1u);
  EXPECT_EQ(walker.walk(nullptr, 1).messages, 1u);
  EXPECT_TRUE(walker.at_frame_boundary());
  EXPECT_EQ(walker.walk(nullptr, 0).frames, 0u);
}

TEST(FrameWalker, CountsMessagesAcrossFragmentsAndControlFrames) {
  const std::string stream = encode({0x01, "a", true, -1}) + encode({0x89, "ping", true, -1}) +
                             encode({0x00, "", true, -1}) + encode({0x8a, "", true, -1}) +
                             encode({0x80, "b", true, -1}) + encode({0x82, "c", true, -1});
  FrameWalker walker;
  const WalkTally tally = walker.walk(stream.data(), stream.size());
  EXPECT_EQ(tally.messages, 2u);
  EXPECT_EQ(tally.frames, 6u);
  EXPECT_FALSE(walker.in_message());
  EXPECT_FALSE(walker.closed());
}

TEST(FrameWalker, IsInAMessageBetweenItsFrames) {
  const std::string first = encode({0x02, "a", true, -1});
  const std::string ping = encode({0x89, "", true, -1});
  const std::string last = encode({0x80, "b", true, -1});
  FrameWalker walker;
  walker.walk(first.data(), first.size());
  EXPECT_TRUE(walker.in_message());
  EXPECT_TRUE(walker.at_frame_boundary());
  walker.walk(ping.data(), ping.size());
  EXPECT_TRUE(walker.in_message());
  walker.walk(last.data(), last.size());
  EXPECT_FALSE(walker.in_message());
}

struct CloseRow {
  const char* name;
  std::string payload;
  std::uint16_t code;
};

class FrameWalkerClose : public testing::TestWithParam<CloseRow> {};

// RFC 6455 sections 5.5.1 and 7.1.5.
TEST_P(FrameWalkerClose, GivesTheCodeAtEverySplitOfBothDirections) {
  const CloseRow& row = GetParam();
  for (const bool masked : {false, true}) {
    const std::string stream =
        encode({0x81, "bye", masked, -1}) + encode({0x88, row.payload, masked, -1});
    expect_same_at_every_split(stream);
    expect_same_byte_by_byte(stream);
    FrameWalker walker;
    walker.walk(stream.data(), stream.size() - 1);
    EXPECT_FALSE(walker.closed());
    EXPECT_EQ(walker.close_code(), 0);
    walker.walk(stream.data() + stream.size() - 1, 1);
    EXPECT_TRUE(walker.closed());
    EXPECT_EQ(walker.close_code(), row.code);
  }
}

const CloseRow kCloses[] = {
    {"without_code", "", 1005},
    {"with_half_a_code", "\x03", 1005},
    {"normal", close_payload(1000), 1000},
    {"going_away_with_reason", close_payload(1001, "going away"), 1001},
    {"application", close_payload(4999), 4999},
    {"code_zero", close_payload(0), 0},
    {"longer_than_allowed", close_payload(1008, std::string(300, 'x')), 1008},
};
INSTANTIATE_TEST_SUITE_P(Codes, FrameWalkerClose, testing::ValuesIn(kCloses),
                         http::test::row_name<CloseRow>);

TEST(FrameWalker, KeepsTheFirstCloseAndFollowsWhatComesBehindIt) {
  const std::string stream = encode({0x88, close_payload(1001), true, -1}) +
                             encode({0x81, "late", true, -1}) +
                             encode({0x88, close_payload(1000), true, -1});
  expect_same_at_every_split(stream);
  FrameWalker walker;
  EXPECT_EQ(walker.walk(stream.data(), stream.size()).frames, 3u);
  EXPECT_EQ(walker.close_code(), 1001);
}

}  // namespace
}  // namespace holdfast::websocket
