// Goal: problems become Events on their objects, each once, at a bounded rate, and end with one
// that says so. Method: a fake clock, and an API server that the test plays.

#include "controller/event_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "controller/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"
#include "tests/support/scripted_api_caller.h"

namespace holdfast::controller {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kUid[] = R"({"metadata":{"uid":"4711"}})";
constexpr char kReadObject[] = "GET /apis/networking.k8s.io/v1/namespaces/shop/ingresses/web";
constexpr char kCreateEvent[] = "POST /api/v1/namespaces/shop/events";

Problem broken(const std::string& message = "the port is 0; no path of it is served",
               const std::string& name = "web") {
  return {"Ingress", {"shop", name}, "spec.rules[0]", Severity::kError, message};
}

class EventWriterTest : public testing::Test {
 protected:
  void lead() {
    writer.lead(true);
    writer.run_due();
  }
  void appear(const Problem& one) {
    writer.appeared(one);
    writer.run_due();
  }
  void go(const Problem& one) {
    writer.gone(one);
    writer.run_due();
  }
  json body() const { return json::parse(caller.body()); }
  /// Answers a read and a creation; what was created.
  json take_event() {
    EXPECT_THAT(caller.asked(), StartsWith("GET "));
    caller.answer(200, kUid);
    EXPECT_EQ(caller.asked(), kCreateEvent);
    json created = body();
    caller.answer(201);
    return created;
  }
  void expect_rest() {
    writer.run_due();
    EXPECT_EQ(caller.asked(), "");
  }

