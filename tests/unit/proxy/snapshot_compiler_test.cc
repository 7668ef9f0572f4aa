// Goal: what must be the same object in every snapshot is, for as long as anything refers to it
// and no longer; refusals change nothing; live settings are set by an accepted transaction alone.
// Method: transactions compiled by hand, a Snapshot as the worker's.

#include "proxy/snapshot_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/endpoint_info.h"
#include "proxy/limits.h"
#include "tests/support/fake_clock.h"

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct RouteText {
  std::string ingress = "chat";
  std::string prefix = "/";
  std::string cluster = "default/rooms/80";
  std::int64_t idle_seconds = 3600;
};

model::ResourcePtr host(const std::string& name, const std::vector<RouteText>& routes) {
  v1::Resource resource;
  resource.set_name(name);
  resource.mutable_virtual_host()->set_host(name);
  for (const RouteText& text : routes) {
    v1::Route& route = *resource.mutable_virtual_host()->add_routes();
    route.mutable_origin()->set_kind("Ingress");
    route.mutable_origin()->set_namespace_("default");
    route.mutable_origin()->set_name(text.ingress);
    route.mutable_path()->set_prefix(text.prefix);
    route.set_cluster(text.cluster);
    v1::RoutePolicy& policy = *route.mutable_policy();
    policy.set_load_balance(v1::LOAD_BALANCE_ROUND_ROBIN);
    policy.mutable_connect_timeout()->set_seconds(5);
    policy.mutable_connect_timeout()->set_nanos(250'000'000);
    policy.mutable_idle_timeout()->set_seconds(text.idle_seconds);
    policy.mutable_request_timeout()->set_seconds(60);
    policy.mutable_upgrade_timeout()->set_seconds(10);
  }
  return model::seal(resource);
}

struct EndpointText {
  std::string address;
  std::uint32_t port = 8080;
  std::string uid = "";
  bool terminating = false;
  std::vector<std::string> hints = {};
};

model::ResourcePtr endpoints(const std::string& cluster, const std::vector<EndpointText>& texts) {
  v1::Resource resource;
  resource.set_name(cluster);
  resource.mutable_endpoint_set();
  for (const EndpointText& text : texts) {
    v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
    endpoint.set_address(text.address);
    endpoint.set_port(text.port);
    endpoint.set_uid(text.uid);
    endpoint.set_terminating(text.terminating);
    for (const std::string& zone : text.hints) endpoint.add_hint_zones(zone);
  }
  return model::seal(resource);
}

model::ResourcePtr checks(const std::string& cluster, const std::string& path) {
  v1::Resource resource;
  resource.set_name(cluster);
  resource.mutable_cluster()->set_port("80");
  resource.mutable_cluster()->mutable_origin()->set_kind("Service");
  resource.mutable_cluster()->mutable_origin()->set_name("rooms");
  if (!path.empty()) {
    v1::HealthCheck& check = *resource.mutable_cluster()->mutable_health_check();
    check.set_path(path);
    check.mutable_interval()->set_seconds(10);
    check.mutable_timeout()->set_seconds(1);
  }
  return model::seal(resource);
}

const std::string kRooms = "default/rooms/80";

class SnapshotCompilerTest : public testing::Test {
 protected:
  /// Puts a transaction in force as Proxy does; true when a live setting has changed.
  bool apply(std::vector<model::ResourcePtr> upserts,
             std::vector<model::ResourceKey> removals = {}) {
    const model::Transaction transaction{std::move(upserts), std::move(removals)};
    const SnapshotCompiler::Result result = compiler_.compile(transaction);
    EXPECT_THAT(result.refusals, IsEmpty());
    const bool changed = compiler_.commit(transaction);
    snapshot_.apply(result.change);
    return changed;
  }
  std::shared_ptr<const Cluster> cluster(const std::string& name = kRooms) {
    return snapshot_.find_cluster(name);
  }
  std::shared_ptr<RoutePolicy> policy(const std::string& path = "/") {
    const RoutePtr route = snapshot_.find_route("chat.test", path);
    return route == nullptr ? nullptr : route->plain.policy;
  }
  [[nodiscard]] std::vector<std::string> held() const {
    std::vector<std::string> names;
    for (const auto& resource : compiler_.resources()) names.push_back(resource->name());
    return names;
  }

  base::FakeClock clock_;
  SnapshotCompiler compiler_{2, clock_};
  Snapshot snapshot_;
};

