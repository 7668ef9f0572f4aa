#include "controller/world_builder.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace holdfast::controller {
namespace {

using kube::Kind;
using kube::Scope;

kube::Object service(const std::string& namespace_name, const std::string& name) {
  auto object = std::make_shared<kube::Service>();
  object->metadata.name = {namespace_name, name};
  object->metadata.uid = "u";
  object->metadata.resource_version = "1";
  return std::shared_ptr<const kube::Service>(std::move(object));
}

TEST(WorldBuilderTest, AListOfOneNamespaceSaysNothingOfOthers) {
  WorldBuilder builder;
  builder.replace(Scope(Kind::kService, "a"), {service("a", "x"), service("a", "y")});
  builder.replace(Scope(Kind::kService, "b"), {service("b", "x")});
  EXPECT_EQ(builder.world().services.size(), 3U);
  EXPECT_TRUE(builder.replace(Scope(Kind::kService, "b"), {service("b", "x")}).empty());
  const Change gone = builder.replace(Scope(Kind::kService, "a"), {service("a", "y")});
  EXPECT_EQ(gone.services, (std::set<kube::ObjectName>{{"a", "x"}}));
  EXPECT_EQ(builder.world().services.size(), 2U);
  builder.replace(Scope(Kind::kService, "b"), {});
  EXPECT_EQ(builder.world().services.size(), 1U);
  builder.replace(Kind::kService, {});
  EXPECT_TRUE(builder.world().services.empty());
}

}  // namespace
}  // namespace holdfast::controller
