// Goal: what must be the same object in every snapshot is, for as long as anything refers to it
// and no longer; refusals change nothing; live settings are set by an accepted transaction alone.
// Method: transactions compiled by hand, a Snapshot as the worker's.

#include "proxy/snapshot_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/limits.h"
#include "tests/unit/proxy/compiler_fixture.h"

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using SnapshotCompilerTest = CompilerTest;

TEST_F(SnapshotCompilerTest, ARouteIsCompiledWithAllThatItSays) {
  apply({host("chat.test", {{}})});
  const RoutePtr route = snapshot_.find_route("chat.test", "/x");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->plain.cluster, kRooms);
  EXPECT_EQ(route->settings->balancing.load_balance, v1::LOAD_BALANCE_ROUND_ROBIN);
  EXPECT_EQ(route->settings->connect_timeout, 5250ms);
  EXPECT_EQ(route->settings->request_timeout, 60s);
  EXPECT_EQ(route->settings->upgrade_timeout, 10s);
  EXPECT_EQ(route->plain.policy->idle_timeout(), 1h);
  EXPECT_EQ(route->plain.policy->names, (RouteNames{"default", "chat", "rooms"}));
  // One for each worker.
  EXPECT_THAT(route->plain.policy->all_counters(), SizeIs(2));
}

TEST_F(SnapshotCompilerTest, PathsAreCompiledByTheirKind) {
  v1::Resource resource = *host("chat.test", {{.cluster = "default/exact/80"},
                                              {.cluster = "default/prefix/80"},
                                              {.cluster = "default/fallback/80"}});
  auto& routes = *resource.mutable_virtual_host()->mutable_routes();
  routes[0].mutable_path()->set_exact("/a");
  routes[1].mutable_path()->set_prefix("/a");
  routes[2].mutable_path()->set_fallback(true);
  apply({model::seal(resource)});
  const auto cluster_of = [&](std::string_view path) {
    return snapshot_.find_route("chat.test", path)->plain.cluster;
  };
  EXPECT_EQ(cluster_of("/a"), "default/exact/80");
  EXPECT_EQ(cluster_of("/a/b"), "default/prefix/80");
  EXPECT_EQ(cluster_of("/b"), "default/fallback/80");
}

TEST_F(SnapshotCompilerTest, APolicyIsOneObjectForAnIngressAndAService) {
  apply({host("chat.test", {{.prefix = "/a"},
                            {.prefix = "/b", .cluster = "default/rooms/81"},
                            {.prefix = "/c", .cluster = "default/other/80"},
                            {.ingress = "second", .prefix = "/d"}}),
         host("other.test", {{}})});
  EXPECT_EQ(policy("/a"), policy("/b"));
  EXPECT_NE(policy("/a"), policy("/c"));
  EXPECT_NE(policy("/a"), policy("/d"));
  EXPECT_EQ(policy("/a"), snapshot_.find_route("other.test", "/")->plain.policy);
  EXPECT_THAT(compiler_.policies(), SizeIs(3));
}

TEST_F(SnapshotCompilerTest, APolicyInUseOutlivesItsIngressAndIsFoundAgain) {
  apply({host("chat.test", {{}})});
  std::shared_ptr<RoutePolicy> relay = policy();
  relay->counters(0).open_websockets.add();
  apply({}, {{v1::KIND_VIRTUAL_HOST, "chat.test"}});
  EXPECT_EQ(policy(), nullptr);
  EXPECT_THAT(compiler_.policies(), ElementsAre(relay));
  apply({host("chat.test", {{.prefix = "/elsewhere"}})});
  EXPECT_EQ(policy("/elsewhere"), relay);
  EXPECT_EQ(policy("/elsewhere")->counters(0).open_websockets.value(), 1U);
}

