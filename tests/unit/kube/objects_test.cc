#include "kube/objects.h"

#include <gtest/gtest.h>

namespace holdfast::kube {
namespace {

Endpoint at(const char* address) {
  return {.addresses = {address}, .conditions = {}, .pod_uid = "u", .zone = "", .hint_zones = {}};
}

TEST(SlicesOf, MakesOneSliceForEachSubsetAndFamily) {
  Endpoints endpoints;
  endpoints.metadata.name = {"shop", "web"};
  endpoints.subsets.push_back({.addresses = {at("10.0.0.1"), at("fd00::1")},
                               .not_ready_addresses = {at("10.0.0.2")},
                               .ports = {{"http", 80, "TCP", ""}}});
  endpoints.subsets.push_back(
      {.addresses = {}, .not_ready_addresses = {}, .ports = {{"http", 81, "TCP", ""}}});
  const std::vector<EndpointSlice> slices = slices_of(endpoints);
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[0].address_type, "IPv4");
  EXPECT_EQ(slices[0].service_name, "web");
  EXPECT_EQ(slices[0].metadata.name.namespace_name, "shop");
  ASSERT_EQ(slices[0].endpoints.size(), 2u);
  EXPECT_TRUE(slices[0].endpoints[0].conditions.ready);
  EXPECT_FALSE(slices[0].endpoints[1].conditions.ready);
  EXPECT_EQ(slices[0].endpoints[0].pod_uid, "u");
  EXPECT_EQ(slices[1].address_type, "IPv6");
  EXPECT_EQ(slices[1].ports[0].port, 80);
  EXPECT_NE(slices[0].metadata.name, slices[1].metadata.name);
}

TEST(Object, KnowsItsKind) {
  const Object object = std::make_shared<const Service>();
  EXPECT_EQ(kind_of(object), Kind::kService);
  EXPECT_STREQ(to_string(kind_of(object)), "Service");
}

}  // namespace
}  // namespace holdfast::kube
