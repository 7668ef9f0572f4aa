// The limits of limits.h at n and n + 1, and heads that come in pieces.

#include <random>
#include <string>
#include <vector>

#include "http/head.h"
#include "http/limits.h"
#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

ParseResult parse(const std::string& bytes) {
  RequestHead head;
  std::size_t scanned = 0;
  return parse_request_head(bytes, scanned, head);
}

/// Gives the bytes in growing prefixes, each in its own memory, until the parser decides.
ParseResult trickle(const std::string& bytes, const std::vector<std::size_t>& sizes,
                    std::size_t& needed) {
  RequestHead head;
  std::size_t scanned = 0;
  for (const std::size_t size : sizes) {
    const std::string prefix = bytes.substr(0, size);
    const ParseResult result = parse_request_head(prefix, scanned, head);
    needed = size;
    if (result.state != ParseState::kNeedMore) return result;
  }
  return {};
}

std::vector<std::size_t> every_size(std::size_t most) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size <= most; ++size) sizes.push_back(size);
  return sizes;
}

std::string request_line(std::size_t size) {
  const std::string end = " HTTP/1.1";
  std::string line = "GET /";
  line.append(size - line.size() - end.size(), 'x');
  return line + end;
}
std::string field_line(std::size_t size) { return "X: " + std::string(size - 3, 'v') + "\r\n"; }

std::string fields_of(std::size_t bytes) {
  std::string fields = "Host: a\r\n";
  while (bytes - fields.size() > 8000) fields += field_line(4000);
  const std::size_t rest = bytes - fields.size();
  return fields + field_line(rest / 2 - 2) + field_line(rest - rest / 2 - 2);
}

constexpr const char* kStart = "GET / HTTP/1.1\r\nHost: a\r\n";

TEST(RequestLimits, RequestLine) {
  const std::string rest = "\r\nHost: a\r\n\r\n";
  EXPECT_EQ(parse(request_line(kRequestLineBytesMost) + rest).state, ParseState::kDone);
  EXPECT_EQ(parse(request_line(kRequestLineBytesMost + 1) + rest).status, 414);
  EXPECT_EQ(parse("\r\n" + request_line(kRequestLineBytesMost) + rest).state, ParseState::kDone);
  EXPECT_EQ(parse(std::string(kRequestLineBytesMost + 1, 'M')).status, 414);
}

TEST(RequestLimits, FieldLine) {
  EXPECT_EQ(parse(kStart + field_line(kFieldBytesMost) + "\r\n").state, ParseState::kDone);
  const ParseResult result = parse(kStart + field_line(kFieldBytesMost + 1) + "\r\n");
  EXPECT_EQ(result.error, HeadError::kFieldTooLong);
  EXPECT_EQ(result.status, 431);
  EXPECT_EQ(parse(kStart + std::string(kFieldBytesMost + 1, 'N')).status, 431);
}

TEST(RequestLimits, AllFields) {
  const std::string line = "GET / HTTP/1.1\r\n";
  EXPECT_EQ(parse(line + fields_of(kFieldsBytesMost) + "\r\n").state, ParseState::kDone);
  const ParseResult result = parse(line + fields_of(kFieldsBytesMost + 1) + "\r\n");
  EXPECT_EQ(result.error, HeadError::kHeadTooLong);
  EXPECT_EQ(result.status, 431);
}

TEST(RequestLimits, FieldCount) {
  std::string bytes = kStart;
  for (std::size_t i = 1; i < kFieldCountMost; ++i) bytes += "X: y\r\n";
  EXPECT_EQ(parse(bytes + "\r\n").state, ParseState::kDone);
  const ParseResult result = parse(bytes + "X: y\r\n\r\n");
  EXPECT_EQ(result.error, HeadError::kTooManyFields);
  EXPECT_EQ(result.status, 431);
}

TEST(RequestLimits, ConnectionOptions) {
  std::string options = "o";
  for (std::size_t i = 1; i < kConnectionOptionsMost; ++i) options += ", o";
  EXPECT_EQ(parse(kStart + ("Connection: " + options) + "\r\n\r\n").state, ParseState::kDone);
  EXPECT_EQ(parse(kStart + ("Connection: " + options) + ", o\r\n\r\n").status, 431);
}

TEST(ResponseLimits, Are502) {
  ResponseHead head;
  std::size_t scanned = 0;
  const std::string line = "HTTP/1.1 200 " + std::string(kRequestLineBytesMost, 'r');
  EXPECT_EQ(parse_response_head(line, scanned, false, head).status, 502);
  scanned = 0;
  const std::string field = "HTTP/1.1 200 OK\r\n" + field_line(kFieldBytesMost + 1);
  EXPECT_EQ(parse_response_head(field, scanned, false, head).error, HeadError::kFieldTooLong);
}

// The largest head fits the buffer that limits.h asks for, and any breach is found within it.
TEST(RequestLimits, TheBufferIsLargeEnough) {
  const std::string largest =
      "\r\n" + request_line(kRequestLineBytesMost) + "\r\n" + fields_of(kFieldsBytesMost) + "\r\n";
  EXPECT_EQ(largest.size(), kHeadBytesMost);
  EXPECT_EQ(parse(largest).state, ParseState::kDone);
  for (std::size_t at = 0; at + 2 < largest.size(); at += 997) {
    std::string grown = largest;
    grown.insert(at + 2, 1, 'A');
    EXPECT_NE(parse(grown.substr(0, kHeadBytesMost)).state, ParseState::kNeedMore) << at;
  }
}

