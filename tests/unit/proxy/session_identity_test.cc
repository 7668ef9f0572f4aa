// Goal: a connection that is to begin with a PROXY header ends without a word when it does not, and
// is the named client's when it does. Method: sessions on socket pairs and a fake clock, in a
// worker without routes.

#include <gmock/gmock.h>

#include "proxy/limits.h"
#include "proxy/session.h"
#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

using namespace std::string_view_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view kHeader = "PROXY TCP4 192.0.2.9 10.0.0.1 5000 80\r\n";
constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class SessionIdentityTest : public WorkerTest {
 protected:
  SessionIdentityTest() {
    shared_.trusted_proxies = {*base::parse_cidr("10.0.0.0/8")};
    shared_.access_log = &lines_;
  }

  void connect(const char* peer = "10.0.0.1", Preamble preamble = {.proxy_header = true}) {
    const Address address(*base::parse_ip(peer), 4000);
    ASSERT_TRUE(Session::start(worker_, client_.give(), address, 8080, preamble));
    poll();
  }
  void send(std::string_view bytes) {
    client_.write(bytes);
    poll();
  }
  [[nodiscard]] std::uint64_t refused(CloseReason reason) const {
    return worker_.counters().refused[static_cast<std::size_t>(reason)].value();
  }
  void expect_answered(const std::string& client) {
    EXPECT_THAT(client_.read_all(), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(lines_.lines, Contains(HasSubstr("\"client\":\"" + client + "\"")));
  }
  /// Closed without an answer and without a line, and counted once.
  void expect_refused(CloseReason reason) {
    EXPECT_TRUE(client_.at_end());
    EXPECT_THAT(client_.read_all(), IsEmpty());
    EXPECT_THAT(lines_.lines, IsEmpty());
    EXPECT_EQ(refused(reason), 1U);
    EXPECT_EQ(shared_.connections.load(), 0U);
  }

  base::LineSink lines_;
  FarEnd client_;
};

TEST_F(SessionIdentityTest, TheSourceIsTheClient) {
  connect();
  send(kHeader);
  send(kRequest);
  expect_answered("192.0.2.9");
}

TEST_F(SessionIdentityTest, TheRequestMayComeWithTheHeader) {
  connect();
  send(std::string(kHeader) + std::string(kRequest));
  expect_answered("192.0.2.9");
}

TEST_F(SessionIdentityTest, TheHeaderMayComeByteByByte) {
  connect();
  for (const char c : std::string(kHeader) + std::string(kRequest)) send({&c, 1});
  expect_answered("192.0.2.9");
}

TEST_F(SessionIdentityTest, WithoutAddressesThePeerIsTheClient) {
  connect();
  send("PROXY UNKNOWN\r\n");
  send(kRequest);
  expect_answered("10.0.0.1");
}

TEST_F(SessionIdentityTest, TheSourceIsNotBelievedForBeingNamed) {
  connect();
  send(kHeader);
  send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
  expect_answered("192.0.2.9");
}

TEST_F(SessionIdentityTest, ATrustedSourceIsBelieved) {
  connect();
  send("PROXY TCP4 10.0.0.7 10.0.0.1 5000 80\r\n");
  send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
  expect_answered("192.0.2.7");
}

TEST_F(SessionIdentityTest, OneConnectionMayBeManyClients) {
  connect("10.0.0.1", {});
  for (const std::string client : {"192.0.2.1", "192.0.2.2"}) {
    send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + client + "\r\n\r\n");
    expect_answered(client);
  }
  send(kRequest);
  expect_answered("10.0.0.1");
}

TEST_F(SessionIdentityTest, AnUntrustedPeerIsClosedBeforeItSpeaks) {
  connect("192.0.2.1");
  expect_refused(CloseReason::kUntrustedProxy);
}

TEST_F(SessionIdentityTest, ABadHeaderIsNotAnswered) {
  connect();
  send(kRequest);
  expect_refused(CloseReason::kBadProxyHeader);
}

TEST_F(SessionIdentityTest, AHeaderThatStopsIsBad) {
  connect();
  send(kHeader.substr(0, 20));
  client_.end();
  poll();
  expect_refused(CloseReason::kBadProxyHeader);
}

TEST_F(SessionIdentityTest, ALateHeaderIsBad) {
  connect();
  for (base::Duration waited{}; waited < kHeadTimeout - 1s; waited += 1s) {
    send("PROXY TCP4 "sv.substr(static_cast<std::size_t>(waited / 1s), 1));
    pass_time(1s);
  }
  EXPECT_FALSE(client_.at_end());
  pass_time(1s + 2 * kTimerTick);
  expect_refused(CloseReason::kBadProxyHeader);
}

TEST_F(SessionIdentityTest, OneThatOnlyLooksIsNotCounted) {
  connect();
  client_.end();
  poll();
  EXPECT_TRUE(client_.at_end());
  EXPECT_EQ(refused(CloseReason::kBadProxyHeader), 0U);
}

}  // namespace
}  // namespace holdfast::proxy
