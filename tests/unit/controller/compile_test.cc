// Goal: compile() is deterministic whatever the order of objects, and everything it makes is valid.
// The golden tests show what is compiled. Method: generated clusters with a fixed seed.

#include "controller/compile.h"

#include <gtest/gtest.h>

#include <random>

#include "controller/annotations.h"
#include "controller/duration.h"
#include "controller/endpoint_set.h"
#include "controller/problem_list.h"
#include "controller/world_builder.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {
namespace {

std::vector<kube::Object> objects(std::mt19937& random) {
  std::vector<kube::Object> all;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "app" + std::to_string(i);
    auto service = std::make_shared<kube::Service>();
    service->metadata.name = {"default", name};
    service->ports.push_back(service_port("http", 80));
    all.emplace_back(service);
    for (int j = 0; j < 3; ++j) {
      auto slice = std::make_shared<kube::EndpointSlice>();
      slice->metadata.name = {"default", name + "-" + std::to_string(j)};
      slice->service_name = name;
      slice->address_type = "IPv4";
      slice->ports.push_back(endpoint_port("http", 8080));
      for (int k = 0; k < 5; ++k) {
        kube::Endpoint endpoint = endpoint_at("10.0.0." + std::to_string(1 + random() % 9));
        endpoint.conditions.ready = random() % 2 == 0;
        endpoint.conditions.terminating = random() % 2 == 0;
        slice->endpoints.push_back(endpoint);
      }
      all.emplace_back(slice);
    }
    auto ingress = std::make_shared<kube::Ingress>();
    ingress->metadata.name = {"default", name};
    ingress->metadata.creation_timestamp = random() % 2 == 0 ? "" : "2026-01-01T00:00:00Z";
    ingress->ingress_class_name = "holdfast";
    const std::string host = "h" + std::to_string(random() % 4) + ".test";
    ingress->rules.push_back(rule(host, "/" + std::to_string(random() % 3), name));
    all.emplace_back(ingress);
  }
  return all;
}

World world_of(const std::vector<kube::Object>& all) {
  WorldBuilder builder;
  for (const kube::Object& object : all) builder.upsert(object);
  return builder.world();
}

std::vector<std::string> serialised(const Compiled& compiled) {
  std::vector<std::string> texts;
  for (const auto& [key, resource] : compiled.resources) {
    texts.push_back(resource->SerializeAsString());
  }
  return texts;
}

TEST(Compile, TheOrderOfObjectsMeansNothing) {
  std::mt19937 random(3);
  std::vector<kube::Object> all = objects(random);
  const Compiled first = compile(world_of(all), Options{});
  ASSERT_GT(first.resources.size(), 40U);
  ASSERT_FALSE(first.problems.empty());
  for (int i = 0; i < 20; ++i) {
    std::shuffle(all.begin(), all.end(), random);
    const Compiled again = compile(world_of(all), Options{});
    EXPECT_EQ(serialised(again), serialised(first));
    EXPECT_TRUE(again.problems == first.problems);
  }
}

TEST(Compile, WhatItMakesIsSealedAndValid) {
  std::mt19937 random(4);
  for (const auto& [key, resource] : compile(world_of(objects(random)), Options{}).resources) {
    EXPECT_TRUE(model::validate(*resource).ok()) << model::to_string(key);
    EXPECT_EQ(model::seal(*resource)->version(), resource->version());
  }
}

/// The set of a dual-stack Service of two pods whose addresses of one family are ready or not.
model::v1::EndpointSet dual_stack(bool ipv4_ready) {
  auto service = std::make_shared<kube::Service>();
  service->metadata.name = {"default", "web"};
  service->ports.push_back(service_port("http", 80));
  std::vector<kube::Object> all = {service};
  for (const std::string network : {"10.0.0.", "fd00::"}) {
    auto slice = std::make_shared<kube::EndpointSlice>();
    slice->metadata.name = {"default", "web-" + network};
    slice->service_name = "web";
    slice->address_type = network == "fd00::" ? "IPv6" : "IPv4";
    slice->ports.push_back(endpoint_port("http", 8080));
    for (const std::string pod : {"1", "2"}) {
      kube::Endpoint endpoint = endpoint_at(network + pod);
      endpoint.pod_uid = "uid-" + pod;
      endpoint.conditions.ready = network == "fd00::" || ipv4_ready;
      slice->endpoints.push_back(endpoint);
    }
    all.emplace_back(slice);
  }
  ProblemList problems;
  const auto resource = compile_endpoint_set(world_of(all), "default/web/80", problems);
  return resource->endpoint_set();
}

