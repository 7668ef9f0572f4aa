#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/source_fixture.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::kube {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Rows: W1, W8, W14, W15.
TEST_F(ApiServerSourceTest, ListsThenWatchesOnOneConnection) {
  server.on_request(answer(200, list_of("10", service("a", "3"))));
  server.on_request(
      events({event("ADDED", service("b", "11")), event("MODIFIED", service("a", "12")),
              event("DELETED", service("b", "13"))}));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_watch("10"), is_watch("13")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@3", "upsert Service n/b@11",
                                                "upsert Service n/a@12", "remove Service n/b"));
  EXPECT_EQ(server.connections, 1);
  EXPECT_THAT(server.heads[0], AllOf(HasSubstr("Authorization: Bearer very-secret-token\r\n"),
                                     HasSubstr("Host: 127.0.0.1:" + config.port + "\r\n"),
                                     Not(HasSubstr("Accept-Encoding"))));
  EXPECT_EQ(metric("holdfast_watch_events_total", "deleted"), 1);
  EXPECT_EQ(metric("holdfast_watch_lists_total", "start"), 1);
  EXPECT_EQ(metric("holdfast_watch_objects"), 1);
}

// Rows: W11.
TEST_F(ApiServerSourceTest, AppliesEventsOfAnySplit) {
  server.on_request(answer(200, list_of("10", "")).in_pieces(1));
  server.on_request(
      events({event("ADDED", service("a", "11")),
              event("ADDED", service("b", "12", R"({"x":")" + std::string(3000, 'y') + "\"}"))})
          .in_pieces(1));
  server.on_request(open_events({event("DELETED", service("a", "13"))}).in_pieces(7));
  start();
  run_until([&] { return recording.sink.calls.size() == 4; });
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:", "upsert Service n/a@11",
                                                "upsert Service n/b@12", "remove Service n/a"));
  EXPECT_EQ(metric("holdfast_watch_connected"), 1);
}

// Rows: L3, L5.
TEST_F(ApiServerSourceTest, GathersPagesBeforeItTellsAnybody) {
  server.on_request(answer(200, list_of("10", service("a", "1"), "tok/1+")));
  server.on_request(answer(200, list_of("10", service("b", "2"))));
  start();
  run_script();
  EXPECT_THAT(
      server.targets,
      ElementsAre(is_list(""), "/api/v1/services?limit=500&continue=tok%2F1%2B", is_watch("10")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1 n/b@2"));
}

// Rows: L3.
TEST_F(ApiServerSourceTest, AListOfTooManyObjectsIsTriedAgainFromTheStart) {
  options.list_objects = 2;
  const std::string two = service("a", "1") + "," + service("b", "2");
  server.on_request(answer(200, list_of("10", two, "c")));
  server.on_request(answer(200, list_of("10", service("c", "3"))));
  server.on_request(answer(200, list_of("20", two)));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), "/api/v1/services?limit=500&continue=c",
                                          is_list(""), is_watch("20")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1 n/b@2"));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "too_large"), 1);
}

TEST_F(ApiServerSourceTest, PagesWithoutEndAreTooLarge) {
  const std::string whole = list_of("20", service("a", "1"));
  const std::string page = list_of("10", "", std::string(whole.size(), 'c'));
  options.list_bytes = 2 * page.size();
  for (int i = 0; i < 3; ++i) server.on_request(answer(200, page));
  server.on_request(answer(200, whole));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1"));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "too_large"), 1);
}

// Rows: L4.
TEST_F(ApiServerSourceTest, ListsWholeAfterA410InMidPaging) {
  server.on_request(answer(200, list_of("10", service("a", "1"), "c")));
  server.on_request(answer(410, status_of(410, "Expired")));
  server.on_request(answer(200, list_of("20", service("b", "2"))));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), "/api/v1/services?limit=500&continue=c",
                                          "/api/v1/services", is_watch("20")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/b@2"));
}

// Rows: L2, L5, W3.
TEST_F(ApiServerSourceTest, ListsAgainAfterA410InBothShapes) {
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(answer(410, status_of(410, "Expired")));
  server.on_request(answer(200, list_of("20", service("b", "2"))));
  server.on_request(events({event("ERROR", status_of(410, "Expired"))}));
  server.on_request(answer(410, status_of(410, "Gone")));
  server.on_request(answer(200, list_of("5", "")));
  start();
  run_script();
  EXPECT_THAT(server.targets,
              ElementsAre(is_list(""), is_watch("10"), is_list("10"), is_watch("20"), is_list("20"),
                          is_list(""), is_watch("5")));
  EXPECT_THAT(recording.sink.calls,
              ElementsAre("replace Service: n/a@1", "replace Service: n/b@2", "replace Service:"));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "expired"), 3);
}

