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

const std::string kBody = "a body\r\n0\r\n\r\nthat looks like a chunk\n";

class BodyPumpTest : public WorkerTest {
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
    for (int pumps = 0; pumps < 1000; ++pumps) {
      const State state = pump();
      received += receiver_.read_all();
      if (state != State::kTurnOver && !(state == State::kBlocked && pump_->owes())) return state;
    }
    ADD_FAILURE() << "it goes on for ever";
    return State::kBlocked;
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

std::string chunk(std::string_view data) {
  char header[http::kChunkHeaderBytes];
  return std::string(header, http::write_chunk_header(data.size(), header)).append(data) + "\r\n";
}

std::string encoded(Framing framing, std::string_view body) {
  if (framing != Framing::kChunked) return std::string(body);
  return chunk(body.substr(0, 10)) + chunk(body.substr(10)) + std::string(http::kLastChunk);
}

/// Empty when it is not whole.
std::string decoded(Framing framing, std::string_view bytes) {
  if (framing != Framing::kChunked) return std::string(bytes);
  http::ChunkDecoder decoder;
  std::string body;
  while (!bytes.empty() && !decoder.done()) {
    const auto step = decoder.next(bytes);
    if (step.state == http::ChunkDecoder::State::kError) return "";
    body += step.data;
    bytes.remove_prefix(step.consumed);
  }
  return decoder.done() && bytes.empty() ? body : "";
}

struct Case {
  Framing source;
  Framing sink;
};

class EveryFramingTest : public BodyPumpTest, public testing::WithParamInterface<Case> {
 protected:
  void start_case(std::string head = "") {
    start(GetParam().source, GetParam().sink, kBody.size(), std::move(head));
  }
  [[nodiscard]] std::string sent() const { return encoded(GetParam().source, kBody); }
  void end_of_input() const {
    if (GetParam().source == Framing::kUntilClose) sender_.end();
  }
  /// Pumps to the end and compares.
  void expect_whole() {
    std::string received;
    EXPECT_EQ(pump_and_drain(received), State::kDone);
    EXPECT_EQ(decoded(GetParam().sink, received), kBody) << received;
    EXPECT_EQ(pump_->bytes(), kBody.size());
    EXPECT_FALSE(pump_->owes());
  }
};

/// Bodies that end before their connection does.
class DelimitedTest : public EveryFramingTest {};

std::vector<Case> cases(const std::vector<Framing>& sources) {
  std::vector<Case> made;
  for (const Framing source : sources) {
    for (const Framing sink : {Framing::kLength, Framing::kChunked, Framing::kUntilClose}) {
      made.push_back({source, sink});
    }
  }
  return made;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const auto name = [](Framing framing) {
    return framing == Framing::kLength    ? "Length"
           : framing == Framing::kChunked ? "Chunked"
                                          : "UntilClose";
  };
  return std::string(name(info.param.source)) + "To" + name(info.param.sink);
}

TEST_P(EveryFramingTest, AtOnce) {
  start_case();
  sender_.write(sent());
  end_of_input();
  expect_whole();
  EXPECT_EQ(behind_the_body(), "");
}

TEST_P(EveryFramingTest, ByteByByte) {
  start_case();
  std::string received;
  for (const char c : sent()) {
    ASSERT_FALSE(pump_->done());
    sender_.write({&c, 1});
    const State state = pump();
    ASSERT_TRUE(state == State::kBlocked || state == State::kDone);
    received += receiver_.read_all();
  }
  end_of_input();
  EXPECT_EQ(pump_and_drain(received), State::kDone);
  EXPECT_EQ(decoded(GetParam().sink, received), kBody) << received;
  EXPECT_EQ(pump_->bytes(), kBody.size());
}

TEST_P(DelimitedTest, InTwoPiecesTheFirstOfThemReadAhead) {
  for (std::size_t split = 0; split <= sent().size(); ++split) {
    SCOPED_TRACE(split);
    start_case();
    ahead_.assign(sent().substr(0, split));
    sender_.write(sent().substr(split) + "NEXT");
    expect_whole();
    EXPECT_EQ(behind_the_body(), "NEXT");
    ahead_.clear();
  }
}

TEST_P(DelimitedTest, WhatIsReadAheadBehindTheBodyStays) {
  start_case();
  ahead_.assign(sent() + "GET / HTTP/1.1\r\n");
  expect_whole();
  EXPECT_EQ(ahead_.view(), "GET / HTTP/1.1\r\n");
}

TEST_P(DelimitedTest, CutOffBeforeItsEndItIsTruncatedAndNotEnded) {
  for (std::size_t cut = 0; cut < sent().size(); ++cut) {
    SCOPED_TRACE(cut);
    FarEnd sender;
    source_ = add(sender);
    start_case();
    sender.write(sent().substr(0, cut));
    sender.end();
    std::string received;
    EXPECT_EQ(pump_and_drain(received), State::kTruncated);
    EXPECT_EQ(pump(), State::kTruncated);
    if (GetParam().sink == Framing::kChunked) {
      EXPECT_EQ(decoded(Framing::kChunked, received), "") << received;
    } else {
      EXPECT_EQ(received, kBody.substr(0, received.size()));
    }
  }
}

TEST_P(EveryFramingTest, ThroughASinkThatTakesLittle) {
  resize_sink(1);
  fill_sink();
  start_case("HEAD ");
  sender_.write(sent());
  end_of_input();
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_TRUE(pump_->owes());
  EXPECT_FALSE(pump_->started());
  receiver_.drop_all();
  std::string received;
  EXPECT_EQ(pump_and_drain(received), State::kDone);
  EXPECT_TRUE(pump_->started());
  ASSERT_EQ(received.substr(0, 5), "HEAD ");
  EXPECT_EQ(decoded(GetParam().sink, received.substr(5)), kBody) << received;
}

INSTANTIATE_TEST_SUITE_P(BodyPump, EveryFramingTest,
                         testing::ValuesIn(cases({Framing::kLength, Framing::kChunked,
                                                  Framing::kUntilClose})),
                         case_name);
INSTANTIATE_TEST_SUITE_P(BodyPump, DelimitedTest,
                         testing::ValuesIn(cases({Framing::kLength, Framing::kChunked})),
                         case_name);

TEST_F(BodyPumpTest, PassesOnEveryPieceAsItComes) {
  start(Framing::kChunked, Framing::kChunked);
  sender_.write("5;name=value\r\nhel");
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_EQ(receiver_.read_all(), "3\r\nhel\r\n");
  EXPECT_EQ(pump_->bytes(), 3U);
  sender_.write("lo\r\n");
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_EQ(receiver_.read_all(), "2\r\nlo\r\n");
  sender_.write("0\r\nTrailer: dropped\r\n\r\n");
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(receiver_.read_all(), "0\r\n\r\n");
  EXPECT_EQ(pump_->bytes(), 5U);
}

TEST_F(BodyPumpTest, AnEmptyChunkedBodyIsOneLastChunk) {
  start(Framing::kChunked, Framing::kChunked, 0, "HEAD ");
  sender_.write("0\r\n\r\n");
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(receiver_.read_all(), "HEAD 0\r\n\r\n");
}

TEST_F(BodyPumpTest, AnEmptyBodyUntilCloseIsWhole) {
  start(Framing::kUntilClose, Framing::kChunked, 0, "HEAD ");
  sender_.end();
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(receiver_.read_all(), "HEAD 0\r\n\r\n");
}

TEST_F(BodyPumpTest, WithoutABodyOnlyTheHeadGoesOut) {
  for (const Framing framing : {Framing::kNone, Framing::kLength}) {
    start(framing, framing, 0, "HEAD");
    EXPECT_FALSE(pump_->done());
    ahead_.assign("NEXT");
    EXPECT_EQ(pump(), State::kDone);
    EXPECT_EQ(receiver_.read_all(), "HEAD");
    EXPECT_EQ(ahead_.view(), "NEXT");
    EXPECT_TRUE(pump_->started());
    EXPECT_EQ(pump_->bytes(), 0U);
  }
}

TEST_F(BodyPumpTest, WithoutABodyAndAHeadItIsDoneFromTheBeginning) {
  start(Framing::kNone, Framing::kNone);
  EXPECT_TRUE(pump_->done());
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_FALSE(pump_->started());
  EXPECT_EQ(receiver_.read_all(), "");
}

TEST_F(BodyPumpTest, AHeadWaitsForNoBody) {
  start(Framing::kLength, Framing::kLength, 5, "HEAD ");
  EXPECT_FALSE(pump_->started());
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_FALSE(pump_->owes());
  EXPECT_TRUE(pump_->started());
  EXPECT_EQ(receiver_.read_all(), "HEAD ");
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(receiver_.read_all(), "hello");
}

TEST_F(BodyPumpTest, AHeadAndItsFirstPieceAreOneWrite) {
  // A sink that keeps the boundaries of writes.
  FarEnd packets(SOCK_SEQPACKET);
  sink_ = add(packets);
  start(Framing::kLength, Framing::kLength, 10, "HEAD ");
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kBlocked);
  sender_.write("world");
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(packets.read_once(), "HEAD hello");
  EXPECT_EQ(packets.read_once(), "world");
}