TEST(Compile, RoutesOfOneIngressShareWhatItSays) {
  auto ingress = std::make_shared<kube::Ingress>();
  ingress->metadata.name = {"default", "tenants"};
  ingress->ingress_class_name = "holdfast";
  std::string blocks;
  for (int i = 0; i < 256; ++i) blocks += "10." + std::to_string(i) + ".0.0/16,";
  blocks.pop_back();
  ingress->metadata.annotations["holdfast.dev/allow-cidrs"] = blocks;
  kube::IngressRule tenants = rule("a.test", "/0", "app");
  for (int i = 1; i < 10'000; ++i) {
    kube::IngressPath path = tenants.paths.front();
    path.path = "/tenant-" + std::to_string(i);
    tenants.paths.push_back(path);
  }
  ingress->rules.push_back(tenants);
  auto service = std::make_shared<kube::Service>();
  service->metadata.name = {"default", "app"};
  service->ports.push_back(service_port("http", 80));

  const Compiled compiled = compile(world_of({ingress, service}), {});
  EXPECT_TRUE(compiled.problems.empty());
  const auto host = compiled.resources.find({model::v1::KIND_VIRTUAL_HOST, "a.test"});
  ASSERT_NE(host, compiled.resources.end());
  const model::v1::VirtualHost& made = host->second->virtual_host();
  EXPECT_EQ(made.routes_size(), 10'000);
  ASSERT_EQ(made.policies_size(), 1);
  EXPECT_EQ(made.policies(0).allow_cidrs_size(), 256);
}

TEST(Compile, AChangeOfFamilyChangesAddressesAndNoPod) {
  const auto four = dual_stack(true);
  const auto six = dual_stack(false);
  ASSERT_EQ(four.endpoints_size(), 2);
  ASSERT_EQ(six.endpoints_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(four.endpoints(i).address(), six.endpoints(i).address());
    EXPECT_EQ(four.endpoints(i).uid(), six.endpoints(i).uid());
    EXPECT_EQ(four.endpoints(i).port(), six.endpoints(i).port());
  }
}

TEST(Durations, AreReadAsWritten) {
  const std::pair<const char*, std::chrono::milliseconds> good[] = {
      {"500ms", std::chrono::milliseconds(500)},
      {"30s", std::chrono::seconds(30)},
      {"5m", std::chrono::minutes(5)},
      {"1h30m", std::chrono::minutes(90)},
      {"2h", std::chrono::hours(2)},
      {"1m5s", std::chrono::seconds(65)}};
  for (const auto& [text, value] : good) {
    ASSERT_TRUE(parse_duration(text).ok()) << text;
    EXPECT_EQ(*parse_duration(text), value) << text;
    EXPECT_EQ(*parse_duration(format_duration(value)), value) << text;
  }
  for (const char* bad : {"", "30", "0", "-5s", "5 s", "1.5h", "5s5m", "5m5m", "s", "5d", "h1",
                          "99999999999999999999h", "9223372036854775807h", "5S"}) {
    EXPECT_FALSE(parse_duration(bad).ok()) << bad;
  }
}

TEST(Annotations, TheNearestNameIsSuggestedWhenItIsNear) {
  EXPECT_EQ(nearest_annotation("idle-timout"), "idle-timeout");
  EXPECT_EQ(nearest_annotation("load-balancer"), "load-balance");
  EXPECT_EQ(nearest_annotation("something-else-entirely"), "");
}

}  // namespace
}  // namespace holdfast::controller
