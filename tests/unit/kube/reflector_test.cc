#include "kube/reflector.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kNoWait{0};

Failure status_failure(int code, std::optional<std::chrono::seconds> retry_after = {}) {
  Failure failure{FailureKind::kStatus, {}, ""};
  failure.status.code = code;
  failure.status.retry_after = retry_after;
  return failure;
}

Failure error_event(int code) {
  Failure failure = status_failure(code);
  failure.kind = FailureKind::kErrorEvent;
  return failure;
}

Failure failure_of(FailureKind kind) { return {kind, {}, ""}; }

WatchEvent event_at(const std::string& version, WatchEventType type = WatchEventType::kModified) {
  WatchEvent event;
  event.type = type;
  event.resource_version = version;
  return event;
}

class ReflectorTest : public testing::Test {
 protected:
  ListRequest expect_list(const std::string& version, ListReason reason) {
    const Step step = next();
    const auto* request = std::get_if<ListRequest>(&step.request);
    EXPECT_NE(request, nullptr);
    if (request == nullptr) return {};
    EXPECT_EQ(request->resource_version, version);
    EXPECT_STREQ(to_string(request->reason), to_string(reason));
    return *request;
  }
  void expect_watch(const std::string& version) {
    const Step step = next();
    const auto* request = std::get_if<WatchRequest>(&step.request);
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(request->resource_version, version);
    EXPECT_GE(request->timeout, kWatchTimeoutLeast);
    EXPECT_LT(request->timeout, kWatchTimeoutMost);
  }
  Step next() {
    Step step = reflector.next();
    waited = step.wait;
    return step;
  }
  /// Listed at version 10, watching.
  void start_watch() {
    next();
    reflector.page_received("10", "");
    expect_watch("10");
    reflector.watch_started();
  }

  base::FakeClock clock;
  Reflector reflector{ReflectorOptions(), clock};
  base::Duration waited{0};
};

TEST_F(ReflectorTest, ListsTheNewestStateThenWatchesFromItsVersion) {
  const ListRequest request = expect_list("", ListReason::kStart);
  EXPECT_EQ(request.limit, kListLimit);
  EXPECT_EQ(waited, kNoWait);
  reflector.page_received("10", "");
  expect_watch("10");
  EXPECT_EQ(waited, kNoWait);
}

TEST_F(ReflectorTest, PagesAndWatchesFromTheFirstPagesVersion) {
  next();
  reflector.page_received("10", "token-1");
  EXPECT_EQ(expect_list("", ListReason::kStart).continue_token, "token-1");
  reflector.page_received("10", "token-2");
  EXPECT_EQ(expect_list("", ListReason::kStart).continue_token, "token-2");
  reflector.page_received("11", "");
  expect_watch("10");
}

TEST_F(ReflectorTest, ListsInOnePageAfterA410InMidPaging) {
  next();
  reflector.page_received("10", "token");
  next();
  reflector.list_failed(status_failure(410));
  const ListRequest request = expect_list("", ListReason::kContinueExpired);
  EXPECT_EQ(waited, kNoWait);
  EXPECT_EQ(request.limit, 0u);
  EXPECT_EQ(request.continue_token, "");
}

TEST_F(ReflectorTest, StartsTheListOverAfterAnyOtherErrorInMidPaging) {
  next();
  reflector.page_received("10", "token");
  next();
  reflector.list_failed(failure_of(FailureKind::kLost));
  const ListRequest request = expect_list("", ListReason::kStart);
  EXPECT_EQ(request.continue_token, "");
  EXPECT_EQ(request.limit, kListLimit);
  EXPECT_GE(waited, kBackoffFirst / 2);
}

TEST_F(ReflectorTest, RenewsAWatchThatEndedFromTheLastEventOfAnyType) {
  start_watch();
  reflector.event_received(event_at("11", WatchEventType::kAdded));
  reflector.event_received(event_at("12", WatchEventType::kDeleted));
  EXPECT_FALSE(reflector.watch_ended());
  expect_watch("12");
  EXPECT_EQ(waited, kNoWait);
  reflector.watch_started();
  reflector.event_received(event_at("90", WatchEventType::kBookmark));
  reflector.event_received(event_at("", WatchEventType::kUnknown));
  EXPECT_FALSE(reflector.watch_ended());
  expect_watch("90");
}

TEST_F(ReflectorTest, RenewsAQuietWatchWithoutAWaitOrAList) {
  start_watch();
  for (int i = 0; i < 100; ++i) {
    clock.advance(2s);
    EXPECT_FALSE(reflector.watch_ended());
    expect_watch("10");
    EXPECT_EQ(waited, kNoWait);
    reflector.watch_started();
  }
}