// Rows: L1, L2.
TEST_F(ApiServerSourceTest, FallsBackWhenTheServerHasNotReachedTheVersion) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(events({event("ERROR", status_of(410, "Expired"))}));
  server.on_request(answer(504, R"({"kind":"Status","reason":"Timeout","code":504,
    "details":{"causes":[{"reason":"ResourceVersionTooLarge"}],"retryAfterSeconds":1}})"));
  server.on_request(answer(200, list_of("3", "")));
  start();
  run_script();
  EXPECT_THAT(server.targets,
              ElementsAre(is_list(""), is_watch("10"), is_list("10"), is_list(""), is_watch("3")));
}

// Rows: W2, W10.
TEST_F(ApiServerSourceTest, ResumesFromABookmark) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(events({event("BOOKMARK", service("", "77"))}));
  server.on_request(events(
      {event("BOOKMARK", R"({"kind":"Service","apiVersion":"v1",)"
                         R"("metadata":{"resourceVersion":"123456789012345678901234567890"}})")}));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_watch("10"), is_watch("77"),
                                          is_watch("123456789012345678901234567890")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:"));
}

// Rows: L6.
TEST_F(ApiServerSourceTest, KeepsItsStateWhenAListIsCut) {
  const std::string whole = answer(200, list_of("20", service("b", "2"))).bytes;
  const std::string body = list_of("20", service("b", "2"));
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(answer(410, "gone"));
  std::size_t cuts = 0;
  for (std::size_t length = 0; length < whole.size(); length += 13, ++cuts) {
    server.on_request(Reply{whole.substr(0, length)}.closing());
  }
  for (std::size_t length = 0; length < body.size(); length += 13, ++cuts) {
    server.on_request(answer(200, body.substr(0, length)));
    server.on_request(Reply{"HTTP/1.1 200 OK\r\n\r\n" + body.substr(0, length)}.closing());
    ++cuts;
  }
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1"));
  EXPECT_GT(cuts, 40u);
  for (std::size_t i = 2; i < server.targets.size(); ++i) {
    EXPECT_EQ(server.targets[i], is_list("10")) << i;
  }
}

// Rows: W4, W5, W6, W16.
TEST_F(ApiServerSourceTest, RetriesTheWatchAndNeverListsWhileTheServerIsBusyOrBroken) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(answer(429, status_of(429, "TooManyRequests")));
  server.on_request(answer(503, "overloaded", "Connection: close\r\n").closing());
  server.on_request(not_found());
  // The first may be taken for an idle connection's end, and is tried again.
  server.on_request(Reply{""}.closing());
  server.on_request(Reply{""}.closing());
  server.on_request(not_found());
  server.on_request(Reply{"HTTP/1.1 200 OK\r\n"}.closing());
  server.on_request(not_found());
  server.on_request(answer(500, status_of(500, "InternalError")));
  server.on_request(not_found());
  server.on_request(events({}));
  server.on_request(events({event("ERROR", status_of(500, "InternalError"))}));
  server.on_request(events({event("ERROR", status_of(429, "TooManyRequests"))}));
  start();
  run_script();
  ASSERT_EQ(server.targets.size(), 15u);
  for (std::size_t i = 1; i < server.targets.size(); ++i) {
    EXPECT_THAT(server.targets[i], AnyOf(is_watch("10"), is_probe("10"))) << i;
  }
  EXPECT_EQ(metric("holdfast_watch_errors_total", "throttled"), 1);
  EXPECT_EQ(metric("holdfast_watch_errors_total", "server_error"), 2);
  EXPECT_EQ(metric("holdfast_watch_errors_total", "short_watch"), 1);
  EXPECT_EQ(metric("holdfast_watch_errors_total", "error_event"), 2);
  EXPECT_EQ(metric("holdfast_watch_errors_total", "lost"), 2);
}

// Rows: W4, W11, W14.
TEST_F(ApiServerSourceTest, ListsAfterGarbageUnknownErrorsAndGiants) {
  options.event_bytes = 1000;
  const auto relist = [&] { server.on_request(answer(200, list_of("10", ""))); };
  relist();
  server.on_request(open_events({event("ADDED", service("a", "11")), "{\"type\":"}));
  relist();
  server.on_request(open_events({event("ERROR", status_of(507, "Odd"))}));
  relist();
  server.on_request(open_events({event("ERROR", "{}")}));
  relist();
  server.on_request(
      open_events({event("ADDED", service("b", "12", "\"" + std::string(2000, 'x')))}));
  relist();
  server.on_request(answer(200, "", "Content-Encoding: gzip\r\n"));
  start();
  run_script();
  EXPECT_THAT(server.targets,
              ElementsAre(is_list(""), is_watch("10"), is_list("11"), is_watch("10"), is_list("10"),
                          is_watch("10"), is_list("10"), is_watch("10"), is_list("10"),
                          is_watch("10"), is_list("10")));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "malformed"), 2);
  EXPECT_EQ(metric("holdfast_watch_errors_total", "too_large"), 1);
  EXPECT_EQ(metric("holdfast_watch_lists_total", "watch_failed"), 5);
}

