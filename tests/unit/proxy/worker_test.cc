// Goal: a worker's timers fire once, never early, and wake its loop by themselves; what a timer
// retires is deleted; what it asks for is done. Method: a worker turned by hand on a fake clock;
// where the loop itself must wake, it is run until it does.

#include "proxy/worker.h"

#include <functional>

#include "proxy/connection.h"
#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

/// What became of a TestConnection; the worker may end that after the test.
struct Record {
  int deadlines = 0;
  int turns = 0;
  int policy_changes = 0;
  int aborts = 0;
  bool deleted = false;
};

class TestConnection final : public Connection {
 public:
  TestConnection(Worker& worker, std::shared_ptr<Record> record)
      : Connection(worker), record_(std::move(record)) {}
  ~TestConnection() override { record_->deleted = true; }

  void on_ready(Socket&) override {}
  void on_turn() override { ++record_->turns; }
  void on_policy_change() override { ++record_->policy_changes; }
  void on_deadline() override {
    ++record_->deadlines;
    on_deadline_action(*this);
  }
  void abort(CloseReason) override {
    ++record_->aborts;
    retire();
  }

  std::function<void(TestConnection&)> on_deadline_action = [](TestConnection&) {};

 private:
  const std::shared_ptr<Record> record_;
};

class WorkerTimerTest : public WorkerTest {
 protected:
  TestConnection& connection(const std::shared_ptr<Record>& record) {
    return *new TestConnection(worker_, record);
  }
  [[nodiscard]] base::Instant in(base::Duration duration) const { return worker_.now() + duration; }
  /// Runs the loop until `done`; gives up when nothing happens for five seconds.
  template <class Done>
  bool run_until(Done done) {
    for (int handlers = 0; handlers < 1000 && !done(); ++handlers) {
      if (worker_.io_context().run_one_for(5s) == 0) return false;
    }
    return done();
  }
};

TEST_F(WorkerTimerTest, FiresOnceAndNotEarly) {
  const auto record = std::make_shared<Record>();
  worker_.set_timer(connection(record), in(10s));
  pass_time(10s - 1ns);
  EXPECT_EQ(record->deadlines, 0);
  pass_time(kTimerTick);
  EXPECT_EQ(record->deadlines, 1);
  pass_time(1h);
  EXPECT_EQ(record->deadlines, 1);
}

TEST_F(WorkerTimerTest, ClearedItDoesNotFire) {
  const auto record = std::make_shared<Record>();
  TestConnection& made = connection(record);
  worker_.set_timer(made, in(10s));
  worker_.clear_timer(made);
  pass_time(1h);
  EXPECT_EQ(record->deadlines, 0);
}

TEST_F(WorkerTimerTest, NowIsTheBeginningOfTheBatch) {
  const base::Instant begun = worker_.now();
  clock_.advance(5s);
  EXPECT_EQ(worker_.now(), begun);
  base::Instant seen;
  worker_.post([&] { seen = worker_.now(); });
  worker_.io_context().poll();
  EXPECT_EQ(seen, begun + 5s);
  const auto record = std::make_shared<Record>();
  TestConnection& made = connection(record);
  made.on_deadline_action = [&](TestConnection&) { seen = worker_.now(); };
  worker_.set_timer(made, in(1s));
  pass_time(3s);
  EXPECT_EQ(seen, begun + 8s);
}

/// Takes time, and makes the next round of events.
class SlowHandler final : public SocketHandler {
 public:
  SlowHandler(Worker& worker, base::FakeClock& clock) : worker_(worker), clock_(clock) {}

  void on_ready(Socket&) override {
    seen.push_back(worker_.now());
    if (seen.size() != static_cast<std::size_t>(kBusyBatch)) return;
    clock_.advance(5s);
    next.write("x");
  }
  void on_turn() override {}

  FarEnd next;
  std::vector<base::Instant> seen;

 private:
  Worker& worker_;
  base::FakeClock& clock_;
};

TEST_F(WorkerTimerTest, NowMovesOnBetweenRoundsOfEvents) {
  const base::Instant begun = worker_.now();
  SlowHandler handler(worker_, clock_);
  std::vector<SocketPtr> sockets;
  sockets.push_back(worker_.sockets().add(handler.next.give(), &idle_, true));
  // That they are writable.
  poll();
  sockets.front()->set_handler(&handler);
  std::array<FarEnd, kBusyBatch> ends;
  for (FarEnd& end : ends) {
    sockets.push_back(worker_.sockets().add(end.give(), &handler, true));
  }
  worker_.io_context().poll();
  ASSERT_EQ(handler.seen.size(), kBusyBatch + 1U);
  EXPECT_EQ(handler.seen.front(), begun);
  EXPECT_EQ(handler.seen.back(), begun + 5s);
}

TEST_F(WorkerTimerTest, TheLoopWakesForIt) {
  const auto record = std::make_shared<Record>();
  worker_.set_timer(connection(record), in(kTimerTick));
  clock_.advance(2 * kTimerTick);
  EXPECT_TRUE(run_until([&] { return record->deadlines == 1; }));
}

TEST_F(WorkerTimerTest, TheLoopWakesForAnEarlierOneThanItWaitsFor) {
  const auto late = std::make_shared<Record>();
  const auto early = std::make_shared<Record>();
  worker_.set_timer(connection(late), in(1h));
  worker_.set_timer(connection(early), in(kTimerTick));
  clock_.advance(2 * kTimerTick);
  EXPECT_TRUE(run_until([&] { return early->deadlines == 1; }));
  EXPECT_EQ(late->deadlines, 0);
}

