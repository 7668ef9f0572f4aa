// What is written: forwarded heads and our own answers.

#include "http/serialize.h"

#include <ostream>
#include <string>

#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

std::string forward(const std::string& bytes, const RequestForwarding& forwarding = {}) {
  RequestHead head;
  std::size_t scanned = 0;
  const ParseResult result = parse_request_head(bytes, scanned, head);
  EXPECT_EQ(result.state, ParseState::kDone) << to_string(result.error);
  std::string out = "before|";
  append_request_head(out, head, forwarding);
  EXPECT_TRUE(out.starts_with("before|"));
  return out.substr(7);
}

std::string forward_response(const std::string& bytes, const ResponseForwarding& forwarding,
                             bool request_is_head = false) {
  ResponseHead head;
  std::size_t scanned = 0;
  const ParseResult result = parse_response_head(bytes, scanned, request_is_head, head);
  EXPECT_EQ(result.state, ParseState::kDone) << to_string(result.error);
  std::string out;
  append_response_head(out, head, forwarding);
  return out;
}

struct Row {
  const char* name;
  const char* section;
  /// Field lines of the incoming message and of the outgoing one.
  std::string incoming;
  std::string outgoing;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.section; }

class ForwardedFields : public testing::TestWithParam<Row> {};

TEST_P(ForwardedFields, OfRequests) {
  const Row& row = GetParam();
  EXPECT_EQ(forward("GET /x HTTP/1.1\r\nHost: a\r\n" + row.incoming + "\r\n"),
            "GET /x HTTP/1.1\r\nHost: a\r\n" + row.outgoing + "Via: 1.1 holdfast\r\n\r\n")
      << row.section;
}

TEST_P(ForwardedFields, OfResponses) {
  const Row& row = GetParam();
  EXPECT_EQ(forward_response("HTTP/1.1 204 No Content\r\n" + row.incoming + "\r\n", {}),
            "HTTP/1.1 204 No Content\r\n" + row.outgoing + "\r\n")
      << row.section;
}

const Row kRows[] = {
    {"none", "9110 7.6.1", "", ""},
    {"unknown ones in order", "9110 5.3", "B: 1\r\nA: 2\r\nb:\t3 \r\n", "B: 1\r\nA: 2\r\nb: 3\r\n"},
    {"nominated", "9110 7.6.1", "A: 1\r\nConnection: a, B\r\nb: 2\r\nC: 3\r\n", "C: 3\r\n"},
    {"nominated on several lines", "9110 7.6.1",
     "Connection: a\r\nA: 1\r\nA: 2\r\nconnection: ,close,b\r\nB: 3\r\nAB: 4\r\n", "AB: 4\r\n"},
    {"Keep-Alive", "9110 7.6.1", "Keep-Alive: timeout=5\r\n", ""},
    {"Proxy-Connection", "9110 7.6.1", "Proxy-Connection: keep-alive\r\n", ""},
    {"TE", "9110 10.1.4", "TE: trailers\r\nConnection: TE\r\n", ""},
    {"Trailer", "9110 6.6.2", "Trailer: A\r\n", ""},
    {"Upgrade", "9110 7.8", "Upgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade\r\n", ""},
    {"HTTP2-Settings not nominated", "7540 3.2.1", "HTTP2-Settings: x\r\n", ""},
    {"Content-Length", "9112 6.2", "Content-Length: 0\r\n", ""},
    {"Cookie nominated", "policy", "Connection: Cookie\r\nCookie: a=b\r\n", "Cookie: a=b\r\n"},
    {"Authorization nominated", "policy", "Connection: authorization\r\nAuthorization: x\r\n",
     "Authorization: x\r\n"},
    {"Content-Type nominated", "policy", "Connection: content-type\r\nContent-Type: x\r\n",
     "Content-Type: x\r\n"},
    {"Origin nominated", "policy", "Connection: origin\r\nOrigin: x\r\n", "Origin: x\r\n"},
    {"Sec-WebSocket-Key nominated", "policy",
     "Connection: sec-websocket-key\r\nSec-WebSocket-Key: x\r\n", "Sec-WebSocket-Key: x\r\n"},
    {"X-Forwarded-For nominated", "policy", "Connection: X-Forwarded-For\r\nX-Forwarded-For: x\r\n",
     "X-Forwarded-For: x\r\n"},
    {"Proxy-Authorization", "9110 11.7.2", "Proxy-Authorization: x\r\n",
     "Proxy-Authorization: x\r\n"},
    {"underscore is not a dash", "9110 5.1", "keep_alive: x\r\n", "keep_alive: x\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Fields, ForwardedFields, testing::ValuesIn(kRows), test::row_name<Row>);

// RFC 9110 section 7.6.1: Host is not one's to remove.
TEST(ForwardedRequest, KeepsANominatedHost) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nConnection: host\r\nHost: a\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 holdfast\r\n\r\n");
}

// RFC 9112 sections 3.2.1, 3.2.2, 3.2.4.
TEST(ForwardedRequest, HasOriginFormAndTheAuthorityAsHost) {
  const std::string rest = " HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n";
  const std::string expected = " HTTP/1.1\r\nHost: b:8080\r\nX: y\r\nVia: 1.1 holdfast\r\n\r\n";
  EXPECT_EQ(forward("GET http://b:8080/x?y" + rest), "GET /x?y" + expected);
  EXPECT_EQ(forward("GET http://b:8080" + rest), "GET /" + expected);
  EXPECT_EQ(forward("GET http://b:8080?y" + rest), "GET /?y" + expected);
  EXPECT_EQ(forward("OPTIONS http://b:8080" + rest), "OPTIONS *" + expected);
}

// RFC 9112 section 2.3: our own version; RFC 9110 section 7.6.3: the received one in Via.
TEST(ForwardedRequest, OfHttp10HasOurVersionAndAnEmptyHost) {
  EXPECT_EQ(forward("GET / HTTP/1.0\r\nVia: 1.0 x\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: \r\nVia: 1.0 x\r\nVia: 1.0 holdfast\r\n\r\n");
}

TEST(ForwardedRequest, ReplacesWhatIsSetWithDashAndUnderscoreAlike) {
  const Field set[] = {{"X-Forwarded-Proto", "http"}, {"X-Auth-User", "u"}};
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nx-forwarded-proto: https\r\nX_Auth_User: "
                    "evil\r\nX-AUTH_USER: evil\r\nX-Auth-Users: v\r\n\r\n",
                    {.framing = Framing::kNone, .websocket_upgrade = false, .set = set}),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Auth-Users: v\r\nX-Forwarded-Proto: "
            "http\r\nX-Auth-User: u\r\nVia: 1.1 holdfast\r\n\r\n");
}

