// Goal: a relay passes every byte untouched in both directions whatever the pieces, owes what a
// slow sink does not take without reading on, mirrors half-closes, and ends in the one right
// CloseReason. Method: a worker that is turned by hand between two socket pairs, on a fake clock.

#include "proxy/relay.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"

namespace holdfast::proxy {
namespace {

class RelayTest : public testing::Test {
 protected:
  RelayTest() {
    policy_->set_idle_timeout(10min);
    EXPECT_TRUE(worker_.open().ok());
  }
  ~RelayTest() override {
    for (const int descriptor : {client_, backend_}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }

  /// Starts the relay; client_ and backend_ are the outer ends.
  void start(std::string_view from_upstream = "", std::string_view from_downstream = "") {
    std::array<int, 2> down{};
    std::array<int, 2> up{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, down.data()), 0);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, up.data()), 0);
    client_ = down[0];
    backend_ = up[0];
    RelayStart start{.downstream = worker_.sockets().add(down[1], nullptr, true),
                     .upstream = worker_.sockets().add(up[1], nullptr, true),
                     .slot = DownstreamSlot(worker_),
                     .lease = EndpointLease(endpoint_),
                     .policy = policy_,
                     .client = *base::parse_ip("192.0.2.1"),
                     .id = {},
                     .switching_head = "HEAD",
                     .from_upstream = from_upstream,
                     .from_downstream = from_downstream};
    Relay::start(worker_, std::move(start));
    turn();
  }
  void turn() {
    for (int i = 0; i < 50; ++i) worker_.io_context().poll();
  }
  void pass_time(base::Duration duration) {
    clock_.advance(duration);
    worker_.run_timers();
  }
  static std::string read_all(int descriptor) {
    std::string text;
    char buffer[65536];
    for (ssize_t n = 0; (n = ::recv(descriptor, buffer, sizeof buffer, 0)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  static std::string read_some(int descriptor, std::size_t most) {
    std::string text(most, '\0');
    const ssize_t n = ::recv(descriptor, text.data(), most, 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    return text;
  }
  /// The backend sends until nothing more is taken; returns how much it was.
  std::size_t flood() {
    const std::string block(65536, '\2');
    std::size_t sent = 0;
    for (ssize_t n = 0; (n = ::send(backend_, block.data(), block.size(), MSG_NOSIGNAL)) > 0;) {
      sent += static_cast<std::size_t>(n);
      turn();
    }
    return sent;
  }
  static bool at_end(int descriptor) {
    char byte = 0;
    return ::recv(descriptor, &byte, 1, 0) == 0;
  }
  void write(int descriptor, std::string_view bytes) {
    ASSERT_EQ(::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    turn();
  }
  [[nodiscard]] std::uint64_t closes(CloseReason reason, std::uint16_t code = 0) {
    const CloseCounters* counters = policy_->counters(0).closes();
    if (counters == nullptr) return 0;
    return counters->by_reason_and_code[static_cast<std::size_t>(reason)][close_code_index(code)]
        .value();
  }
  [[nodiscard]] std::uint64_t open() { return policy_->counters(0).open_websockets.value(); }

  base::FakeClock clock_;
  base::LineSink sink_;
  base::Log log_{sink_, clock_};
  Shared shared_{.clock = clock_, .log = log_, .access_log = &sink_, .descriptors_most = 20};
  std::shared_ptr<RoutePolicy> policy_ =
      std::make_shared<RoutePolicy>(RouteNames{"default", "chat", "rooms"}, 1);
  std::shared_ptr<Endpoint> endpoint_ =
      std::make_shared<Endpoint>(*Address::from_ip("192.0.2.7", 80));
  Worker worker_{0, shared_};
  int client_ = -1;
  int backend_ = -1;
};

const std::string kText = "\x81\x02hi";
const std::string kMaskedText("\x81\x82\0\0\0\0hi", 8);
const std::string kClose = "\x88\x02\x03\xe9";
const std::string kMaskedClose("\x88\x82\0\0\0\0\x03\xe8", 8);

TEST_F(RelayTest, PassesBytesAndCountsMessages) {
  start();
  EXPECT_EQ(read_all(client_), "HEAD");
  write(client_, kMaskedText);
  EXPECT_EQ(read_all(backend_), kMaskedText);
  write(backend_, kText + kText);
  EXPECT_EQ(read_all(client_), kText + kText);
  RouteCounters& counters = policy_->counters(0);
  EXPECT_EQ(counters.messages[index_of(Direction::kUpstreamward)].value(), 1U);
  EXPECT_EQ(counters.messages[index_of(Direction::kDownstreamward)].value(), 2U);
  EXPECT_EQ(counters.bytes[index_of(Direction::kDownstreamward)].value(), 2 * kText.size());
  EXPECT_EQ(open(), 1U);
  EXPECT_EQ(endpoint_->open, 1U);
}

TEST_F(RelayTest, FramesThatCameWithTheHeadsGoFirst) {
  start(kText, kMaskedText);
  EXPECT_EQ(read_all(client_), "HEAD" + kText);
  EXPECT_EQ(read_all(backend_), kMaskedText);
}

TEST_F(RelayTest, ASlowSinkIsOwedTheRestAndNothingMoreIsRead) {
  start();
  read_all(client_);
  std::string stream;
  std::mt19937 random(1);
  while (stream.size() < 4'000'000) stream.push_back(static_cast<char>(random()));
  std::size_t sent = 0;
  std::string received;
  int stalls = 0;
  while (received.size() < stream.size()) {
    const ssize_t n = ::send(backend_, stream.data() + sent, stream.size() - sent, MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<std::size_t>(n);
    turn();
    // Unread by the client, the stream stops: no more is in flight than the kernel's buffers and
    // one scratch hold.
    if (n < 0) ++stalls;
    if (n < 0 || sent == stream.size()) {
      received += read_all(client_);
      turn();
    }
  }
  EXPECT_GT(stalls, 0);
  EXPECT_TRUE(received == stream);
}

TEST_F(RelayTest, TheClosingHandshakeEndsWithTheFirstClosersCode) {
  start();
  write(client_, kMaskedClose);
  write(backend_, kClose);
  ::shutdown(backend_, SHUT_WR);
  turn();
  ::shutdown(client_, SHUT_WR);
  turn();
  EXPECT_EQ(closes(CloseReason::kDownstreamCloseFrame, 1000), 1U);
  EXPECT_EQ(open(), 0U);
  EXPECT_EQ(endpoint_->open, 0U);
  EXPECT_EQ(sink_.lines.size(), 1U);
}

TEST_F(RelayTest, ABackendsCloseIsTheBackends) {
  start();
  write(backend_, kClose);
  write(client_, kMaskedClose);
  ::close(std::exchange(backend_, -1));
  ::close(std::exchange(client_, -1));
  turn();
  EXPECT_EQ(closes(CloseReason::kUpstreamCloseFrame, 1001), 1U);
}

TEST_F(RelayTest, TheLastWordsOfABackendThatBreaksOffAreDelivered) {
  start();
  read_all(client_);
  // Before the relay gets a turn: the backend says why, and closes; the client is still talking.
  ASSERT_GT(::send(client_, kMaskedText.data(), kMaskedText.size(), 0), 0);
  ASSERT_GT(::send(backend_, kClose.data(), kClose.size(), 0), 0);
  ::close(std::exchange(backend_, -1));
  turn();
  EXPECT_EQ(read_all(client_), kClose);
  EXPECT_TRUE(at_end(client_));
  EXPECT_EQ(closes(CloseReason::kUpstreamCloseFrame, 1001), 1U);
}

TEST_F(RelayTest, AHalfCloseIsMirroredAndTheOtherDirectionGoesOn) {
  start();
  read_all(client_);
  write(client_, kMaskedText);
  ::shutdown(client_, SHUT_WR);
  turn();
  EXPECT_EQ(read_all(backend_), kMaskedText);
  EXPECT_TRUE(at_end(backend_));
  write(backend_, kText);
  EXPECT_EQ(read_all(client_), kText);
  EXPECT_EQ(open(), 1U);
  ::shutdown(backend_, SHUT_WR);
  turn();
  EXPECT_TRUE(at_end(client_));
  EXPECT_EQ(closes(CloseReason::kDownstreamEnded), 1U);
}

TEST_F(RelayTest, AHalfClosedSilenceEnds) {
  start();
  ::shutdown(backend_, SHUT_WR);
  turn();
  pass_time(kHalfCloseTimeout - 1s);
  EXPECT_EQ(open(), 1U);
  pass_time(2s);
  EXPECT_EQ(closes(CloseReason::kHalfCloseTimedOut), 1U);
}

TEST_F(RelayTest, ABackendThatNeverEndsIsNotWaitedForAfterTheClose) {
  start();
  write(client_, kMaskedClose);
  ::shutdown(client_, SHUT_WR);
  turn();
  pass_time(kHalfCloseTimeout - 1s);
  EXPECT_EQ(open(), 1U);
  pass_time(2s);
  EXPECT_EQ(closes(CloseReason::kDownstreamCloseFrame, 1000), 1U);
}

TEST_F(RelayTest, WhatIsOwedGoesOutBeforeTheEndOfStream) {
  start();
  read_all(client_);
  const std::string big(300'000, 'x');
  std::size_t sent = 0;
  while (sent < big.size()) {
    const ssize_t n = ::send(backend_, big.data() + sent, big.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
    turn();
  }
  ::shutdown(backend_, SHUT_WR);
  turn();
  std::string received;
  for (int i = 0; i < 100; ++i) {
    received += read_all(client_);
    turn();
  }
  EXPECT_EQ(received.size(), sent);
  EXPECT_TRUE(at_end(client_));
}

TEST_F(RelayTest, IdleForTheWholeTimeout) {
  start();
  pass_time(9min);
  write(client_, kMaskedText);
  pass_time(9min);
  EXPECT_EQ(open(), 1U);
  pass_time(1min + kTimerTick);
  EXPECT_EQ(closes(CloseReason::kIdleTimedOut), 1U);
  EXPECT_TRUE((read_all(client_), at_end(client_)));
}

TEST_F(RelayTest, AShorterIdleTimeoutAppliesToAnOpenRelay) {
  start();
  pass_time(5min);
  policy_->set_idle_timeout(6min);
  worker_.announce_policy_change();
  pass_time(1min + kTimerTick);
  EXPECT_EQ(closes(CloseReason::kIdleTimedOut), 1U);
}

TEST_F(RelayTest, ASinkThatTakesNothingIsGivenUp) {
  start();
  flood();
  for (int i = 0; i < 4; ++i) {
    // The client still talks: that does not pay what is owed to it.
    write(client_, kMaskedText);
    pass_time(15s);
  }
  pass_time(kTimerTick);
  EXPECT_EQ(closes(CloseReason::kDownstreamStalled), 1U);
}

// So much at a time frees some of the kernel's buffer, and far from as much as EPOLLOUT waits for.
constexpr std::size_t kSip = 70'000;

TEST_F(RelayTest, ASlowReaderIsNotIdle) {
  policy_->set_idle_timeout(10s);
  start();
  read_all(client_);
  const std::size_t sent = flood();
  std::size_t received = 0;
  for (int i = 0; i < 100 && received < sent; ++i) {
    pass_time(6s);
    ASSERT_EQ(open(), 1U) << received << " of " << sent;
    received += read_some(client_, kSip).size();
    turn();
  }
  EXPECT_EQ(received, sent);
  pass_time(10s);
  pass_time(10s + kTimerTick);
  EXPECT_EQ(closes(CloseReason::kIdleTimedOut), 1U);
}

TEST_F(RelayTest, ASlowReaderGetsAllThatWasSentBeforeTheHalfClose) {
  start();
  read_all(client_);
  const std::size_t sent = flood();
  ::shutdown(backend_, SHUT_WR);
  turn();
  std::size_t received = 0;
  for (int i = 0; i < 100 && received < sent; ++i) {
    pass_time(kHalfCloseTimeout * 2 / 3);
    // Also once the kernel has it all: whatever the client sends to a closed socket would reset it.
    ASSERT_EQ(open(), 1U) << received << " of " << sent;
    received += read_some(client_, kSip).size();
    turn();
  }
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(at_end(client_));
  pass_time(kHalfCloseTimeout);
  pass_time(kHalfCloseTimeout + kTimerTick);
  EXPECT_EQ(closes(CloseReason::kHalfCloseTimedOut), 1U);
}

TEST_F(RelayTest, AReaderThatTakesNothingAfterTheHalfCloseIsNotWaitedFor) {
  start();
  write(backend_, kText);
  ::shutdown(backend_, SHUT_WR);
  turn();
  pass_time(kHalfCloseTimeout + kTimerTick);
  EXPECT_EQ(closes(CloseReason::kHalfCloseTimedOut), 1U);
}

TEST_F(RelayTest, AbortedByTheProcess) {
  start();
  worker_.stop();
  turn();
  EXPECT_EQ(closes(CloseReason::kShutdown), 1U);
  EXPECT_TRUE((read_all(client_), at_end(client_)));
}

TEST_F(RelayTest, StaysSmall) {
  // Two sockets, a relay and nothing else: no buffer and no coroutine while idle.
  EXPECT_LE(sizeof(Relay), 376U);
  EXPECT_LE(sizeof(Socket), 24U);
}

}  // namespace
}  // namespace holdfast::proxy