TEST_F(BodyPumpTest, ABadCodingAtTheFrontLeavesNothingStarted) {
  for (const bool read_ahead : {false, true}) {
    start(Framing::kChunked, Framing::kChunked, 0, "HEAD ");
    if (read_ahead) {
      ahead_.assign("3\r\nabcd\r\n");
    } else {
      sender_.write("3\r\nabcd\r\n");
    }
    EXPECT_EQ(pump(), State::kBadCoding);
    EXPECT_FALSE(pump_->started());
    EXPECT_EQ(receiver_.read_all(), "");
  }
}

TEST_F(BodyPumpTest, ABadCodingLaterOnEndsWithoutALastChunk) {
  start(Framing::kChunked, Framing::kChunked, 0, "HEAD ");
  sender_.write("3\r\nabc\r\n");
  EXPECT_EQ(pump(), State::kBlocked);
  sender_.write("-1\r\n");
  EXPECT_EQ(pump(), State::kBadCoding);
  EXPECT_TRUE(pump_->started());
  EXPECT_FALSE(pump_->done());
  EXPECT_EQ(receiver_.read_all(), "HEAD 3\r\nabc\r\n");
}

TEST_F(BodyPumpTest, TruncatedBehindWhatCameOfIt) {
  start(Framing::kLength, Framing::kChunked, 5);
  sender_.write("hel");
  sender_.end();
  EXPECT_EQ(pump(), State::kTruncated);
  EXPECT_EQ(receiver_.read_all(), "3\r\nhel\r\n");
  EXPECT_EQ(pump_->bytes(), 3U);
}

