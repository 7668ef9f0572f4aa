// Goal: every wait of a session has its end, told as what it is, and nobody's patience is used up
// by somebody else. Method: a whole worker with the clock, the clients and the backends in the
// test's hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/limits.h"
#include "tests/fuzz/session_rules.h"
#include "tests/fuzz/session_world.h"

namespace holdfast::proxy {
namespace {

using fuzz::Peer;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr base::Duration kMoment = std::chrono::milliseconds(100);

class SessionTest : public testing::Test {
 protected:
  Peer& connect() {
    world_.add_client();
    world_.settle();
    return *world_.clients.back();
  }
  void send(Peer& peer, std::string_view bytes) {
    peer.send(bytes);
    world_.settle();
  }
  /// Lets time pass in steps as small as a timer's.
  void pass(base::Duration duration) {
    for (; duration > base::Duration(0); duration -= kMoment) {
      world_.pass_time(std::min(duration, kMoment));
    }
  }
  /// The only backend connection so far.
  Peer& backend() { return *world_.backends.at(0); }
  void expect_logged(const std::string& reason) {
    EXPECT_THAT(world_.access_log.lines, Contains(HasSubstr("\"reason\":\"" + reason + "\"")));
  }

  fuzz::World world_;
};

TEST_F(SessionTest, ASilentClientIsClosedWithoutAWord) {
  Peer& client = connect();
  pass(kHeadTimeout - kMoment);
  EXPECT_FALSE(client.sees_the_end());
  pass(2 * kMoment);
  EXPECT_TRUE(client.sees_the_end());
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_THAT(world_.access_log.lines, IsEmpty());
}

TEST_F(SessionTest, ATrickledHeadHasItsTimeFromItsFirstByte) {
  Peer& client = connect();
  pass(kHeadTimeout / 2);
  const std::string_view head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  for (const char c : head.substr(0, 9)) {
    send(client, {&c, 1});
    pass(1s);
  }
  EXPECT_THAT(client.received(), IsEmpty());
  send(client, "HTTP");
  pass(1s + kMoment);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 408 "));
  expect_logged("head_timeout");
}

TEST_F(SessionTest, AKeptConnectionIsClosedWhenNothingComes) {
  Peer& client = connect();
  send(client, "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 503 "));
  const std::size_t answered = client.received().size();
  pass(kKeepAliveTimeout - kMoment);
  EXPECT_FALSE(client.sees_the_end());
  pass(2 * kMoment);
  EXPECT_TRUE(client.sees_the_end());
  EXPECT_EQ(client.received().size(), answered);
}

TEST_F(SessionTest, ABodyThatStopsIs408) {
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  pass(kBodyIdleTimeout / 2);
  send(client, "half");
  // What came before is little more time; what counts is the rate.
  pass(kBodyIdleTimeout / 2 + kMoment);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(backend().sees_the_end());
  expect_logged("body_timeout");
}

TEST_F(SessionTest, ABodyBelowTheLeastRateIs408) {
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  int seconds = 0;
  for (; client.received().empty() && seconds < 300; ++seconds) {
    send(client, std::string(kBodyRateLeast / 2, 'x'));
    pass(1s);
  }
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 408 "));
  // Half the rate uses up half a second in each.
  EXPECT_NEAR(seconds, 2 * kBodyIdleTimeout.count(), 2);
}

TEST_F(SessionTest, ABodyAboveTheLeastRateMayTakeForEver) {
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  for (int minute = 0; minute < 30; ++minute) {
    // Half a minute of nothing, almost, then what was due.
    pass(kBodyIdleTimeout - kMoment);
    send(client, std::string(kBodyRateLeast * 30, 'x'));
    ASSERT_THAT(client.received(), IsEmpty()) << minute;
  }
}

TEST_F(SessionTest, ABackendThatDoesNotReadTakesNoneOfTheClientsTime) {
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
  backend().hold(true);
  std::size_t sent = client.sent().size();
  send(client, std::string(150'000, 'x'));
  sent = client.sent().size() - sent;
  pass(kWriteStallTimeout - 1s);
  EXPECT_THAT(client.received(), IsEmpty());
  backend().hold(false);
  world_.settle();
  pass(kBodyIdleTimeout - 1s);
  EXPECT_THAT(client.received(), IsEmpty());
  while (sent < 200'000) {
    const std::size_t before = client.sent().size();
    send(client, std::string(200'000 - sent, 'x'));
    sent += client.sent().size() - before;
  }
  EXPECT_THAT(backend().received(), testing::EndsWith(std::string(200'000, 'x')));
}

TEST_F(SessionTest, ABackendThatReadsNothingIs504) {
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
  backend().hold(true);
  send(client, std::string(150'000, 'x'));
  pass(kWriteStallTimeout + kMoment);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 504 "));
  expect_logged("upstream_stalled");
}

TEST_F(SessionTest, ASlowReaderIsNotAStalledOne) {
  const std::string body(60'000, 'x');
  Peer& client = connect();
  client.hold(true);
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  send(backend(), "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body);
  // Less than what makes the kernel ask for more, but something in every minute.
  for (int i = 0; i < 4; ++i) {
    pass(kWriteStallTimeout - 10s);
    client.receive_some(9'000);
  }
  EXPECT_THAT(world_.access_log.lines, IsEmpty());
  client.hold(false);
  for (int i = 0; i < 10; ++i) {
    backend().send(std::string_view(body).substr(0, 60'000 + 43 - backend().sent().size()));
    world_.settle();
  }
  EXPECT_THAT(client.received(), testing::EndsWith(body));
}

TEST_F(SessionTest, AReaderThatStopsIsStalled) {
  Peer& client = connect();
  client.hold(true);
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  send(backend(), "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + std::string(60'000, 'x'));
  pass(kWriteStallTimeout + kMoment);
  expect_logged("downstream_stalled");
}

TEST_F(SessionTest, AnotherIdleTimeoutReachesAnAnswerUnderWay) {
  world_.set_idle_timeout(10s);
  Peer& client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  send(backend(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
  pass(5s);
  world_.set_idle_timeout(60s);
  pass(50s);
  EXPECT_FALSE(client.sees_the_end());
  world_.set_idle_timeout(1s);
  pass(kMoment);
  EXPECT_TRUE(client.sees_the_end());
  expect_logged("idle_timeout");
}

TEST_F(SessionTest, AWorkerThatStopsBetweenTwoRequestsRecordsEachOnce) {
  for (int steps = 1; steps < 8; ++steps) {
    fuzz::World world;
    world.add_client();
    world.settle();
    std::string requests;
    for (int i = 0; i < 5; ++i) requests += "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n";
    world.clients.back()->send(requests);
    for (int i = 0; i < steps; ++i) world.step();
    world.shut_down();
    fuzz::require_rules(world);
  }
}

TEST_F(SessionTest, InterimAnswersBuyABackendNoTime) {
  Peer& client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 6; ++i) {
    send(backend(), "HTTP/1.1 102 Processing\r\n\r\n");
    pass(10s);
  }
  pass(kMoment);
  EXPECT_THAT(client.received(), HasSubstr("HTTP/1.1 504 "));
  expect_logged("upstream_timeout");
}

TEST_F(SessionTest, AnUploadUnderWayKeepsItsAnswerAlive) {
  world_.set_idle_timeout(30s);
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
  send(backend(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n");
  for (int i = 0; i < 10; ++i) {
    pass(20s);
    send(client, "1\r\nx\r\n");
  }
  EXPECT_FALSE(client.sees_the_end());
  pass(30s + kMoment);
  EXPECT_TRUE(client.sees_the_end());
  expect_logged("idle_timeout");
}

TEST_F(SessionTest, ABodyHeldBackForA100HasTheBackendsTime) {
  Peer& client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
  pass(50s);
  EXPECT_THAT(client.received(), IsEmpty());
  send(backend(), "HTTP/1.1 100 Continue\r\n\r\n");
  pass(kBodyIdleTimeout - 1s);
  EXPECT_EQ(client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
  pass(2s);
  EXPECT_THAT(client.received(), HasSubstr("HTTP/1.1 408 "));
}

TEST_F(SessionTest, ALimitOfBytesHoldsForBothFramings) {
  Peer& first = connect();
  send(first, "POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nx");
  EXPECT_THAT(first.received(), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(world_.backends, IsEmpty());
  Peer& second = connect();
  send(second, "POST /limited HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  send(second, "5\r\nabcde\r\n5\r\nfghij\r\n");
  EXPECT_THAT(second.received(), IsEmpty());
  send(second, "1\r\nk\r\n");
  EXPECT_THAT(second.received(), StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(backend().sees_the_end());
  EXPECT_THAT(backend().received(), testing::EndsWith("abcde\r\n5\r\nfghij\r\n"));
  expect_logged("body_too_long");
}

TEST_F(SessionTest, TheRestOfARefusedUploadIsReadWhileItComesAtARate) {
  Peer& client = connect();
  send(client, "POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 413 "));
  const std::string second(kLingerRateLeast, 'x');
  const auto upload_for = [&](base::Duration duration) {
    for (; duration > base::Duration(0); duration -= 1s) {
      for (std::size_t sent = 0; sent < second.size(); sent += 1024) {
        send(client, second.substr(sent, 1024));
      }
      pass(1s);
    }
  };
  upload_for(kLingerMost - 1s);
  EXPECT_EQ(world_.open_connections(), 1U);
  upload_for(2s);
  EXPECT_EQ(world_.open_connections(), 0U);
}

TEST_F(SessionTest, ARefusedUploadThatTricklesOrStopsIsNotReadForLong) {
  Peer& client = connect();
  send(client, "POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  for (base::Duration passed{}; passed < kLingerTimeout; passed += 500ms) {
    EXPECT_EQ(world_.open_connections(), 1U);
    send(client, "x");
    pass(500ms);
  }
  pass(kMoment);
  EXPECT_EQ(world_.open_connections(), 0U);
}

}  // namespace
}  // namespace holdfast::proxy
