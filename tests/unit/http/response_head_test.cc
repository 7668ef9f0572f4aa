// Response heads (RFC 9112 sections 4, 6 and 9).

#include <ostream>
#include <string>

#include "http/head.h"
#include "http/limits.h"
#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

ParseResult parse(const std::string& bytes, bool request_is_head, ResponseHead& head) {
  std::size_t scanned = 0;
  return parse_response_head(bytes, scanned, request_is_head, head);
}

struct Refused {
  const char* name;
  const char* section;
  std::string bytes;
  HeadError error;
};
void PrintTo(const Refused& row, std::ostream* out) { *out << row.section; }

class ResponseRefused : public testing::TestWithParam<Refused> {};

TEST_P(ResponseRefused, WithItsErrorAs502) {
  const Refused& row = GetParam();
  ResponseHead head;
  const ParseResult result = parse(row.bytes, false, head);
  EXPECT_EQ(result.state, ParseState::kError) << row.section;
  EXPECT_STREQ(to_string(result.error), to_string(row.error)) << row.section;
  EXPECT_EQ(result.status, 502);
}

std::string line(const std::string& status_line) { return status_line + "\r\n\r\n"; }
std::string ok(const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; }
std::string old(const std::string& fields) { return "HTTP/1.0 200 OK\r\n" + fields + "\r\n"; }
std::string answer(const std::string& status, const std::string& fields) {
  return "HTTP/1.1 " + status + "\r\n" + fields + "\r\n";
}

using E = HeadError;
const Refused kRefused[] = {
    {"empty line first", "9112 4", "\r\n" + ok(""), E::kBadStatusLine},
    {"not HTTP", "9112 4", "SSH-2.0-OpenSSH_9.2\r\n", E::kBadStatusLine},
    {"HTTP 2.0", "9112 2.3", line("HTTP/2.0 200 OK"), E::kBadVersion},
    {"two digits in minor version", "9112 2.3", line("HTTP/1.10 200 OK"), E::kBadStatusLine},
    {"no status", "9112 4", line("HTTP/1.1"), E::kBadStatusLine},
    {"two spaces", "9112 4", line("HTTP/1.1  200 OK"), E::kBadStatusLine},
    {"status of two digits", "9112 4", line("HTTP/1.1 20 OK"), E::kBadStatusLine},
    {"status of four digits", "9112 4", line("HTTP/1.1 2000 OK"), E::kBadStatusLine},
    {"status with letter", "9112 4", line("HTTP/1.1 2x0 OK"), E::kBadStatusLine},
    {"status with plus", "9112 4", line("HTTP/1.1 +20 OK"), E::kBadStatusLine},
    {"status 099", "9110 15", line("HTTP/1.1 099 OK"), E::kBadStatusLine},
    {"status 600", "9110 15", line("HTTP/1.1 600 OK"), E::kBadStatusLine},
    {"reason without space", "9112 4", line("HTTP/1.1 200OK"), E::kBadStatusLine},
    {"reason with control character", "9112 4", line("HTTP/1.1 200 O\x01K"), E::kBadStatusLine},
    {"status line ends in bare LF", "9112 2.2", "HTTP/1.1 200 OK\n\r\n", E::kBadStatusLine},
    {"status line with bare CR", "9112 2.2", "HTTP/1.1 200 O\rK\r\n\r\n", E::kBadStatusLine},
    {"fold", "9112 5.2", ok("X: a\r\n b\r\n"), E::kBadField},
    {"whitespace before the first field", "9112 2.2", ok(" X: a\r\n"), E::kBadField},
    {"space before colon", "9112 5.1", ok("X : a\r\n"), E::kBadField},
    {"NUL", "9110 5.5", ok(std::string("X: a\0b\r\n", 8)), E::kBadField},
    {"bare LF", "9112 2.2", ok("X: a\nY: b\r\n"), E::kBadField},
    {"bare CR", "9112 2.2", ok("X: a\rY: b\r\n"), E::kBadField},
    {"CL invalid", "9112 6.3", ok("Content-Length: x\r\n"), E::kBadContentLength},
    {"CL negative", "9112 6.3", ok("Content-Length: -1\r\n"), E::kBadContentLength},
    {"CL overflow", "9112 6.3", ok("Content-Length: 18446744073709551616\r\n"),
     E::kBadContentLength},
    {"CL differing lines", "9112 6.3", ok("Content-Length: 1\r\nContent-Length: 2\r\n"),
     E::kBadContentLength},
    {"CL equal lines", "policy", ok("Content-Length: 1\r\nContent-Length: 1\r\n"),
     E::kBadContentLength},
    {"CL invalid in 304", "9112 6.3", answer("304 Not Modified", "Content-Length: x\r\n"),
     E::kBadContentLength},
    {"TE gzip", "9112 6.3", ok("Transfer-Encoding: gzip\r\n"), E::kBadTransferEncoding},
    {"TE gzip chunked", "9112 6.1", ok("Transfer-Encoding: gzip, chunked\r\n"),
     E::kUnknownTransferCoding},
    {"TE chunked twice", "9112 6.1", ok("Transfer-Encoding: chunked, chunked\r\n"),
     E::kBadTransferEncoding},
    {"TE in HTTP 1.0", "9112 6.1", old("Transfer-Encoding: chunked\r\n"), E::kBadTransferEncoding},
};
INSTANTIATE_TEST_SUITE_P(Head, ResponseRefused, testing::ValuesIn(kRefused),
                         test::row_name<Refused>);

