// Goal: what must be the same object in every snapshot is, for as long as anything refers to it
// and no longer; refusals change nothing; live settings are set by an accepted transaction alone.
// Method: transactions compiled by hand, a Snapshot as the worker's.

#include "proxy/snapshot_compiler.h"

#include <malloc.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/limits.h"

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
  }
  return model::seal(resource);
}

const std::string kRooms = "default/rooms/80";

class Suspect2Test : public testing::Test {
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
    return route == nullptr ? nullptr : route->policy;
  }
  [[nodiscard]] std::vector<std::string> held() const {
    std::vector<std::string> names;
    for (const auto& resource : compiler_.resources()) names.push_back(resource->name());
    return names;
  }

  SnapshotCompiler compiler_{2};
  Snapshot snapshot_;
};


TEST_F(Suspect2Test, OneAddressHoweverWritten) {
  apply({host("a.test", {{}}), endpoints(kRooms, {{"fd00::1"}, {"10.0.0.1"}})});
  const auto six = cluster()->ready[0];
  const auto four = cluster()->ready[1];
  apply({endpoints(kRooms, {{"fd00:0:0::1"}, {"::ffff:10.0.0.1"}})});
  EXPECT_EQ(cluster()->ready[0], six);
  EXPECT_EQ(cluster()->ready[1], four);
  EXPECT_THAT(held(), ElementsAre("a.test", kRooms));
  static_cast<void>(policy());
  EXPECT_THAT(held(), SizeIs(2));
  EXPECT_THAT(compiler_.compile({}).refusals, IsEmpty());
}

TEST_F(Suspect2Test, PodsThatComeAndGoLeaveNoMemoryBehind) {
  const auto churn = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      std::vector<EndpointText> texts;
      for (std::uint32_t n = 0; n < 10; ++n) {
        texts.push_back({"10.0.0." + std::to_string(n), 80, "pod-" + std::to_string(i) + "-" + std::to_string(n)});
      }
      apply({endpoints(kRooms, texts)});
    }
  };
  churn(0, 100);
  const std::size_t before = mallinfo2().uordblks;
  churn(100, 10'100);
  const std::size_t grown = mallinfo2().uordblks - before;
  EXPECT_LT(grown, 1000000U) << grown;
}

}
}
