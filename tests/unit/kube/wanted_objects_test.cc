// Goal: single objects that are wanted are watched by their names alone, come and go while the
// source runs, and what may not be read is told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/source_fixture.h"

namespace holdfast::kube {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class WantedObjectsTest : public ApiServerSourceTest {
 protected:
  WantedObjectsTest() { view.scopes = {}; }

  static Scope config_map_scope(const std::string& name) {
    return {Kind::kConfigMap, ObjectName{"n", name}};
  }
  static std::string config_map(const std::string& name, const std::string& version,
                                const std::string& data = "{}") {
    return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"n","name":")" + name +
           R"(","resourceVersion":")" + version + R"("},"data":)" + data + "}";
  }
  static std::string config_maps(const std::string& version, const std::string& items) {
    return R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":")" +
           version + R"("},"items":[)" + items + "]}";
  }
  static auto lists(const std::string& name) {
    return "/api/v1/namespaces/n/configmaps?limit=500&fieldSelector=metadata.name%3D" + name;
  }
  static auto watches(const std::string& name, const std::string& version) {
    return AllOf(StartsWith("/api/v1/namespaces/n/configmaps?watch=1&allowWatchBookmarks=true&"
                            "resourceVersion=" +
                            version + "&timeoutSeconds="),
                 EndsWith("&fieldSelector=metadata.name%3D" + name));
  }
  void want(const std::set<Scope>& objects) { source->want(objects); }
  void run_until_told(std::size_t calls) {
    run_until([&] { return recording.sink.calls.size() >= calls; });
  }
};

TEST_F(WantedObjectsTest, AreListedAndWatchedByName) {
  server.on_request(answer(200, config_maps("10", config_map("a", "1"))));
  server.on_request(
      events({event("MODIFIED", config_map("a", "11")), event("DELETED", config_map("a", "12"))}));
  start();
  want({config_map_scope("a")});
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(lists("a"), watches("a", "10"), watches("a", "12")));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace ConfigMap n/a: n/a@1",
                                                "upsert ConfigMap n/a@11", "remove ConfigMap n/a"));
  EXPECT_THAT(recording.lines.text, HasSubstr(R"("in":"n/a")"));
}

TEST_F(WantedObjectsTest, WhatDoesNotExistIsAnAnswer) {
  server.on_request(answer(200, config_maps("10", "")));
  start();
  want({config_map_scope("a")});
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace ConfigMap n/a:"));
}

TEST_F(WantedObjectsTest, WantedBeforeTheStartAreAskedForAtTheStart) {
  config.port = server.port();
  source = make_api_server_source(context, config, options, view, recording.sink, recording.clock,
                                  recording.log);
  want({config_map_scope("a")});
  context.poll();
  EXPECT_EQ(server.connections, 0);
  server.on_request(answer(200, config_maps("10", "")));
  source->start();
  run_script();
  EXPECT_THAT(server.targets, Contains(lists("a")));
}

TEST_F(WantedObjectsTest, ComeAndGoWhileTheSourceRuns) {
  server.on_request(answer(200, config_maps("10", config_map("a", "1"))));
  server.on_request(open_events({}));
  start();
  want({config_map_scope("a")});
  run_until([&] { return metric("holdfast_watch_connected", "ConfigMap") == 1; });
  server.on_request(answer(200, config_maps("10", config_map("b", "2"))));
  want({config_map_scope("a"), config_map_scope("b")});
  run_until_told(2);
  // Of the two watches one is not answered.
  EXPECT_EQ(metric("holdfast_watch_connected", "ConfigMap"), 0);
  EXPECT_EQ(metric("holdfast_watch_objects", "ConfigMap"), 2);
  want({config_map_scope("b")});
  EXPECT_EQ(metric("holdfast_watch_objects", "ConfigMap"), 1);
  recording.sink.take();
  // Asked for again it is read again, as what it is now.
  server.on_request(Reply{}.hanging());
  run_until([&] { return server.script_is_over(); });
  server.on_request(answer(200, config_maps("11", config_map("a", "11"))));
  want({config_map_scope("a")});
  run_until_told(1);
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace ConfigMap n/a: n/a@11"));
  want({});
  EXPECT_EQ(metric("holdfast_watch_objects", "ConfigMap"), 0);
}