TEST_F(SnapshotCompilerTest, APolicyThatNobodyUsesIsGone) {
  apply({host("chat.test", {{}})});
  const std::weak_ptr<RoutePolicy> watched = policy();
  apply({}, {{v1::KIND_VIRTUAL_HOST, "chat.test"}});
  EXPECT_TRUE(watched.expired());
  EXPECT_THAT(compiler_.policies(), IsEmpty());
}

TEST(RouteSeriesTest, OnlySoManyRoutesHaveSeriesOfTheirOwn) {
  const base::FakeClock clock;
  SnapshotCompiler compiler(1, clock, "", 2);
  const auto policy_of = [&](const std::string& ingress) {
    const auto host_of = host(ingress + ".test", {{.ingress = ingress}});
    const auto compiled = compiler.compile({.upserts = {host_of}, .removals = {}});
    return compiled.change.hosts.at(0).second->find("/")->plain.policy;
  };
  auto first = policy_of("first");
  const auto second = policy_of("second");
  const auto third = policy_of("third");
  EXPECT_TRUE(first->has_series);
  EXPECT_TRUE(second->has_series);
  EXPECT_FALSE(third->has_series);
  first.reset();
  EXPECT_TRUE(policy_of("fourth")->has_series);
  EXPECT_FALSE(policy_of("third")->has_series);
}

TEST_F(SnapshotCompilerTest, LiveSettingsReachOpenConnections) {
  EXPECT_FALSE(apply({host("chat.test", {{.idle_seconds = 100}})}));
  const std::shared_ptr<RoutePolicy> relay = policy();
  EXPECT_EQ(relay->idle_timeout(), 100s);
  EXPECT_FALSE(apply({host("chat.test", {{.prefix = "/a", .idle_seconds = 100}})}));
  EXPECT_TRUE(apply({host("chat.test", {{.idle_seconds = 200}})}));
  EXPECT_EQ(relay->idle_timeout(), 200s);
  // Those of an Ingress that was away, too.
  EXPECT_FALSE(apply({}, {{v1::KIND_VIRTUAL_HOST, "chat.test"}}));
  EXPECT_EQ(relay->idle_timeout(), 200s);
  EXPECT_TRUE(apply({host("chat.test", {{.idle_seconds = 300}})}));
  EXPECT_EQ(relay->idle_timeout(), 300s);
}

TEST_F(SnapshotCompilerTest, CompilingSetsNothingBeforeItIsAccepted) {
  apply({host("chat.test", {{.idle_seconds = 100}})});
  const model::Transaction change{{host("chat.test", {{.idle_seconds = 200}})}, {}};
  const SnapshotCompiler::Result compiled = compiler_.compile(change);
  EXPECT_THAT(compiled.refusals, IsEmpty());
  EXPECT_EQ(policy()->idle_timeout(), 100s);
  EXPECT_EQ(compiler_.resources()[0]->virtual_host().policies(0).idle_timeout().seconds(), 100);
  EXPECT_TRUE(compiler_.commit(change));
  EXPECT_EQ(policy()->idle_timeout(), 200s);
}

