// Goal: what an Ingress does not say, its class's ConfigMap says, then that of
// --defaults-configmap, then the declaration; wrong values fall through, or close; and a change
// compiles those Ingresses alone to which it applies. Golden cases show the problems in words.

#include "controller/defaults.h"

#include <gtest/gtest.h>

#include "controller/incremental_compiler.h"
#include "controller/world_builder.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {
namespace {

namespace v1 = model::v1;
using Values = std::map<std::string, std::string>;

class DefaultsTest : public testing::Test {
 protected:
  static const kube::ObjectName& global_name() {
    static const kube::ObjectName name{"infra", "global"};
    return name;
  }
  static const kube::ObjectName& class_name() {
    static const kube::ObjectName name{"infra", "of-the-class"};
    return name;
  }

  void put(const kube::Object& object) { change_.merge(builder_.upsert(object)); }
  void put_config_map(const kube::ObjectName& name, const Values& data) {
    auto object = std::make_shared<kube::ConfigMap>();
    object->metadata.name = name;
    object->data = data;
    put(std::shared_ptr<const kube::ConfigMap>(std::move(object)));
  }
  void put_class(const std::string& controller = "holdfast.dev/ingress",
                 const std::string& scope = "Namespace") {
    auto object = std::make_shared<kube::IngressClass>();
    object->metadata.name.name = "holdfast";
    object->controller = controller;
    object->parameters = {.api_group = "",
                          .kind = "ConfigMap",
                          .name = class_name().name,
                          .scope = scope,
                          .namespace_name = class_name().namespace_name};
    put(std::shared_ptr<const kube::IngressClass>(std::move(object)));
  }
  void put_ingress(const std::string& name, const Values& annotations,
                   const std::string& ingress_class = "holdfast",
                   const std::string& name_space = "default") {
    auto object = std::make_shared<kube::Ingress>();
    object->metadata.name = {name_space, name};
    object->ingress_class_name = ingress_class;
    object->rules.push_back(rule(name + ".test", "/", "web"));
    for (const auto& [key, value] : annotations) {
      object->metadata.annotations["holdfast.dev/" + key] = value;
    }
    put(std::shared_ptr<const kube::Ingress>(std::move(object)));
  }
  void put_service(const std::string& name_space, const std::string& name) {
    auto object = std::make_shared<kube::Service>();
    object->metadata.name = {name_space, name};
    object->ports = {service_port("http", 80)};
    put(std::shared_ptr<const kube::Service>(std::move(object)));
  }
  std::string websocket_cluster(const std::string& host) {
    const auto found = compiler_.find({v1::KIND_VIRTUAL_HOST, host});
    return found == nullptr ? "" : found->virtual_host().routes(0).websocket_cluster();
  }
  Update compile_changes() {
    return compiler_.update(builder_.world(), std::exchange(change_, {}));
  }
  /// The policy of the Ingress of that name.
  v1::RoutePolicy policy(const std::string& name) {
    compile_changes();
    const auto host = compiler_.find({v1::KIND_VIRTUAL_HOST, name + ".test"});
    return host == nullptr ? v1::RoutePolicy() : host->virtual_host().policies(0);
  }
  std::string idle_timeout(const std::string& name) {
    return std::to_string(policy(name).idle_timeout().seconds()) + "s";
  }
  std::size_t problems_of(const std::string& kind) {
    std::size_t count = 0;
    for (const Problem& problem : compiler_.problems()) count += problem.kind == kind ? 1 : 0;
    return count;
  }

