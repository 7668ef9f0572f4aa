// Goal: what a watch client must get right where API servers, proxies and networks misbehave, from
// the bytes on the connection to what the sink is told. README.md has the rules by their numbers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/unit/kube/source_fixture.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class WatchRulesTest : public ApiServerSourceTest {
 protected:
  static Reply behind() {
    return answer(504, R"({"kind":"Status","reason":"Timeout","code":504,
      "details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}})");
  }
  /// The client's end of its connection to the server, found among this process's files.
  int client_socket() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    for (int file = 0; file < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 4096)); ++file) {
      sockaddr_in peer{};
      socklen_t size = sizeof(peer);
      if (::getpeername(file, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
      if (peer.sin_family == AF_INET && std::to_string(ntohs(peer.sin_port)) == server.port()) {
        return file;
      }
    }
    return -1;
  }
  static int option(int socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    EXPECT_EQ(::getsockopt(socket, level, name, &value, &size), 0);
    return value;
  }
};

// Rows: L1, L2.
TEST_F(WatchRulesTest, AReplicaThatIsBehindIsWaitedForAndNotListed) {
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(Reply{open_events({event("ADDED", service("b", "11"))}).bytes}.closing());
  server.on_request(behind());
  server.on_request(not_found());
  server.on_request(events({event("ADDED", service("c", "12"))}));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_watch("10"), is_probe("11"),
                                          is_probe("11"), is_watch("11"), is_watch("12")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1", "upsert Service n/b@11",
                                                "upsert Service n/c@12"));
}

// Rows: L2.
TEST_F(WatchRulesTest, AClusterRestoredFromAnOlderSnapshotIsListedSoonAfterItIsBack) {
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(Reply{open_events({event("ADDED", service("b", "11"))}).bytes}.closing());
  server.on_request(behind());
  server.on_request(behind());
  server.on_request(answer(200, list_of("5", service("a", "1"))));
  start();
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_watch("10"), is_probe("11"),
                                          is_probe("11"), is_list(""), is_watch("5")));
  EXPECT_EQ(recording.sink.calls.back(), "replace Service: n/a@1");
}

// Rows: L4.
TEST_F(WatchRulesTest, A410InMidPagingOffersATokenThatIsNotTaken) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(answer(410, status_of(410, "Expired")));
  server.on_request(answer(200, list_of("20", service("a", "1"), "c")));
  server.on_request(answer(
      410, R"({"kind":"Status","reason":"Expired","code":410,"metadata":{"continue":"other"}})"));
  server.on_request(answer(200, list_of("21", service("b", "2"))));
  start();
  run_script();
  EXPECT_THAT(server.targets,
              ElementsAre(is_list(""), is_watch("10"), is_list("10"),
                          "/api/v1/services?limit=500&continue=c",
                          "/api/v1/services?resourceVersion=10&resourceVersionMatch=NotOlderThan",
                          is_watch("21")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:", "replace Service: n/b@2"));
}

// Rows: L6.
TEST_F(WatchRulesTest, AnEmptyListIsBelievedAndTold) {
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(answer(410, status_of(410, "Expired")));
  server.on_request(answer(200, R"({"kind":"ServiceList","apiVersion":"v1",)"
                                R"("metadata":{"resourceVersion":"20"},"items":null})"));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1", "replace Service:"));
  EXPECT_THAT(recording.lines.text, HasSubstr("there are none any more"));
}

// Rows: L6.
TEST_F(WatchRulesTest, WhatIsNoListLeavesEverything) {
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(answer(410, status_of(410, "Expired")));
  // Answers of proxies and of API servers that are not ready; every one with 200.
  for (const char* body :
       {"", "{}", "null", "[]", "<html>", R"({"kind":"Status","status":"Success"})",
        R"({"kind":"ServiceList","metadata":{"resourceVersion":"20"}})",
        R"({"kind":"ServiceList","metadata":{},"items":[]})",
        R"({"kind":"IngressList","metadata":{"resourceVersion":"20"},"items":[]})"}) {
    server.on_request(answer(200, body));
  }
  server.on_request(answer(204, ""));
  server.on_request(answer(404, status_of(404, "NotFound")));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service: n/a@1"));
  EXPECT_THAT(recording.lines.text, Not(HasSubstr("there are none any more")));
}

// Rows: W8.
TEST_F(WatchRulesTest, EventsThatComeAgainAndOutOfOrderSayWhatIsTrueNow) {
  const std::string reborn =
      R"({"kind":"Service","apiVersion":"v1","metadata":{"namespace":"n","name":"a","uid":"2",)"
      R"("resourceVersion":"17"}})";
  server.on_request(answer(200, list_of("10", service("a", "3"))));
  server.on_request(events(
      {event("ADDED", service("a", "11")), event("ADDED", service("a", "11")),
       event("MODIFIED", service("new", "12")), event("DELETED", service("never-seen", "13")),
       event("DELETED", service("new", "14")), event("DELETED", service("new", "15")),
       event("ADDED", reborn), event("DELETED", service("a", "18"))}));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls,
              ElementsAre("replace Service: n/a@3", "upsert Service n/a@11",
                          "upsert Service n/a@11", "upsert Service n/new@12",
                          "remove Service n/new", "upsert Service n/a@17", "remove Service n/a"));
  // A deleted object carries the version of its deletion.
  EXPECT_THAT(server.targets.back(), is_watch("18"));
}

