#include "kube/reflector.h"

#include <gtest/gtest.h>

#include <set>

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

Failure error_event_after(int code, std::optional<std::chrono::seconds> retry_after) {
  Failure failure = status_failure(code, retry_after);
  failure.kind = FailureKind::kErrorEvent;
  return failure;
}

Failure error_event(int code) { return error_event_after(code, {}); }

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
  void expect_probe(const std::string& version) {
    const Step step = next();
    const auto* request = std::get_if<ProbeRequest>(&step.request);
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(request->resource_version, version);
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

  static ReflectorOptions options() {
    ReflectorOptions options;
    options.start_jitter = kNoWait;
    return options;
  }

  base::FakeClock clock;
  Reflector reflector{options(), clock};
  base::Duration waited{0};
};

// Rows: L1, W1.
TEST_F(ReflectorTest, ListsTheNewestStateThenWatchesFromItsVersion) {
  const ListRequest request = expect_list("", ListReason::kStart);
  EXPECT_EQ(request.limit, kListLimit);
  EXPECT_EQ(waited, kNoWait);
  reflector.page_received("10", "");
  expect_watch("10");
  EXPECT_EQ(waited, kNoWait);
}

// Rows: L3.
TEST_F(ReflectorTest, PagesAndWatchesFromTheFirstPagesVersion) {
  next();
  reflector.page_received("10", "token-1");
  EXPECT_EQ(expect_list("", ListReason::kStart).continue_token, "token-1");
  reflector.page_received("10", "token-2");
  EXPECT_EQ(expect_list("", ListReason::kStart).continue_token, "token-2");
  reflector.page_received("11", "");
  expect_watch("10");
}

// Rows: L4.
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

// Rows: L4, L6.
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

// Rows: W1, W2, W8.
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

// Rows: W1.
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