TEST_F(WantedObjectsTest, ASinkMayStopWantingWhatItIsBeingTold) {
  class Fickle final : public ObjectSink {
   public:
    void replace(const Scope&, std::vector<Object>) override {
      ++told;
      source->want({});
    }
    void upsert(Object) override { ++told; }
    void remove(Kind, const ObjectName&) override { ++told; }
    void report_unreadable(const std::string&, const ObjectName&, const std::string&) override {}
    Source* source = nullptr;
    int told = 0;
  };
  Fickle sink;
  config.port = server.port();
  server.on_request(answer(200, config_maps("10", config_map("a", "1"))));
  source =
      make_api_server_source(context, config, options, view, sink, recording.clock, recording.log);
  sink.source = source.get();
  source->start();
  want({config_map_scope("a")});
  run_until([&] { return sink.told > 0; });
  // Nothing of the watcher is left but what it is doing.
  server.close();
  context.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(context.stopped());
  EXPECT_THAT(server.targets, ElementsAre(lists("a")));
  EXPECT_EQ(sink.told, 1);
  EXPECT_EQ(metric("holdfast_watch_objects", "ConfigMap"), 0);
}

TEST_F(WantedObjectsTest, WhatMayNotBeReadIsToldUntilItMay) {
  const Reply forbidden = answer(403, status_of(403, "Forbidden"));
  server.on_request(forbidden);
  server.on_request(answer(200, config_maps("10", config_map("a", "1"))));
  server.on_request(forbidden);
  server.on_request(events({event("MODIFIED", config_map("a", "11"))}));
  start();
  want({config_map_scope("a")});
  run_script();
  EXPECT_THAT(
      recording.sink.calls,
      ElementsAre("unreadable ConfigMap n/a: HTTP 403: told so", "fine ConfigMap n/a",
                  "replace ConfigMap n/a: n/a@1", "unreadable ConfigMap n/a: HTTP 403: told so",
                  "fine ConfigMap n/a", "upsert ConfigMap n/a@11"));
}

TEST_F(WantedObjectsTest, OfAServerThatIsAwayNothingIsTold) {
  server.on_request(answer(503, status_of(503, "ServiceUnavailable")));
  server.on_request(answer(200, config_maps("10", "")));
  start();
  want({config_map_scope("a")});
  run_script();
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace ConfigMap n/a:"));
}

TEST_F(WantedObjectsTest, AProbeAsksForTheObjectItself) {
  server.on_request(answer(200, config_maps("10", "")));
  server.on_request(Reply{open_events({event("ADDED", config_map("a", "11"))}).bytes}.closing());
  server.on_request(answer(200, config_map("a", "11")));
  start();
  want({config_map_scope("a")});
  run_script();
  EXPECT_THAT(server.targets, ElementsAre(lists("a"), watches("a", "10"),
                                          "/api/v1/namespaces/n/configmaps/a?resourceVersion=11",
                                          watches("a", "11")));
}

TEST_F(WantedObjectsTest, StreamedListsAreOfOneNameToo) {
  view.watch_list = true;
  const std::string end = R"({"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1",)"
                          R"("metadata":{"resourceVersion":"12","annotations":)"
                          R"({"k8s.io/initial-events-end":"true"}}}})";
  server.on_request(events({event("ADDED", config_map("a", "11")), end}));
  start();
  want({config_map_scope("a")});
  run_script();
  EXPECT_THAT(server.targets.front(),
              AllOf(HasSubstr("sendInitialEvents=true"),
                    EndsWith("&fieldSelector=metadata.name%3Da"), Not(HasSubstr("limit"))));
  EXPECT_THAT(recording.sink.calls, ElementsAre("replace ConfigMap n/a: n/a@11"));
}

}  // namespace
}  // namespace holdfast::kube