TEST(ForwardedRequest, GoesToAnotherHostAndTarget) {
  RequestForwarding forwarding;
  forwarding.host = "web.internal:8080";
  forwarding.target = "/v2/x?y";
  EXPECT_EQ(forward("GET /x?y HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", forwarding),
            "GET /v2/x?y HTTP/1.1\r\nHost: web.internal:8080\r\nX: y\r\nVia: 1.1 "
            "holdfast\r\n\r\n");
}

TEST(ForwardedRequest, HasFreshFraming) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::string out = start + "Via: 1.1 holdfast\r\n";
  EXPECT_EQ(forward(start + "Content-Length: 0005\r\n\r\n",
                    {.framing = Framing::kLength, .websocket_upgrade = false, .set = {}}),
            out + "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(forward(start + "transfer-encoding: Chunked\r\n\r\n",
                    {.framing = Framing::kChunked, .websocket_upgrade = false, .set = {}}),
            out + "Transfer-Encoding: chunked\r\n\r\n");
}

// RFC 9110 section 7.8; the rest of the handshake passes unchanged.
TEST(ForwardedRequest, OfAnUpgradeAsksForWebsocketOnly) {
  const std::string handshake =
      "Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, "
      "b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: o\r\nCookie: c\r\n";
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket, h2c\r\nConnection: "
                    "keep-alive, upgrade\r\n" +
                        handshake + "\r\n",
                    {.framing = Framing::kNone, .websocket_upgrade = true, .set = {}}),
            "GET / HTTP/1.1\r\nHost: a\r\n" + handshake +
                "Via: 1.1 holdfast\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

struct Answer {
  const char* name;
  const char* section;
  std::string incoming;
  ResponseForwarding forwarding;
  std::string outgoing;
  bool request_is_head = false;
};
void PrintTo(const Answer& row, std::ostream* out) { *out << row.section; }

class ForwardedResponse : public testing::TestWithParam<Answer> {};

TEST_P(ForwardedResponse, IsThis) {
  const Answer& row = GetParam();
  EXPECT_EQ(forward_response(row.incoming + "\r\n", row.forwarding, row.request_is_head),
            row.outgoing + "\r\n")
      << row.section;
}

