// Requests that are accepted, and what is read from them.

#include <ostream>
#include <string>

#include "http/head.h"
#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

struct Accepted {
  const char* name;
  const char* section;
  std::string bytes;
  std::string target = "/";
  std::string path = "/";
  std::string authority = "a";
  std::string host = "a";
};
void PrintTo(const Accepted& row, std::ostream* out) { *out << row.section; }

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string for_host(const std::string& host) {
  return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}
std::string with(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

/// The head points into `bytes`.
ParseResult parse(const std::string& bytes, RequestHead& head) {
  std::size_t scanned = 0;
  return parse_request_head(bytes, scanned, head);
}

class RequestAccepted : public testing::TestWithParam<Accepted> {};

TEST_P(RequestAccepted, AndReadAsThis) {
  const Accepted& row = GetParam();
  RequestHead head;
  const std::string bytes = row.bytes + "GET /next";
  const ParseResult result = parse(bytes, head);
  ASSERT_EQ(result.state, ParseState::kDone) << row.section << ' ' << to_string(result.error);
  EXPECT_EQ(result.head_bytes, row.bytes.size());
  EXPECT_EQ(head.target, row.target);
  EXPECT_EQ(head.path, row.path);
  EXPECT_EQ(head.authority, row.authority);
  EXPECT_EQ(head.host, row.host);
}

const Accepted kTargets[] = {
    {"root", "9112 3.2.1", get("/")},
    {"one empty line first", "9112 2.2", "\r\n" + get("/")},
    {"path and query", "9112 3.2.1", get("/a/b?c=d?e"), "/a/b?c=d?e", "/a/b"},
    {"dots stay", "9110 7.7", get("/a/../b/./%2e"), "/a/../b/./%2e", "/a/../b/./%2e"},
    {"double slashes stay", "9110 7.7", get("//a//b"), "//a//b", "//a//b"},
    {"characters that URIs lack", "9110 7.7", get("/\"<>\\^`{|}"), "/\"<>\\^`{|}", "/\"<>\\^`{|}"},
    {"lone question mark", "9112 3.2.1", get("/?"), "/?", "/"},
    {"colon and at sign", "9112 3.2.1", get("/a:b@c"), "/a:b@c", "/a:b@c"},
    {"asterisk with OPTIONS", "9112 3.2.4", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "*"},
    {"absolute form wins over Host", "9112 3.2.2", get("http://b/x?y"), "/x?y", "/x", "b", "b"},
    {"absolute form with port", "9112 3.2.2", get("http://b.c:8080/x"), "/x", "/x", "b.c:8080",
     "b.c"},
    {"absolute form of https in upper case", "9112 3.2.2", get("HTTPS://B/x"), "/x", "/x", "B",
     "B"},
    {"absolute form without path", "9112 3.2.1", get("http://b"), "/", "/", "b", "b"},
    {"absolute form with query only", "9112 3.2.1", get("http://b?x=/"), "?x=/", "/", "b", "b"},
    {"absolute form in HTTP 1.0 without Host", "9112 3.2.2", "GET http://b/x HTTP/1.0\r\n\r\n",
     "/x", "/x", "b", "b"},
    {"absolute form of OPTIONS without path", "9112 3.2.4",
     "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "*", "*", "b", "b"},
    {"absolute form of OPTIONS with path", "9112 3.2.4",
     "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "/", "/", "b", "b"},
};
INSTANTIATE_TEST_SUITE_P(Target, RequestAccepted, testing::ValuesIn(kTargets),
                         test::row_name<Accepted>);

const Accepted kHosts[] = {
    {"name and port", "9110 7.2", for_host("b.example:8080"), "/", "/", "b.example:8080",
     "b.example"},
    {"port without digits", "3986 3.2.3", for_host("b:"), "/", "/", "b:", "b"},
    {"port 65535", "3986 3.2.3", for_host("b:65535"), "/", "/", "b:65535", "b"},
    {"trailing dot", "9110 7.2", for_host("b.example."), "/", "/", "b.example.", "b.example"},
    {"trailing dot and port", "9110 7.2", for_host("b.:80"), "/", "/", "b.:80", "b"},
    {"case as sent", "9110 4.2.3", for_host("B.Example"), "/", "/", "B.Example", "B.Example"},
    {"underscore and tilde", "3986 3.2.2", for_host("a_b~c"), "/", "/", "a_b~c", "a_b~c"},
    {"IPv4", "3986 3.2.2", for_host("127.0.0.1:80"), "/", "/", "127.0.0.1:80", "127.0.0.1"},
    {"IPv6", "3986 3.2.2", for_host("[::1]"), "/", "/", "[::1]", "[::1]"},
    {"IPv6 and port", "3986 3.2.2", for_host("[2001:db8::2]:8443"), "/", "/", "[2001:db8::2]:8443",
     "[2001:db8::2]"},
    {"whitespace around", "9110 5.5", for_host(" \t b \t"), "/", "/", "b", "b"},
    {"no whitespace", "9110 5.5", "GET / HTTP/1.1\r\nhOST:b\r\n\r\n", "/", "/", "b", "b"},
    {"none in HTTP 1.0", "9112 3.2", "GET / HTTP/1.0\r\n\r\n", "/", "/", "", ""},
};
INSTANTIATE_TEST_SUITE_P(Host, RequestAccepted, testing::ValuesIn(kHosts),
                         test::row_name<Accepted>);

struct Framed {
  const char* name;
  const char* section;
  std::string bytes;
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  int minor_version = 1;
};
void PrintTo(const Framed& row, std::ostream* out) { *out << row.section; }

class RequestFramed : public testing::TestWithParam<Framed> {};

TEST_P(RequestFramed, AsThis) {
  const Framed& row = GetParam();
  RequestHead head;
  const ParseResult result = parse(row.bytes, head);
  ASSERT_EQ(result.state, ParseState::kDone) << row.section << ' ' << to_string(result.error);
  EXPECT_EQ(head.framing, row.framing);
  EXPECT_EQ(head.content_length, row.content_length);
  EXPECT_EQ(head.has_content_length, row.framing == Framing::kLength);
  EXPECT_EQ(head.keep_alive, row.keep_alive);
  EXPECT_EQ(head.minor_version, row.minor_version);
}

const Framed kFramed[] = {
    {"no framing field", "9112 6.3", with("")},
    {"CL 5", "9112 6.2", with("Content-Length: 5\r\n"), Framing::kLength, 5},
    {"CL 0", "9112 6.2", with("content-length: 0\r\n"), Framing::kLength, 0},
    {"CL with leading zeros", "9110 8.6", with("Content-Length: 005\r\n"), Framing::kLength, 5},
    {"CL 2 to the 64 minus 1", "9110 8.6", with("Content-Length: 18446744073709551615\r\n"),
     Framing::kLength, 18446744073709551615u},
    {"TE chunked", "9112 6.1", with("Transfer-Encoding: chunked\r\n"), Framing::kChunked},
    {"TE CHUNKED", "9112 7", with("TRANSFER-ENCODING:\tCHUNKED \r\n"), Framing::kChunked},
    {"HTTP 1.2 as 1.1", "9110 2.5", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
    {"HTTP 1.9 as 1.1", "9110 2.5", "GET / HTTP/1.9\r\nHost: a\r\n\r\n"},
    {"close", "9112 9.3", with("Connection: close\r\n"), Framing::kNone, 0, false},
    {"close among others", "9112 9.3", with("Connection: a, Close\r\n"), Framing::kNone, 0, false},
    {"close on a second line", "9112 9.3", with("Connection: a\r\nConnection: close\r\n"),
     Framing::kNone, 0, false},
    {"close and keep-alive", "9112 9.3", with("Connection: keep-alive, close\r\n"), Framing::kNone,
     0, false},
    {"another option", "9112 9.3", with("Connection: closed\r\n")},
    {"HTTP 1.0", "9112 9.3", "GET / HTTP/1.0\r\n\r\n", Framing::kNone, 0, false, 0},
    {"HTTP 1.0 with keep-alive", "9112 9.3", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     Framing::kNone, 0, false, 0},
    {"HTTP 1.0 with CL", "9112 6.3", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
     Framing::kLength, 5, false, 0},
};
INSTANTIATE_TEST_SUITE_P(Framing, RequestFramed, testing::ValuesIn(kFramed),
                         test::row_name<Framed>);

TEST(RequestFields, KeepOrderSpellingAndBytes) {
  RequestHead head;
  const std::string bytes = with(
      "X-B:  two  words \t\r\nx-a:\r\nX-b: \x80\xff\r\n!#$%&'*+-.^_`|~9: a\tb\r\nMy_Own: 1\r\n");
  ASSERT_EQ(parse(bytes, head).state, ParseState::kDone);
  ASSERT_EQ(head.fields.size(), 6u);
  EXPECT_EQ(head.fields[1].name, "X-B");
  EXPECT_EQ(head.fields[1].value, "two  words");
  EXPECT_EQ(head.fields[2].name, "x-a");
  EXPECT_EQ(head.fields[2].value, "");
  EXPECT_EQ(head.fields[3].value, "\x80\xff");
  EXPECT_EQ(head.fields[4].name, "!#$%&'*+-.^_`|~9");
  EXPECT_EQ(head.fields[4].value, "a\tb");
  EXPECT_EQ(head.fields[5].name, "My_Own");
  EXPECT_EQ(head.count("x-b"), 2u);
  EXPECT_EQ(head.find("X-A"), &head.fields[2]);
  EXPECT_EQ(head.find("x-c"), nullptr);
}

TEST(RequestFields, AValueOfEveryLengthIsReadWhole) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string value(size, 'v');
    RequestHead head;
    const std::string bytes = with("X: " + value + "\r\n");
    ASSERT_EQ(parse(bytes, head).state, ParseState::kDone);
    EXPECT_EQ(head.find("x")->value, value);
  }
}

TEST(RequestFields, AControlCharacterIsFoundAtEveryPlace) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string value(20, '\x80');
      value[at] = static_cast<char>(c);
      RequestHead head;
      const bool allowed = c == '\t' || (c >= 0x20 && c != 0x7f);
      const ParseState expected = allowed ? ParseState::kDone : ParseState::kError;
      ASSERT_EQ(parse(with("X: a" + value + "b\r\n"), head).state, expected) << at << ' ' << c;
    }
  }
}

