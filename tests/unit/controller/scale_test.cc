// Goal: among 10,000 Ingresses a change costs what it touches: work, resources sent, and memory for
// each of them. Method: counts, not times; memory is what the allocator has in use.

#include <gtest/gtest.h>
#include <malloc.h>

#include "controller/incremental_compiler.h"
#include "controller/world_builder.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {
namespace {

namespace v1 = model::v1;
using Work = Update::Work;

constexpr int kIngresses = 10'000;
constexpr std::size_t kBytesPerIngress = 10 * 1024;

std::string number(int i) { return std::to_string(10'000 + i); }

template <class T>
std::shared_ptr<T> named(const std::string& name) {
  auto object = std::make_shared<T>();
  object->metadata.name = {"default", name};
  object->metadata.uid = "0b1c9c2e-3a58-4d5b-9d3e-9d6a0e4" + name.substr(name.size() - 5);
  object->metadata.resource_version = "1";
  object->metadata.creation_timestamp = "2026-01-01T00:00:00Z";
  return object;
}

std::shared_ptr<kube::Ingress> ingress(int i) {
  auto object = named<kube::Ingress>("chat-" + number(i));
  object->metadata.annotations["holdfast.dev/idle-timeout"] = "2h";
  object->metadata.annotations["holdfast.dev/health-path"] = "/healthz";
  object->ingress_class_name = "holdfast";
  object->rules.push_back(rule("chat-" + number(i) + ".example.com", "/", "chat-" + number(i)));
  return object;
}

std::shared_ptr<kube::Service> service(int i) {
  auto object = named<kube::Service>("chat-" + number(i));
  object->type = "ClusterIP";
  object->cluster_ip = "10.96.0.1";
  object->ports.push_back(service_port("http", 80));
  return object;
}

std::shared_ptr<kube::EndpointSlice> slice(int i, const std::string& address = "10.0.0.1") {
  auto object = named<kube::EndpointSlice>("chat-" + number(i) + "-abcde");
  object->service_name = "chat-" + number(i);
  object->address_type = "IPv4";
  object->endpoints = {endpoint_at(address), endpoint_at("10.0.0.99")};
  object->ports.push_back(endpoint_port("http", 8080));
  return object;
}

std::shared_ptr<kube::IngressClass> ingress_class(const std::string& controller) {
  auto object = std::make_shared<kube::IngressClass>();
  object->metadata.name.name = "holdfast";
  object->controller = controller;
  return object;
}

#if defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// Bytes that the process has allocated; 0 where the allocator does not say (sanitizers).
std::size_t allocated() {
  const struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

class Scale : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::size_t before = allocated();
    cluster_ = new Cluster;
    for (int i = 0; i < kIngresses; ++i) {
      cluster_->change.merge(cluster_->builder.upsert(ingress(i)));
      cluster_->change.merge(cluster_->builder.upsert(service(i)));
      cluster_->change.merge(cluster_->builder.upsert(slice(i)));
    }
    cluster_->first = cluster_->compile().work;
    bytes_ = allocated() - before;
  }
  static void TearDownTestSuite() { delete cluster_; }

  static Update upsert(const kube::Object& object) {
    cluster_->change.merge(cluster_->builder.upsert(object));
    return cluster_->compile();
  }
  static Update remove(kube::Kind kind, const kube::Object& object) {
    cluster_->change.merge(cluster_->builder.remove(kind, kube::metadata_of(object).name));
    return cluster_->compile();
  }
  static std::string sent(const Update& update) {
    std::string text;
    for (const auto& resource : update.transaction.upserts) {
      text += "+" + model::to_string(model::key_of(*resource)) + " ";
    }
    for (const auto& key : update.transaction.removals) text += "-" + model::to_string(key) + " ";
    return text;
  }

  struct Cluster {
    WorldBuilder builder;
    Change change;
    IncrementalCompiler compiler{Options{}};
    Work first;

    Update compile() { return compiler.update(builder.world(), std::exchange(change, {})); }
  };
  static inline Cluster* cluster_ = nullptr;
  static inline std::size_t bytes_ = 0;
};

TEST_F(Scale, TheFirstCompilationIsOnceOfEach) {
  EXPECT_EQ(cluster_->first, (Work{.ingresses = kIngresses,
                                   .hosts = kIngresses,
                                   .clusters = kIngresses,
                                   .endpoint_sets = kIngresses}));
}

TEST_F(Scale, AnIngressTakesAtMostTenKibibytes) {
  // Sanitizers have an allocator of their own, which has more to keep.
  if (kSanitized) return;
  RecordProperty("bytes_per_ingress", std::to_string(bytes_ / kIngresses));
  std::printf("%zu bytes an Ingress, with its Service, slice, World and resources\n",
              bytes_ / kIngresses);
  EXPECT_LE(bytes_ / kIngresses, kBytesPerIngress);
}

TEST_F(Scale, AnIngressChangeIsOfThatIngressAndItsHost) {
  auto changed = ingress(5000);
  changed->rules[0].paths[0].path = "/other";
  const Update update = upsert(changed);
  EXPECT_EQ(sent(update), "+VirtualHost chat-15000.example.com ");
  EXPECT_EQ(update.work, (Work{.ingresses = 1, .hosts = 1, .clusters = 1, .endpoint_sets = 1}));
}

TEST_F(Scale, AnIngressThatComesAndGoesIsItsOwnResources) {
  const auto extra = ingress(kIngresses);
  const std::string name = "default/chat-20000/80";
  Update update = upsert(extra);
  EXPECT_EQ(sent(update),
            "+VirtualHost chat-20000.example.com +Cluster " + name + " +EndpointSet " + name + " ");
  EXPECT_EQ(update.work, (Work{.ingresses = 1, .hosts = 1, .clusters = 1, .endpoint_sets = 1}));
  EXPECT_EQ(update.problems.appeared.size(), 1U);
  update = remove(kube::Kind::kIngress, extra);
  EXPECT_EQ(sent(update),
            "-VirtualHost chat-20000.example.com -Cluster " + name + " -EndpointSet " + name + " ");
  EXPECT_EQ(update.work, Work{});
  EXPECT_EQ(update.problems.gone.size(), 1U);
}

TEST_F(Scale, AnEndpointChangeIsOfItsSet) {
  const Update update = upsert(slice(7, "10.0.0.2"));
  EXPECT_EQ(sent(update), "+EndpointSet default/chat-10007/80 ");
  EXPECT_EQ(update.work, Work{.endpoint_sets = 1});
}

TEST_F(Scale, AServiceChangeIsOfTheIngressesThatNameIt) {
  auto changed = service(8);
  changed->metadata.uid = "another";
  const Update update = upsert(changed);
  EXPECT_EQ(sent(update), "+EndpointSet default/chat-10008/80 ");
  EXPECT_EQ(update.work, (Work{.ingresses = 1, .hosts = 0, .clusters = 1, .endpoint_sets = 1}));
}

TEST_F(Scale, MetadataAloneIsNothing) {
  const auto rewritten = [](auto object) {
    object->metadata.resource_version = "2";
    return object;
  };
  for (const kube::Object& object :
       {kube::Object(rewritten(ingress(9))), kube::Object(rewritten(service(9))),
        kube::Object(rewritten(slice(9)))}) {
    const Update update = upsert(object);
    EXPECT_EQ(sent(update), "");
    EXPECT_EQ(update.work, Work{});
  }
  auto annotated = ingress(9);
  annotated->metadata.annotations["example.com/owner"] = "chat";
  const Update update = upsert(annotated);
  EXPECT_EQ(sent(update), "");
  EXPECT_EQ(update.work, Work{.ingresses = 1});
}

TEST_F(Scale, AClassThatDecidesTheSameIsNothing) {
  const Update update = upsert(ingress_class("holdfast.dev/ingress"));
  EXPECT_EQ(sent(update), "");
  EXPECT_EQ(update.work, Work{});
}

TEST_F(Scale, AClassThatDecidesOtherwiseIsEverything) {
  Update update = upsert(ingress_class("example.com/other"));
  EXPECT_EQ(update.transaction.removals.size(), 3U * kIngresses);
  EXPECT_EQ(update.work, Work{});
  update = upsert(ingress_class("holdfast.dev/ingress"));
  EXPECT_EQ(update.transaction.upserts.size(), 3U * kIngresses);
  EXPECT_EQ(update.work, cluster_->first);
}

}  // namespace
}  // namespace holdfast::controller