  WorldBuilder builder_;
  Change change_;
  IncrementalCompiler compiler_{Options{.defaults_config_map = global_name()}};
};

TEST_F(DefaultsTest, TheNearestThatSaysItCounts) {
  put_class();
  put_ingress("own", {{"idle-timeout", "4s"}});
  put_ingress("silent", {});
  EXPECT_EQ(idle_timeout("silent"), "3600s");
  put_config_map(global_name(), {{"idle-timeout", "2s"}, {"connect-timeout", "7s"}});
  EXPECT_EQ(idle_timeout("silent"), "2s");
  put_config_map(class_name(), {{"idle-timeout", "3s"}});
  EXPECT_EQ(idle_timeout("silent"), "3s");
  EXPECT_EQ(policy("silent").connect_timeout().seconds(), 7);
  EXPECT_EQ(idle_timeout("own"), "4s");
}

TEST_F(DefaultsTest, AWrongValueFallsThroughToTheNext) {
  put_class();
  put_ingress("a", {{"idle-timeout", "soon"}});
  put_config_map(class_name(), {{"idle-timeout", "later"}, {"idle-timout", "1s"}});
  put_config_map(global_name(), {{"idle-timeout", "2s"}});
  EXPECT_EQ(idle_timeout("a"), "2s");
  EXPECT_EQ(problems_of("Ingress"), 2U) << "its value, and its Service";
  EXPECT_EQ(problems_of("ConfigMap"), 2U);
  put_config_map(global_name(), {{"idle-timeout", "whenever"}});
  EXPECT_EQ(idle_timeout("a"), "3600s");
}

TEST_F(DefaultsTest, AListIsReplacedNotAddedTo) {
  put_class();
  put_config_map(class_name(), {{"allow-cidrs", "10.0.0.0/8"},
                                {"deny-cidrs", "10.1.0.0/16"},
                                {"allowed-origins", "https://a.test, same-origin"},
                                {"missing-origin", "allow"}});
  put_ingress("other", {{"allow-cidrs", "192.0.2.0/24"},
                        {"deny-cidrs", "192.0.2.7"},
                        {"allowed-origins", "https://b.test"}});
  const v1::RoutePolicy other = policy("other");
  ASSERT_EQ(other.allow_cidrs_size(), 1);
  EXPECT_EQ(other.allow_cidrs(0), "192.0.2.0/24");
  ASSERT_EQ(other.deny_cidrs_size(), 1);
  ASSERT_EQ(other.origin_check().allowed_size(), 1);
  EXPECT_EQ(other.origin_check().allowed(0), "https://b.test");
  EXPECT_FALSE(other.origin_check().same_origin());
  EXPECT_TRUE(other.origin_check().missing_passes()) << "said by the class alone";
}

TEST_F(DefaultsTest, AWrongListClosesForThoseThatSayNothing) {
  put_class();
  put_config_map(class_name(), {{"allow-cidrs", "the office"}});
  put_ingress("silent", {});
  put_ingress("own", {{"allow-cidrs", "192.0.2.0/24"}, {"deny-cidrs", "192.0.2.7"}});
  EXPECT_EQ(policy("silent").deny_cidrs_size(), 2) << "everybody";
  EXPECT_EQ(policy("own").allow_cidrs_size(), 1);
  EXPECT_EQ(policy("own").deny_cidrs_size(), 1);
  put_config_map(class_name(), {{"deny-cidrs", "the competition"}});
  EXPECT_EQ(policy("silent").deny_cidrs_size(), 2);
  EXPECT_EQ(policy("own").deny_cidrs_size(), 1);
}

TEST_F(DefaultsTest, WhatDependsOnAnotherMayStandElsewhere) {
  put_config_map(global_name(), {{"affinity-cookie-name", "pod"}, {"health-interval", "5s"}});
  put_ingress("plain", {});
  put_ingress("sticky", {{"affinity", "cookie"}});
  EXPECT_FALSE(policy("plain").has_affinity());
  EXPECT_EQ(policy("sticky").affinity().cookie_name(), "pod");
  EXPECT_EQ(problems_of("ConfigMap"), 0U) << "a default for those who want it";
  put_config_map(global_name(), {{"affinity", "cookie"}});
  put_ingress("plain", {{"affinity-cookie-name", "mine"}});
  EXPECT_EQ(policy("plain").affinity().cookie_name(), "mine");
  for (const Problem& problem : compiler_.problems()) {
    EXPECT_EQ(problem.message.find("does nothing"), std::string::npos) << problem.message;
  }
}

TEST_F(DefaultsTest, WhatIsWrongOnlyTogetherIsOfTheIngressWithItsSource) {
  put_config_map(global_name(), {{"affinity-cookie-name", "__Host-pod"}});
  put_ingress("a", {{"affinity", "cookie"}});
  EXPECT_EQ(policy("a").affinity().cookie_name(), "holdfast");
  std::string told;
  for (const Problem& problem : compiler_.problems())
    told += problem.field + problem.message + "\n";
  EXPECT_NE(told.find("affinity-cookie-name of ConfigMap \"infra/global\": browsers drop"),
            std::string::npos)
      << told;
  EXPECT_EQ(told.find("metadata.annotations"), std::string::npos) << told;
  put_config_map(global_name(), {{"affinity-cookie-name", "pod"}});
  put_ingress("a", {{"affinity", "cookie"}, {"affinity-cookie-name", "__Host-pod"}});
  EXPECT_EQ(policy("a").affinity().cookie_name(), "pod");
}

TEST_F(DefaultsTest, AServiceIsOneOfTheIngresssOwnNamespace) {
  put_config_map(global_name(), {{"websocket-service", "live:80"}});
  // Not this one, which stands beside the ConfigMap.
  put_service("infra", "live");
  put_service("default", "web");
  put_service("other", "web");
  put_service("other", "live");
  put_ingress("a", {});
  put_ingress("b", {}, "holdfast", "other");
  compile_changes();
  EXPECT_EQ(websocket_cluster("a.test"), "default/live/80");
  EXPECT_EQ(websocket_cluster("b.test"), "other/live/80");
  EXPECT_EQ(compiler_.find({v1::KIND_CLUSTER, "infra/live/80"}), nullptr);
  // Missing in the one namespace alone; and the Ingress has no such field that could be wrong.
  const std::vector<Problem> problems = compiler_.problems();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front().object, (kube::ObjectName{"default", "a"}));
  EXPECT_EQ(problems.front().field, "");
  EXPECT_EQ(problems.front().message,
            "websocket-service of ConfigMap \"infra/global\": there is no Service \"live\" in the "
            "namespace; requests are answered with 503");
  put_service("default", "live");
  compile_changes();
  EXPECT_TRUE(compiler_.problems().empty());
}