TEST_F(WorkerTimerTest, TheLoopWakesForTheNextOneAfterTheFirst) {
  const auto first = std::make_shared<Record>();
  const auto second = std::make_shared<Record>();
  worker_.set_timer(connection(first), in(kTimerTick));
  worker_.set_timer(connection(second), in(3 * kTimerTick));
  clock_.advance(2 * kTimerTick);
  EXPECT_TRUE(run_until([&] { return first->deadlines == 1; }));
  EXPECT_EQ(second->deadlines, 0);
  clock_.advance(2 * kTimerTick);
  EXPECT_TRUE(run_until([&] { return second->deadlines == 1; }));
}

TEST_F(WorkerTimerTest, TheLoopWakesForOneSetByADeadline) {
  const auto record = std::make_shared<Record>();
  TestConnection& made = connection(record);
  made.on_deadline_action = [&](TestConnection& self) {
    if (record->deadlines == 1) worker_.set_timer(self, in(kTimerTick));
  };
  worker_.set_timer(made, in(kTimerTick));
  pass_time(2 * kTimerTick);
  ASSERT_EQ(record->deadlines, 1);
  clock_.advance(2 * kTimerTick);
  EXPECT_TRUE(run_until([&] { return record->deadlines == 2; }));
}

TEST_F(WorkerTimerTest, WhatADeadlineRetiresIsDeletedBehindAllDeadlines) {
  const auto ending = std::make_shared<Record>();
  const auto other = std::make_shared<Record>();
  TestConnection& dying = connection(ending);
  TestConnection& living = connection(other);
  const auto end_it = [&](TestConnection&) {
    if (!dying.retired()) dying.abort(CloseReason::kIdleTimedOut);
    EXPECT_FALSE(ending->deleted);
  };
  living.on_deadline_action = end_it;
  worker_.set_timer(living, in(1s));
  // Due with the first, but retired by then.
  worker_.set_timer(dying, in(1s));
  pass_time(2s);
  EXPECT_EQ(other->deadlines, 1);
  EXPECT_EQ(ending->deadlines, 0);
  EXPECT_TRUE(ending->deleted);
  EXPECT_FALSE(other->deleted);
}

TEST_F(WorkerTimerTest, ATurnAskedForByADeadlineIsGiven) {
  const auto record = std::make_shared<Record>();
  TestConnection& made = connection(record);
  made.on_deadline_action = [&](TestConnection& self) { worker_.sockets().take_turn_later(self); };
  worker_.set_timer(made, in(1s));
  pass_time(2s);
  EXPECT_EQ(record->turns, 0);
  worker_.io_context().poll();
  EXPECT_EQ(record->turns, 1);
}

TEST_F(WorkerTimerTest, ATurnAskedForByAPostedTaskIsGiven) {
  const auto record = std::make_shared<Record>();
  TestConnection& made = connection(record);
  worker_.post([&] { worker_.sockets().take_turn_later(made); });
  worker_.io_context().poll();
  EXPECT_EQ(record->turns, 1);
}

TEST_F(WorkerTimerTest, WhatAPostedTaskRetiresIsDeleted) {
  const auto record = std::make_shared<Record>();
  TestConnection& made = connection(record);
  worker_.post([&] { made.abort(CloseReason::kShutdown); });
  worker_.io_context().poll();
  EXPECT_TRUE(record->deleted);
}

TEST_F(WorkerTimerTest, APolicyChangeIsToldToEveryConnectionThatLives) {
  const auto living = std::make_shared<Record>();
  const auto other = std::make_shared<Record>();
  const auto retired = std::make_shared<Record>();
  connection(living);
  connection(retired).abort(CloseReason::kShutdown);
  connection(other);
  worker_.announce_policy_change();
  EXPECT_EQ(living->policy_changes, 1);
  EXPECT_EQ(other->policy_changes, 1);
  EXPECT_EQ(retired->policy_changes, 0);
}

TEST_F(WorkerTimerTest, StopEndsEveryConnectionOnce) {
  const auto first = std::make_shared<Record>();
  const auto second = std::make_shared<Record>();
  worker_.set_timer(connection(first), in(1s));
  connection(second);
  worker_.stop();
  worker_.io_context().poll();
  EXPECT_EQ(first->aborts, 1);
  EXPECT_EQ(second->aborts, 1);
  EXPECT_TRUE(first->deleted);
  EXPECT_TRUE(second->deleted);
  EXPECT_TRUE(worker_.io_context().stopped());
}

TEST_F(WorkerTimerTest, TheDateFollowsTheClock) {
  EXPECT_EQ(worker_.date(), "Thu, 01 Jan 2026 00:00:00 GMT");
  clock_.advance(999ms);
  EXPECT_EQ(worker_.date(), "Thu, 01 Jan 2026 00:00:00 GMT");
  clock_.advance(1ms);
  EXPECT_EQ(worker_.date(), "Thu, 01 Jan 2026 00:00:01 GMT");
}

TEST_F(WorkerTimerTest, PausesAreLoggedOnceInAWhile) {
  worker_.log_accept_pause("no descriptors");
  worker_.log_accept_pause("no descriptors");
  EXPECT_EQ(sink_.lines.size(), 1U);
  pass_time(kPauseLogInterval - 1ns);
  worker_.log_accept_pause("no descriptors");
  EXPECT_EQ(sink_.lines.size(), 1U);
  pass_time(1ns);
  worker_.log_accept_pause("no descriptors");
  ASSERT_EQ(sink_.lines.size(), 2U);
  EXPECT_NE(sink_.lines[1].find("no descriptors"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::proxy