// Otherwise the line end inside goes unseen, and with it the end of the head.
TEST(ResponseTrickled, WhatIsNoStatusIsRefusedBeforeItIsThreeDigitsLong) {
  for (const std::string bytes : {"HTTP/1.1 \n", "HTTP/1.1 2\r", "HTTP/1.1 20x"}) {
    ResponseHead head;
    EXPECT_EQ(parse(bytes, false, head).error, HeadError::kBadStatusLine) << bytes;
  }
}

struct Framed {
  const char* name;
  const char* section;
  std::string bytes;
  Framing framing;
  bool keep_alive = true;
  /// -1: none.
  std::int64_t content_length = -1;
  bool request_is_head = false;
};
void PrintTo(const Framed& row, std::ostream* out) { *out << row.section; }

class ResponseFramed : public testing::TestWithParam<Framed> {};

TEST_P(ResponseFramed, AsThis) {
  const Framed& row = GetParam();
  ResponseHead head;
  const std::string bytes = row.bytes + "body";
  const ParseResult result = parse(bytes, row.request_is_head, head);
  ASSERT_EQ(result.state, ParseState::kDone) << row.section << ' ' << to_string(result.error);
  EXPECT_EQ(result.head_bytes, row.bytes.size());
  EXPECT_EQ(head.framing, row.framing) << row.section;
  EXPECT_EQ(head.keep_alive, row.keep_alive) << row.section;
  EXPECT_EQ(head.has_content_length, row.content_length >= 0);
  if (row.content_length >= 0) {
    EXPECT_EQ(head.content_length, static_cast<std::uint64_t>(row.content_length));
  }
}

