// Goal: a socket knows what it may try, as edge-triggered events and its own calls tell; handlers
// may close and retire whatever they like in the middle of a batch; turns are given once. Method:
// a set polled by hand, socket pairs.

#include "proxy/socket_set.h"

#include <functional>
#include <optional>

#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

class TestHandler final : public SocketHandler {
 public:
  explicit TestHandler(int* deletions = nullptr) : deletions_(deletions) {}
  ~TestHandler() override {
    if (deletions_ != nullptr) ++*deletions_;
  }
  void on_ready(Socket& socket) override {
    ++ready;
    ready_action(socket);
  }
  void on_turn() override {
    ++turns;
    turn_action();
  }

  std::function<void(Socket&)> ready_action = [](Socket&) {};
  std::function<void()> turn_action = [] {};
  int ready = 0;
  int turns = 0;
  SocketPtr owned;

 private:
  int* deletions_;
};

class SocketSetTest : public testing::Test {
 protected:
  SocketSetTest() { EXPECT_TRUE(set_.open().ok()); }
  SocketPtr add(FarEnd& end, SocketHandler& handler) {
    return set_.add(end.give(), &handler, true);
  }
  /// Adds, and takes the first event, which tells that the socket can be written to.
  SocketPtr add_settled(FarEnd& end, TestHandler& handler) {
    SocketPtr socket = add(end, handler);
    set_.poll();
    handler.ready = 0;
    return socket;
  }
  static std::string receive(Socket& socket, std::size_t size = 100) {
    std::string text(size, '\0');
    text.resize(socket.receive(text.data(), size).bytes);
    return text;
  }
  static bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

  SocketSet set_;
  TestHandler handler_;
};

TEST_F(SocketSetTest, NothingNewNothingTold) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  EXPECT_EQ(set_.poll(), 0);
  EXPECT_EQ(handler_.ready, 0);
  EXPECT_FALSE(socket->readable());
  EXPECT_TRUE(socket->writable());
  EXPECT_FALSE(socket->peer_ended());
  EXPECT_FALSE(socket->broken());
}

TEST_F(SocketSetTest, ReadinessIsToldOnceAndRemembered) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  far.write("abc");
  EXPECT_EQ(set_.poll(), 1);
  EXPECT_EQ(handler_.ready, 1);
  EXPECT_TRUE(socket->readable());
  // Unread: the edge has passed, the note stays.
  EXPECT_EQ(set_.poll(), 0);
  EXPECT_EQ(handler_.ready, 1);
  EXPECT_TRUE(socket->readable());
  far.write("def");
  EXPECT_EQ(set_.poll(), 1);
  EXPECT_EQ(handler_.ready, 2);
  EXPECT_EQ(receive(*socket), "abcdef");
}

TEST_F(SocketSetTest, AShortReadHasEmptiedTheSocketAndAFullOneHasNot) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  far.write("abcde");
  set_.poll();
  EXPECT_EQ(receive(*socket, 3), "abc");
  EXPECT_TRUE(socket->readable());
  EXPECT_EQ(receive(*socket, 3), "de");
  EXPECT_FALSE(socket->readable());
  far.write("fgh");
  set_.poll();
  EXPECT_EQ(receive(*socket, 3), "fgh");
  EXPECT_TRUE(socket->readable());
  char byte = 0;
  EXPECT_EQ(socket->receive(&byte, 1).error, EAGAIN);
  EXPECT_FALSE(socket->readable());
}

TEST_F(SocketSetTest, AFullSinkIsNotWritableUntilItDrains) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  const std::string block(50'000, 'x');
  Socket::Result sent;
  std::size_t total = 0;
  while (socket->writable()) {
    sent = socket->send(block.data(), block.size());
    total += sent.bytes;
  }
  EXPECT_TRUE(sent.error == EAGAIN || sent.bytes < block.size());
  EXPECT_EQ(set_.poll(), 0);
  EXPECT_FALSE(socket->writable());
  EXPECT_EQ(far.read_all().size(), total);
  EXPECT_EQ(set_.poll(), 1);
  EXPECT_TRUE(socket->writable());
  EXPECT_FALSE(socket->readable());
  EXPECT_EQ(handler_.ready, 1);
}