TEST_F(ReflectorTest, ListsAfterA410InBothShapesWithTheLastVersion) {
  for (const Failure& failure : {status_failure(410), error_event(410)}) {
    Reflector fresh(ReflectorOptions(), clock);
    (void)fresh.next();
    fresh.page_received("10", "");
    (void)fresh.next();
    fresh.watch_failed(failure);
    const Step step = fresh.next();
    EXPECT_EQ(step.wait, kNoWait);
    const auto& request = std::get<ListRequest>(step.request);
    EXPECT_EQ(request.resource_version, "10");
    EXPECT_EQ(request.reason, ListReason::kExpired);
  }
}

TEST_F(ReflectorTest, TakesTheReasonsExpiredAndGoneFor410) {
  for (const char* reason : {"Expired", "Gone"}) {
    Failure failure = error_event(0);
    failure.status.reason = reason;
    EXPECT_TRUE(failure.expired());
    EXPECT_STREQ(failure.reason(), "expired");
  }
  Failure unrelated = failure_of(FailureKind::kLost);
  unrelated.status.code = 410;
  EXPECT_FALSE(unrelated.expired());
}

TEST_F(ReflectorTest, FallsBackToTheNewestStateWhenTheVersionIsGoneOrNotReached) {
  Failure too_large = status_failure(504, 1s);
  too_large.status.version_too_large = true;
  for (const Failure& failure : {status_failure(410), too_large}) {
    Reflector fresh(ReflectorOptions(), clock);
    (void)fresh.next();
    fresh.page_received("10", "");
    (void)fresh.next();
    fresh.watch_failed(status_failure(410));
    (void)fresh.next();
    fresh.list_failed(failure);
    Step step = fresh.next();
    EXPECT_EQ(step.wait, kNoWait);
    EXPECT_EQ(std::get<ListRequest>(step.request).resource_version, "");
    // And once that fails too, waits, and does not go back to the version that is gone.
    fresh.list_failed(failure);
    step = fresh.next();
    EXPECT_GT(step.wait, kNoWait);
    EXPECT_EQ(std::get<ListRequest>(step.request).resource_version, "");
    // The versions may have gone backwards: opaque, so the new one counts.
    fresh.page_received("3", "");
    EXPECT_EQ(std::get<WatchRequest>(fresh.next().request).resource_version, "3");
  }
}

TEST_F(ReflectorTest, WaitsFromTheSecond410InARow) {
  start_watch();
  reflector.watch_failed(error_event(410));
  expect_list("10", ListReason::kExpired);
  EXPECT_EQ(waited, kNoWait);
  for (int i = 0; i < 20; ++i) {
    reflector.page_received("10", "");
    expect_watch("10");
    reflector.watch_started();
    reflector.watch_failed(error_event(410));
    expect_list("10", ListReason::kExpired);
    EXPECT_GE(waited, kBackoffFirst / 2);
    EXPECT_LE(waited, kBackoffMost);
  }
  EXPECT_GE(waited, kBackoffMost / 2);
}

TEST_F(ReflectorTest, NeverListsWhenTheServerIsUnreachableOrBusyAtTheStartOfAWatch) {
  start_watch();
  reflector.event_received(event_at("20"));
  reflector.watch_failed(failure_of(FailureKind::kLost));
  for (const Failure& failure :
       {failure_of(FailureKind::kConnect), failure_of(FailureKind::kLost),
        failure_of(FailureKind::kTimeout), status_failure(429), status_failure(500),
        status_failure(503), status_failure(401), status_failure(403)}) {
    expect_watch("20");
    reflector.watch_failed(failure);
    expect_watch("20");
    EXPECT_GE(waited, kBackoffFirst / 2) << failure.reason();
    reflector.watch_failed(failure);
  }
}

TEST_F(ReflectorTest, HonoursRetryAfterUpToALimit) {
  next();
  reflector.list_failed(status_failure(429, 45s));
  next();
  EXPECT_EQ(waited, 45s);
  reflector.list_failed(status_failure(503, 9999999s));
  next();
  EXPECT_EQ(waited, kRetryAfterMost);
  reflector.list_failed(status_failure(503, 0s));
  next();
  EXPECT_GT(waited, kNoWait);
}

