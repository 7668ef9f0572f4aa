// The opening handshake: requests (RFC 6455 section 4.2.1) and 101s (section 4.1).

#include "websocket/handshake.h"

#include <ostream>
#include <string>

#include "tests/unit/http/row.h"

namespace holdfast::websocket {
namespace {

using http::test::row_name;

http::RequestHead parse_request(const std::string& bytes) {
  http::RequestHead head;
  std::size_t scanned = 0;
  EXPECT_EQ(http::parse_request_head(bytes, scanned, head).state, http::ParseState::kDone);
  return head;
}

http::ResponseHead parse_response(const std::string& bytes) {
  http::ResponseHead head;
  std::size_t scanned = 0;
  EXPECT_EQ(http::parse_response_head(bytes, scanned, false, head).state, http::ParseState::kDone);
  return head;
}

const std::string kGet = "GET /chat HTTP/1.1\r\nHost: a\r\n";
const std::string kUpgrade = "Upgrade: websocket\r\n";
const std::string kConnection = "Connection: Upgrade\r\n";
const std::string kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string kVersion = "Sec-WebSocket-Version: 13\r\n";

std::string key(const std::string& value) { return "Sec-WebSocket-Key: " + value + "\r\n"; }

struct RequestRow {
  const char* name;
  const char* section;
  std::string bytes;
  UpgradeCheck check;
};
void PrintTo(const RequestRow& row, std::ostream* out) { *out << row.section; }

class UpgradeRequest : public testing::TestWithParam<RequestRow> {};

TEST_P(UpgradeRequest, IsJudgedAsThis) {
  const RequestRow& row = GetParam();
  const std::string bytes = row.bytes + "\r\n";
  EXPECT_EQ(check_upgrade_request(parse_request(bytes)), row.check) << row.section;
}

using U = UpgradeCheck;
const RequestRow kRequests[] = {
    {"valid", "6455 4.2.1", kGet + kUpgrade + kConnection + kKey + kVersion, U::kValid},
    {"keep-alive and Upgrade", "9110 7.6.1",
     kGet + kUpgrade + "Connection: keep-alive, Upgrade\r\n" + kKey + kVersion, U::kValid},
    {"other case", "6455 4.2.1",
     kGet + "upgrade: WebSocket\r\nCONNECTION: upgrade\r\n" + kKey + kVersion, U::kValid},
    {"several Connection lines", "9110 5.3",
     kGet + kUpgrade + "Connection: keep-alive\r\nConnection: upgrade\r\n" + kKey + kVersion,
     U::kValid},
    {"other protocols beside it", "9110 7.8",
     kGet + "Upgrade: h2c, websocket\r\n" + kConnection + kKey + kVersion, U::kValid},
    {"CL 0", "9112 6.2", kGet + kUpgrade + kConnection + kKey + kVersion + "Content-Length: 0\r\n",
     U::kValid},
    {"version behind whitespace", "9110 5.5",
     kGet + kUpgrade + kConnection + kKey + "Sec-WebSocket-Version: \t13 \r\n", U::kValid},
    {"ordinary", "9110 7.8", kGet, U::kNone},
    {"Upgrade without Connection", "9110 7.8", kGet + kUpgrade + kKey + kVersion, U::kNone},
    {"Connection without Upgrade", "9110 7.8", kGet + kConnection + kKey + kVersion, U::kNone},
    {"h2c", "9110 7.8", kGet + "Upgrade: h2c\r\n" + kConnection + kKey + kVersion, U::kNone},
    {"a longer token", "9110 7.8", kGet + "Upgrade: websockets\r\n" + kConnection + kKey + kVersion,
     U::kNone},
    {"POST", "6455 4.1",
     "POST / HTTP/1.1\r\nHost: a\r\n" + kUpgrade + kConnection + kKey + kVersion, U::kBad},
    {"lower case get", "9110 9.1",
     "get / HTTP/1.1\r\nHost: a\r\n" + kUpgrade + kConnection + kKey + kVersion, U::kBad},
    {"HTTP 1.0", "6455 4.2.1",
     "GET / HTTP/1.0\r\nHost: a\r\n" + kUpgrade + kConnection + kKey + kVersion, U::kBad},
    {"CL 5", "policy", kGet + kUpgrade + kConnection + kKey + kVersion + "Content-Length: 5\r\n",
     U::kBad},
    {"TE chunked", "policy",
     kGet + kUpgrade + kConnection + kKey + kVersion + "Transfer-Encoding: chunked\r\n", U::kBad},
    {"no version", "6455 4.2.1", kGet + kUpgrade + kConnection + kKey, U::kBadVersion},
    {"version 8", "6455 4.4", kGet + kUpgrade + kConnection + kKey + "Sec-WebSocket-Version: 8\r\n",
     U::kBadVersion},
    {"version 777", "6455 4.4",
     kGet + kUpgrade + kConnection + kKey + "Sec-WebSocket-Version: 777\r\n", U::kBadVersion},
    {"version 013", "6455 4.1",
     kGet + kUpgrade + kConnection + kKey + "Sec-WebSocket-Version: 013\r\n", U::kBadVersion},
    {"version list", "6455 4.1",
     kGet + kUpgrade + kConnection + kKey + "Sec-WebSocket-Version: 13, 8\r\n", U::kBadVersion},
    {"version empty", "6455 4.1",
     kGet + kUpgrade + kConnection + kKey + "Sec-WebSocket-Version:\r\n", U::kBadVersion},
    {"another version without key", "6455 4.4",
     kGet + kUpgrade + kConnection + "Sec-WebSocket-Version: 14\r\n", U::kBadVersion},
    {"two versions", "6455 11.3.5", kGet + kUpgrade + kConnection + kKey + kVersion + kVersion,
     U::kBad},
    {"no key", "6455 4.2.1", kGet + kUpgrade + kConnection + kVersion, U::kBad},
    {"two keys", "6455 11.3.1", kGet + kUpgrade + kConnection + kKey + kKey + kVersion, U::kBad},
    {"empty key", "6455 4.2.1", kGet + kUpgrade + kConnection + key("") + kVersion, U::kBad},
    {"key of 15 bytes", "6455 4.2.1",
     kGet + kUpgrade + kConnection + key("AAAAAAAAAAAAAAAAAAAA") + kVersion, U::kBad},
    {"key of 17 bytes", "6455 4.2.1",
     kGet + kUpgrade + kConnection + key("AAAAAAAAAAAAAAAAAAAAAAA=") + kVersion, U::kBad},
    {"key without padding", "6455 4.2.1",
     kGet + kUpgrade + kConnection + key("AAAAAAAAAAAAAAAAAAAAAA") + kVersion, U::kBad},
    {"key with URL-safe letters", "4648 4",
     kGet + kUpgrade + kConnection + key("AAAAAAAAAA-_AAAAAAAAAA==") + kVersion, U::kBad},
    {"key with a space", "6455 4.2.1",
     kGet + kUpgrade + kConnection + key("AAAAAAAAAA AAAAAAAAAAA==") + kVersion, U::kBad},
};
INSTANTIATE_TEST_SUITE_P(Requests, UpgradeRequest, testing::ValuesIn(kRequests),
                         row_name<RequestRow>);

std::string accept_of(std::string_view text) {
  const std::array<char, 28> value = accept_value(text);
  return std::string(value.data(), value.size());
}

// RFC 6455 section 1.3 has the first; the others were computed with openssl.
TEST(AcceptValue, IsTheRfcs) {
  EXPECT_EQ(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(accept_of("AAAAAAAAAAAAAAAAAAAAAA=="), "ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
  EXPECT_EQ(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

struct SwitchRow {
  const char* name;
  const char* section;
  std::string offered;
  std::string fields;
  SwitchCheck check;
};
void PrintTo(const SwitchRow& row, std::ostream* out) { *out << row.section; }

class Switch : public testing::TestWithParam<SwitchRow> {};

TEST_P(Switch, IsJudgedAsThis) {
  const SwitchRow& row = GetParam();
  const std::string request_bytes =
      kGet + kUpgrade + kConnection + kKey + kVersion + row.offered + "\r\n";
  const std::string response_bytes = "HTTP/1.1 101 Switching Protocols\r\n" + row.fields + "\r\n";
  const http::RequestHead request = parse_request(request_bytes);
  ASSERT_EQ(check_upgrade_request(request), UpgradeCheck::kValid);
  const http::ResponseHead response = parse_response(response_bytes);
  EXPECT_STREQ(to_string(check_switch(request, response)), to_string(row.check)) << row.section;
}

using S = SwitchCheck;
const std::string kAccept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const std::string kGood = kUpgrade + kConnection + kAccept;
std::string protocol(const std::string& value) {
  return "Sec-WebSocket-Protocol: " + value + "\r\n";
}
std::string extensions(const std::string& value) {
  return "Sec-WebSocket-Extensions: " + value + "\r\n";
}

const SwitchRow kSwitches[] = {
    {"plain", "6455 4.1", "", kGood, S::kValid},
    {"other case", "6455 4.1", "", "UPGRADE: WebSocket\r\nconnection: upgrade\r\n" + kAccept,
     S::kValid},
    {"Connection with more", "6455 4.1", "",
     kUpgrade + "Connection: keep-alive, Upgrade\r\n" + kAccept, S::kValid},
    {"no Upgrade", "6455 4.1", "", kConnection + kAccept, S::kNoUpgrade},
    {"Upgrade to h2c", "6455 4.1", "", "Upgrade: h2c\r\n" + kConnection + kAccept, S::kNoUpgrade},
    {"Upgrade to two", "6455 4.1", "", "Upgrade: websocket, h2c\r\n" + kConnection + kAccept,
     S::kNoUpgrade},
    {"two Upgrade lines", "6455 4.1", "", kUpgrade + kGood, S::kNoUpgrade},
    {"no Connection", "6455 4.1", "", kUpgrade + kAccept, S::kNoConnection},
    {"Connection keep-alive", "6455 4.1", "", kUpgrade + "Connection: keep-alive\r\n" + kAccept,
     S::kNoConnection},
    {"no Accept", "6455 4.1", "", kUpgrade + kConnection, S::kBadAccept},
    {"wrong Accept", "6455 4.1", "",
     kUpgrade + kConnection + "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n",
     S::kBadAccept},
    {"Accept in another case", "6455 4.1", "",
     kUpgrade + kConnection + "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
     S::kBadAccept},
    {"empty Accept", "6455 4.1", "", kUpgrade + kConnection + "Sec-WebSocket-Accept:\r\n",
     S::kBadAccept},
    {"the key as Accept", "6455 4.1", "",
     kUpgrade + kConnection + "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n", S::kBadAccept},
    {"two Accepts", "6455 11.3.3", "", kGood + kAccept, S::kBadAccept},
    {"protocol offered", "6455 4.1", protocol("a, b"), kGood + protocol("b"), S::kValid},
    {"protocol offered on a second line", "6455 11.3.4", protocol("a") + protocol("b"),
     kGood + protocol("b"), S::kValid},
    {"no protocol chosen", "6455 4.2.2", protocol("a, b"), kGood, S::kValid},
    {"protocol not offered", "6455 4.1", protocol("a, b"), kGood + protocol("c"), S::kBadProtocol},
    {"protocol where none was offered", "6455 4.1", "", kGood + protocol("a"), S::kBadProtocol},
    {"protocol in another case", "6455 4.1", protocol("a"), kGood + protocol("A"), S::kBadProtocol},
    {"protocol twice", "6455 11.3.4", protocol("a"), kGood + protocol("a") + protocol("a"),
     S::kBadProtocol},
    {"protocol list", "6455 11.3.4", protocol("a, b"), kGood + protocol("a, b"), S::kBadProtocol},
    {"protocol empty", "6455 4.2.2", protocol("a,,b"), kGood + protocol(""), S::kBadProtocol},
    {"extension offered", "6455 9.1", extensions("permessage-deflate; client_max_window_bits"),
     kGood + extensions("permessage-deflate; server_max_window_bits=99"), S::kValid},
    {"extensions on two lines", "6455 erratum 3433", extensions("x, y; a=\"b, z\""),
     kGood + extensions("x") + extensions("y;a=b"), S::kValid},
    {"no extension chosen", "6455 9.1", extensions("x"), kGood, S::kValid},
    {"extension not offered", "6455 4.1", extensions("x"), kGood + extensions("y"),
     S::kBadExtension},
    {"extension where none was offered", "6455 4.1", "", kGood + extensions("permessage-deflate"),
     S::kBadExtension},
    {"extension named only in a quoted parameter", "6455 9.1", extensions("y; a=\"b, z\""),
     kGood + extensions("z"), S::kBadExtension},
    {"extension named only as a parameter", "6455 9.1", extensions("y; z"), kGood + extensions("z"),
     S::kBadExtension},
    {"one offered and one not", "6455 4.1", extensions("x"), kGood + extensions("x, y"),
     S::kBadExtension},
    {"16 extensions", "policy", extensions("x"),
     kGood + extensions("x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x"), S::kValid},
    {"17 extensions", "policy", extensions("x"),
     kGood + extensions("x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x"), S::kBadExtension},
};
INSTANTIATE_TEST_SUITE_P(Switches, Switch, testing::ValuesIn(kSwitches), row_name<SwitchRow>);

}  // namespace
}  // namespace holdfast::websocket