TEST_F(SocketSetTest, AConnectingSocketIsWritableOnceTheKernelSaysSo) {
  FarEnd far;
  const SocketPtr socket = set_.add(far.give(), &handler_, false);
  EXPECT_FALSE(socket->writable());
  set_.poll();
  EXPECT_TRUE(socket->writable());
  EXPECT_EQ(handler_.ready, 1);
}

TEST_F(SocketSetTest, ThePeersEndComesBehindItsLastBytes) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  far.write("last words");
  far.end();
  set_.poll();
  EXPECT_TRUE(socket->peer_ended());
  EXPECT_FALSE(socket->broken());
  EXPECT_EQ(receive(*socket), "last words");
  // That read was short, but the end is still to be read, and no event will tell of it.
  ASSERT_TRUE(socket->readable());
  char byte = 0;
  const Socket::Result end = socket->receive(&byte, 1);
  EXPECT_EQ(end.bytes, 0U);
  EXPECT_EQ(end.error, 0);
  // The other direction is open.
  EXPECT_EQ(socket->send("answer", 6).bytes, 6U);
  EXPECT_EQ(far.read_all(), "answer");
}

TEST_F(SocketSetTest, APeerThatIsGoneIsBroken) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  far.close();
  set_.poll();
  EXPECT_TRUE(socket->broken());
  EXPECT_TRUE(socket->peer_ended());
  EXPECT_TRUE(socket->readable());
  EXPECT_TRUE(socket->writable());
  // An error, and no signal.
  EXPECT_EQ(socket->send("x", 1).error, EPIPE);
}

TEST_F(SocketSetTest, EndSendingEndsOneDirection) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  socket->end_sending();
  EXPECT_TRUE(far.at_end());
  far.write("still here");
  set_.poll();
  EXPECT_EQ(receive(*socket), "still here");
}

TEST_F(SocketSetTest, QuietIsWhatTheKernelSaysNow) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  EXPECT_TRUE(socket->quiet());
  // No event has told of it yet.
  far.write("abc");
  EXPECT_FALSE(socket->quiet());
  EXPECT_TRUE(socket->readable());
  // Read to the last byte, but marked as readable since the read was not short.
  EXPECT_EQ(receive(*socket, 3), "abc");
  ASSERT_TRUE(socket->readable());
  EXPECT_TRUE(socket->quiet());
  EXPECT_FALSE(socket->readable());
  far.end();
  EXPECT_FALSE(socket->quiet());
  set_.poll();
  EXPECT_FALSE(socket->quiet());
}

TEST_F(SocketSetTest, WhatTheKernelRefusesIsClosed) {
  // epoll takes no regular files.
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  EXPECT_EQ(set_.add(file, &handler_, true), nullptr);
  EXPECT_FALSE(is_open(file));
}

TEST_F(SocketSetTest, ASocketThatIsClosedInMidBatchIsNotTold) {
  FarEnd far_a;
  FarEnd far_b;
  TestHandler a;
  TestHandler b;
  a.owned = add_settled(far_a, a);
  b.owned = add_settled(far_b, b);
  a.ready_action = [&](Socket&) { b.owned = nullptr; };
  b.ready_action = [&](Socket&) { a.owned = nullptr; };
  far_a.write("x");
  far_b.write("x");
  EXPECT_EQ(set_.poll(), 2);
  EXPECT_EQ(a.ready + b.ready, 1);
  // Closed at once, not with the memory.
  EXPECT_EQ(far_a.at_end(), a.owned == nullptr);
  EXPECT_EQ(far_b.at_end(), b.owned == nullptr);
  EXPECT_NE(a.owned == nullptr, b.owned == nullptr);
}

TEST_F(SocketSetTest, ASocketMayCloseItselfWhenTold) {
  FarEnd far;
  SocketPtr socket = add_settled(far, handler_);
  handler_.ready_action = [&](Socket& ready) {
    socket = nullptr;
    // The memory lives until the batch is done.
    EXPECT_TRUE(ready.readable());
  };
  far.write("x");
  set_.poll();
  EXPECT_EQ(handler_.ready, 1);
  EXPECT_TRUE(far.at_end());
  EXPECT_EQ(set_.poll(), 0);
}

