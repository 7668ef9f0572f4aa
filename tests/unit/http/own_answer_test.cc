#include "http/own_answer.h"

#include <gtest/gtest.h>

#include "http/serialize.h"
#include "tests/unit/http/row.h"

namespace holdfast::http {
namespace {

TEST(OwnAnswers, AreWhole) {
  const Field set[] = {{"Retry-After", "1"}};
  OwnAnswer answer;
  answer.status = 503;
  answer.sentence = "No pod is ready.";
  answer.request_id = "r1";
  answer.set = set;
  answer.close = true;
  answer.date = "now";
  const std::string head =
      "HTTP/1.1 503 Service Unavailable\r\nDate: now\r\nX-Request-ID: r1\r\nRetry-After: 1\r\n";
  const std::string json =
      "{\"status\":503,\"error\":\"Service Unavailable\",\"message\":\"No pod is ready.\","
      "\"request_id\":\"r1\"}\n";
  const std::string json_head =
      head + "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: " +
      std::to_string(json.size()) + "\r\nConnection: close\r\n\r\n";
  std::string out;
  append_own_answer(out, answer);
  EXPECT_EQ(out, json_head + json);

  answer.request_is_head = true;
  out.clear();
  append_own_answer(out, answer);
  EXPECT_EQ(out, json_head);

  answer.request_is_head = false;
  answer.format = AnswerFormat::kHtml;
  out.clear();
  append_own_answer(out, answer);
  EXPECT_TRUE(out.starts_with(head + "Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_TRUE(
      out.ends_with("<title>503 Service Unavailable</title>\n<h1>503 Service Unavailable</h1>\n"
                    "<p>No pod is ready.</p>\n<p>Request ID: <code>r1</code></p>\n</html>\n"));
}

TEST(OwnAnswers, ParseAsResponsesOfTheirLength) {
  for (const int status : {200, 400, 404, 405, 413, 426, 431, 501, 502, 503, 504, 505, 508, 599}) {
    for (const AnswerFormat format : {AnswerFormat::kJson, AnswerFormat::kHtml}) {
      OwnAnswer answer;
      answer.status = status;
      answer.sentence = "A sentence.";
      answer.format = format;
      std::string out;
      append_own_answer(out, answer);
      ResponseHead head;
      std::size_t scanned = 0;
      const ParseResult result = parse_response_head(out, scanned, false, head);
      ASSERT_EQ(result.state, ParseState::kDone) << status;
      EXPECT_EQ(head.status, status);
      EXPECT_EQ(result.head_bytes + head.content_length, out.size());
      EXPECT_TRUE(head.keep_alive);
      // RFC 9110 section 15.5.22.
      EXPECT_EQ(head.has_token("upgrade", "websocket"), status == 426);
      EXPECT_EQ(head.has_token("connection", "upgrade"), status == 426);
      EXPECT_EQ(head.find("allow") != nullptr, status == 405);
    }
  }
}

struct Accepted {
  std::string name;
  std::string fields;
  AnswerFormat format;
};

class PreferredFormat : public testing::TestWithParam<Accepted> {};

TEST_P(PreferredFormat, IsTheOneWithTheGreaterWeight) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + GetParam().fields + "\r\n";
  RequestHead head;
  std::size_t scanned = 0;
  ASSERT_EQ(parse_request_head(bytes, scanned, head).state, ParseState::kDone);
  EXPECT_EQ(preferred_format(head), GetParam().format);
}

constexpr AnswerFormat kJson = AnswerFormat::kJson;
constexpr AnswerFormat kHtml = AnswerFormat::kHtml;

// RFC 9110 section 12.5.1.
const std::vector<Accepted> kAccepted = {
    {"no field", "", kJson},
    {"anything", "Accept: */*\r\n", kJson},
    {"a browser", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n",
     kHtml},
    {"html alone", "Accept: text/html\r\n", kHtml},
    {"upper case", "ACCEPT: TEXT/HTML\r\n", kHtml},
    {"any text", "Accept: text/*\r\n", kHtml},
    {"json alone", "Accept: application/json\r\n", kJson},
    {"json first", "Accept: application/json, text/plain, */*\r\n", kJson},
    {"both alike", "Accept: text/html, application/json\r\n", kJson},
    {"json less", "Accept: application/json;q=0.5, text/html;q=0.501\r\n", kHtml},
    {"html less", "Accept: text/html;q=0.5, application/json;q=0.501\r\n", kJson},
    {"weight behind a parameter", "Accept: text/html;level=1;q=0.1, application/json;q=0.2\r\n",
     kJson},
    {"the more exact range counts", "Accept: text/html;q=0, text/*, application/json;q=0.1\r\n",
     kJson},
    {"in either order", "Accept: text/*;q=0, text/html, application/json;q=0.1\r\n", kHtml},
    {"two fields", "Accept: application/json;q=0.1\r\nAccept: text/html;q=0.2\r\n", kHtml},
    {"nothing in it", "Accept: \r\n", kJson},
    {"odd weights", "Accept: text/html;q=, application/json;q=0.x, ;;;,;q\r\n", kJson},
    {"another type", "Accept: image/png\r\n", kJson},
};
INSTANTIATE_TEST_SUITE_P(Accept, PreferredFormat, testing::ValuesIn(kAccepted),
                         test::row_name<Accepted>);

}  // namespace
}  // namespace holdfast::http
