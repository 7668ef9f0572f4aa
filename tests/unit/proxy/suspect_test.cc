// Goal: a body comes out as it went in, whatever the two framings and the pieces; what cannot go
// on is told as what it is; a slow sink is waited for, and what is behind the body stays. Method:
// two socket pairs pumped by hand; the far ends are the sender and the receiver.

#include "proxy/body_pump.h"

#include <sys/ioctl.h>

#include <optional>

#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

using http::Framing;
using State = BodyPump::State;

[[maybe_unused]] const std::string kBody = "a body\r\n0\r\n\r\nthat looks like a chunk\n";

class SuspectTest : public WorkerTest {
 protected:
  void start(Framing source, Framing sink, std::uint64_t length = 0, std::string head = "") {
    http::Head message;
    message.framing = source;
    message.content_length = length;
    pump_.emplace(worker_, *source_, ahead_, message, *sink_, sink, std::move(head));
  }
  State pump() {
    poll();
    const State state = pump_->pump();
    EXPECT_TRUE(worker_.staging().empty());
    if (state != State::kSinkFailed) {
      EXPECT_EQ(state == State::kDone, pump_->done());
    }
    return state;
  }
  /// Pumps and reads at the far end until the sink takes more.
  State pump_and_drain(std::string& received) {
    State state = State::kBlocked;
    do {
      state = pump();
      received += receiver_.read_all();
    } while (state == State::kTurnOver || (state == State::kBlocked && pump_->owes()));
    return state;
  }
  /// Makes the sink take `size` bytes before it blocks, as nearly as the kernel lets it.
  void resize_sink(int size) const {
    ASSERT_EQ(::setsockopt(sink_->descriptor(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  }
  /// Fills the sink; returns how much that took.
  std::size_t fill_sink() {
    std::size_t filled = 0;
    const std::string block(1000, '#');
    while (sink_->writable()) filled += sink_->send(block.data(), block.size()).bytes;
    return filled;
  }
  [[nodiscard]] int unread() const {
    int count = 0;
    EXPECT_EQ(::ioctl(source_->descriptor(), FIONREAD, &count), 0);
    return count;
  }
  /// What came behind the body, wherever it is.
  std::string behind_the_body() {
    std::string rest(ahead_.view());
    char buffer[1000];
    const Socket::Result read = source_->receive(buffer, sizeof buffer);
    return rest.append(buffer, read.bytes);
  }

  FarEnd sender_;
  FarEnd receiver_;
  SocketPtr source_ = add(sender_);
  SocketPtr sink_ = add(receiver_);
  ReadBuffer ahead_;
  std::optional<BodyPump> pump_;
};


TEST_F(SuspectTest, AResetBehindABlockedHeadIsNoEnd) {
  start(Framing::kUntilClose, Framing::kChunked, 0, "HEAD ");
  fill_sink();
  ASSERT_EQ(source_->send("unread", 6).bytes, 6U);
  sender_.close();
  EXPECT_EQ(pump(), State::kBlocked);
  receiver_.drop_all();
  std::string received;
  EXPECT_EQ(pump_and_drain(received), State::kTruncated);
  EXPECT_EQ(received, "HEAD ");
}

TEST_F(SuspectTest, AFailedSinkIsNotDone) {
  start(Framing::kLength, Framing::kLength, 5);
  receiver_.close();
  sender_.write("hello");
  poll();
  EXPECT_EQ(pump_->pump(), State::kSinkFailed);
  EXPECT_FALSE(pump_->done());
}

TEST_F(SuspectTest, AfterAFailedSinkPumpDoesNotSayDone) {
  start(Framing::kLength, Framing::kLength, 5);
  receiver_.close();
  sender_.write("hello");
  poll();
  EXPECT_EQ(pump_->pump(), State::kSinkFailed);
  EXPECT_EQ(pump_->pump(), State::kSinkFailed);
}

TEST_F(SuspectTest, NothingIsReadWhileABlockedHeadIsOwed) {
  start(Framing::kLength, Framing::kLength, 5, "HEAD ");
  fill_sink();
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_TRUE(pump_->owes());
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_EQ(unread(), 5);
}

TEST_F(SuspectTest, ABodyOfLengthZeroIsALastChunk) {
  start(Framing::kLength, Framing::kChunked, 0, "HEAD ");
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(receiver_.read_all(), "HEAD 0\r\n\r\n");
}


TEST_F(SuspectTest, KeepingLeavesRoomForTheNextConnection) {
  Shared shared{.clock = clock_, .log = log_, .access_log = nullptr, .descriptors_most = 10};
  Worker worker{1, shared};
  ASSERT_TRUE(worker.open().ok());
  const auto endpoint = std::make_shared<Endpoint>(*Address::from_ip("10.0.0.1", 80));
  std::array<FarEnd, 20> ends;
  for (FarEnd& end : ends) worker.upstreams().put(endpoint, worker.sockets().add(end.give(), &idle_, true));
  EXPECT_TRUE(shared.has_room_for(1)) << shared.kept_upstreams;
}
TEST_F(SuspectTest, MappedAddressesBecomeIpv4) {
  EXPECT_EQ((*Address::from_ip("::ffff:10.0.0.1", 80)).family(), AF_INET);
}
}
}
