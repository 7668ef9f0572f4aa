// Goal: a kept connection is given out again newest first, only while nothing has happened on it,
// within the limits of count, descriptors and time. Method: socket pairs whose far ends are the
// backends, a fake clock.

#include "proxy/upstream_pool.h"

#include <utility>

#include "proxy/connection.h"
#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

class UpstreamPoolTest : public WorkerTest {
 protected:
  static std::shared_ptr<Endpoint> endpoint(std::uint32_t port) {
    return std::make_shared<Endpoint>(*Address::from_ip("192.0.2.7", port));
  }
  void put(FarEnd& end, const std::shared_ptr<Endpoint>& endpoint) {
    pool_.put(endpoint, add(end));
  }
  /// A connection from the pool, looked after by this test.
  SocketPtr take(const std::shared_ptr<Endpoint>& endpoint) {
    SocketPtr socket = pool_.take(*endpoint, nullptr);
    if (socket != nullptr) socket->set_handler(&idle_);
    return socket;
  }
  static void send(Socket& socket, std::string_view bytes) {
    EXPECT_EQ(socket.send(bytes.data(), bytes.size()).bytes, bytes.size());
  }
  [[nodiscard]] std::uint64_t kept() const { return shared_.kept_upstreams.load(); }

  UpstreamPool& pool_ = worker_.upstreams();
  std::shared_ptr<Endpoint> endpoint_ = endpoint(80);
};

TEST_F(UpstreamPoolTest, NothingKeptNothingTaken) {
  EXPECT_TRUE(pool_.empty());
  EXPECT_EQ(take(endpoint_), nullptr);
  EXPECT_EQ(kept(), 0U);
}

TEST_F(UpstreamPoolTest, TheNewestIsTakenFirst) {
  std::array<FarEnd, 3> ends;
  for (FarEnd& end : ends) put(end, endpoint_);
  EXPECT_EQ(kept(), 3U);
  for (const std::size_t i : {2U, 1U, 0U}) {
    const SocketPtr socket = take(endpoint_);
    ASSERT_NE(socket, nullptr);
    send(*socket, "GET");
    EXPECT_EQ(ends[i].read_all(), "GET") << i;
    EXPECT_EQ(kept(), i);
  }
  EXPECT_TRUE(pool_.empty());
  EXPECT_EQ(take(endpoint_), nullptr);
}

TEST_F(UpstreamPoolTest, AnEndpointIsGivenOnlyItsOwn) {
  // The same address, but another pod's.
  const std::shared_ptr<Endpoint> other = endpoint(80);
  FarEnd far;
  put(far, endpoint_);
  EXPECT_EQ(take(other), nullptr);
  EXPECT_NE(take(endpoint_), nullptr);
}

TEST_F(UpstreamPoolTest, KeepsItsEndpointAlive) {
  FarEnd far;
  std::shared_ptr<Endpoint> gone = endpoint(81);
  const std::weak_ptr<Endpoint> watched = gone;
  put(far, std::exchange(gone, nullptr));
  EXPECT_FALSE(watched.expired());
  pool_.clear();
  worker_.sockets().delete_retired();
  EXPECT_TRUE(watched.expired());
}

TEST_F(UpstreamPoolTest, AtMostSoManyForAnEndpoint) {
  std::vector<FarEnd> ends(kIdlePerEndpointMost + 1);
  for (FarEnd& end : ends) put(end, endpoint_);
  EXPECT_EQ(kept(), kIdlePerEndpointMost);
  EXPECT_TRUE(ends.back().at_end());
  EXPECT_FALSE(ends.front().at_end());
  // Another endpoint's count is its own.
  FarEnd other;
  put(other, endpoint(81));
  EXPECT_EQ(kept(), kIdlePerEndpointMost + 1);
  // What is taken makes room.
  EXPECT_NE(take(endpoint_), nullptr);
  FarEnd later;
  put(later, endpoint_);
  EXPECT_EQ(kept(), kIdlePerEndpointMost + 1);
}

