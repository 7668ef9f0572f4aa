// Goal: an endpoint is told with the zone that its EndpointSet says, whichever way its address is
// written.

#include "proxy/endpoint_info.h"

#include <gtest/gtest.h>

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;

model::ResourcePtr endpoint_set(
    const std::string& name, std::initializer_list<std::pair<const char*, const char*>> endpoints) {
  v1::Resource set;
  set.set_name(name);
  for (const auto& [address, zone] : endpoints) {
    v1::Endpoint& endpoint = *set.mutable_endpoint_set()->add_endpoints();
    endpoint.set_address(address);
    endpoint.set_port(8080);
    endpoint.set_zone(zone);
  }
  return model::seal(std::move(set));
}

EndpointInfo told(const std::string& cluster, const std::string& address) {
  EndpointInfo info;
  info.cluster = cluster;
  info.address = address;
  return info;
}

TEST(EndpointInfo, ZonesAreTold) {
  std::vector<EndpointInfo> endpoints = {
      told("a/rooms/80", "10.0.0.1:8080"), told("a/rooms/80", "10.0.0.2:8080"),
      told("a/rooms/80", "[fd00::1]:8080"), told("a/other/80", "10.0.0.1:8080"),
      told("a/gone/80", "10.0.0.1:8080")};
  set_zones(
      endpoints,
      {endpoint_set("a/rooms/80", {{"10.0.0.1", "east"}, {"10.0.0.2", ""}, {"FD00:0::1", "west"}}),
       endpoint_set("a/other/80", {{"10.0.0.1", "south"}})});
  std::string zones;
  for (const EndpointInfo& info : endpoints) zones += "<" + info.zone + ">";
  EXPECT_EQ(zones, "<east><><west><south><>");
}

}  // namespace
}  // namespace holdfast::proxy
