// Requests that are refused. Each row names the section whose rule it breaks.

#include <ostream>
#include <string>

#include "http/head.h"
#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

struct Refused {
  const char* name;
  const char* section;
  std::string bytes;
  HeadError error;
  int status = 400;
};
void PrintTo(const Refused& row, std::ostream* out) { *out << row.section; }

std::string with(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string for_host(const std::string& host) {
  return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}
std::string line(const std::string& request_line) { return request_line + "\r\nHost: a\r\n\r\n"; }

class RequestRefused : public testing::TestWithParam<Refused> {};

TEST_P(RequestRefused, WithItsErrorAndStatus) {
  const Refused& row = GetParam();
  RequestHead head;
  std::size_t scanned = 0;
  const ParseResult result = parse_request_head(row.bytes, scanned, head);
  EXPECT_EQ(result.state, ParseState::kError) << row.section;
  EXPECT_STREQ(to_string(result.error), to_string(row.error)) << row.section;
  EXPECT_EQ(result.status, row.status) << row.section;
}

using E = HeadError;
const std::string kNul(1, '\0');

const Refused kRequestLines[] = {
    {"two empty lines first", "9112 2.2", "\r\n\r\n" + get("/"), E::kBadMethod},
    {"bare LF first", "9112 2.2", "\n" + get("/"), E::kBadMethod},
    {"bare CR first", "9112 2.2", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequestLine},
    {"leading space", "9112 3", " " + get("/"), E::kBadMethod},
    {"request line ends in bare LF", "9112 2.2", "GET / HTTP/1.1\nHost: a\r\n\r\n",
     E::kBadRequestLine},
    {"request line ends in bare CR", "9112 2.2", "GET / HTTP/1.1\rHost: a\r\n\r\n",
     E::kBadRequestLine},
    {"request line ends in CR CR LF", "9112 2.2", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
     E::kBadRequestLine},
    {"two spaces before target", "9112 3", line("GET  / HTTP/1.1"), E::kBadTarget},
    {"two spaces before version", "9112 3", line("GET /  HTTP/1.1"), E::kBadRequestLine},
    {"space after version", "9112 3", line("GET / HTTP/1.1 "), E::kBadRequestLine},
    {"tab for space", "9112 3", line("GET\t/ HTTP/1.1"), E::kBadMethod},
    {"no target", "9112 3", line("GET HTTP/1.1"), E::kBadTarget},
    {"no version", "9112 3", line("GET /"), E::kBadTarget},
    {"only a method", "9112 3", line("GET"), E::kBadMethod},
    {"method with colon", "9110 9.1", line("GE:T / HTTP/1.1"), E::kBadMethod},
    {"method with NUL", "9110 9.1", line("GE" + kNul + "T / HTTP/1.1"), E::kBadMethod},
    {"TLS hello on a plain port", "9112 3", "\x16\x03\x01\x02", E::kBadMethod},
    {"CONNECT", "9110 9.3.6", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", E::kConnectMethod,
     405},
    {"lower case HTTP", "9112 2.3", line("GET / http/1.1"), E::kBadRequestLine},
    {"HTTP 2.0", "9110 15.6.6", line("GET / HTTP/2.0"), E::kBadVersion, 505},
    {"HTTP 0.9", "9110 15.6.6", line("GET / HTTP/0.9"), E::kBadVersion, 505},
    {"HTTP 3.1", "9110 15.6.6", line("GET / HTTP/3.1"), E::kBadVersion, 505},
    {"HTTP2 preface", "9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", E::kBadVersion, 505},
    {"two digits in minor version", "9112 2.3", line("GET / HTTP/1.10"), E::kBadRequestLine},
    {"two digits in major version", "9112 2.3", line("GET / HTTP/11.1"), E::kBadRequestLine},
    {"version without minor", "9112 2.3", line("GET / HTTP/1"), E::kBadRequestLine},
};
INSTANTIATE_TEST_SUITE_P(RequestLine, RequestRefused, testing::ValuesIn(kRequestLines),
                         test::row_name<Refused>);

const Refused kTargets[] = {
    {"no slash", "9112 3.2", get("x"), E::kBadTarget},
    {"authority form", "9112 3.2.3", get("a:80"), E::kBadTarget},
    {"fragment", "9112 3.2", get("/a#b"), E::kBadTarget},
    {"space", "9112 3.2", get("/a b"), E::kBadRequestLine},
    {"control character", "9112 3.2", get("/a\x01"), E::kBadTarget},
    {"tab", "9112 3.2", get("/a\tb"), E::kBadTarget},
    {"NUL", "9112 3.2", get("/a" + kNul), E::kBadTarget},
    {"DEL", "9112 3.2", get("/a\x7f"), E::kBadTarget},
    {"high byte", "9112 3.2", get("/\xc3\xa9"), E::kBadTarget},
    {"bare LF", "9112 3.2", get("/a\nb"), E::kBadTarget},
    {"asterisk with GET", "9112 3.2.4", get("*"), E::kBadTarget},
    {"asterisk and more with OPTIONS", "9112 3.2.4", line("OPTIONS *x HTTP/1.1"), E::kBadTarget},
    {"absolute form of another scheme", "9112 3.2.2", get("ftp://a/"), E::kBadTarget},
    {"absolute form of ws scheme", "9112 3.2.2", get("ws://a/"), E::kBadTarget},
    {"absolute form without slashes", "9112 3.2.2", get("http:a/"), E::kBadTarget},
    {"absolute form without authority", "9110 4.2.1", get("http:///x"), E::kBadTarget},
    {"absolute form with nothing", "9110 4.2.1", get("http://"), E::kBadTarget},
    {"absolute form with userinfo", "9110 4.2.4", get("http://u:p@a/"), E::kBadTarget},
    {"absolute form with bad port", "9110 4.2.1", get("http://a:b/"), E::kBadTarget},
    {"absolute form without Host", "9112 3.2", "GET http://a/ HTTP/1.1\r\n\r\n", E::kBadHost},
    {"absolute form with invalid Host", "9112 3.2", "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n",
     E::kBadHost},
};
INSTANTIATE_TEST_SUITE_P(Target, RequestRefused, testing::ValuesIn(kTargets),
                         test::row_name<Refused>);

const Refused kHosts[] = {
    {"no Host", "9112 3.2", "GET / HTTP/1.1\r\n\r\n", E::kBadHost},
    {"two Hosts", "9112 3.2", with("Host: b\r\n"), E::kBadHost},
    {"two equal Hosts", "9112 3.2", with("Host: a\r\n"), E::kBadHost},
    {"two Hosts in HTTP 1.0", "9112 3.2", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
     E::kBadHost},
    {"empty Host", "9110 4.2.1", for_host(""), E::kBadHost},
    {"only a dot", "9110 7.2", for_host("."), E::kBadHost},
    {"only a port", "9110 7.2", for_host(":80"), E::kBadHost},
    {"list", "9110 7.2", for_host("a, b"), E::kBadHost},
    {"space inside", "9110 7.2", for_host("a b"), E::kBadHost},
    {"slash", "9110 7.2", for_host("a/b"), E::kBadHost},
    {"userinfo", "9110 7.2", for_host("u@a"), E::kBadHost},
    {"URI", "9110 7.2", for_host("http://a"), E::kBadHost},
    {"high byte", "9110 7.2", for_host("\xc3\xa9.example"), E::kBadHost},
    {"percent encoding", "policy", for_host("%61.example"), E::kBadHost},
    {"sub delims", "policy", for_host("a;b"), E::kBadHost},
    {"port with letters", "3986 3.2.3", for_host("a:8x"), E::kBadHost},
    {"port over 65535", "policy", for_host("a:65536"), E::kBadHost},
    {"port that wraps", "policy", for_host("a:4294967376"), E::kBadHost},
    {"two ports", "3986 3.2.3", for_host("a:80:80"), E::kBadHost},
    {"bare IPv6", "3986 3.2.2", for_host("::1"), E::kBadHost},
    {"unclosed IPv6", "3986 3.2.2", for_host("[::1"), E::kBadHost},
    {"bad IPv6", "3986 3.2.2", for_host("[1::2::3]"), E::kBadHost},
    {"IPv6 with zone", "6874", for_host("[fe80::1%25eth0]"), E::kBadHost},
    {"IPv6 and more", "3986 3.2.2", for_host("[::1]x"), E::kBadHost},
    {"empty brackets", "3986 3.2.2", for_host("[]"), E::kBadHost},
    {"IPv4 in brackets", "3986 3.2.2", for_host("[127.0.0.1]"), E::kBadHost},
};
INSTANTIATE_TEST_SUITE_P(Host, RequestRefused, testing::ValuesIn(kHosts), test::row_name<Refused>);

const Refused kFields[] = {
    {"whitespace before the first field", "9112 2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     E::kBadField},
    {"tab before the first field", "9112 2.2", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", E::kBadField},
    {"space before colon", "9112 5.1", with("X : v\r\n"), E::kBadField},
    {"tab before colon", "9112 5.1", with("X\t: v\r\n"), E::kBadField},
    {"space before colon of Host", "9112 5.1", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", E::kBadField},
    {"fold with space", "9112 5.2", with("X: v\r\n w\r\n"), E::kBadField},
    {"fold with tab", "9112 5.2", with("X: v\r\n\tw\r\n"), E::kBadField},
    {"fold that is empty", "9112 5.2", with("X: v\r\n \r\n"), E::kBadField},
    {"folded Transfer-Encoding", "9112 5.2", with("Transfer-Encoding:\r\n chunked\r\n"),
     E::kBadField},
    {"no colon", "9112 5", with("X\r\n"), E::kBadField},
    {"no name", "9112 5", with(": v\r\n"), E::kBadField},
    {"name with space", "9112 5.1", with("X Y: v\r\n"), E::kBadField},
    {"name with high byte", "9110 5.1", with("X\xe9: v\r\n"), E::kBadField},
    {"name with NUL", "9110 5.1", with("X" + kNul + ": v\r\n"), E::kBadField},
    {"name with parenthesis", "9110 5.1", with("X(: v\r\n"), E::kBadField},
    {"value with NUL", "9110 5.5", with("X: a" + kNul + "b\r\n"), E::kBadField},
    {"value with bare CR", "9112 2.2", with("X: a\rb\r\n"), E::kBadField},
    {"value with bare LF", "9112 2.2", with("X: a\nb\r\n"), E::kBadField},
    {"value with bare LF and field", "9112 2.2", with("X: a\nY: b\r\n"), E::kBadField},
    {"value with control character", "9110 5.5", with("X: a\x01\r\n"), E::kBadField},
    {"value with DEL", "9110 5.5", with("X: a\x7f\r\n"), E::kBadField},
    {"control character late in a long value", "9110 5.5",
     with("X: aaaaaaaabbbbbbbbcccccccc\x1f"
          "dddd\r\n"),
     E::kBadField},
    {"line ends in CR CR LF", "9112 2.2", with("X: a\r\r\n"), E::kBadField},
    {"head ends in bare LF", "9112 2.2", "GET / HTTP/1.1\r\nHost: a\r\n\nrest", E::kBadField},
    {"head ends in CR CR", "9112 2.2", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", E::kBadField},
};
INSTANTIATE_TEST_SUITE_P(Fields, RequestRefused, testing::ValuesIn(kFields),
                         test::row_name<Refused>);

const Refused kUnderscores[] = {
    {"X_Forwarded_For", "policy", with("X_Forwarded_For: v\r\n"), E::kUnderscoreField},
    {"x_forwarded-proto", "policy", with("x_forwarded-proto: v\r\n"), E::kUnderscoreField},
    {"X-Forwarded_Host", "policy", with("X-Forwarded_Host: v\r\n"), E::kUnderscoreField},
    {"X_Real_IP", "policy", with("X_Real_IP: v\r\n"), E::kUnderscoreField},
    {"X_REQUEST_ID", "policy", with("X_REQUEST_ID: v\r\n"), E::kUnderscoreField},
    {"Content_Length", "policy", with("Content_Length: 5\r\n"), E::kUnderscoreField},
    {"Transfer_Encoding", "policy", with("Transfer_Encoding: chunked\r\n"), E::kUnderscoreField},
    {"Sec_WebSocket_Key", "policy", with("Sec_WebSocket_Key: v\r\n"), E::kUnderscoreField},
};
INSTANTIATE_TEST_SUITE_P(Underscore, RequestRefused, testing::ValuesIn(kUnderscores),
                         test::row_name<Refused>);

const char* const kChunked = "Transfer-Encoding: chunked\r\n";
const Refused kFramings[] = {
    {"CL then TE", "9112 6.3", with(std::string("Content-Length: 5\r\n") + kChunked),
     E::kLengthAndTransferEncoding},
    {"TE then CL", "9112 6.3", with(std::string(kChunked) + "Content-Length: 5\r\n"),
     E::kLengthAndTransferEncoding},
    {"TE xchunked with CL", "9112 6.3",
     with("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n"), E::kLengthAndTransferEncoding},
    {"TE in HTTP 1.0", "9112 6.1", "POST / HTTP/1.0\r\n" + std::string(kChunked) + "\r\n",
     E::kBadTransferEncoding},
    {"TE gzip", "9112 6.3", with("Transfer-Encoding: gzip\r\n"), E::kBadTransferEncoding},
    {"TE identity", "9112 6.3", with("Transfer-Encoding: identity\r\n"), E::kBadTransferEncoding},
    {"TE xchunked", "9112 6.3", with("Transfer-Encoding: xchunked\r\n"), E::kBadTransferEncoding},
    {"TE empty", "9112 6.1", with("Transfer-Encoding:\r\n"), E::kBadTransferEncoding},
    {"TE chunked then gzip", "9112 6.3", with("Transfer-Encoding: chunked, gzip\r\n"),
     E::kBadTransferEncoding},
    {"TE chunked twice", "9112 6.1", with("Transfer-Encoding: chunked, chunked\r\n"),
     E::kBadTransferEncoding},
    {"TE chunked twice around gzip", "9112 6.1",
     with("Transfer-Encoding: chunked, gzip, chunked\r\n"), E::kBadTransferEncoding},
    {"TE chunked on two lines", "9112 6.1", with(std::string(kChunked) + kChunked),
     E::kBadTransferEncoding},
    {"TE empty element", "policy", with("Transfer-Encoding: ,chunked\r\n"),
     E::kBadTransferEncoding},
    {"TE trailing comma", "policy", with("Transfer-Encoding: chunked,\r\n"),
     E::kBadTransferEncoding},
    {"TE chunked with parameter", "9112 7.1", with("Transfer-Encoding: chunked;x=y\r\n"),
     E::kBadTransferEncoding},
    {"TE chunked with high byte", "9112 6.1", with("Transfer-Encoding: chunked\xa0\r\n"),
     E::kBadTransferEncoding},
    {"TE chunked with vertical tab", "9110 5.5",
     with("Transfer-Encoding: \x0b"
          "chunked\r\n"),
     E::kBadField},
    {"TE chunked in quotes", "9112 6.1", with("Transfer-Encoding: \"chunked\"\r\n"),
     E::kBadTransferEncoding},
    {"TE gzip chunked", "9112 6.1", with("Transfer-Encoding: gzip, chunked\r\n"),
     E::kUnknownTransferCoding, 501},
    {"TE unknown chunked", "9112 6.1", with("Transfer-Encoding: foo;a=b, Chunked\r\n"),
     E::kUnknownTransferCoding, 501},
    {"TE gzip and chunked on two lines", "9112 6.1",
     with(std::string("Transfer-Encoding: gzip\r\n") + kChunked), E::kUnknownTransferCoding, 501},
    {"TE chunked and gzip on two lines", "9112 6.3",
     with(std::string(kChunked) + "Transfer-Encoding: gzip\r\n"), E::kBadTransferEncoding},
    {"CL differing lines", "9112 6.3", with("Content-Length: 5\r\nContent-Length: 6\r\n"),
     E::kBadContentLength},
    {"CL equal lines", "9110 8.6 policy", with("Content-Length: 5\r\nContent-Length: 5\r\n"),
     E::kBadContentLength},
    {"CL list", "9110 8.6 policy", with("Content-Length: 5, 5\r\n"), E::kBadContentLength},
    {"CL differing list", "9112 6.3", with("Content-Length: 5, 6\r\n"), E::kBadContentLength},
    {"CL empty", "9110 8.6", with("Content-Length:\r\n"), E::kBadContentLength},
    {"CL plus", "9110 8.6", with("Content-Length: +5\r\n"), E::kBadContentLength},
    {"CL minus", "9110 8.6", with("Content-Length: -5\r\n"), E::kBadContentLength},
    {"CL hexadecimal", "9110 8.6", with("Content-Length: 0x5\r\n"), E::kBadContentLength},
    {"CL with space", "9110 8.6", with("Content-Length: 5 5\r\n"), E::kBadContentLength},
    {"CL with letter", "9110 8.6", with("Content-Length: 5a\r\n"), E::kBadContentLength},
    {"CL 2 to the 64", "9110 8.6", with("Content-Length: 18446744073709551616\r\n"),
     E::kBadContentLength},
    {"CL 2 to the 64 plus 1", "9110 8.6", with("Content-Length: 18446744073709551617\r\n"),
     E::kBadContentLength},
    {"CL of 30 digits", "9110 8.6", with("Content-Length: 111111111111111111111111111111\r\n"),
     E::kBadContentLength},
};
INSTANTIATE_TEST_SUITE_P(Framing, RequestRefused, testing::ValuesIn(kFramings),
                         test::row_name<Refused>);

}  // namespace
}  // namespace holdfast::http