// RFC 9110 section 10.1.1.
TEST(RequestExpect, ContinueIsForHttp11Only) {
  RequestHead head;
  ASSERT_EQ(parse(with("Expect: 100-Continue\r\n"), head).state, ParseState::kDone);
  EXPECT_TRUE(head.expects_continue);
  ASSERT_EQ(parse(with("Expect: x\r\n"), head).state, ParseState::kDone);
  EXPECT_FALSE(head.expects_continue);
  ASSERT_EQ(parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", head).state,
            ParseState::kDone);
  EXPECT_FALSE(head.expects_continue);
}

TEST(RequestHeadObject, IsReusedWithoutTraces) {
  RequestHead head;
  ASSERT_EQ(parse("POST http://b/x?y HTTP/1.0\r\nContent-Length: 5\r\n\r\n", head).state,
            ParseState::kDone);
  const std::string next = get("/");
  ASSERT_EQ(parse(next, head).state, ParseState::kDone);
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_EQ(head.authority, "a");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_EQ(head.framing, Framing::kNone);
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_FALSE(head.has_content_length);
  EXPECT_TRUE(head.keep_alive);
}

// RFC 9110 section 5.6.1.
TEST(ListTokens, AreComparedWholeAndWithoutCase) {
  EXPECT_TRUE(list_has_token("keep-alive, Upgrade", "upgrade"));
  EXPECT_TRUE(list_has_token(" ,,\tUPGRADE\t,", "upgrade"));
  EXPECT_FALSE(list_has_token("upgraded, up grade", "upgrade"));
  EXPECT_FALSE(list_has_token("", "upgrade"));
  EXPECT_FALSE(equal_ignoring_case("a[", "a{"));
}

}  // namespace
}  // namespace holdfast::http
