// Goal: a streamed list (WatchList) is as good as a list: whole or nothing, and given up where the
// API server does not know it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/source_fixture.h"

namespace holdfast::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class WatchListTest : public ApiServerSourceTest {
 protected:
  WatchListTest() { view.watch_list = true; }

  static auto is_streamed_list(const std::string& version) {
    return StartsWith(
        "/api/v1/services?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&"
        "resourceVersionMatch=NotOlderThan&" +
        (version.empty() ? "" : "resourceVersion=" + version + "&") + "timeoutSeconds=");
  }
  static std::string end_at(const std::string& version) {
    return event("BOOKMARK",
                 R"({"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":")" +
                     version + R"(","annotations":{"k8s.io/initial-events-end":"true"}}})");
  }
};

// Rows: 3.3, L5.
TEST_F(WatchListTest, IsOneReplacementAndThenAWatch) {
  server.on_request(
      events({event("ADDED", service("b", "7")), event("ADDED", service("a", "3")),
              event("MODIFIED", service("a", "11")), event("ADDED", service("c", "9")),
              event("DELETED", service("c", "12")), end_at("12"),
              event("ADDED", service("d", "13")), event("BOOKMARK", service("", "14"))}));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls,
              ElementsAre("replace Service: n/a@11 n/b@7", "upsert Service n/d@13"));
  EXPECT_THAT(server.targets, ElementsAre(is_streamed_list(""), is_watch("14")));
  EXPECT_EQ(metric("holdfast_watch_lists_total", "start"), 1);
  EXPECT_EQ(metric("holdfast_watch_objects"), 3);
}

// Rows: 3.3, L6.
TEST_F(WatchListTest, IsThrownAwayWhenItEndsBeforeItsBookmark) {
  server.on_request(events({event("ADDED", service("a", "3")), end_at("10")}));
  server.on_request(answer(410, status_of(410, "Expired")));
  // An end, a break, garbage, and a bookmark that is not the mark.
  server.on_request(events({event("ADDED", service("b", "3"))}));
  server.on_request(Reply{open_events({event("ADDED", service("b", "3"))}).bytes}.closing());
  server.on_request(open_events({event("ADDED", service("b", "3")), "{"}));
  server.on_request(
      events({event("ADDED", service("b", "3")), event("BOOKMARK", service("", "11"))}));
  server.on_request(events({event("ADDED", service("c", "4")), end_at("12")}));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls,
              ElementsAre("replace Service: n/a@3", "replace Service: n/c@4"));
  EXPECT_THAT(server.targets,
              ElementsAre(is_streamed_list(""), is_watch("10"), is_streamed_list("10"),
                          is_streamed_list("10"), is_streamed_list("10"), is_streamed_list("10"),
                          is_streamed_list("10"), is_watch("12")));
}

// Rows: 3.3, L2.
TEST_F(WatchListTest, AsksForTheNewestStateWhenTheVersionIsGone) {
  server.on_request(events({end_at("10")}));
  server.on_request(events({event("ERROR", status_of(410, "Expired"))}));
  server.on_request(events({event("ERROR", status_of(410, "Expired"))}));
  server.on_request(events({event("ADDED", service("a", "3")), end_at("5")}));
  start();
  run_script();
  EXPECT_THAT(server.targets,
              ElementsAre(is_streamed_list(""), is_watch("10"), is_streamed_list("10"),
                          is_streamed_list(""), is_watch("5")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:", "replace Service: n/a@3"));
}

// Rows: 3.3.
TEST_F(WatchListTest, FallsBackToListsForGoodWhereTheServerDoesNotKnowIt) {
  for (const int code : {400, 422}) {
    server.on_request(answer(code, status_of(code, "Invalid")));
    server.on_request(answer(200, list_of("10", service("a", "3"))));
    server.on_request(answer(410, status_of(410, "Expired")));
    server.on_request(answer(200, list_of("20", "")));
    server.targets.clear();
    recording.sink.calls.clear();
    if (source) source->stop();
    start();
    run_script();
    EXPECT_THAT(server.targets, ElementsAre(is_streamed_list(""), is_list(""), is_watch("10"),
                                            is_list("10"), is_watch("20")));
    EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@3", "replace Service:"));
  }
}

// Rows: 3.3.
TEST_F(WatchListTest, FallsBackWhereTheServersEtcdIsTooOld) {
  for (int i = 0; i < kStreamedListTries; ++i) {
    server.on_request(events({event("ERROR", status_of(500, "InternalError"))}));
  }
  server.on_request(answer(200, list_of("10", "")));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_streamed_list(""), is_streamed_list(""),
                                          is_streamed_list(""), is_list(""), is_watch("10")));
}

// Rows: 3.3.
TEST_F(WatchListTest, ABusyOrAbsentServerIsNoReasonToFallBack) {
  for (int i = 0; i < kStreamedListTries; ++i) {
    server.on_request(answer(429, status_of(429, "TooManyRequests")));
    server.on_request(answer(503, ""));
    server.on_request(events({event("ERROR", status_of(429, "TooManyRequests"))}));
  }
  server.on_request(events({end_at("10")}));
  start();
  run_script();
  EXPECT_THAT(server.targets[server.targets.size() - 2], is_streamed_list(""));
  EXPECT_THAT(server.targets.back(), is_watch("10"));
}

// Rows: 3.3.
TEST_F(WatchListTest, IsBounded) {
  options.list_objects = 2;
  server.on_request(
      open_events({event("ADDED", service("a", "1")), event("ADDED", service("b", "2")),
                   event("ADDED", service("c", "3")), end_at("10")}));
  server.on_request(events({event("ADDED", service("a", "1")), end_at("11")}));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1"));
  EXPECT_THAT(recording.lines.text, HasSubstr("beyond the limit"));
}

}  // namespace
}  // namespace holdfast::kube
