// Goal: a cluster has the endpoints that its set says, and keeps of them what is known, whatever
// changes beside them; who is new, who is of our zone and what pod an endpoint is.
// Method: transactions compiled by hand, a Snapshot as the worker's.

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

using ClusterCompilerTest = CompilerTest;

TEST_F(ClusterCompilerTest, ReadyAndTerminatingEndpointsKeepTheirOrder) {
  apply({endpoints(kRooms, {{"10.0.0.3"}, {.address = "10.0.0.2", .terminating = true}, {"::1"}})});
  ASSERT_THAT(cluster()->ready, SizeIs(2));
  EXPECT_EQ(cluster()->ready[0]->text, "10.0.0.3:8080");
  EXPECT_EQ(cluster()->ready[1]->text, "[::1]:8080");
  ASSERT_THAT(cluster()->terminating, SizeIs(1));
  EXPECT_EQ(cluster()->terminating[0]->text, "10.0.0.2:8080");
}

TEST_F(ClusterCompilerTest, AnEndpointIsOneObjectAcrossTransactionsAndClusters) {
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

TEST_F(ClusterCompilerTest, AnotherPortOrPodIsAnotherEndpoint) {
  apply({endpoints(kRooms, {{"10.0.0.1", 80, "pod-a"}})});
  const auto first = cluster()->ready[0];
  apply({endpoints(kRooms, {{"10.0.0.1", 81, "pod-a"}})});
  EXPECT_NE(cluster()->ready[0], first);
  apply({endpoints(kRooms, {{"10.0.0.1", 80, "pod-b"}})});
  EXPECT_NE(cluster()->ready[0], first);
  apply({endpoints(kRooms, {{"10.0.0.1", 80, "pod-a"}})});
  EXPECT_EQ(cluster()->ready[0], first);
}

TEST_F(ClusterCompilerTest, AnAddressIsOneEndpointHoweverItIsWritten) {
  apply({endpoints(kRooms, {{"fd00::1"}, {"10.0.0.1"}})});
  const auto before = cluster()->ready;
  apply({endpoints(kRooms, {{"fd00:0:0::1"}, {"::ffff:10.0.0.1"}})});
  EXPECT_EQ(cluster()->ready, before);
  EXPECT_EQ(before[1]->address.family(), AF_INET);
}

TEST_F(ClusterCompilerTest, AnEndpointInUseIsFoundAgainAfterItsRemoval) {
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

TEST_F(ClusterCompilerTest, AnEndpointThatNobodyUsesIsGone) {
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  const std::weak_ptr<Endpoint> watched = cluster()->ready[0];
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  EXPECT_TRUE(watched.expired());
}

TEST_F(ClusterCompilerTest, WhatTheWorkersShareSurvivesEndpointChanges) {
  apply({endpoints(kRooms, {{"10.0.0.1"}}), endpoints("default/other/80", {{"10.0.0.1"}})});
  const auto state = cluster()->state;
  ASSERT_NE(state, nullptr);
  EXPECT_NE(cluster("default/other/80")->state, state);
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  EXPECT_EQ(cluster()->state, state);
  apply({endpoints(kRooms, {})});
  EXPECT_EQ(cluster()->state, state);
}

TEST_F(ClusterCompilerTest, AnEndpointThatJoinsOthersIsANewcomer) {
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

TEST_F(ClusterCompilerTest, WhatAClusterKnowsOfAnEndpointStaysWhileItIsOneOfItsOwn) {
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  const auto known = cluster()->ready_members[0].health;
  eject(0);
  known->set_fails_checks(true, clock_.now());
  const auto still = [&](const Membership& member) { return member.health == known; };
  // Other endpoints, checks, other clusters, on its way out and back.
  apply({endpoints(kRooms, {{"10.0.0.3"}, {"10.0.0.1"}})});
  EXPECT_TRUE(still(cluster()->ready_members[1]));
  apply({checks(kRooms, "/healthz")});
  EXPECT_TRUE(still(cluster()->ready_members[1]));
  apply({endpoints("default/other/80", {{"10.0.0.1"}})});
  EXPECT_TRUE(still(cluster()->ready_members[1]));
  apply({endpoints(kRooms, {{"10.0.0.3"}, {.address = "10.0.0.1", .terminating = true}})});
  EXPECT_TRUE(still(cluster()->terminating_members[0]));
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  EXPECT_TRUE(still(cluster()->ready_members[0]));
  EXPECT_TRUE(known->is_ejected(kEjection, clock_.now()));
  // What was not accepted says nothing.
  compiler_.compile({{endpoints(kRooms, {{"10.0.0.3"}})}, {}});
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.4"}})});
  EXPECT_TRUE(still(cluster()->ready_members[0]));
}

TEST_F(ClusterCompilerTest, AnEndpointThatComesBackStartsWithoutFailures) {
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  const EndpointLease lease(cluster()->ready[0]);
  eject(0);
  apply({endpoints(kRooms, {{"10.0.0.2"}})});
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}})});
  EXPECT_EQ(cluster()->ready[0], lease.endpoint()) << "its connections are still counted";
  EXPECT_FALSE(cluster()->ready_members[0].health->is_ejected(kEjection, clock_.now()));
  EXPECT_FALSE(cluster()->ready_members[0].health->is_on_probation(kEjection));
}