TEST_F(SnapshotCompilerTest, ARouteIsCompiledWithAllThatItSays) {
  apply({host("chat.test", {{}})});
  const RoutePtr route = snapshot_.find_route("chat.test", "/x");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->plain.cluster, kRooms);
  EXPECT_EQ(route->balancing.load_balance, v1::LOAD_BALANCE_ROUND_ROBIN);
  EXPECT_EQ(route->connect_timeout, 5250ms);
  EXPECT_EQ(route->request_timeout, 60s);
  EXPECT_EQ(route->upgrade_timeout, 10s);
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

TEST_F(SnapshotCompilerTest, ReadyAndTerminatingEndpointsKeepTheirOrder) {
  apply({endpoints(kRooms, {{"10.0.0.3"}, {.address = "10.0.0.2", .terminating = true}, {"::1"}})});
  ASSERT_THAT(cluster()->ready, SizeIs(2));
  EXPECT_EQ(cluster()->ready[0]->text, "10.0.0.3:8080");
  EXPECT_EQ(cluster()->ready[1]->text, "[::1]:8080");
  ASSERT_THAT(cluster()->terminating, SizeIs(1));
  EXPECT_EQ(cluster()->terminating[0]->text, "10.0.0.2:8080");
}

TEST_F(SnapshotCompilerTest, AnEndpointIsOneObjectAcrossTransactionsAndClusters) {
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  const auto first = cluster()->ready[0];
  const auto second = cluster()->ready[1];
  apply({endpoints(kRooms, {{"10.0.0.2"}, {"10.0.0.3"}, {"10.0.0.1"}}),
         endpoints("default/other/80", {{"10.0.0.1"}})});
  EXPECT_EQ(cluster()->ready[0], second);
  EXPECT_EQ(cluster()->ready[2], first);
  EXPECT_EQ(cluster("default/other/80")->ready[0], first);
  // What another namespace says of an address is its own affair.
  apply({endpoints("elsewhere/other/80", {{"10.0.0.1"}})});
  EXPECT_NE(cluster("elsewhere/other/80")->ready[0], first);
  // On its way out it is the same, too.
  apply({endpoints(kRooms, {{.address = "10.0.0.1", .terminating = true}})});
  EXPECT_EQ(cluster()->terminating[0], first);
}

TEST_F(SnapshotCompilerTest, AnotherPortOrPodIsAnotherEndpoint) {
  apply({endpoints(kRooms, {{"10.0.0.1", 80, "pod-a"}})});
  const auto first = cluster()->ready[0];
  apply({endpoints(kRooms, {{"10.0.0.1", 81, "pod-a"}})});
  EXPECT_NE(cluster()->ready[0], first);
  apply({endpoints(kRooms, {{"10.0.0.1", 80, "pod-b"}})});
  EXPECT_NE(cluster()->ready[0], first);
  apply({endpoints(kRooms, {{"10.0.0.1", 80, "pod-a"}})});
  EXPECT_EQ(cluster()->ready[0], first);
}

TEST_F(SnapshotCompilerTest, AnAddressIsOneEndpointHoweverItIsWritten) {
  apply({endpoints(kRooms, {{"fd00::1"}, {"10.0.0.1"}})});
  const auto before = cluster()->ready;
  apply({endpoints(kRooms, {{"fd00:0:0::1"}, {"::ffff:10.0.0.1"}})});
  EXPECT_EQ(cluster()->ready, before);
  EXPECT_EQ(before[1]->address.family(), AF_INET);
}

TEST_F(SnapshotCompilerTest, AnEndpointInUseIsFoundAgainAfterItsRemoval) {
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  {
    const EndpointLease lease(cluster()->ready[0]);
    apply({}, {{v1::KIND_ENDPOINT_SET, kRooms}});
    EXPECT_EQ(cluster(), nullptr);
    apply({endpoints(kRooms, {{"10.0.0.1"}})});
    EXPECT_EQ(cluster()->ready[0]->open, 1U);
  }
  EXPECT_EQ(cluster()->ready[0]->open, 0U);
}

TEST_F(SnapshotCompilerTest, AnEndpointThatNobodyUsesIsGone) {
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  const std::weak_ptr<Endpoint> watched = cluster()->ready[0];
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  EXPECT_TRUE(watched.expired());
}

