#pragma once

// Resources as a controller sends them, and a SnapshotCompiler whose transactions are put in force.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/endpoint_info.h"
#include "proxy/snapshot_compiler.h"
#include "tests/support/fake_clock.h"

namespace holdfast::proxy {

struct RouteText {
  std::string ingress = "chat";
  std::string prefix = "/";
  std::string cluster = "default/rooms/80";
  std::int64_t idle_seconds = 3600;
};

inline model::ResourcePtr host(const std::string& name, const std::vector<RouteText>& routes) {
  discovery::v1::Resource resource;
  resource.set_name(name);
  resource.mutable_virtual_host()->set_host(name);
  for (const RouteText& text : routes) {
    discovery::v1::Route& route = *resource.mutable_virtual_host()->add_routes();
    route.mutable_origin()->set_kind("Ingress");
    route.mutable_origin()->set_namespace_("default");
    route.mutable_origin()->set_name(text.ingress);
    route.mutable_path()->set_prefix(text.prefix);
    route.set_cluster(text.cluster);
    route.set_policy(static_cast<std::uint32_t>(resource.virtual_host().policies_size()));
    discovery::v1::RoutePolicy& policy = *resource.mutable_virtual_host()->add_policies();
    policy.set_load_balance(discovery::v1::LOAD_BALANCE_ROUND_ROBIN);
    policy.mutable_connect_timeout()->set_seconds(5);
    policy.mutable_connect_timeout()->set_nanos(250'000'000);
    policy.mutable_idle_timeout()->set_seconds(text.idle_seconds);
    policy.mutable_request_timeout()->set_seconds(60);
    policy.mutable_upgrade_timeout()->set_seconds(10);
    policy.set_eject_after(1);
    policy.mutable_eject_for()->set_seconds(10);
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

inline model::ResourcePtr endpoints(const std::string& cluster,
                                    const std::vector<EndpointText>& texts) {
  discovery::v1::Resource resource;
  resource.set_name(cluster);
  resource.mutable_endpoint_set();
  for (const EndpointText& text : texts) {
    discovery::v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
    endpoint.set_address(text.address);
    endpoint.set_port(text.port);
    endpoint.set_uid(text.uid);
    endpoint.set_terminating(text.terminating);
    for (const std::string& zone : text.hints) endpoint.add_hint_zones(zone);
  }
  return model::seal(resource);
}

inline model::ResourcePtr checks(const std::string& cluster, const std::string& path) {
  discovery::v1::Resource resource;
  resource.set_name(cluster);
  resource.mutable_cluster()->set_port("80");
  resource.mutable_cluster()->mutable_origin()->set_kind("Service");
  resource.mutable_cluster()->mutable_origin()->set_name("rooms");
  if (!path.empty()) {
    discovery::v1::HealthCheck& check = *resource.mutable_cluster()->mutable_health_check();
    check.set_path(path);
    check.mutable_interval()->set_seconds(10);
    check.mutable_timeout()->set_seconds(1);
  }
  return model::seal(resource);
}

inline const std::string kRooms = "default/rooms/80";
/// As host() says.
inline constexpr EjectionPolicy kEjection{.after = 1, .duration = 10s};

class CompilerTest : public testing::Test {
 protected:
  /// Puts a transaction in force as Proxy does; true when a live setting has changed.
  bool apply(std::vector<model::ResourcePtr> upserts,
             std::vector<model::ResourceKey> removals = {}) {
    const model::Transaction transaction{std::move(upserts), std::move(removals)};
    const SnapshotCompiler::Result result = compiler_.compile(transaction);
    EXPECT_TRUE(result.refusals.empty());
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
  /// One of kRooms.
  void eject(std::size_t index) {
    EndpointHealth& health = *cluster()->ready_members[index].health;
    EXPECT_TRUE(health.count_failure(kEjection, clock_.now(), clock_.now()));
    EXPECT_TRUE(health.eject(kEjection, clock_.now()));
  }
  /// Cluster, address and state of every endpoint.
  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> lines;
    for (const EndpointInfo& info :
         list_endpoints(compiler_.clusters(), policies_of(compiler_.resources()), clock_.now())) {
      lines.push_back(info.cluster + " " + info.address + " " + info.state);
    }
    return lines;
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

}  // namespace holdfast::proxy