TEST_F(ClusterCompilerTest, TwoServicesOfOnePodHaveFindingsOfTheirOwn) {
  const std::string other = "default/other/80";
  apply({endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}}), endpoints(other, {{"10.0.0.1"}}),
         host("chat.test", {{}, {.prefix = "/other", .cluster = other}})});
  ASSERT_EQ(cluster()->ready[0], cluster(other)->ready[0]);
  eject(0);
  EXPECT_THAT(told(), ElementsAre("default/other/80 10.0.0.1:8080 ready",
                                  "default/rooms/80 10.0.0.1:8080 ejected",
                                  "default/rooms/80 10.0.0.2:8080 ready"));
  cluster(other)->ready_members[0].health->set_fails_checks(true, clock_.now());
  clock_.advance(10s);
  EXPECT_THAT(told(), ElementsAre("default/other/80 10.0.0.1:8080 unhealthy",
                                  "default/rooms/80 10.0.0.1:8080 probation",
                                  "default/rooms/80 10.0.0.2:8080 ready"));
}

TEST_F(ClusterCompilerTest, TheZonesOwnAreKnownAsAllAre) {
  SnapshotCompiler here(1, clock_, "here");
  const model::Transaction set{{endpoints(kRooms, {{.address = "10.0.0.1", .hints = {"here"}}})},
                               {}};
  const auto result = here.compile(set);
  const auto& made = *result.change.clusters.at(0).second;
  ASSERT_THAT(made.local_members, SizeIs(1));
  EXPECT_EQ(made.local_members[0].health, made.ready_members[0].health);
}

TEST_F(ClusterCompilerTest, APodIsTheSameAtWhicheverOfItsAddresses) {
  const auto seen = [&](const std::vector<EndpointText>& texts) {
    apply({endpoints(kRooms, texts)});
    std::vector<std::pair<std::uint64_t, std::uint64_t>> keys;
    for (const Membership& member : cluster()->ready_members) {
      keys.emplace_back(member.identity, member.key.high);
    }
    return keys;
  };
  const EndpointText four{.address = "10.0.0.1", .uid = "pod-a"};
  const EndpointText six{.address = "fd00::1", .uid = "pod-a"};
  const auto a = seen({four});
  EXPECT_EQ(seen({six}), a) << "a dual-stack set in its other family";
  EXPECT_NE(seen({{.address = "fd00::1", .port = 81, .uid = "pod-a"}}), a);
  EXPECT_NE(seen({{.address = "10.0.0.1", .uid = "pod-b"}}), a);
  // Without a pod all that is known is the address.
  EXPECT_NE(seen({{"10.0.0.1"}}), seen({{"fd00::1"}}));
  // One that is there twice is two, in any order.
  const auto both = seen({four, six});
  EXPECT_NE(both[0], both[1]);
  EXPECT_EQ(seen({six, four}), (decltype(seen({})){both[1], both[0]}));
  EXPECT_EQ(seen({four}), a);
}

TEST_F(ClusterCompilerTest, AnotherFamilyIsAnotherPathToThePod) {
  apply({endpoints(kRooms, {{.address = "10.0.0.1", .uid = "a"}, {.address = "10.0.0.2"}})});
  eject(0);
  apply({endpoints(kRooms, {{.address = "fd00::1", .uid = "a"}, {.address = "10.0.0.2"}})});
  EXPECT_FALSE(cluster()->ready_members[0].health->is_ejected(kEjection, clock_.now()));
}