TEST_F(UpstreamPoolTest, AtMostSoManyInAll) {
  std::shared_ptr<Endpoint> filling;
  for (std::size_t i = 0; i < kIdleMost; ++i) {
    if (i % kIdlePerEndpointMost == 0) filling = endpoint(static_cast<std::uint32_t>(1000 + i));
    FarEnd end;
    put(end, filling);
  }
  EXPECT_EQ(kept(), kIdleMost);
  FarEnd surplus;
  put(surplus, endpoint_);
  EXPECT_EQ(kept(), kIdleMost);
  EXPECT_TRUE(surplus.at_end());
}

TEST_F(UpstreamPoolTest, KeepsNoneWhenDescriptorsAreShort) {
  shared_.connections = shared_.descriptors_most / 2;
  FarEnd far;
  put(far, endpoint_);
  EXPECT_TRUE(pool_.empty());
  EXPECT_TRUE(far.at_end());
  // Another downstream connection, with its upstream one, comes first.
  shared_.connections = shared_.descriptors_most / 2 - 1;
  FarEnd behind;
  put(behind, endpoint_);
  EXPECT_TRUE(pool_.empty());
  shared_.connections = shared_.descriptors_most / 2 - 2;
  std::array<FarEnd, 3> fits;
  for (FarEnd& end : fits) put(end, endpoint_);
  EXPECT_EQ(kept(), 2U);
  EXPECT_TRUE(shared_.has_room_for(shared_.connections + 1));
}

TEST_F(UpstreamPoolTest, StrayBytesCloseAKeptConnection) {
  FarEnd far;
  put(far, endpoint_);
  poll();
  EXPECT_EQ(kept(), 1U);
  far.write("HTTP/1.1 408 ");
  poll();
  EXPECT_TRUE(pool_.empty());
  EXPECT_EQ(kept(), 0U);
  EXPECT_EQ(take(endpoint_), nullptr);
}

TEST_F(UpstreamPoolTest, StrayBytesThatNoEventHasToldOfAreFoundWhenTaken) {
  FarEnd older;
  FarEnd newer;
  put(older, endpoint_);
  put(newer, endpoint_);
  newer.write("HTTP/1.1 408 ");
  const SocketPtr socket = take(endpoint_);
  ASSERT_NE(socket, nullptr);
  send(*socket, "GET");
  EXPECT_EQ(older.read_all(), "GET");
  EXPECT_TRUE(pool_.empty());
  EXPECT_EQ(kept(), 0U);
}

TEST_F(UpstreamPoolTest, APeerThatEndsIsForgotten) {
  FarEnd ended;
  FarEnd closed;
  FarEnd stays;
  put(stays, endpoint_);
  put(ended, endpoint_);
  put(closed, endpoint_);
  ended.end();
  closed.close();
  poll();
  EXPECT_EQ(kept(), 1U);
  EXPECT_TRUE(ended.at_end());
  const SocketPtr socket = take(endpoint_);
  ASSERT_NE(socket, nullptr);
  send(*socket, "GET");
  EXPECT_EQ(stays.read_all(), "GET");
}

TEST_F(UpstreamPoolTest, AnEndThatNoEventHasToldOfIsFoundWhenTaken) {
  FarEnd ended;
  FarEnd closed;
  put(ended, endpoint_);
  put(closed, endpoint_);
  ended.end();
  closed.close();
  EXPECT_EQ(take(endpoint_), nullptr);
  EXPECT_TRUE(pool_.empty());
}

TEST_F(UpstreamPoolTest, WhatHasEndedOrHasMoreToSayIsNotKept) {
  FarEnd ended;
  SocketPtr socket = add(ended);
  ended.end();
  poll();
  pool_.put(endpoint_, std::move(socket));
  EXPECT_TRUE(pool_.empty());
  EXPECT_TRUE(ended.at_end());

  FarEnd talking;
  socket = add(talking);
  talking.write("more");
  poll();
  pool_.put(endpoint_, std::move(socket));
  EXPECT_TRUE(pool_.empty());
}

TEST_F(UpstreamPoolTest, AnAnswerReadToItsLastByteIsNoSignOfMore) {
  FarEnd far;
  SocketPtr socket = add(far);
  far.write("done");
  poll();
  std::array<char, 4> answer{};
  ASSERT_EQ(socket->receive(answer.data(), answer.size()).bytes, answer.size());
  ASSERT_TRUE(socket->readable());
  pool_.put(endpoint_, std::move(socket));
  EXPECT_EQ(kept(), 1U);
  poll();
  EXPECT_NE(take(endpoint_), nullptr);
}