// Rows: W9.
TEST_F(WatchRulesTest, UnknownFieldsAndNullListsAreNothingToComplainOf) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(events({event(
      "ADDED",
      R"({"kind":"Service","apiVersion":"v1","future":[{}],"metadata":{"namespace":"n",)"
      R"("name":"a","resourceVersion":"11","labels":null,"future":1},"spec":{"ports":null}})")}));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:", "upsert Service n/a@11"));
  EXPECT_EQ(metric("holdfast_watch_errors_total", "unreadable_object"), 0);
}

// Rows: W11.
TEST_F(WatchRulesTest, AnEventOfMegabytesComesThroughInManyPieces) {
  const std::string filler(std::size_t{2} << 20, 'x');
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(events({event("ADDED", service("big", "11", R"({"x":")" + filler + "\"}")),
                            event("ADDED", service("small", "12"))})
                        .in_pieces(4099));
  start();
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace Service:", "upsert Service n/big@11",
                                                "upsert Service n/small@12"));
}

// Rows: W12.
TEST_F(WatchRulesTest, TheKernelLooksAfterASilentConnection) {
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(open_events({}));
  start();
  run_until([&] { return metric("holdfast_watch_connected") == 1; });
  const int socket = client_socket();
  ASSERT_GE(socket, 0);
  EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
  const int found_dead_after =
      option(socket, IPPROTO_TCP, TCP_KEEPIDLE) +
      option(socket, IPPROTO_TCP, TCP_KEEPINTVL) * option(socket, IPPROTO_TCP, TCP_KEEPCNT);
  EXPECT_LE(found_dead_after, 30);
  EXPECT_GT(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_LE(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
}

// Rows: W16, 3.4 (429 and Retry-After, on a list, a probe and a watch).
TEST_F(WatchRulesTest, ABusyServerIsLeftAloneForAsLongAsItSays) {
  const auto begun = std::chrono::steady_clock::now();
  const auto so_far = [&] { return std::chrono::steady_clock::now() - begun; };
  const std::string wait_a_second = "Retry-After: 1\r\nX-Kubernetes-PF-FlowSchema-UID: f-1\r\n";
  server.on_request(answer(429, status_of(429, "TooManyRequests"), wait_a_second));
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(
      answer(503, status_of(503, "ServiceUnavailable"), wait_a_second + "Connection: close\r\n")
          .closing());
  server.on_request(not_found());
  start();
  run_until([&] { return server.targets.size() == 3; });
  EXPECT_GE(so_far(), std::chrono::seconds(1));
  run_script();
  EXPECT_GE(so_far(), std::chrono::seconds(2));
  EXPECT_THAT(server.targets, ElementsAre(is_list(""), is_list(""), is_watch("10"), is_probe("10"),
                                          is_watch("10")));
  EXPECT_THAT(recording.lines.text, HasSubstr("flow schema f-1"));
}

// Rows: 3.4 (a running watch goes on after its token).
TEST_F(WatchRulesTest, ARunningWatchOutlivesItsToken) {
  TemporaryFolder folder;
  folder.write("token", "old\n");
  config.token_file = folder.path("token");
  server.on_request(answer(200, list_of("10", "")));
  server.on_request(open_events({}));
  start();
  run_until([&] { return metric("holdfast_watch_connected") == 1; });
  folder.write("token", "new\n");
  recording.clock.advance(10 * kTokenRefresh);
  server.push(chunk(event("ADDED", service("a", "11"))));
  run_until([&] { return recording.sink.calls.size() == 2; });
  EXPECT_EQ(server.targets.size(), 2u);
  // The next request is made with the new one.
  server.push("0\r\n\r\n");
  run_until([&] { return server.targets.size() == 3; });
  EXPECT_THAT(server.targets.back(), is_watch("11"));
  EXPECT_THAT(server.heads.back(), HasSubstr("Bearer new\r\n"));
}

}  // namespace
}  // namespace holdfast::kube