TEST_F(ClusterCompilerTest, APolicyOfManyRoutesIsThatOfTheSeverest) {
  v1::Resource resource = *host("chat.test", {{}, {.prefix = "/b"}, {.prefix = "/c"}});
  auto& routes = *resource.mutable_virtual_host()->mutable_routes();
  const auto set = [&](int index, std::uint32_t after, int seconds) {
    v1::RoutePolicy& policy = *resource.mutable_virtual_host()->mutable_policies(index);
    policy.set_eject_after(after);
    policy.mutable_eject_for()->set_seconds(seconds);
    policy.mutable_slow_start()->set_seconds(seconds);
  };
  set(0, 5, 10);
  set(1, 0, 3600);
  set(2, 3, 60);
  routes[2].set_websocket_cluster("default/live/80");
  const auto policies = policies_of({model::seal(resource)});
  const ClusterPolicy rooms = policy_of(policies, kRooms);
  EXPECT_EQ(rooms.ejection.after, 3U);
  EXPECT_EQ(rooms.ejection.duration, 60s);
  EXPECT_EQ(rooms.slow_start, 1h);
  EXPECT_EQ(policy_of(policies, "default/live/80").ejection.after, 3U);
  EXPECT_EQ(policy_of(policies, "default/unknown/80").ejection.after, 0U);
}

TEST_F(ClusterCompilerTest, TheZonesOwnAreSetApartWhereTheyAreEnough) {
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

TEST_F(ClusterCompilerTest, ChecksAndEndpointsComeInAnyOrder) {
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

TEST_F(ClusterCompilerTest, EndpointsAreListedWithTheirState) {
  v1::Resource resource = *host("chat.test", {{}});
  resource.mutable_virtual_host()->mutable_policies(0)->mutable_slow_start()->set_seconds(30);
  apply({model::seal(resource), endpoints(kRooms, {{"10.0.0.1"}, {"10.0.0.2"}, {"10.0.0.3"}})});
  clock_.advance(60s);
  apply({endpoints(kRooms, {{"10.0.0.1"},
                            {"10.0.0.2"},
                            {"10.0.0.3"},
                            {"10.0.0.4"},
                            {.address = "10.0.0.5", .terminating = true}})});
  clock_.advance(5s);
  const EndpointLease lease(cluster()->ready[0]);
  eject(1);
  cluster()->ready_members[2].health->set_fails_checks(true, clock_.now());
  std::vector<std::string> lines;
  for (const EndpointInfo& info :
       list_endpoints(compiler_.clusters(), policies_of(compiler_.resources()), clock_.now())) {
    EXPECT_EQ(info.cluster, kRooms);
    lines.push_back(info.address + " " + info.state + " " + std::to_string(info.open) + " " +
                    std::to_string(info.since / 1s));
  }
  EXPECT_THAT(lines, ElementsAre("10.0.0.1:8080 ready 1 65", "10.0.0.2:8080 ejected 0 65",
                                 "10.0.0.3:8080 unhealthy 0 65", "10.0.0.4:8080 slow_start 0 5",
                                 "10.0.0.5:8080 terminating 0 5"));
}

TEST_F(ClusterCompilerTest, AUnixSocketIsAnEndpoint) {
  apply({endpoints(kRooms, {{.address = "unix:/run/app.sock", .port = 0}})});
  ASSERT_THAT(cluster()->ready, SizeIs(1));
  EXPECT_TRUE(cluster()->ready[0]->address.is_unix());
  EXPECT_EQ(cluster()->ready[0]->text, "unix:/run/app.sock");
}

TEST_F(ClusterCompilerTest, EndpointsAreTold) {
  apply({endpoints(kRooms, {{"10.0.0.1"}})});
  clock_.advance(1min);
  apply({endpoints(kRooms, {{"10.0.0.1"}, {.address = "10.0.0.2", .terminating = true}})});
  const EndpointLease lease(cluster()->ready[0]);
  const std::vector<EndpointInfo> list = list_endpoints(compiler_.clusters(), {}, clock_.now());
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].cluster + " " + list[0].address, kRooms + " 10.0.0.1:8080");
  EXPECT_EQ(list[0].state, "ready");
  EXPECT_EQ(list[0].open, 1U);
  EXPECT_EQ(list[0].since, 1min);
  EXPECT_EQ(list[1].state, "terminating");
  EXPECT_EQ(list[1].since, 0min);
  apply({}, {{v1::KIND_ENDPOINT_SET, kRooms}});
  EXPECT_THAT(list_endpoints(compiler_.clusters(), {}, clock_.now()), IsEmpty());
}

}  // namespace
}  // namespace holdfast::proxy