TEST_F(SnapshotCompilerTest, RefusalsNameTheirResourceAndChangeNothing) {
  apply({host("chat.test", {{.idle_seconds = 100}}), endpoints(kRooms, {{"10.0.0.1"}})});
  const auto endpoint = cluster()->ready[0];
  {
    const SnapshotCompiler::Result result = compiler_.compile(
        {{host("chat.test", {{.idle_seconds = 200}}), host("new.test", {{.ingress = "new"}}),
          host("bad.test", {{.idle_seconds = 0}}), endpoints(kRooms, {{"10.0.0.2"}}),
          endpoints("default/bad/80", {{"no address"}}),
          endpoints("default/bad/81", {{.address = "10.0.0.1", .port = 70'000}})},
         {{v1::KIND_VIRTUAL_HOST, "chat.test"}}});
    std::vector<model::ResourceKey> refused;
    for (const model::Refusal& refusal : result.refusals) {
      refused.push_back(refusal.key);
      EXPECT_NE(refusal.reason, "");
    }
    EXPECT_THAT(refused, ElementsAre(model::ResourceKey{v1::KIND_VIRTUAL_HOST, "bad.test"},
                                     model::ResourceKey{v1::KIND_ENDPOINT_SET, "default/bad/80"},
                                     model::ResourceKey{v1::KIND_ENDPOINT_SET, "default/bad/81"}));
  }
  EXPECT_THAT(held(), ElementsAre("chat.test", kRooms));
  EXPECT_EQ(policy()->idle_timeout(), 100s);
  EXPECT_THAT(compiler_.policies(), ElementsAre(policy()));
  EXPECT_EQ(cluster()->ready[0], endpoint);
  // And what is compiled afterwards finds what was there.
  EXPECT_FALSE(
      apply({endpoints(kRooms, {{"10.0.0.1"}}), host("chat.test", {{.idle_seconds = 100}})}));
  EXPECT_EQ(cluster()->ready[0], endpoint);
}

TEST_F(SnapshotCompilerTest, ResourcesAreWhatWasAcceptedLast) {
  apply({host("chat.test", {{}}), endpoints(kRooms, {{"10.0.0.1"}}), host("b.test", {{}})});
  EXPECT_THAT(held(), ElementsAre("b.test", "chat.test", kRooms));
  const auto newer = endpoints(kRooms, {{"10.0.0.2"}});
  apply({newer}, {{v1::KIND_VIRTUAL_HOST, "chat.test"}, {v1::KIND_VIRTUAL_HOST, "unknown.test"}});
  EXPECT_THAT(held(), ElementsAre("b.test", kRooms));
  EXPECT_EQ(compiler_.resources()[1], newer);
}

TEST_F(SnapshotCompilerTest, AResourceWithoutABodyIsRefused) {
  v1::Resource resource;
  resource.set_name("x");
  EXPECT_THAT(compiler_.compile({{model::seal(resource)}, {}}).refusals, SizeIs(1));
}

TEST_F(SnapshotCompilerTest, ACommonClusterIsHeldAndCompiledToNothing) {
  v1::Resource resource;
  resource.set_name(kRooms);
  resource.mutable_cluster()->set_port("80");
  resource.mutable_cluster()->mutable_origin()->set_kind("Service");
  resource.mutable_cluster()->mutable_origin()->set_name("rooms");
  apply({model::seal(resource), endpoints(kRooms, {{"10.0.0.1"}})});
  EXPECT_THAT(held(), SizeIs(2));
  apply({}, {{v1::KIND_CLUSTER, kRooms}});
  EXPECT_THAT(held(), SizeIs(1));
  EXPECT_NE(cluster(), nullptr);
}

TEST_F(SnapshotCompilerTest, TwoServicesHaveTwoAffinityCookies) {
  const auto names = [&](const std::string& websocket_cluster) {
    v1::Resource resource = *host("chat.test", {{}});
    v1::Route& route = *resource.mutable_virtual_host()->mutable_routes(0);
    route.set_websocket_cluster(websocket_cluster);
    v1::Affinity& affinity =
        *resource.mutable_virtual_host()->mutable_policies(0)->mutable_affinity();
    affinity.set_cookie_name("pod");
    affinity.set_cookie_same_site(v1::SAME_SITE_LAX);
    affinity.set_cookie_secure(v1::SECURE_AUTO);
    apply({model::seal(resource)});
    const RoutePtr made = snapshot_.find_route("chat.test", "/");
    return made->plain.affinity_cookie + " " + made->websocket.affinity_cookie;
  };
  EXPECT_EQ(names(""), "pod pod");
  EXPECT_EQ(names(kRooms), "pod pod");
  EXPECT_EQ(names("default/live/80"), "pod pod-websocket");
}

TEST_F(SnapshotCompilerTest, ForgettingTheUnusedForgetsNothingThatIsUsed) {
  apply({host("chat.test", {{}}),
         endpoints("default/still/80", {{"10.0.0.1"}, {.address = "10.0.0.2", .uid = "u"}})});
  const auto still = cluster("default/still/80");
  const std::shared_ptr<RoutePolicy> relay = policy();
  apply({endpoints("default/removed/80", {{"10.0.0.3"}})});
  const EndpointLease lease(cluster("default/removed/80")->ready[0]);
  apply({}, {{v1::KIND_ENDPOINT_SET, "default/removed/80"}, {v1::KIND_VIRTUAL_HOST, "chat.test"}});
  // Many hosts, endpoints and clusters that come and go.
  for (std::uint32_t i = 1; i <= 500; ++i) {
    const std::string service = "default/s" + std::to_string(i) + "/80";
    const std::string name = "h" + std::to_string(i) + ".test";
    apply({endpoints(service, {{"10.0.1.1", i}}), host(name, {{.ingress = name}})});
    apply({}, {{v1::KIND_ENDPOINT_SET, service}, {v1::KIND_VIRTUAL_HOST, name}});
  }
  apply({endpoints("default/still/80", {{"10.0.0.1"}, {.address = "10.0.0.2", .uid = "u"}}),
         endpoints("default/removed/80", {{"10.0.0.3"}}), host("chat.test", {{}})});
  EXPECT_EQ(cluster("default/still/80")->ready, still->ready);
  EXPECT_EQ(cluster("default/still/80")->state, still->state);
  EXPECT_EQ(cluster("default/removed/80")->ready[0], lease.endpoint());
  EXPECT_EQ(policy(), relay);
  EXPECT_THAT(compiler_.policies(), ElementsAre(relay));
}

TEST_F(SnapshotCompilerTest, PodsThatComeAndGoLeaveNothingBehind) {
  constexpr std::uint32_t kEndpoints = 600;
  std::size_t most = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<EndpointText> texts;
    for (std::uint32_t i = 0; i < kEndpoints; ++i) {
      texts.push_back({"10.0.0.1", 1000 + i, "pod-" + std::to_string(round)});
    }
    apply({endpoints(kRooms, texts)});
    most = std::max(most, compiler_.interned());
  }
  // While a set is replaced both are in use.
  EXPECT_LE(most, 5 * kEndpoints);
}

TEST_F(SnapshotCompilerTest, RefusedTransactionsLeaveNothingBehind) {
  constexpr std::uint32_t kEndpoints = 600;
  std::size_t most = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<EndpointText> texts;
    for (std::uint32_t i = 0; i < kEndpoints; ++i) {
      texts.push_back({"10.0.0.1", 1000 + i, "pod-" + std::to_string(round)});
    }
    const auto refused = compiler_.compile({{endpoints(kRooms, texts), endpoints("no", {})}, {}});
    EXPECT_THAT(refused.refusals, SizeIs(1));
    most = std::max(most, compiler_.interned());
  }
  EXPECT_LE(most, 5 * kEndpoints);
}

TEST_F(SnapshotCompilerTest, RoutesAreTold) {
  const base::WallTime start = clock_.wall_now();
  apply({host("chat.test", {{}}), host("a.test", {{.prefix = "/a"}})});
  clock_.advance(1min);
  apply({host("chat.test", {{}, {.prefix = "/new"}})});
  const std::vector<RouteInfo> told = compiler_.routes();
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_EQ(told[0].host + told[0].path, "a.test/a");
  EXPECT_EQ(told[1].since, start);
  EXPECT_EQ(told[2].path, "/new");
  EXPECT_EQ(told[2].since, start + 1min);
  apply({}, {{v1::KIND_VIRTUAL_HOST, "chat.test"}});
  EXPECT_THAT(compiler_.routes(), SizeIs(1));
}

}  // namespace
}  // namespace holdfast::proxy