TEST_F(BodyPumpTest, AResetIsNoEndOfABodyUntilClose) {
  start(Framing::kUntilClose, Framing::kChunked);
  // Closed with something unread, the sender's end breaks off.
  ASSERT_EQ(source_->send("unread", 6).bytes, 6U);
  sender_.write("hel");
  sender_.close();
  EXPECT_EQ(pump(), State::kTruncated);
  EXPECT_EQ(receiver_.read_all(), "3\r\nhel\r\n");
}

TEST_F(BodyPumpTest, ASinkThatIsGoneHasFailed) {
  start(Framing::kLength, Framing::kLength, 5, "HEAD ");
  receiver_.close();
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kSinkFailed);
  EXPECT_FALSE(pump_->started());
}

TEST_F(BodyPumpTest, AResetBehindABlockedHeadIsNoEnd) {
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

TEST_F(BodyPumpTest, AFailureIsFinal) {
  start(Framing::kLength, Framing::kLength, 5);
  receiver_.close();
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kSinkFailed);
  EXPECT_EQ(pump(), State::kSinkFailed);
  EXPECT_FALSE(pump_->done());
}

TEST_F(BodyPumpTest, ASinkThatGoesWhileItIsOwedHasFailed) {
  start(Framing::kLength, Framing::kLength, 5);
  fill_sink();
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kBlocked);
  receiver_.close();
  EXPECT_EQ(pump(), State::kSinkFailed);
}

