// Goal: at most one of several acts at a time, by the rules of protocol-rules 3.5, and what a
// leader does when it cannot renew. Method: two electors and a Lease in memory, on a fake clock.

#include "kube/lease_elector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/limits.h"
#include "tests/support/scripted_api_caller.h"
#include "tests/unit/kube/recording.h"

namespace holdfast::kube {
namespace {

using ::testing::HasSubstr;
using std::chrono::milliseconds;
using std::chrono::seconds;

const ObjectName kLease{"ns", "holdfast-class"};
constexpr char kPath[] = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";

/// The one Lease, as the API server keeps it.
class LeaseStore {
 public:
  /// Answers what is asked of it.
  void serve(ScriptedApiCaller& caller) {
    while (caller.is_asked()) {
      const std::string method = caller.request().method;
      if (method == "GET") {
        caller.answer(held_ ? 200 : 404, text());
      } else if (method == "POST") {
        if (held_) {
          caller.answer(409);
        } else {
          put(caller.body());
          caller.answer(201, text());
        }
      } else {
        const auto body = nlohmann::json::parse(caller.body());
        if (body["metadata"]["resourceVersion"] != std::to_string(version_)) {
          caller.answer(409);
        } else {
          put(caller.body());
          caller.answer(200, text());
        }
      }
    }
  }
  [[nodiscard]] const nlohmann::json& spec() const { return spec_; }

 private:
  void put(const std::string& body) {
    spec_ = nlohmann::json::parse(body)["spec"];
    held_ = true;
    ++version_;
  }
  [[nodiscard]] std::string text() const {
    return nlohmann::json{{"metadata", {{"resourceVersion", std::to_string(version_)}}},
                          {"spec", spec_}}
        .dump();
  }

  bool held_ = false;
  int version_ = 0;
  nlohmann::json spec_;
};

struct Replica {
  Replica(const std::string& name, std::uint64_t seed, Recording& recording)
      : elector(kLease, name, seed, caller, recording.clock, recording.log, [] {}) {
    elector.start();
  }

  ScriptedApiCaller caller;
  LeaseElector elector;
};

class LeaseElectorTest : public testing::Test {
 protected:
  /// Lets time pass in small steps; those in `reached` have an API server.
  void pass(base::Duration time, const std::vector<Replica*>& replicas,
            const std::vector<Replica*>& reached) {
    const base::Instant end = recording.clock.now() + time;
    while (recording.clock.now() < end) {
      int leaders = 0;
      for (Replica* replica : replicas) {
        const auto due = replica->elector.deadline();
        if (due && *due <= recording.clock.now()) replica->elector.run_due();
        if (std::find(reached.begin(), reached.end(), replica) != reached.end()) {
          store.serve(replica->caller);
        }
        leaders += replica->elector.is_leader() ? 1 : 0;
      }
      ASSERT_LE(leaders, 1);
      recording.clock.advance(milliseconds(100));
    }
  }