TEST_F(SnapshotCompilerTest, ATurnSurvivesEndpointChanges) {
  apply({endpoints(kRooms, {{"10.0.0.1"}}), endpoints("default/other/80", {{"10.0.0.1"}})});
  const auto turn = cluster()->turn;
  ASSERT_NE(turn, nullptr);
  EXPECT_NE(cluster("default/other/80")->turn, turn);
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  EXPECT_EQ(cluster()->turn, turn);
  apply({endpoints(kRooms, {})});
  EXPECT_EQ(cluster()->turn, turn);
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
  EXPECT_EQ(compiler_.resources()[0]->virtual_host().routes(0).policy().idle_timeout().seconds(),
            100);
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

TEST_F(SnapshotCompilerTest, AnEndpointThatJoinsOthersIsANewcomer) {
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  EXPECT_FALSE(cluster()->ready_members[0].newcomer) << "it may have been there for days";
  EXPECT_EQ(cluster()->last_joined, base::Instant::min());
  clock_.advance(10s);
  const base::Instant joined = clock_.now();
  apply({endpoints(kRooms, {{"10.0.0.2"}, {"10.0.0.1"}})});
  EXPECT_TRUE(cluster()->ready_members[0].newcomer);
  EXPECT_EQ(cluster()->ready_members[0].since, joined);
  EXPECT_FALSE(cluster()->ready_members[1].newcomer);
  EXPECT_EQ(cluster()->last_joined, joined);
  // As long as it stays.
  clock_.advance(10s);
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  EXPECT_EQ(cluster()->ready_members[1].since, joined);
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  EXPECT_EQ(cluster()->ready_members[1].since, clock_.now());
  // Where none was ready, nobody is spared.
  apply({endpoints(kRooms, {{.address = "10.0.0.1", .terminating = true}})});
  apply({endpoints(kRooms, {{"10.0.0.3"}, {"10.0.0.4"}})});
  EXPECT_FALSE(cluster()->ready_members[0].newcomer);
  EXPECT_EQ(cluster()->last_joined, base::Instant::min());
}

TEST_F(SnapshotCompilerTest, AnEndpointThatComesBackStartsWithoutFailures) {
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  const EndpointPtr endpoint = cluster()->ready[0];
  endpoint->connect_failures = 2;
  endpoint->ejected_until = (clock_.now() + 10s).time_since_epoch().count();
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  EXPECT_TRUE(endpoint->is_out(clock_.now()));
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  const model::Transaction back{{endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})}, {}};
  const auto result = compiler_.compile(back);
  EXPECT_EQ(endpoint->connect_failures, 2U) << "nothing is in force yet";
  compiler_.commit(back);
  EXPECT_EQ(endpoint->connect_failures, 0U);
  EXPECT_FALSE(endpoint->is_out(clock_.now()));
  // A second Service over the same pods says nothing of them.
  endpoint->connect_failures = 2;
  apply({endpoints("default/other/80", {{"10.0.0.1"}})});
  EXPECT_EQ(endpoint->connect_failures, 2U);
}

TEST_F(SnapshotCompilerTest, TheZonesOwnAreSetApartWhereTheyAreEnough) {
  SnapshotCompiler here(1, clock_, "here");
  const auto local = [&](const std::vector<EndpointText>& texts) {
    const auto result = here.compile({{endpoints(kRooms, texts)}, {}});
    return result.change.clusters.at(0).second->local.size();
  };
  const EndpointText near{.address = "10.0.0.1", .hints = {"here"}};
  const EndpointText far{.address = "10.0.1.1", .hints = {"there"}};
  const auto more = [](EndpointText text, std::uint32_t port) {
    text.port = port;
    return text;
  };
  EXPECT_EQ(local({near, far}), 1U);
  // One of four in one of two zones is half of its even share; one of five is less.
  EXPECT_EQ(local({near, far, more(far, 1), more(far, 2)}), 1U);
  EXPECT_EQ(local({near, far, more(far, 1), more(far, 2), more(far, 3)}), 0U);
  EXPECT_EQ(local({near, far, {.address = "10.0.2.1"}}), 0U) << "not all have hints";
  EXPECT_EQ(local({far}), 0U);
  EXPECT_EQ(local({{.address = "10.0.0.1", .hints = {"there", "here"}}, far}), 1U);
  EXPECT_EQ(local({near, far, {.address = "10.0.2.1", .terminating = true}}), 1U);
  // Who does not know where it is follows none.
  apply({endpoints(kRooms, {near, far})});
  EXPECT_EQ(cluster()->local.size(), 0U);
}

