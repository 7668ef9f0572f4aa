#include "kube/object_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/kube/recording.h"

namespace holdfast::kube {
namespace {

using ::testing::ElementsAre;

ParsedObject service(const char* name, const char* version, const char* spec = "{}") {
  return parse_object(
      Kind::kService,
      nlohmann::json::parse(std::string(R"({"metadata":{"namespace":"n","name":")") + name +
                            R"(","resourceVersion":")" + version + R"("},"spec":)" + spec + "}"));
}

std::vector<ParsedObject> list_of(std::initializer_list<ParsedObject> objects) { return objects; }

class ObjectCacheTest : public testing::Test {
 protected:
  RecordingSink sink;
  ObjectCache cache{Kind::kService, sink};
};

// Rows: L5, W8.
TEST_F(ObjectCacheTest, PassesChangesOn) {
  cache.replace(list_of({service("b", "1"), service("a", "2")}));
  cache.upsert(service("c", "3"));
  cache.upsert(service("a", "4"));
  cache.remove({"n", "b"});
  cache.remove({"n", "never-seen"});
  EXPECT_THAT(sink.take(), ElementsAre("replace Service: n/a@2 n/b@1", "upsert Service n/c@3",
                                       "upsert Service n/a@4", "remove Service n/b"));
  cache.replace({});
  EXPECT_THAT(sink.take(), ElementsAre("replace Service:"));
}

TEST_F(ObjectCacheTest, KeepsTheLastGoodStateOfWhatItCannotRead) {
  cache.replace(list_of({service("a", "1")}));
  EXPECT_FALSE(cache.upsert(service("a", "2", "7")));
  EXPECT_EQ(cache.replace(list_of({service("a", "2", "7"), service("new", "2", "7")})), 2u);
  EXPECT_THAT(sink.take(),
              ElementsAre("replace Service: n/a@1",
                          "unreadable Service n/a: spec: expected an object, found a number",
                          "unreadable Service n/a: spec: expected an object, found a number",
                          "unreadable Service n/new: spec: expected an object, found a number",
                          "replace Service: n/a@1"));
}

TEST_F(ObjectCacheTest, TakesReportsBack) {
  cache.replace(list_of({service("a", "1", "7"), service("b", "1", "7"), service("c", "1", "7")}));
  sink.take();
  cache.upsert(service("a", "2"));
  cache.remove({"n", "b"});
  cache.replace(list_of({service("a", "2")}));
  EXPECT_THAT(sink.take(),
              ElementsAre("fine Service n/a", "upsert Service n/a@2", "fine Service n/b",
                          "fine Service n/c", "replace Service: n/a@2"));
}

TEST(ObjectCacheOfOne, TellsThatItMayNotBeReadUntilItMay) {
  RecordingSink sink;
  ObjectCache cache(Scope(Kind::kService, ObjectName{"n", "a"}), sink);
  cache.report_refused("HTTP 403");
  cache.replace(list_of({service("a", "1")}));
  EXPECT_THAT(sink.take(), ElementsAre("unreadable Service n/a: HTTP 403", "fine Service n/a",
                                       "replace Service n/a: n/a@1"));
  cache.report_admitted();
  EXPECT_TRUE(sink.take().empty());
  cache.report_refused("HTTP 403");
  cache.report_admitted();
  EXPECT_THAT(sink.take(), ElementsAre("unreadable Service n/a: HTTP 403", "fine Service n/a"));
  // What was wrong with the object before is wrong with it still.
  cache.upsert(service("a", "2", "7"));
  cache.report_refused("HTTP 403");
  cache.report_admitted();
  EXPECT_EQ(sink.calls.front(), sink.calls.back());
  EXPECT_EQ(sink.calls.size(), 3U);
}

}  // namespace
}  // namespace holdfast::kube