TEST_F(SocketSetTest, AnEventOfAClosedSocketIsNotItsSuccessors) {
  FarEnd far_a;
  FarEnd far_b;
  FarEnd far_new;
  TestHandler a;
  TestHandler b;
  TestHandler successor;
  a.owned = add_settled(far_a, a);
  b.owned = add_settled(far_b, b);
  const auto replace = [&](TestHandler& other) {
    const int descriptor = other.owned->descriptor();
    other.owned = nullptr;
    // The same number, in the same batch.
    ASSERT_EQ(::dup3(far_new.near(), descriptor, O_CLOEXEC), descriptor);
    successor.owned = set_.add(descriptor, &successor, true);
    ASSERT_NE(successor.owned, nullptr);
  };
  a.ready_action = [&](Socket&) { replace(b); };
  b.ready_action = [&](Socket&) { replace(a); };
  far_a.write("x");
  far_b.write("x");
  EXPECT_EQ(set_.poll(), 2);
  EXPECT_EQ(a.ready + b.ready, 1);
  EXPECT_EQ(successor.ready, 0);
  EXPECT_FALSE(successor.owned->readable());
  set_.poll();
  EXPECT_EQ(successor.ready, 1);
}

TEST_F(SocketSetTest, ASocketGoesOverToAnotherHandler) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  TestHandler other;
  socket->set_handler(&other);
  far.write("x");
  set_.poll();
  EXPECT_EQ(handler_.ready, 0);
  EXPECT_EQ(other.ready, 1);
}

TEST_F(SocketSetTest, ARetiredHandlerIsDeletedWhenTheBatchIsDone) {
  FarEnd far_a;
  FarEnd far_b;
  int deletions = 0;
  int deletions_seen = -1;
  auto* a = new TestHandler(&deletions);
  auto* b = new TestHandler(&deletions);
  a->owned = add_settled(far_a, *a);
  b->owned = add_settled(far_b, *b);
  const auto end = [&](TestHandler* ending) {
    deletions_seen = deletions;
    ending->owned = nullptr;
    set_.retire(ending);
  };
  a->ready_action = [&](Socket&) { end(a); };
  b->ready_action = [&](Socket&) { end(b); };
  handler_.turn_action = [&] { EXPECT_EQ(deletions, 0); };
  set_.take_turn_later(handler_);
  far_a.write("x");
  far_b.write("x");
  EXPECT_EQ(set_.poll(), 2);
  EXPECT_EQ(deletions_seen, 0);
  EXPECT_EQ(handler_.turns, 1);
  EXPECT_EQ(deletions, 2);
  EXPECT_TRUE(far_a.at_end());
  EXPECT_TRUE(far_b.at_end());
}

TEST_F(SocketSetTest, AHandlerMayRetireAnotherWhoseEventIsStillToCome) {
  FarEnd far_a;
  FarEnd far_b;
  int deletions = 0;
  auto* a = new TestHandler(&deletions);
  auto* b = new TestHandler(&deletions);
  a->owned = add_settled(far_a, *a);
  b->owned = add_settled(far_b, *b);
  int told = 0;
  TestHandler* survivor = nullptr;
  const auto end = [&](TestHandler* self, TestHandler* other) {
    ++told;
    survivor = self;
    other->owned = nullptr;
    set_.retire(other);
  };
  a->ready_action = [&](Socket&) { end(a, b); };
  b->ready_action = [&](Socket&) { end(b, a); };
  far_a.write("x");
  far_b.write("x");
  set_.poll();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(deletions, 1);
  set_.retire(survivor);
  set_.delete_retired();
  EXPECT_EQ(deletions, 2);
}