TEST_F(SnapshotCompilerTest, TwoServicesHaveTwoAffinityCookies) {
  const auto names = [&](const std::string& websocket_cluster) {
    v1::Resource resource = *host("chat.test", {{}});
    v1::Route& route = *resource.mutable_virtual_host()->mutable_routes(0);
    route.set_websocket_cluster(websocket_cluster);
    v1::Affinity& affinity = *route.mutable_policy()->mutable_affinity();
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

TEST_F(SnapshotCompilerTest, ChecksAndEndpointsComeInAnyOrder) {
  const auto path = [&] {
    return cluster()->health_check ? cluster()->health_check->path() : "none";
  };
  apply({checks(kRooms, "/a")});
  EXPECT_EQ(cluster(), nullptr);
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  EXPECT_EQ(path(), "/a");
  const EndpointPtr endpoint = cluster()->ready[0];
  apply({checks(kRooms, "/b")});
  EXPECT_EQ(path(), "/b");
  EXPECT_EQ(cluster()->ready[0], endpoint);
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  EXPECT_EQ(path(), "/b");
  apply({checks(kRooms, "")});
  EXPECT_EQ(path(), "none");
  apply({endpoints(kRooms, {{"10.0.0.1"}}), checks(kRooms, "/c")});
  EXPECT_EQ(path(), "/c");
  // What was not accepted says nothing.
  compiler_.compile({{checks(kRooms, "/d")}, {}});
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  EXPECT_EQ(path(), "/c");
  apply({}, {{v1::KIND_CLUSTER, kRooms}});
  EXPECT_EQ(path(), "none");
}

TEST_F(SnapshotCompilerTest, EndpointsAreListedWithTheirState) {
  v1::Resource resource = *host("chat.test", {{}});
  resource.mutable_virtual_host()
      ->mutable_routes(0)
      ->mutable_policy()
      ->mutable_slow_start()
      ->set_seconds(30);
  apply({model::seal(resource), endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}, {"10.0.0.3"}})});
  clock_.advance(60s);
  apply({endpoints(kRooms, {{"10.0.0.1"},
                            {"10.0.0.2"},
                            {"10.0.0.3"},
                            {"10.0.0.4"},
                            {.address = "10.0.0.5", .terminating = true}})});
  clock_.advance(5s);
  const EndpointLease lease(cluster()->ready[0]);
  cluster()->ready[1]->ejected_until = (clock_.now() + 10s).time_since_epoch().count();
  cluster()->ready[2]->failing_checks = 1;
  std::vector<std::string> lines;
  for (const EndpointInfo& info :
       list_endpoints(compiler_.clusters(), slow_starts(compiler_.resources()), clock_.now())) {
    EXPECT_EQ(info.cluster, kRooms);
    lines.push_back(info.address + " " + info.state + " " + std::to_string(info.open) + " " +
                    std::to_string(info.since / 1s));
  }
  EXPECT_THAT(lines, ElementsAre("10.0.0.1:8080 ready 1 65", "10.0.0.2:8080 ejected 0 65",
                                 "10.0.0.3:8080 unhealthy 0 65", "10.0.0.4:8080 slow_start 0 5",
                                 "10.0.0.5:8080 terminating 0 5"));
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
  EXPECT_EQ(cluster("default/still/80")->turn, still->turn);
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

TEST_F(SnapshotCompilerTest, AUnixSocketIsAnEndpoint) {
  apply({endpoints(kRooms, {{.address = "unix:/run/app.sock", .port = 0}})});
  ASSERT_THAT(cluster()->ready, SizeIs(1));
  EXPECT_TRUE(cluster()->ready[0]->address.is_unix());
  EXPECT_EQ(cluster()->ready[0]->text, "unix:/run/app.sock");
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

TEST_F(SnapshotCompilerTest, EndpointsAreTold) {
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  clock_.advance(1min);
  apply({endpoints(kRooms, {{"10.0.0.1"}, {.address = "10.0.0.2", .terminating = true}})});
  const EndpointLease lease(cluster()->ready[0]);
  const std::vector<EndpointInfo> told = list_endpoints(compiler_.clusters(), {}, clock_.now());
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].cluster + " " + told[0].address, kRooms + " 10.0.0.1:8080");
  EXPECT_EQ(told[0].state, "ready");
  EXPECT_EQ(told[0].open, 1U);
  EXPECT_EQ(told[0].since, 1min);
  EXPECT_EQ(told[1].state, "terminating");
  EXPECT_EQ(told[1].since, 0min);
  apply({}, {{v1::KIND_ENDPOINT_SET, kRooms}});
  EXPECT_THAT(list_endpoints(compiler_.clusters(), {}, clock_.now()), IsEmpty());
}

}  // namespace
}  // namespace holdfast::proxy