  Recording recording;
  LeaseStore store;
};

TEST_F(LeaseElectorTest, TheFirstOneLeadsAndStays) {
  Replica first("first", 1, recording);
  Replica second("second", 2, recording);
  pass(seconds(120), {&first, &second}, {&first, &second});
  EXPECT_TRUE(first.elector.is_leader());
  EXPECT_FALSE(second.elector.is_leader());
  EXPECT_EQ(store.spec()["holderIdentity"], "first");
  EXPECT_EQ(store.spec()["leaseDurationSeconds"], 15);
  EXPECT_EQ(store.spec()["leaseTransitions"], 0);
  EXPECT_LT(store.spec()["acquireTime"], store.spec()["renewTime"]);
}

TEST_F(LeaseElectorTest, OneThatCannotRenewStopsBeforeAnotherBegins) {
  Replica first("first", 1, recording);
  Replica second("second", 2, recording);
  pass(seconds(30), {&first, &second}, {&first, &second});
  ASSERT_TRUE(first.elector.is_leader());
  // Its requests get no answer from here on.
  pass(kLeaseRenewDeadline + seconds(3), {&first, &second}, {&second});
  EXPECT_FALSE(first.elector.is_leader());
  EXPECT_FALSE(second.elector.is_leader());
  EXPECT_THAT(recording.lines.text, HasSubstr("no longer leading"));
  pass(seconds(10), {&first, &second}, {&second});
  EXPECT_TRUE(second.elector.is_leader());
  EXPECT_EQ(store.spec()["leaseTransitions"], 1);
  // The old one is back, and sees that another leads.
  pass(seconds(60), {&first, &second}, {&first, &second});
  EXPECT_FALSE(first.elector.is_leader());
  EXPECT_TRUE(second.elector.is_leader());
}

TEST_F(LeaseElectorTest, ARecordIsJudgedByWhenItWasSeenToChangeAndNotByItsTimes) {
  Replica first("first", 1, recording);
  pass(seconds(1), {&first}, {&first});
  ASSERT_TRUE(first.elector.is_leader());
  // The other's wall clock is far ahead; its own 15 s have not passed.
  recording.clock.set_wall(recording.clock.wall_now() + std::chrono::hours(24));
  Replica second("second", 2, recording);
  pass(kLeaseDuration - seconds(1), {&second}, {&second});
  EXPECT_EQ(store.spec()["holderIdentity"], "first");
  pass(seconds(8), {&second}, {&second});
  EXPECT_EQ(store.spec()["holderIdentity"], "second");
}

TEST_F(LeaseElectorTest, WhatIsGivenUpIsTakenAtOnce) {
  Replica first("first", 1, recording);
  Replica second("second", 2, recording);
  pass(seconds(10), {&first, &second}, {&first, &second});
  bool released = false;
  first.elector.release([&released] { released = true; });
  EXPECT_FALSE(first.elector.is_leader());
  EXPECT_FALSE(released);
  store.serve(first.caller);
  EXPECT_TRUE(released);
  EXPECT_EQ(store.spec()["holderIdentity"], "");
  EXPECT_EQ(store.spec()["leaseDurationSeconds"], 1);
  pass(seconds(6), {&first, &second}, {&first, &second});
  EXPECT_TRUE(second.elector.is_leader());
  EXPECT_FALSE(first.elector.deadline());
}

TEST_F(LeaseElectorTest, GivingUpWaitsForTheRequestUnderWay) {
  Replica first("first", 1, recording);
  pass(seconds(1), {&first}, {&first});
  recording.clock.advance(kLeaseRetryPeriod);
  first.elector.run_due();
  ASSERT_EQ(first.caller.asked(), std::string("PUT ") + kPath + "/holdfast-class");
  bool released = false;
  first.elector.release([&released] { released = true; });
  EXPECT_FALSE(released);
  store.serve(first.caller);
  EXPECT_TRUE(released);
  EXPECT_EQ(store.spec()["holderIdentity"], "");
}

TEST_F(LeaseElectorTest, WhoDoesNotLeadHasNothingToGiveUp) {
  Replica only("only", 1, recording);
  bool released = false;
  only.elector.release([&released] { released = true; });
  EXPECT_TRUE(released);
  EXPECT_FALSE(only.caller.is_asked());
}

TEST_F(LeaseElectorTest, TwoThatCreateItAtOnceAreOne) {
  Replica first("first", 1, recording);
  Replica second("second", 2, recording);
  first.elector.run_due();
  second.elector.run_due();
  first.caller.answer(404);
  second.caller.answer(404);
  ASSERT_EQ(first.caller.asked(), std::string("POST ") + kPath);
  ASSERT_EQ(second.caller.asked(), std::string("POST ") + kPath);
  store.serve(second.caller);
  store.serve(first.caller);
  EXPECT_TRUE(second.elector.is_leader());
  EXPECT_FALSE(first.elector.is_leader());
  pass(seconds(30), {&first, &second}, {&first, &second});
  EXPECT_TRUE(second.elector.is_leader());
}

TEST_F(LeaseElectorTest, WhoMayNotAsksOnAndLogsOnce) {
  Replica only("only", 1, recording);
  int asked = 0;
  for (int i = 0; i < 100; ++i) {
    only.elector.run_due();
    if (only.caller.is_asked()) {
      ++asked;
      only.caller.answer(403);
    }
    recording.clock.advance(seconds(1));
  }
  EXPECT_GT(asked, 20);
  EXPECT_LT(asked, 51);
  EXPECT_FALSE(only.elector.is_leader());
  const std::string& log = recording.lines.text;
  const std::size_t first = log.find("HTTP 403");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("HTTP 403", first + 1), std::string::npos);
}

TEST_F(LeaseElectorTest, AnAnswerThatIsNoLeaseIsAFailure) {
  Replica only("only", 1, recording);
  only.elector.run_due();
  only.caller.answer(200, "[]");
  EXPECT_FALSE(only.elector.is_leader());
  EXPECT_TRUE(only.elector.deadline());
}

}  // namespace
}  // namespace holdfast::kube