TEST_F(UpstreamPoolTest, KeptForItsTimeAndNoLonger) {
  FarEnd older;
  FarEnd newer;
  put(older, endpoint_);
  pass_time(1s);
  put(newer, endpoint_);
  pass_time(kUpstreamIdleTimeout - 1s - 1ms);
  EXPECT_EQ(kept(), 2U);
  pass_time(kTimerTick + 1ms);
  EXPECT_EQ(kept(), 1U);
  EXPECT_TRUE(older.at_end());
  pass_time(1s);
  EXPECT_TRUE(pool_.empty());
  EXPECT_TRUE(newer.at_end());
  EXPECT_EQ(take(endpoint_), nullptr);
}

TEST_F(UpstreamPoolTest, NotKeptUntilACommonServerEndsIt) {
  constexpr auto kNodeAndUvicorn = 5s;
  FarEnd far;
  put(far, endpoint_);
  pass_time(kNodeAndUvicorn - 500ms);
  EXPECT_EQ(take(endpoint_), nullptr);
}

TEST_F(UpstreamPoolTest, TakenItIsNobodysButTheTakers) {
  FarEnd far;
  put(far, endpoint_);
  const SocketPtr socket = take(endpoint_);
  ASSERT_NE(socket, nullptr);
  poll();
  pass_time(2 * kUpstreamIdleTimeout);
  pool_.clear();
  far.write("answer");
  poll();
  EXPECT_TRUE(socket->readable());
  EXPECT_FALSE(far.at_end());
}

TEST_F(UpstreamPoolTest, PutBackItsTimeBeginsAnew) {
  FarEnd far;
  put(far, endpoint_);
  pass_time(kUpstreamIdleTimeout - 1s);
  pool_.put(endpoint_, take(endpoint_));
  pass_time(kUpstreamIdleTimeout - 1s);
  EXPECT_EQ(kept(), 1U);
  pass_time(1s + kTimerTick);
  EXPECT_EQ(kept(), 0U);
}

TEST_F(UpstreamPoolTest, ClearClosesAll) {
  std::array<FarEnd, 3> ends;
  put(ends[0], endpoint_);
  put(ends[1], endpoint_);
  put(ends[2], endpoint(81));
  pool_.clear();
  EXPECT_TRUE(pool_.empty());
  EXPECT_EQ(kept(), 0U);
  for (const FarEnd& end : ends) EXPECT_TRUE(end.at_end());
  EXPECT_EQ(take(endpoint_), nullptr);
  pool_.clear();
  pass_time(2 * kUpstreamIdleTimeout);
  FarEnd later;
  put(later, endpoint_);
  EXPECT_EQ(kept(), 1U);
}

TEST_F(UpstreamPoolTest, EachWorkerKeepsItsOwnAndEndsThem) {
  FarEnd far;
  {
    Worker other{1, shared_};
    ASSERT_TRUE(other.open().ok());
    other.upstreams().put(endpoint_, other.sockets().add(far.give(), &idle_, true));
    EXPECT_EQ(kept(), 1U);
    EXPECT_EQ(take(endpoint_), nullptr);
  }
  EXPECT_EQ(kept(), 0U);
  EXPECT_TRUE(far.at_end());
}

TEST_F(UpstreamPoolTest, WhenDescriptorsRunOutAllWorkersGiveTheirsUp) {
  FarEnd ours;
  FarEnd theirs;
  Worker other{1, shared_};
  ASSERT_TRUE(other.open().ok());
  shared_.workers = {&worker_, &other};
  put(ours, endpoint_);
  other.upstreams().put(endpoint_, other.sockets().add(theirs.give(), &idle_, true));
  EXPECT_EQ(kept(), 2U);
  worker_.give_up_kept();
  EXPECT_TRUE(ours.at_end());
  // On its own thread.
  EXPECT_EQ(kept(), 1U);
  other.io_context().poll();
  EXPECT_EQ(kept(), 0U);
  EXPECT_TRUE(theirs.at_end());
}

}  // namespace
}  // namespace holdfast::proxy
