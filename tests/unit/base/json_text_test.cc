#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

#include "base/log.h"

namespace holdfast::base {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonString, LeavesPlainTextAlone) {
  EXPECT_EQ(quoted(""), "\"\"");
  EXPECT_EQ(quoted("/chat?room=1"), "\"/chat?room=1\"");
}

TEST(JsonString, EscapesQuotesBackslashesAndControlBytes) {
  EXPECT_EQ(quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quoted("\r\n\t"), R"("\r\n\t")");
  EXPECT_EQ(quoted(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
}

TEST(JsonString, KeepsWellFormedUtf8) {
  for (const char* text : {"é", "€", "\xED\x9F\xBF", "\xEE\x80\x80", "😀", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(quoted(text), '"' + std::string(text) + '"');
  }
}

TEST(JsonString, ReplacesEachByteThatIsNotUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(quoted("a\xFF"
                   "b"),
            "\"a" + bad + "b\"");
  EXPECT_EQ(quoted("\xC0\xAF"), '"' + bad + bad + '"') << "overlong";
  EXPECT_EQ(quoted("\xED\xA0\x80"), '"' + bad + bad + bad + '"') << "surrogate";
  EXPECT_EQ(quoted("\xF4\x90\x80\x80"), '"' + bad + bad + bad + bad + '"') << "above U+10FFFF";
  EXPECT_EQ(quoted("\xE2\x82"), '"' + bad + bad + '"') << "cut short";
  EXPECT_EQ(quoted("\xC3\""), '"' + bad + "\\\"\"") << "the quote after it still is escaped";
}

TEST(JsonFields, WritesEachType) {
  std::string out;
  append_json_fields(out, {{"text", std::string_view("x\"")},
                           {"signed", std::int64_t{-5}},
                           {"unsigned", std::numeric_limits<std::uint64_t>::max()},
                           {"real", 0.25},
                           {"infinite", std::numeric_limits<double>::infinity()},
                           {"yes", true},
                           {"no", false}});
  EXPECT_EQ(out, R"(,"text":"x\"","signed":-5,"unsigned":18446744073709551615,"real":0.25,)"
                 R"("infinite":null,"yes":true,"no":false)");
}

TEST(Timestamp, IsRfc3339InUtcWithMilliseconds) {
  std::string out;
  append_timestamp(out, WallTime(std::chrono::milliseconds(1'709'210'096'007)));
  EXPECT_EQ(out, "2024-02-29T12:34:56.007Z");
}

TEST(Timestamp, RoundsDownAlsoBeforeTheEpoch) {
  std::string out;
  append_timestamp(out, WallTime(std::chrono::nanoseconds(-1)));
  EXPECT_EQ(out, "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace holdfast::base