  base::FakeClock clock;
  base::LineSink lines;
  base::Log log{lines, clock, base::LogLevel::kDebug};
  kube::ScriptedApiCaller caller;
  EventWriter writer{"pod-1", 1, caller, clock, log, [] {}};
};

TEST_F(EventWriterTest, AProblemIsAWarningAndItsEndANormalEvent) {
  lead();
  appear(broken());
  ASSERT_EQ(caller.asked(), kReadObject);
  EXPECT_THAT(caller.request().accept, HasSubstr("as=PartialObjectMetadata"));
  const json warning = take_event();
  EXPECT_EQ(warning["involvedObject"], (json{{"apiVersion", "networking.k8s.io/v1"},
                                             {"kind", "Ingress"},
                                             {"namespace", "shop"},
                                             {"name", "web"},
                                             {"uid", "4711"}}));
  EXPECT_EQ(warning["type"], "Warning");
  EXPECT_EQ(warning["reason"], "ConfigurationError");
  EXPECT_EQ(warning["message"], "spec.rules[0]: the port is 0; no path of it is served");
  EXPECT_EQ(warning["count"], 1);
  EXPECT_EQ(warning["firstTimestamp"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(warning["reportingInstance"], "pod-1");
  EXPECT_THAT(warning["metadata"]["name"].get<std::string>(), StartsWith("web."));
  expect_rest();
  clock.advance(seconds(5));
  go(broken());
  const json normal = take_event();
  EXPECT_EQ(normal["type"], "Normal");
  EXPECT_EQ(normal["reason"], "ProblemGone");
  EXPECT_EQ(normal["message"],
            "no longer so: spec.rules[0]: the port is 0; no path of it is served");
  EXPECT_EQ(normal["lastTimestamp"], "2026-01-01T00:00:05Z");
  EXPECT_NE(normal["metadata"]["name"], warning["metadata"]["name"]);
  expect_rest();
  EXPECT_FALSE(writer.deadline());
}

TEST_F(EventWriterTest, OneThatComesAndGoesUntoldIsNotTold) {
  lead();
  appear(broken("first"));
  writer.appeared(broken("second"));
  writer.gone(broken("second"));
  take_event();
  expect_rest();
}

TEST_F(EventWriterTest, OneThatGoesWhileItIsBeingToldIsToldToTheEnd) {
  lead();
  appear(broken());
  caller.answer(200, kUid);
  writer.gone(broken());
  caller.answer(201);
  EXPECT_EQ(take_event()["type"], "Normal");
  expect_rest();
}

TEST_F(EventWriterTest, OneThatComesBackIsCountedAndNotMultiplied) {
  lead();
  appear(broken());
  const json warning = take_event();
  const std::string path =
      "PATCH /api/v1/namespaces/shop/events/" + warning["metadata"]["name"].get<std::string>();
  writer.gone(broken());
  // Before it could be told.
  writer.appeared(broken());
  writer.run_due();
  ASSERT_EQ(caller.asked(), path);
  EXPECT_EQ(body()["count"], 2);
  caller.answer(200);
  expect_rest();
}

TEST_F(EventWriterTest, WhatStandsIsKeptFromBeingForgotten) {
  lead();
  appear(broken());
  take_event();
  ASSERT_EQ(writer.deadline(), clock.now() + kEventRefresh);
  clock.advance(kEventRefresh);
  writer.run_due();
  ASSERT_THAT(caller.asked(), StartsWith("PATCH "));
  EXPECT_EQ(body()["lastTimestamp"], "2026-01-01T00:30:00Z");
  // It was forgotten all the same.
  caller.answer(404);
  EXPECT_EQ(take_event()["type"], "Warning");
}

TEST_F(EventWriterTest, ANewLeaderTellsWhatStandsAndFindsWhatIsThere) {
  appear(broken());
  expect_rest();
  lead();
  ASSERT_EQ(caller.asked(), kReadObject);
  caller.answer(200, kUid);
  const json created = body();
  // The leader before has told it.
  caller.answer(409);
  ASSERT_EQ(caller.asked(), "PATCH /api/v1/namespaces/shop/events/" +
                                created["metadata"]["name"].get<std::string>());
  EXPECT_FALSE(body().contains("count"));
  caller.answer(200);
  expect_rest();
}

TEST_F(EventWriterTest, WhoDoesNotLeadIsSilent) {
  lead();
  appear(broken());
  take_event();
  writer.lead(false);
  writer.gone(broken());
  appear(broken("another"));
  expect_rest();
  EXPECT_FALSE(writer.deadline());
}

TEST_F(EventWriterTest, AnObjectThatIsGoneHasNoEvents) {
  lead();
  appear(broken());
  caller.answer(404);
  expect_rest();
  go(broken());
  expect_rest();
}

TEST_F(EventWriterTest, WithoutTheRightToReadTheObjectItIsToldWithoutUid) {
  lead();
  appear(broken());
  caller.answer(403);
  ASSERT_EQ(caller.asked(), kCreateEvent);
  EXPECT_FALSE(body()["involvedObject"].contains("uid"));
}

TEST_F(EventWriterTest, AFailureIsTriedAgainAfterTheOthers) {
  lead();
  appear(broken("a"));
  writer.appeared(broken("b"));
  caller.answer(200, kUid);
  caller.answer(500);
  EXPECT_EQ(caller.asked(), "");
  EXPECT_EQ(lines.count("HTTP 500"), 1U);
  ASSERT_TRUE(writer.deadline());
  EXPECT_GE(*writer.deadline(), clock.now() + kWriteBackoffFirst / 2);
  clock.advance(kWriteBackoffFirst);
  writer.run_due();
  EXPECT_THAT(take_event()["message"].get<std::string>(), HasSubstr(": b"));
  EXPECT_THAT(take_event()["message"].get<std::string>(), HasSubstr(": a"));
}

TEST_F(EventWriterTest, AFlagIsNoObject) {
  lead();
  appear({"Flag", {"", "--default-backend"}, "", Severity::kError, "no such Service"});
  expect_rest();
}

TEST_F(EventWriterTest, OfAnObjectWithoutNamespaceItStandsInTheDefaultOne) {
  lead();
  appear({"IngressClass", {"", "holdfast"}, "spec", Severity::kWarning, "odd"});
  ASSERT_EQ(caller.asked(), "GET /apis/networking.k8s.io/v1/ingressclasses/holdfast");
  caller.answer(200, kUid);
  EXPECT_EQ(caller.asked(), "POST /api/v1/namespaces/default/events");
  EXPECT_EQ(body()["reason"], "ConfigurationWarning");
  EXPECT_FALSE(body()["involvedObject"].contains("namespace"));
}

TEST_F(EventWriterTest, AFlappingObjectSilencesItselfAlone) {
  lead();
  const auto events_at_once = static_cast<int>(kEventsAtOnceOfAnObject);
  for (int i = 0; i < events_at_once; ++i) {
    appear(broken(std::to_string(i)));
    take_event();
  }
  appear(broken("one too many"));
  expect_rest();
  appear(broken("another's", "other"));
  take_event();
  expect_rest();
  clock.advance(seconds(30));
  writer.run_due();
  EXPECT_THAT(take_event()["message"].get<std::string>(), HasSubstr("one too many"));
}

TEST_F(EventWriterTest, AClusterOfBrokenObjectsIsToldAtAPace) {
  constexpr int objects = 100;
  for (int i = 0; i < objects; ++i) writer.appeared(broken("broken", "web-" + std::to_string(i)));
  lead();
  int told = 0;
  while (caller.is_asked()) {
    take_event();
    ++told;
  }
  EXPECT_EQ(told, static_cast<int>(kEventsAtOnce));
  const base::Instant begun = clock.now();
  while (told < objects) {
    ASSERT_TRUE(writer.deadline());
    clock.advance(*writer.deadline() - clock.now());
    writer.run_due();
    take_event();
    ++told;
  }
  const std::chrono::duration<double> taken = clock.now() - begun;
  EXPECT_NEAR(taken.count(), (objects - kEventsAtOnce) / kEventsPerSecond, 0.1);
}

TEST_F(EventWriterTest, LongNamesAndMessagesAreCut) {
  lead();
  std::string name(252, 'a');
  name[235] = '-';
  std::string message = "x";
  for (int i = 0; i < 600; ++i) message += "\u00e9";
  appear(broken(message, name));
  const json event = take_event();
  const auto cut_name = event["metadata"]["name"].get<std::string>();
  EXPECT_EQ(cut_name.substr(0, 236), std::string(235, 'a') + ".");
  EXPECT_LE(cut_name.size(), 253U);
  const auto cut_message = event["message"].get<std::string>();
  EXPECT_LE(cut_message.size(), kEventMessageBytes);
  EXPECT_GE(cut_message.size(), kEventMessageBytes - 3);
  EXPECT_TRUE(base::is_utf8(cut_message));
  EXPECT_THAT(cut_message, ::testing::EndsWith("\u2026"));
}

TEST_F(EventWriterTest, BytesThatAreNotUtf8AreReplaced) {
  lead();
  appear(broken("a \xff byte"));
  EXPECT_THAT(take_event()["message"].get<std::string>(), HasSubstr("a \uFFFD byte"));
}

}  // namespace
}  // namespace holdfast::controller