// Whatever the size at which a limit is broken at once, it is broken there too for a trickled head.
TEST(Trickled, BreachesAreFoundAsSoonAsInOnePiece) {
  const std::string line = "GET / HTTP/1.1\r\n";
  std::string many = line;
  for (std::size_t i = 0; i <= kFieldCountMost; ++i) many += "X: y\r\n";
  const std::string cases[] = {
      request_line(kRequestLineBytesMost + 50),
      kStart + field_line(kFieldBytesMost + 50),
      line + fields_of(kFieldsBytesMost + 50),
      request_line(kRequestLineBytesMost - 10) + "\r\n" + fields_of(kFieldsBytesMost + 50),
      many,
  };
  for (const std::string& bytes : cases) {
    std::size_t at_once = 1;
    std::size_t step = bytes.size();
    while (step > 0) {
      while (at_once + step < bytes.size() &&
             parse(bytes.substr(0, at_once + step)).state == ParseState::kNeedMore) {
        at_once += step;
      }
      step /= 2;
    }
    ++at_once;
    std::size_t needed = 0;
    const ParseResult result = trickle(bytes, every_size(bytes.size()), needed);
    EXPECT_EQ(result.state, ParseState::kError);
    EXPECT_EQ(needed, at_once);
    EXPECT_EQ(result.error, parse(bytes).error);
  }
}

TEST(Trickled, ALongLineThatCameWithItsEndIsABreach) {
  for (const std::string& bytes : {request_line(kRequestLineBytesMost + 1) + "\r\nHost",
                                   kStart + field_line(kFieldBytesMost + 1) + "X"}) {
    std::size_t needed = 0;
    EXPECT_EQ(trickle(bytes, {5, bytes.size()}, needed).state, ParseState::kError);
  }
}

TEST(Trickled, MuchMoreThanAHeadAfterOneByte) {
  const std::string unending = "GET / HTTP/1.1\r\n" + fields_of(200000);
  std::size_t needed = 0;
  EXPECT_EQ(trickle(unending, {1, unending.size()}, needed).status, 431);
  const std::string pipelined = std::string(kStart) + "\r\n" + std::string(200000, 'x');
  EXPECT_EQ(trickle(pipelined, {1, pipelined.size()}, needed).state, ParseState::kDone);
}

const std::string kHeads[] = {
    "GET /chat?x=1 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: "
    "Upgrade\r\n\r\n",
    "\r\nPOST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "GET http://b?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nA:\r\n\r\n",
};

void expect_same(const std::string& bytes, const ParseResult& result) {
  const ParseResult whole = parse(bytes);
  EXPECT_EQ(result.state, whole.state) << bytes;
  EXPECT_EQ(result.error, whole.error) << bytes;
  EXPECT_EQ(result.status, whole.status) << bytes;
  EXPECT_EQ(result.head_bytes, whole.head_bytes) << bytes;
}

TEST(Trickled, EverySplitIntoTwoGivesTheSame) {
  for (const std::string& head : kHeads) {
    for (std::size_t split = 0; split <= head.size(); ++split) {
      std::size_t needed = 0;
      expect_same(head, trickle(head, {split, head.size()}, needed));
    }
  }
}

TEST(Trickled, ByteByByteGivesTheSame) {
  for (const std::string& head : kHeads) {
    std::size_t needed = 0;
    expect_same(head, trickle(head, every_size(head.size()), needed));
  }
}

TEST(Trickled, RandomSplitsOfMutatedHeadsGiveTheSame) {
  std::mt19937 random(20261124);
  const std::string alphabet = "\r\n :aZ_,\t/;0" + std::string(1, '\0');
  for (int round = 0; round < 3000; ++round) {
    std::string head = kHeads[random() % std::size(kHeads)];
    for (unsigned mutations = random() % 3; mutations > 0; --mutations) {
      head[random() % head.size()] = alphabet[random() % alphabet.size()];
    }
    // Errors may wait for an empty line.
    head += "\r\n\r\n";
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size < head.size(); sizes.push_back(size)) {
      size = std::min(head.size(), size + 1 + random() % 20);
    }
    std::size_t needed = 0;
    const ParseResult result = trickle(head, sizes, needed);
    expect_same(head, result);
  }
}

// One byte at a time costs a look at that byte, not another parse: 32 KiB would take seconds.
TEST(Trickled, TheLargestHeadByteByByte) {
  const std::string head =
      request_line(kRequestLineBytesMost) + "\r\n" + fields_of(kFieldsBytesMost) + "\r\n";
  RequestHead parsed;
  std::size_t scanned = 0;
  for (std::size_t size = 1; size < head.size(); ++size) {
    ASSERT_EQ(parse_request_head({head.data(), size}, scanned, parsed).state,
              ParseState::kNeedMore);
  }
  EXPECT_EQ(parse_request_head(head, scanned, parsed).head_bytes, head.size());
}

}  // namespace
}  // namespace holdfast::http