TEST_F(ReflectorTest, WaitsLongerEachTimeUpToTheMost) {
  base::Duration upper = kBackoffFirst;
  for (int i = 0; i < 12; ++i) {
    next();
    reflector.list_failed(failure_of(FailureKind::kConnect));
    next();
    EXPECT_GE(waited, upper / 2);
    EXPECT_LE(waited, upper);
    upper = std::min<base::Duration>(upper * 2, kBackoffMost);
    reflector.list_failed(failure_of(FailureKind::kConnect));
    upper = std::min<base::Duration>(upper * 2, kBackoffMost);
  }
}

TEST_F(ReflectorTest, ForgetsPastTroubleAfterTwoMinutesOfHealth) {
  for (int i = 0; i < 8; ++i) {
    next();
    reflector.list_failed(failure_of(FailureKind::kConnect));
  }
  start_watch();
  clock.advance(kHealthyAfter - 1s);
  reflector.watch_failed(failure_of(FailureKind::kConnect));
  expect_watch("10");
  EXPECT_GE(waited, kBackoffMost / 2);
  reflector.watch_started();
  clock.advance(kHealthyAfter);
  reflector.watch_failed(status_failure(503));
  expect_watch("10");
  EXPECT_LE(waited, kBackoffFirst);
}

TEST_F(ReflectorTest, TreatsAWatchThatEndsAtOnceAsAnError) {
  start_watch();
  for (int i = 0; i < 10; ++i) {
    const std::optional<Failure> failure = reflector.watch_ended();
    ASSERT_TRUE(failure);
    EXPECT_STREQ(failure->reason(), "short_watch");
    expect_watch("10");
    EXPECT_GE(waited, kBackoffFirst / 2);
    reflector.watch_started();
    // The same event again and again is no news either.
    reflector.event_received(event_at("10", WatchEventType::kAdded));
  }
}

TEST_F(ReflectorTest, RetriesInternalErrorsAFewTimesThenLists) {
  start_watch();
  for (int i = 0; i < kErrorEventRetries; ++i) {
    reflector.watch_failed(error_event(500));
    expect_watch("10");
    EXPECT_GT(waited, kNoWait);
    reflector.watch_started();
  }
  reflector.watch_failed(error_event(500));
  expect_list("10", ListReason::kWatchFailed);
  EXPECT_GT(waited, kNoWait);
}

TEST_F(ReflectorTest, BacksOffOnA429EventAndListsOnUnknownOnes) {
  start_watch();
  reflector.watch_failed(error_event(429));
  expect_watch("10");
  EXPECT_GT(waited, kNoWait);
  for (const Failure& failure :
       {error_event(504), error_event(0), error_event(418), failure_of(FailureKind::kMalformed),
        failure_of(FailureKind::kTooLarge), status_failure(400)}) {
    reflector.watch_failed(failure);
    expect_list("10", ListReason::kWatchFailed);
    EXPECT_GT(waited, kNoWait);
    reflector.page_received("10", "");
    expect_watch("10");
  }
}

TEST_F(ReflectorTest, RenewsALostWatchAtOnceWhenItWasOfUse) {
  start_watch();
  clock.advance(5s);
  reflector.watch_failed(failure_of(FailureKind::kLost));
  expect_watch("10");
  EXPECT_EQ(waited, kNoWait);
  reflector.watch_failed(failure_of(FailureKind::kConnect));
  expect_watch("10");
  EXPECT_GT(waited, kNoWait);
}

TEST_F(ReflectorTest, ListsWhenALongWatchBroughtNotEvenABookmark) {
  start_watch();
  clock.advance(kSilentWatchAge);
  EXPECT_FALSE(reflector.watch_ended());
  expect_list("10", ListReason::kSilentWatch);
  reflector.page_received("10", "");
  expect_watch("10");
  reflector.watch_started();
  reflector.event_received(event_at("10", WatchEventType::kBookmark));
  clock.advance(kSilentWatchAge);
  EXPECT_FALSE(reflector.watch_ended());
  expect_watch("10");
}

TEST_F(ReflectorTest, DoesNotResumeFromTheUnorderedReplayOfAWatchFromZero) {
  next();
  reflector.page_received("0", "");
  expect_watch("0");
  reflector.watch_started();
  reflector.event_received(event_at("7", WatchEventType::kAdded));
  reflector.event_received(event_at("3", WatchEventType::kAdded));
  EXPECT_EQ(reflector.resource_version(), "0");
  reflector.event_received(event_at("8", WatchEventType::kBookmark));
  reflector.event_received(event_at("9", WatchEventType::kAdded));
  EXPECT_EQ(reflector.resource_version(), "9");
}

}  // namespace
}  // namespace holdfast::kube