// Rows: W9.
TEST_F(ApiServerSourceTest, SkipsEventsThatItDoesNotKnow) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(
      events({event("RENAMED", service("a", "11")),
              event("ADDED", R"({"kind":"Table","metadata":{"resourceVersion":"12"}})"),
              event("ADDED", service("b", "13"))}));
  start();
  run_script();
  EXPECT_THAT(server.targets.back(), is_watch("13"));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:", "upsert Service n/b@13"));
}

// Rows: W9.
TEST_F(ApiServerSourceTest, ServesTheRestWhenAnObjectCannotBeRead) {
  server.on_request(answer(200, list_of("10", service("a", "1") + "," + service("bad", "2", "5"))));
  server.on_request(events(
      {event("MODIFIED", service("a", "11", "[]")), event("MODIFIED", service("bad", "12"))}));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls,
              ElementsAre("unreadable Service n/bad: spec: expected an object, found a number",
                          "replace Service: n/a@1",
                          "unreadable Service n/a: spec: expected an object, found a list",
                          "fine Service n/bad", "upsert Service n/bad@12"));
  EXPECT_THAT(server.targets.back(), is_watch("12"));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "unreadable_object"), 2);
}

// Rows: 3.4 (token).
TEST_F(ApiServerSourceTest, TriesOnceMoreWithAFreshTokenAfterA401) {
  TemporaryFolder folder;
  folder.write("token", "old\n");
  config.token_file = folder.path("token");
  server.on_request(answer(200, list_of("10", "")));
  start();
  run_until([&] { return server.targets.size() == 1; });
  folder.write("token", "new\n");
  server.on_request(answer(401, status_of(401, "Unauthorized")));
  server.on_request(events({event("BOOKMARK", service("", "11"))}));
  server.on_request(answer(401, status_of(401, "Unauthorized")));
  run_script();
  EXPECT_THAT(server.heads[0], HasSubstr("Bearer old\r\n"));
  EXPECT_THAT(server.heads[1], HasSubstr("Bearer old\r\n"));
  EXPECT_THAT(server.heads[2], HasSubstr("Bearer new\r\n"));
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_watch("10"), is_watch("10"),
                                          is_watch("11"), is_watch("11")));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "unauthorized"), 1);
}

// Rows: W12, W15.
TEST_F(ApiServerSourceTest, EndsAWatchThatTheServerForgot) {
  options.reflector.watch_timeout_least = std::chrono::seconds(0);
  options.reflector.watch_timeout_most = std::chrono::seconds(1);
  options.watch_slack = std::chrono::milliseconds(5);
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(open_events({event("BOOKMARK", service("", "11"))}));
  server.on_request(not_found());
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), AllOf(is_watch("10"), EndsWith("Seconds=0")),
                                          is_probe("11"), is_watch("11")));
  // What was aborted is not used again.
  EXPECT_EQ(server.connections, 2);
  EXPECT_EQ(metric("holdfast_watch_errors_total", "timeout"), 1);
}

// Rows: W12.
TEST_F(ApiServerSourceTest, WaitsNotForEverForAHead) {
  options.head_timeout = std::chrono::milliseconds(5);
  server.on_request(Reply{"HTTP/1.1 200"}.hanging());
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_list("")));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "timeout"), 1);
}

// Rows: W15.
TEST_F(ApiServerSourceTest, ConnectsAgainWhenAnIdleConnectionWasClosed) {
  server.on_request(answer(200, list_of("10", "")).closing());
  server.on_request(events({event("BOOKMARK", service("", "11"))}).closing());
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_watch("10"), is_watch("11")));
  EXPECT_EQ(server.connections, 3);
}

// Rows: W5.
TEST_F(ApiServerSourceTest, ComesBackWhenTheServerDoes) {
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  start();
  run_until([&] { return server.targets.size() == 2; });
  server.close();
  run_until([&] { return metric("holdfast_watch_errors_total", "connect") >= 3; });
  EXPECT_EQ(metric("holdfast_watch_connected"), 0);
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1"));
  server.on_request(not_found());
  server.on_request(open_events({event("ADDED", service("b", "11"))}));
  server.reopen();
  run_until([&] { return recording.sink.calls.size() == 2; });
  EXPECT_EQ(recording.sink.calls.back(), "upsert Service n/b@11");
  EXPECT_THAT(server.targets,
              ElementsAre(is_list(""), is_watch("10"), is_probe("10"), is_watch("10")));
}

TEST_F(ApiServerSourceTest, SaysNothingAfterStop) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(open_events({event("ADDED", service("a", "11"))}));
  start();
  run_until([&] { return server.targets.size() == 2; });
  source->stop();
  recording.sink.take();
  const std::string lines = recording.lines.text;
  server.close();
  context.run();
  EXPECT_THAT(recording.sink.calls, IsEmpty());
  EXPECT_EQ(recording.lines.text, lines);
}

TEST_F(ApiServerSourceTest, MayBeStoppedBeforeItHasBegun) {
  start();
  source->stop();
  source.reset();
  server.close();
  context.run();
  EXPECT_THAT(server.targets, IsEmpty());
}

}  // namespace
}  // namespace holdfast::kube