TEST_F(BodyPumpTest, NothingIsReadWhileABlockedHeadIsOwed) {
  start(Framing::kLength, Framing::kLength, 5, "HEAD ");
  fill_sink();
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_TRUE(pump_->owes());
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_EQ(unread(), 5);
}

TEST_F(BodyPumpTest, NothingIsReadWhileTheSinkIsOwed) {
  resize_sink(1);
  const std::string body(300'000, 'x');
  start(Framing::kLength, Framing::kChunked, body.size(), "HEAD ");
  std::size_t sent = 0;
  std::string received;
  int stalls = 0;
  for (State state = State::kBlocked; state != State::kDone;) {
    const std::size_t piece = std::min<std::size_t>(body.size() - sent, 20'000);
    if (piece > 0 && unread() < 50'000) {
      sender_.write(std::string_view(body).substr(sent, piece));
      sent += piece;
    }
    state = pump();
    ASSERT_TRUE(state == State::kBlocked || state == State::kDone);
    if (!pump_->owes()) continue;
    ASSERT_LT(++stalls, 1000);
    const std::uint64_t bytes = pump_->bytes();
    const int before = unread();
    ASSERT_EQ(pump(), State::kBlocked);
    ASSERT_EQ(unread(), before);
    ASSERT_EQ(pump_->bytes(), bytes);
    received += receiver_.read_all();
  }
  received += receiver_.read_all();
  EXPECT_GT(stalls, 1);
  ASSERT_EQ(received.substr(0, 5), "HEAD ");
  EXPECT_TRUE(decoded(Framing::kChunked, received.substr(5)) == body);
}

TEST_F(BodyPumpTest, ALongHeadGoesOutBeforeTheBodyWhateverTheSinkTakes) {
  resize_sink(1);
  const std::string head(100'000, 'h');
  start(Framing::kLength, Framing::kLength, kBody.size(), head);
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_TRUE(pump_->owes());
  EXPECT_TRUE(pump_->started());
  sender_.write(kBody);
  std::string received;
  EXPECT_EQ(pump_and_drain(received), State::kDone);
  EXPECT_TRUE(received == head + kBody);
}

TEST_F(BodyPumpTest, TakenIsNotDoneUntilTheSinkHasIt) {
  fill_sink();
  start(Framing::kLength, Framing::kLength, 5);
  sender_.write("hello");
  EXPECT_EQ(pump(), State::kBlocked);
  EXPECT_EQ(pump_->bytes(), 5U);
  EXPECT_TRUE(pump_->owes());
  EXPECT_FALSE(pump_->done());
  receiver_.drop_all();
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_EQ(receiver_.read_all(), "hello");
}

TEST_F(BodyPumpTest, ATurnHasItsShare) {
  resize_sink(static_cast<int>(kTurnBytes));
  const std::string body(2 * kTurnBytes + 1000, 'x');
  start(Framing::kLength, Framing::kUntilClose, body.size());
  ahead_.assign(body);
  std::string received;
  for (std::size_t turn = 1; turn <= 2; ++turn) {
    ASSERT_EQ(pump(), State::kTurnOver);
    EXPECT_FALSE(pump_->owes());
    EXPECT_FALSE(pump_->done());
    EXPECT_EQ(pump_->bytes(), turn * kTurnBytes);
    received += receiver_.read_all();
  }
  EXPECT_EQ(pump(), State::kDone);
  EXPECT_TRUE(received + receiver_.read_all() == body);
}

}  // namespace
}  // namespace holdfast::proxy
