// Goal: a ReadBuffer holds what was received and not consumed, never more than its bound, and no
// memory while it is empty. Method: one end of a socket pair is received from.

#include "proxy/read_buffer.h"

#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

class ReadBufferTest : public WorkerTest {
 protected:
  void pass(std::string_view bytes) {
    far_.write(bytes);
    poll();
    receive_all();
  }
  /// Until there is nothing more, or the buffer is full.
  void receive_all() {
    while (!buffer_.full() && buffer_.receive(*socket_).bytes > 0) {
    }
  }
  /// Empty, it holds no memory.
  [[nodiscard]] bool holds_none() const {
    return buffer_.empty() && buffer_.view().data() == nullptr;
  }

  FarEnd far_;
  SocketPtr socket_ = add(far_);
  ReadBuffer buffer_;
};

std::string numbered(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

TEST_F(ReadBufferTest, NewItHoldsNothing) {
  EXPECT_TRUE(holds_none());
  EXPECT_EQ(buffer_.size(), 0U);
  EXPECT_FALSE(buffer_.full());
}

TEST_F(ReadBufferTest, WhatIsReceivedComesBehindWhatIsHeld) {
  pass("one ");
  pass("two");
  EXPECT_EQ(buffer_.view(), "one two");
  buffer_.consume(4);
  EXPECT_EQ(buffer_.view(), "two");
  EXPECT_EQ(buffer_.size(), 3U);
  pass(" three");
  EXPECT_EQ(buffer_.view(), "two three");
}

TEST_F(ReadBufferTest, ConsumedToTheEndItHoldsNoMemory) {
  pass("one");
  buffer_.consume(2);
  EXPECT_FALSE(buffer_.empty());
  buffer_.consume(1);
  EXPECT_TRUE(holds_none());
  pass("two");
  buffer_.clear();
  EXPECT_TRUE(holds_none());
}

TEST_F(ReadBufferTest, AFruitlessReadLeavesNoMemoryBehind) {
  EXPECT_EQ(buffer_.receive(*socket_).error, EAGAIN);
  EXPECT_TRUE(holds_none());
  far_.end();
  poll();
  const Socket::Result end = buffer_.receive(*socket_);
  EXPECT_EQ(end.bytes, 0U);
  EXPECT_EQ(end.error, 0);
  EXPECT_TRUE(holds_none());
}

TEST_F(ReadBufferTest, GrowsKeepingWhatItHolds) {
  const std::string text = numbered(4 * kHeadBufferBytesFirst);
  std::size_t received = 0;
  while (received < text.size()) {
    const std::string piece = text.substr(received, 1000);
    pass(piece);
    received += piece.size();
    ASSERT_EQ(buffer_.view(), text.substr(0, received));
  }
}

TEST_F(ReadBufferTest, ConsumingMakesRoomAgain) {
  // Many times what fits, with some bytes held all the while.
  const std::string text = numbered(4 * kHeadBufferBytesMost);
  std::string seen;
  for (std::size_t at = 0; at < text.size(); at += 700) {
    pass(text.substr(at, 700));
    const std::size_t surplus = buffer_.size() - std::min<std::size_t>(buffer_.size(), 1500);
    seen += buffer_.view().substr(0, surplus);
    buffer_.consume(surplus);
    ASSERT_FALSE(buffer_.full());
  }
  seen += buffer_.view();
  EXPECT_TRUE(seen == text);
}

TEST_F(ReadBufferTest, FullAtItsBoundAndNotBefore) {
  const std::string text = numbered(kHeadBufferBytesMost + 3000);
  far_.write(text);
  poll();
  while (!buffer_.full()) {
    const std::size_t before = buffer_.size();
    ASSERT_EQ(buffer_.receive(*socket_).error, 0);
    ASSERT_GT(buffer_.size(), before);
    ASSERT_EQ(buffer_.full(), buffer_.size() >= kHeadBufferBytesMost);
  }
  EXPECT_EQ(buffer_.size(), kHeadBufferBytesMost);
  EXPECT_TRUE(buffer_.view() == text.substr(0, kHeadBufferBytesMost));
  // The rest is still in the socket.
  buffer_.consume(kHeadBufferBytesMost);
  receive_all();
  EXPECT_TRUE(buffer_.view() == text.substr(kHeadBufferBytesMost));
}

TEST_F(ReadBufferTest, FullFromTheMiddleOfItsMemory) {
  const std::string text = numbered(2 * kHeadBufferBytesMost);
  pass(text.substr(0, kHeadBufferBytesMost - 100));
  buffer_.consume(5000);
  far_.write(text.substr(kHeadBufferBytesMost - 100, 20'000));
  poll();
  receive_all();
  EXPECT_EQ(buffer_.size(), kHeadBufferBytesMost);
  EXPECT_TRUE(buffer_.view() == text.substr(5000, kHeadBufferBytesMost));
}

TEST_F(ReadBufferTest, AssignReplacesWhatIsHeld) {
  pass("old");
  buffer_.assign("GET / HTTP/1.1");
  EXPECT_EQ(buffer_.view(), "GET / HTTP/1.1");
  buffer_.assign(buffer_.view().substr(4));
  EXPECT_EQ(buffer_.view(), "/ HTTP/1.1");
  pass("\r\n");
  EXPECT_EQ(buffer_.view(), "/ HTTP/1.1\r\n");
  buffer_.assign("");
  EXPECT_TRUE(holds_none());
}

TEST_F(ReadBufferTest, AssignedMoreThanTheBoundItIsFull) {
  const std::string text = numbered(kHeadBufferBytesMost + 1);
  buffer_.assign(text);
  EXPECT_TRUE(buffer_.full());
  buffer_.consume(2);
  EXPECT_FALSE(buffer_.full());
  far_.write("xyz");
  poll();
  EXPECT_EQ(buffer_.receive(*socket_).bytes, 1U);
  EXPECT_EQ(buffer_.size(), kHeadBufferBytesMost);
  EXPECT_EQ(buffer_.view().substr(kHeadBufferBytesMost - 2), text.substr(text.size() - 1) + "x");
}

}  // namespace
}  // namespace holdfast::proxy
