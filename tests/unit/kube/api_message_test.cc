#include "kube/api_message.h"

#include <gtest/gtest.h>

#include "kube/limits.h"

namespace holdfast::kube {
namespace {

std::string list_error(const std::string& body) {
  return std::string(parse_list_page(Kind::kService, body).status().message());
}

constexpr char kList[] =
    R"({"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"41","continue":"c"},)"
    R"("items":[{"metadata":{"name":"a","managedFields":[{"x":[]}],"resourceVersion":"3"},)"
    R"("spec":{"ports":[{"port":80}]}},{"metadata":{"name":"b"},"spec":{"ports":7}}]})";

TEST(ParseListPage, ReadsObjectsGoodAndBad) {
  const auto page = parse_list_page(Kind::kService, kList);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->resource_version, "41");
  EXPECT_EQ(page->continue_token, "c");
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_TRUE(page->objects[0].object.ok());
  EXPECT_EQ(page->objects[0].resource_version, "3");
  EXPECT_FALSE(page->objects[1].object.ok());
  EXPECT_EQ(page->objects[1].name.name, "b");
}

// Rows: L6.
TEST(ParseListPage, RefusesEveryTruncation) {
  const std::string whole = kList;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_list_page(Kind::kService, whole.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(parse_list_page(Kind::kService, whole + "x").ok());
  EXPECT_FALSE(parse_list_page(Kind::kService, whole + std::string(1, '\0') + "x").ok());
}

// Rows: L6.
TEST(ParseListPage, TellsAnEmptyListFromNone) {
  const auto empty = [](const char* items) {
    return parse_list_page(
        Kind::kService,
        std::string(R"({"kind":"ServiceList","metadata":{"resourceVersion":"1"})") + items + "}");
  };
  ASSERT_TRUE(empty(R"(,"items":[])").ok());
  EXPECT_TRUE(empty(R"(,"items":[])")->objects.empty());
  EXPECT_TRUE(empty(R"(,"items":null)").ok());
  EXPECT_EQ(empty("").status().message(), "items: missing");
  EXPECT_EQ(empty(R"(,"items":{})").status().message(), "items: expected a list, found an object");
  EXPECT_EQ(empty(R"(,"items":[1])").status().message(), "items: expected objects");
  EXPECT_EQ(empty(R"(,"items":[[{}]])").status().message(), "items: expected objects");
}

TEST(ParseListPage, RefusesWhatIsNotThisList) {
  EXPECT_EQ(list_error(R"({"kind":"Status","items":[]})"), "kind: expected ServiceList");
  EXPECT_EQ(list_error(R"({"kind":"IngressList","metadata":{"resourceVersion":"1"},"items":[]})"),
            "kind: expected ServiceList");
  EXPECT_EQ(list_error(R"({"kind":"ServiceList","metadata":{},"items":[]})"),
            "metadata.resourceVersion: missing");
  EXPECT_FALSE(parse_list_page(Kind::kService, "<html>").ok());
  EXPECT_FALSE(parse_list_page(Kind::kService, "[]").ok());
}

TEST(ParseListPage, SurvivesPoison) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(list_error(deep), "nested too deeply");
  EXPECT_EQ(list_error(R"({"kind":"ServiceList","metadata":{"resourceVersion":"1"},"x":)" + deep),
            "nested too deeply");
  const auto page = parse_list_page(
      Kind::kService,
      "{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":"
      "{\"name\":\"a\",\"annotations\":{\"k\":\"\xff\xc3(\"}}}]}");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(metadata_of(*page->objects.at(0).object).annotations.at("k"),
            "\xef\xbf\xbd\xef\xbf\xbd(");
}

TEST(ParseWatchEvent, ReadsEveryType) {
  const auto parse = [](const char* type) {
    const auto event = parse_watch_event(
        Kind::kService,
        std::string("{\"type\":\"") + type +
            "\",\"object\":{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":"
            "{\"name\":\"a\",\"resourceVersion\":\"123456789012345678901234567890\"}}}");
    EXPECT_TRUE(event.ok()) << event.status();
    return event.ok() ? *event : WatchEvent();
  };
  EXPECT_EQ(parse("ADDED").type, WatchEventType::kAdded);
  EXPECT_EQ(parse("MODIFIED").type, WatchEventType::kModified);
  EXPECT_EQ(parse("DELETED").type, WatchEventType::kDeleted);
  EXPECT_EQ(parse("BOOKMARK").type, WatchEventType::kBookmark);
  EXPECT_EQ(parse("RENAMED").type, WatchEventType::kUnknown);
  EXPECT_EQ(parse("ADDED").resource_version, "123456789012345678901234567890");
  EXPECT_TRUE(parse("ADDED").object->object.ok());
  EXPECT_FALSE(parse("BOOKMARK").object);
}

TEST(ParseWatchEvent, SkipsOtherKinds) {
  const auto event = parse_watch_event(
      Kind::kService,
      R"({"type":"ADDED","object":{"kind":"Table","apiVersion":"meta.k8s.io/v1","rows":[]}})");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->type, WatchEventType::kUnknown);
}

TEST(ParseWatchEvent, ReadsAnError) {
  const auto event = parse_watch_event(
      Kind::kService,
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"m"}})");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->type, WatchEventType::kError);
  EXPECT_TRUE(event->status.expired());
  const auto garbage =
      parse_watch_event(Kind::kService, R"({"type":"ERROR","object":{"code":"x"}})");
  ASSERT_TRUE(garbage.ok());
  EXPECT_EQ(garbage->type, WatchEventType::kError);
  EXPECT_FALSE(garbage->status.expired());
}

TEST(ParseWatchEvent, RefusesGarbage) {
  for (const char* line : {"", "x", "[]", "{\"type\":\"ADDED\"", "{\"type\":7}",
                           "{\"type\":\"ADDED\",\"object\":3}"}) {
    EXPECT_FALSE(parse_watch_event(Kind::kService, line).ok()) << line;
  }
}

TEST(ParseApiStatus, FindsTheCauseOfATooLargeVersion) {
  EXPECT_TRUE(parse_api_status(504, R"({"reason":"Timeout","details":{"causes":[
    {"reason":"ResourceVersionTooLarge"}],"retryAfterSeconds":1}})")
                  .version_too_large);
  EXPECT_TRUE(parse_api_status(504, R"({"reason":"Timeout",
    "message":"Too large resource version: 9, current: 3"})")
                  .version_too_large);
  const ApiStatus plain = parse_api_status(504, "upstream timed out");
  EXPECT_FALSE(plain.version_too_large);
  EXPECT_EQ(plain.code, 504);
  EXPECT_EQ(parse_api_status(429, R"({"details":{"retryAfterSeconds":7}})").retry_after,
            std::chrono::seconds(7));
}

}  // namespace
}  // namespace holdfast::kube