// Rows: W3, L2.
TEST_F(ReflectorTest, ListsAfterA410InBothShapesWithTheLastVersion) {
  for (const Failure& failure : {status_failure(410), error_event(410)}) {
    Reflector fresh(options(), clock);
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

// Rows: W3.
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

// Rows: L2, W10.
TEST_F(ReflectorTest, FallsBackToTheNewestStateWhenTheVersionIsGoneOrNotReached) {
  Failure too_large = status_failure(504, 1s);
  too_large.status.version_too_large = true;
  for (const Failure& failure : {status_failure(410), too_large}) {
    Reflector fresh(options(), clock);
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

// Rows: W3, 3.4 (backoff).
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

// Rows: W5, W16.
TEST_F(ReflectorTest, NeverListsWhenTheServerIsUnreachableOrBusyAtTheStartOfAWatch) {
  start_watch();
  reflector.event_received(event_at("20"));
  reflector.watch_failed(failure_of(FailureKind::kLost));
  for (const Failure& failure :
       {failure_of(FailureKind::kConnect), failure_of(FailureKind::kLost),
        failure_of(FailureKind::kTimeout), status_failure(500), status_failure(503)}) {
    expect_probe("20");
    reflector.probe_failed(failure);
    expect_probe("20");
    EXPECT_GE(waited, kBackoffFirst / 2) << failure.reason();
    reflector.probe_passed();
    expect_watch("20");
    reflector.watch_failed(failure);
  }
  reflector.next();
  reflector.probe_passed();
  for (const Failure& failure : {status_failure(429), status_failure(401), status_failure(403)}) {
    expect_watch("20");
    reflector.watch_failed(failure);
    expect_watch("20");
    EXPECT_GE(waited, kBackoffFirst / 2) << failure.reason();
    reflector.watch_failed(failure);
  }
}

// Rows: L2.
TEST_F(ReflectorTest, AsksWhetherTheVersionIsThereAfterALostConnection) {
  start_watch();
  clock.advance(5s);
  reflector.watch_failed(failure_of(FailureKind::kLost));
  expect_probe("10");
  EXPECT_EQ(waited, kNoWait);
  // Not found: the version is there. Forbidden, a bad request: nothing is known.
  for (const int code : {404, 403, 400}) {
    reflector.probe_failed(status_failure(code));
    expect_watch("10");
    EXPECT_EQ(waited, kNoWait);
    reflector.watch_failed(failure_of(FailureKind::kConnect));
    expect_probe("10");
    EXPECT_GT(waited, kNoWait);
  }
  for (const int code : {401, 429, 503}) {
    reflector.probe_failed(status_failure(code));
    expect_probe("10");
    EXPECT_GT(waited, kNoWait);
  }
  reflector.probe_passed();
  // An API server that answers needs no more questions.
  for (int i = 0; i < 3; ++i) {
    expect_watch("10");
    reflector.watch_started();
    clock.advance(2s);
    EXPECT_FALSE(reflector.watch_ended());
  }
}

// Rows: L1, L2.
TEST_F(ReflectorTest, ListsTheNewestStateWhenTheServerIsBehindTwice) {
  Failure behind = status_failure(504, 1s);
  behind.status.version_too_large = true;
  start_watch();
  reflector.watch_failed(failure_of(FailureKind::kConnect));
  // A replica that lags has it a little later.
  expect_probe("10");
  reflector.probe_failed(behind);
  expect_probe("10");
  EXPECT_GE(waited, 1s);
  reflector.probe_passed();
  expect_watch("10");
  reflector.watch_failed(failure_of(FailureKind::kConnect));
  for (int i = 0; i < kBehindAnswers; ++i) {
    expect_probe("10");
    reflector.probe_failed(behind);
  }
  expect_list("", ListReason::kVersionUnavailable);
  EXPECT_EQ(waited, kNoWait);
  reflector.page_received("3", "");
  expect_watch("3");
}

// Rows: 3.4 (start-up jitter).
TEST_F(ReflectorTest, BeginsAtARandomMoment) {
  std::set<base::Duration> waits;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ReflectorOptions jittered;
    jittered.seed = seed;
    const base::Duration wait = Reflector(jittered, clock).next().wait;
    EXPECT_LE(wait, kStartJitter);
    waits.insert(wait);
  }
  EXPECT_GT(waits.size(), 15u);
}

// Rows: 3.4 (429, Retry-After), W16.
TEST_F(ReflectorTest, HonoursRetryAfterUpToALimit) {
  next();
  reflector.list_failed(status_failure(429, 25s));
  next();
  EXPECT_EQ(waited, 25s);
  start_watch();
  reflector.watch_failed(status_failure(429, 26s));
  expect_watch("10");
  EXPECT_EQ(waited, 26s);
  reflector.watch_failed(error_event_after(429, 27s));
  expect_watch("10");
  EXPECT_EQ(waited, 27s);
  reflector.watch_failed(status_failure(410));
  next();
  reflector.list_failed(status_failure(503, 9999999s));
  next();
  EXPECT_EQ(waited, kRetryAfterMost);
  EXPECT_LE(kRetryAfterMost, 30s);
  reflector.list_failed(status_failure(503, 0s));
  next();
  EXPECT_GT(waited, kNoWait);
}

// Rows: 3.4 (backoff).
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

// Rows: 3.4 (backoff).
TEST_F(ReflectorTest, ForgetsPastTroubleAfterTwoMinutesOfHealth) {
  for (int i = 0; i < 8; ++i) {
    next();
    reflector.list_failed(failure_of(FailureKind::kConnect));
  }
  start_watch();
  clock.advance(kHealthyAfter - 1s);
  reflector.watch_failed(failure_of(FailureKind::kConnect));
  expect_probe("10");
  EXPECT_GE(waited, kBackoffMost / 2);
  reflector.probe_passed();
  expect_watch("10");
  reflector.watch_started();
  clock.advance(kHealthyAfter);
  reflector.watch_failed(status_failure(503));
  expect_probe("10");
  EXPECT_LE(waited, kBackoffFirst);
}

// Rows: W6.
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

// Rows: W4.
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

// Rows: W4, W5.
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

// Rows: W1, W12.
TEST_F(ReflectorTest, RenewsALostWatchAtOnceWhenItWasOfUse) {
  start_watch();
  clock.advance(5s);
  reflector.watch_failed(failure_of(FailureKind::kLost));
  expect_probe("10");
  EXPECT_EQ(waited, kNoWait);
  reflector.probe_passed();
  expect_watch("10");
  EXPECT_EQ(waited, kNoWait);
  reflector.watch_failed(failure_of(FailureKind::kConnect));
  expect_probe("10");
  EXPECT_GT(waited, kNoWait);
}

// Rows: W2, L2.
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

// Rows: W7.
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