TEST_F(DefaultsTest, NoneUndoesWhatAConfigMapSays) {
  put_config_map(global_name(),
                 {{"affinity", "cookie"}, {"hash-by", "path"}, {"health-path", "/healthz"}});
  put_ingress("a", {{"affinity", "none"}, {"hash-by", "none"}, {"health-path", "none"}});
  EXPECT_FALSE(policy("a").has_affinity());
  EXPECT_FALSE(policy("a").has_hash_by());
  const auto cluster = compiler_.find({v1::KIND_CLUSTER, "default/web/80"});
  ASSERT_NE(cluster, nullptr);
  EXPECT_FALSE(cluster->cluster().has_health_check());
}

TEST_F(DefaultsTest, WhatIsGoneOrNotMeantForUsSaysNothing) {
  put_class();
  put_config_map(class_name(), {{"idle-timeout", "3s"}});
  put_config_map(global_name(), {{"idle-timeout", "2s"}});
  put_ingress("a", {});
  EXPECT_EQ(idle_timeout("a"), "3s");
  change_.merge(builder_.remove(kube::Kind::kConfigMap, class_name()));
  EXPECT_EQ(idle_timeout("a"), "2s");
  EXPECT_EQ(problems_of("IngressClass"), 1U);
  put_config_map(class_name(), {{"idle-timeout", "3s"}});
  put_class("holdfast.dev/ingress", "Cluster");
  EXPECT_EQ(idle_timeout("a"), "2s");
  EXPECT_EQ(problems_of("IngressClass"), 1U);
  change_.merge(builder_.remove(kube::Kind::kConfigMap, global_name()));
  EXPECT_EQ(idle_timeout("a"), "3600s");
  EXPECT_EQ(problems_of("ConfigMap"), 1U);
}

TEST_F(DefaultsTest, AnotherControllersParametersAreItsOwn) {
  put_class("example.com/other");
  ProblemList problems;
  const auto& ours = builder_.world().classes.at("holdfast");
  EXPECT_FALSE(config_map_of(*ours, Options{}, problems));
  EXPECT_TRUE(problems.take().empty());
}

TEST_F(DefaultsTest, AChangeCompilesThoseToWhichItApplies) {
  put_class();
  put_config_map(class_name(), {});
  put_config_map(global_name(), {});
  put_ingress("a", {});
  put_ingress("own", {{"idle-timeout", "4s"}});
  put_ingress("foreign", {}, "other");
  compile_changes();
  put_config_map(class_name(), {{"idle-timeout", "3s"}});
  Update update = compile_changes();
  EXPECT_EQ(update.work,
            (Update::Work{.ingresses = 2, .hosts = 1, .clusters = 0, .endpoint_sets = 0}));
  EXPECT_EQ(update.transaction.upserts.size(), 1U) << "the host of \"a\"";
  // Whose ConfigMap is not ours, and what says the same again, cost nothing.
  put_config_map({"infra", "unrelated"}, {{"idle-timeout", "9s"}});
  put_config_map(class_name(), {{"idle-timeout", "3s"}});
  update = compile_changes();
  EXPECT_EQ(update.work, Update::Work{});
}

}  // namespace
}  // namespace holdfast::controller