TEST_F(SocketSetTest, RetiredOutsideOfABatchItWaitsForDeleteRetired) {
  FarEnd far;
  int deletions = 0;
  auto* handler = new TestHandler(&deletions);
  handler->owned = add(far, *handler);
  set_.retire(handler);
  EXPECT_EQ(deletions, 0);
  EXPECT_FALSE(far.at_end());
  set_.delete_retired();
  EXPECT_EQ(deletions, 1);
  // Its socket goes with it.
  EXPECT_TRUE(far.at_end());
}

TEST_F(SocketSetTest, TheSetsEndDeletesWhatIsRetired) {
  int deletions = 0;
  {
    SocketSet set;
    ASSERT_TRUE(set.open().ok());
    set.retire(new TestHandler(&deletions));
    EXPECT_EQ(deletions, 0);
  }
  EXPECT_EQ(deletions, 1);
}

TEST_F(SocketSetTest, ATurnIsGivenOnceHoweverOftenAskedFor) {
  EXPECT_FALSE(set_.has_turns());
  set_.take_turn_later(handler_);
  set_.take_turn_later(handler_);
  EXPECT_TRUE(set_.has_turns());
  EXPECT_EQ(handler_.turns, 0);
  set_.poll();
  EXPECT_EQ(handler_.turns, 1);
  EXPECT_FALSE(set_.has_turns());
  set_.poll();
  EXPECT_EQ(handler_.turns, 1);
}

TEST_F(SocketSetTest, ATurnAskedForInATurnIsTheNextPolls) {
  handler_.turn_action = [&] { set_.take_turn_later(handler_); };
  set_.take_turn_later(handler_);
  for (int polls = 1; polls <= 3; ++polls) {
    set_.poll();
    EXPECT_EQ(handler_.turns, polls);
    EXPECT_TRUE(set_.has_turns());
  }
}

TEST_F(SocketSetTest, TurnsComeBehindTheEventsInTheOrderAskedFor) {
  FarEnd far;
  const SocketPtr socket = add_settled(far, handler_);
  std::string order;
  TestHandler first;
  TestHandler second;
  first.turn_action = [&] { order += '1'; };
  second.turn_action = [&] { order += '2'; };
  handler_.ready_action = [&](Socket&) { order += 'e'; };
  set_.take_turn_later(first);
  set_.take_turn_later(second);
  far.write("x");
  set_.poll();
  EXPECT_EQ(order, "e12");
}

TEST_F(SocketSetTest, RetiredItHasNoTurn) {
  int deletions = 0;
  auto* before = new TestHandler(&deletions);
  auto* during = new TestHandler(&deletions);
  const auto never = [] { ADD_FAILURE() << "a retired handler had a turn"; };
  before->turn_action = never;
  during->turn_action = never;
  set_.take_turn_later(*before);
  set_.retire(before);
  EXPECT_FALSE(set_.has_turns());
  handler_.turn_action = [&] { set_.retire(during); };
  set_.take_turn_later(handler_);
  set_.take_turn_later(*during);
  set_.poll();
  EXPECT_EQ(handler_.turns, 1);
  EXPECT_EQ(deletions, 2);
}

TEST_F(SocketSetTest, AHandlerMayRetireItselfInItsTurn) {
  int deletions = 0;
  auto* handler = new TestHandler(&deletions);
  handler->turn_action = [&] {
    set_.retire(handler);
    EXPECT_EQ(deletions, 0);
  };
  set_.take_turn_later(*handler);
  set_.poll();
  EXPECT_EQ(deletions, 1);
}

TEST_F(SocketSetTest, MoreSocketsThanABatchAreAllTold) {
  std::vector<FarEnd> ends(static_cast<std::size_t>(kEventBatch) + 20);
  std::vector<SocketPtr> sockets;
  for (FarEnd& end : ends) sockets.push_back(add(end, handler_));
  while (set_.poll() > 0) {
  }
  handler_.ready = 0;
  for (const FarEnd& end : ends) end.write("x");
  EXPECT_EQ(set_.poll(), kEventBatch);
  EXPECT_EQ(set_.poll(), 20);
  EXPECT_EQ(handler_.ready, kEventBatch + 20);
  for (const SocketPtr& socket : sockets) EXPECT_TRUE(socket->readable());
}

}  // namespace
}  // namespace holdfast::proxy