ResponseForwarding with(Framing framing, bool close = false) {
  ResponseForwarding forwarding;
  forwarding.framing = framing;
  forwarding.close = close;
  return forwarding;
}
ResponseForwarding switching() {
  ResponseForwarding forwarding;
  forwarding.websocket_upgrade = true;
  forwarding.date = "now";
  return forwarding;
}
ResponseForwarding dated() {
  ResponseForwarding forwarding = with(Framing::kLength);
  forwarding.date = "now";
  return forwarding;
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";
const std::string kLength = "Content-Length: 5\r\n";
const std::string kChunked = "Transfer-Encoding: chunked\r\n";
const std::string kSwitch = "HTTP/1.1 101 Switching Protocols\r\n";
const Answer kAnswers[] = {
    {"CL", "9112 6.2", kOk + kLength, with(Framing::kLength), kOk + kLength},
    {"TE", "9112 6.1", kOk + kChunked, with(Framing::kChunked), kOk + kChunked},
    {"CL and TE", "9112 6.3", kOk + kLength + kChunked, with(Framing::kChunked), kOk + kChunked},
    {"until close", "9112 6.3", kOk, with(Framing::kUntilClose), kOk + "Connection: close\r\n"},
    {"until close as chunked", "9112 6.1", kOk, with(Framing::kChunked), kOk + kChunked},
    {"HTTP 1.0 backend", "9112 2.3", "HTTP/1.0 200 OK\r\n" + kLength, with(Framing::kLength),
     kOk + kLength},
    {"empty reason", "9112 4", "HTTP/1.1 200\r\n" + kLength, with(Framing::kLength),
     "HTTP/1.1 200 \r\n" + kLength},
    {"close", "9112 9.6", kOk + kLength, with(Framing::kLength, true),
     kOk + kLength + "Connection: close\r\n"},
    {"HEAD with CL", "9110 8.6", kOk + kLength, with(Framing::kNone), kOk + kLength, true},
    {"HEAD without CL", "9110 8.6", kOk, with(Framing::kNone), kOk, true},
    {"HEAD with TE", "9112 6.1", kOk + kChunked, with(Framing::kNone), kOk, true},
    {"304 with CL", "9110 8.6", "HTTP/1.1 304 Not Modified\r\n" + kLength, with(Framing::kNone),
     "HTTP/1.1 304 Not Modified\r\n" + kLength},
    {"204 with CL", "9110 8.6", "HTTP/1.1 204 No Content\r\n" + kLength, with(Framing::kNone),
     "HTTP/1.1 204 No Content\r\n"},
    {"204 with TE", "9112 6.1", "HTTP/1.1 204 No Content\r\n" + kChunked, with(Framing::kNone),
     "HTTP/1.1 204 No Content\r\n"},
    {"103", "9110 15.2", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n" + kLength,
     with(Framing::kNone, true), "HTTP/1.1 103 Early Hints\r\nLink: x\r\n"},
    {"101", "9110 7.8",
     kSwitch + "upgrade: WebSocket\r\nconnection: upgrade\r\nSec-WebSocket-Accept: k\r\n" + kLength,
     switching(),
     kSwitch + "Sec-WebSocket-Accept: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"},
    {"426", "9110 15.5.22",
     "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" + kLength,
     with(Framing::kLength),
     "HTTP/1.1 426 Upgrade Required\r\n" + kLength +
         "Connection: Upgrade\r\nUpgrade: websocket\r\n"},
    {"426 and close", "9110 15.5.22",
     "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n" + kLength,
     with(Framing::kLength, true),
     "HTTP/1.1 426 Upgrade Required\r\n" + kLength +
         "Connection: close, Upgrade\r\nUpgrade: websocket\r\n"},
    {"no Date", "9110 6.6.1", kOk + kLength, dated(), kOk + "Date: now\r\n" + kLength},
    {"Date", "9110 6.6.1", kOk + "date: then\r\n" + kLength, dated(),
     kOk + "date: then\r\n" + kLength},
};
INSTANTIATE_TEST_SUITE_P(Heads, ForwardedResponse, testing::ValuesIn(kAnswers),
                         test::row_name<Answer>);

TEST(ForwardedResponse, HasFieldsSetRemovedAndAdded) {
  const Field set[] = {{"X-Frame-Options", "DENY"}, {"Server", ""}};
  const Field add[] = {{"Set-Cookie", "b=2"}};
  ResponseForwarding forwarding;
  forwarding.set = set;
  forwarding.add = add;
  EXPECT_EQ(forward_response("HTTP/1.1 304 Not Modified\r\nserver: x\r\nx-frame-options: a\r\n"
                             "X_Frame_Options: b\r\nSet-Cookie: a=1\r\n\r\n",
                             forwarding),
            "HTTP/1.1 304 Not Modified\r\nSet-Cookie: a=1\r\nX-Frame-Options: DENY\r\n"
            "Set-Cookie: b=2\r\n\r\n");
}

TEST(ReasonPhrases, OfKnownAndUnknownStatuses) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

// RFC 9110 section 5.6.7.
TEST(Dates, AreImfFixdates) {
  EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date(1709251199), "Thu, 29 Feb 2024 23:59:59 GMT");
  EXPECT_EQ(format_date(1795479120), "Tue, 24 Nov 2026 00:12:00 GMT");
}

}  // namespace
}  // namespace holdfast::http