const char* const kChunked = "Transfer-Encoding: chunked\r\n";
const char* const kFive = "Content-Length: 5\r\n";
const Framed kFramed[] = {
    {"CL", "9112 6.3", ok(kFive), Framing::kLength, true, 5},
    {"CL 0", "9112 6.3", ok("Content-Length: 0\r\n"), Framing::kLength, true, 0},
    {"TE", "9112 6.3", ok(kChunked), Framing::kChunked},
    {"neither", "9112 6.3", ok(""), Framing::kUntilClose, false},
    {"close", "9112 9.3", ok(std::string("Connection: close\r\n") + kFive), Framing::kLength, false,
     5},
    {"HTTP 1.0", "9112 9.3", old(kFive), Framing::kLength, false, 5},
    {"HTTP 1.0 keep-alive", "9112 9.3", old(std::string("Connection: Keep-Alive\r\n") + kFive),
     Framing::kLength, true, 5},
    {"HTTP 1.0 keep-alive and close", "9112 9.3",
     old(std::string("Connection: close, keep-alive\r\n") + kFive), Framing::kLength, false, 5},
    {"HTTP 1.0 keep-alive without length", "9112 9.3", old("Connection: keep-alive\r\n"),
     Framing::kUntilClose, false},
    {"HTTP 1.5", "9110 2.5", "HTTP/1.5 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::kLength, true,
     5},
    {"CL and TE", "9112 6.3", ok(std::string(kFive) + kChunked), Framing::kChunked, false},
    {"TE and CL", "9112 6.3", ok(std::string(kChunked) + kFive), Framing::kChunked, false},
    {"TE and an invalid CL", "9112 6.3", ok(std::string(kChunked) + "Content-Length: x\r\n"),
     Framing::kChunked, false},
    {"204", "9112 6.3", answer("204 No Content", ""), Framing::kNone},
    {"204 with CL 0", "9110 8.6", answer("204 No Content", "Content-Length: 0\r\n"), Framing::kNone,
     true, 0},
    {"204 with CL", "9110 8.6", answer("204 No Content", kFive), Framing::kNone, false, 5},
    {"204 with TE", "9112 6.1", answer("204 No Content", kChunked), Framing::kNone, false},
    {"304", "9112 6.3", answer("304 Not Modified", ""), Framing::kNone},
    {"304 with CL", "9110 8.6", answer("304 Not Modified", kFive), Framing::kNone, true, 5},
    {"304 with TE", "9112 6.1", answer("304 Not Modified", kChunked), Framing::kNone},
    {"100", "9112 6.3", answer("100 Continue", ""), Framing::kNone},
    {"101", "9112 6.3", answer("101 Switching Protocols", ""), Framing::kNone},
    {"103", "9112 6.3", answer("103 Early Hints", "Link: x\r\n"), Framing::kNone},
    {"205 as any other", "9110 15.3.6", answer("205 Reset Content", "Content-Length: 0\r\n"),
     Framing::kLength, true, 0},
    {"HEAD", "9112 6.3", ok(""), Framing::kNone, true, -1, true},
    {"HEAD with CL", "9110 8.6", ok(kFive), Framing::kNone, true, 5, true},
    {"HEAD with TE", "9112 6.1", ok(kChunked), Framing::kNone, true, -1, true},
};
INSTANTIATE_TEST_SUITE_P(Head, ResponseFramed, testing::ValuesIn(kFramed), test::row_name<Framed>);

TEST(ResponseHeadFields, LoseContentLengthBesideTransferEncoding) {
  const std::string bytes =
      ok("A: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nB: 2\r\n");
  ResponseHead head;
  ASSERT_EQ(parse(bytes, false, head).state, ParseState::kDone);
  EXPECT_EQ(head.find("content-length"), nullptr);
  EXPECT_EQ(head.fields.size(), 3u);
}

struct Reason {
  const char* name;
  std::string status_line;
  int status;
  std::string reason;
};
void PrintTo(const Reason& row, std::ostream* out) { *out << row.status_line; }

class ResponseStatusLine : public testing::TestWithParam<Reason> {};

// RFC 9112 section 4.
TEST_P(ResponseStatusLine, IsReadAsThis) {
  const Reason& row = GetParam();
  ResponseHead head;
  const std::string bytes = line(row.status_line);
  ASSERT_EQ(parse(bytes, false, head).state, ParseState::kDone);
  EXPECT_EQ(head.status, row.status);
  EXPECT_EQ(head.reason, row.reason);
}

const Reason kReasons[] = {
    {"usual", "HTTP/1.1 200 OK", 200, "OK"},
    {"several words", "HTTP/1.1 404 Not Found", 404, "Not Found"},
    {"empty", "HTTP/1.1 200 ", 200, ""},
    {"empty without the space", "HTTP/1.1 200", 200, ""},
    {"high bytes", "HTTP/1.0 500 \xc3\xa9", 500, "\xc3\xa9"},
    {"lowest status", "HTTP/1.1 100 Continue", 100, "Continue"},
    {"unassigned status", "HTTP/1.1 599 Odd", 599, "Odd"},
};
INSTANTIATE_TEST_SUITE_P(Reasons, ResponseStatusLine, testing::ValuesIn(kReasons),
                         test::row_name<Reason>);

}  // namespace
}  // namespace holdfast::http
