// Goal: `check` says what would be served of some manifests and what is wrong, without blaming them
// for what only a cluster knows.

#include "controller/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/annotations.h"
#include "controller/nginx_annotations.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class CheckTest : public testing::Test {
 protected:
  kube::Ingress& ingress(const std::string& name, const std::string& ingress_class = "holdfast") {
    auto made = std::make_shared<kube::Ingress>();
    made->metadata.name = {"default", name};
    if (!ingress_class.empty()) made->ingress_class_name = ingress_class;
    made->rules = {rule(name + ".test", "/", "web")};
    world_.ingresses[made->metadata.name] = made;
    return *made;
  }
  void service(const std::string& name_space, const std::string& name) {
    auto made = std::make_shared<kube::Service>();
    made->metadata.name = {name_space, name};
    made->ports = {service_port("http", 80)};
    world_.services[made->metadata.name] = made;
  }
  CheckReport checked() { return check(world_, {}, {}); }
  /// Of the only Ingress.
  CheckedIngress only() {
    const CheckReport report = checked();
    EXPECT_THAT(report.ingresses, SizeIs(1));
    return report.ingresses.at(0);
  }
  static std::vector<std::string> messages(const std::vector<Problem>& problems) {
    std::vector<std::string> texts;
    texts.reserve(problems.size());
    for (const Problem& problem : problems) texts.push_back(problem.field + " " + problem.message);
    return texts;
  }

  World world_;
};

TEST_F(CheckTest, WhatIsServed) {
  service("default", "web");
  ingress("a").metadata.annotations = {{"holdfast.dev/idle-timeout", "2h"},
                                       {"holdfast.dev/connect-timeout", "5s"},
                                       {"holdfast.dev/slow-start", "soon"}};
  const CheckedIngress told = only();
  EXPECT_THAT(told.routes, ElementsAre(CheckedRoute{"a.test", "prefix", "/", "web:80", ""}));
  EXPECT_THAT(told.annotations, ElementsAre(Pair("idle-timeout", "2h")));
  EXPECT_THAT(told.notes, IsEmpty());
  EXPECT_THAT(messages(told.problems), ElementsAre(HasSubstr("slow-start")));
}

TEST_F(CheckTest, SecretsThatAreNotThereAreNoProblem) {
  service("default", "web");
  kube::Ingress& one = ingress("a");
  one.tls = {{.hosts = {"a.test"}, .secret_name = "web-tls"}};
  one.metadata.annotations = {{"holdfast.dev/client-ca-secret", "default/roots"},
                              {"holdfast.dev/client-certificate", "optional"},
                              {"holdfast.dev/upstream-tls-secret", "Bad Name"}};
  const CheckedIngress told = only();
  EXPECT_THAT(told.notes, ElementsAre(HasSubstr("Secret \"web-tls\" is not among the files"),
                                      HasSubstr("Secret \"roots\" is not among the files")));
  EXPECT_THAT(messages(told.problems), ElementsAre(HasSubstr("upstream-tls-secret")));
  EXPECT_THAT(told.annotations, ElementsAre(Pair("client-ca-secret", "default/roots"),
                                            Pair("client-certificate", "optional")));
}

TEST_F(CheckTest, WithoutAnyServiceTheyAreTakenForGranted) {
  kube::Ingress& one = ingress("a");
  one.rules[0].paths[0].backend.port = {.name = "http", .number = 0};
  one.metadata.annotations["holdfast.dev/websocket-service"] = "sockets:65535";
  one.default_backend = one.rules[0].paths[0].backend;
  service("elsewhere", "web");
  const CheckedIngress told = only();
  EXPECT_THAT(told.problems, IsEmpty());
  EXPECT_THAT(told.routes,
              ElementsAre(CheckedRoute{"a.test", "prefix", "/", "web:http", "sockets:65535"},
                          CheckedRoute{"a.test", "fallback", "", "web:http", "sockets:65535"}));
  EXPECT_THAT(told.notes, ElementsAre(HasSubstr("No Service of namespace \"default\"")));
}

TEST_F(CheckTest, WithOneOfItsNamespaceAllMustBeThere) {
  ingress("a");
  service("default", "other");
  const CheckedIngress told = only();
  EXPECT_THAT(messages(told.problems), ElementsAre(HasSubstr("there is no Service \"web\"")));
  EXPECT_THAT(told.notes, IsEmpty());
}

TEST_F(CheckTest, AClassThatIsNamedByNobody) {
  service("default", "web");
  ingress("a", "");
  CheckedIngress told = only();
  EXPECT_THAT(told.routes, SizeIs(1));
  EXPECT_THAT(told.notes, ElementsAre(HasSubstr("default IngressClass")));
  // With a class among the files, what they say is what holds.
  auto made = std::make_shared<kube::IngressClass>();
  made->metadata.name = {"", "holdfast"};
  made->controller = "holdfast.dev/ingress";
  world_.classes["holdfast"] = made;
  told = only();
  EXPECT_THAT(told.routes, IsEmpty());
  EXPECT_THAT(told.notes, ElementsAre(HasSubstr("is not ours")));
}

TEST_F(CheckTest, WithoutAClassItIsOursWhereAFlagSaysSo) {
  service("default", "web");
  ingress("a", "");
  const CheckReport report = check(world_, {.watch_without_class = true}, {});
  ASSERT_THAT(report.ingresses, SizeIs(1));
  EXPECT_THAT(report.ingresses[0].routes, SizeIs(1));
  EXPECT_THAT(report.ingresses[0].notes, IsEmpty());
}

TEST_F(CheckTest, AClusterIpIsGivenByTheCluster) {
  service("default", "web");
  ingress("a").metadata.annotations["holdfast.dev/service-upstream"] = "true";
  const CheckedIngress told = only();
  EXPECT_THAT(told.problems, IsEmpty());
  ASSERT_THAT(told.routes, SizeIs(1));
  EXPECT_THAT(told.routes[0].service, HasSubstr("web:"));
  EXPECT_EQ(told.routes[0].service.find('@'), std::string::npos);
}

TEST_F(CheckTest, AnotherClassIsNoneOfOurBusiness) {
  ingress("a", "nginx").metadata.annotations = {{"nginx.ingress.kubernetes.io/affinity", "cookie"},
                                                {"holdfast.dev/idle-timeout", "2h"}};
  const CheckReport report = checked();
  EXPECT_THAT(report.ingresses[0].routes, IsEmpty());
  EXPECT_THAT(report.ingresses[0].annotations, IsEmpty());
  EXPECT_THAT(report.ingresses[0].notes, ElementsAre(HasSubstr("It is of class \"nginx\"")));
  EXPECT_EQ(report.count(Severity::kError) + report.count(Severity::kWarning), 0U);
}

TEST_F(CheckTest, AnnotationsOfIngressNginx) {
  service("default", "web");
  ingress("a").metadata.annotations = {
      {"nginx.ingress.kubernetes.io/proxy-read-timeout", "3600"},
      {"nginx.ingress.kubernetes.io/proxy-buffering", "off"},
      {"nginx.ingress.kubernetes.io/auth-url", "https://auth.test/"}};
  const CheckReport report = checked();
  EXPECT_THAT(messages(report.ingresses[0].problems),
              ElementsAre(HasSubstr("auth-url\"] an annotation of ingress-nginx, which is not "
                                    "read; there is nothing in its place"),
                          HasSubstr("holdfast.dev/idle-timeout is the nearest")));
  EXPECT_EQ(report.count(Severity::kWarning), 2U);
  EXPECT_EQ(report.count(Severity::kError), 0U);
}

TEST_F(CheckTest, EveryEquivalentExists) {
  for (const NginxAnnotation& theirs : nginx_annotations()) {
    if (theirs.ours.empty()) continue;
    EXPECT_THAT(annotations(), Contains(testing::Field(&Annotation::name, theirs.ours)))
        << theirs.name;
  }
}

TEST_F(CheckTest, DefaultsThatAreNotAmongTheFilesAreNoProblem) {
  service("default", "web");
  ingress("a");
  auto named = std::make_shared<kube::IngressClass>();
  named->metadata.name.name = "holdfast";
  named->controller = "holdfast.dev/ingress";
  named->parameters = {.api_group = "",
                       .kind = "ConfigMap",
                       .name = "defaults",
                       .scope = "Namespace",
                       .namespace_name = "infra"};
  world_.classes["holdfast"] = named;
  const Options options{.defaults_config_map = kube::ObjectName{"infra", "global"}};
  CheckReport report = check(world_, options, {});
  EXPECT_THAT(report.others, IsEmpty());
  EXPECT_THAT(report.ingresses.at(0).notes,
              ElementsAre(HasSubstr("\"infra/global\" is not among the files"),
                          HasSubstr("\"infra/defaults\" is not among the files")));
  // One that is among them is checked.
  auto among = std::make_shared<kube::ConfigMap>();
  among->metadata.name = {"infra", "defaults"};
  among->data["idle-timeout"] = "soon";
  world_.config_maps[among->metadata.name] = among;
  report = check(world_, {}, {});
  EXPECT_THAT(messages(report.others), ElementsAre(HasSubstr("data[\"idle-timeout\"]")));
  EXPECT_THAT(report.ingresses.at(0).notes, IsEmpty());
}

TEST_F(CheckTest, AServiceThatADefaultNamesIsTakenForGrantedToo) {
  ingress("a");
  auto among = std::make_shared<kube::ConfigMap>();
  among->metadata.name = {"infra", "global"};
  among->data["websocket-service"] = "live:80";
  world_.config_maps[among->metadata.name] = among;
  const Options options{.defaults_config_map = among->metadata.name};
  CheckReport report = check(world_, options, {});
  EXPECT_THAT(messages(report.ingresses.at(0).problems), IsEmpty());
  EXPECT_THAT(report.ingresses.at(0).notes, ElementsAre(HasSubstr("No Service of namespace")));
  service("default", "web");
  report = check(world_, options, {});
  EXPECT_THAT(messages(report.ingresses.at(0).problems), ElementsAre(HasSubstr("\"live\"")));
}

TEST_F(CheckTest, OtherObjectsAndNothingAtAll) {
  EXPECT_THAT(messages(checked().others), ElementsAre(HasSubstr("none among the files")));
  const Problem broken{"Manifest", {"", "a.yaml"}, "", Severity::kError, "line 3: not YAML"};
  const CheckReport report = check(world_, {}, {broken});
  EXPECT_THAT(report.others, ElementsAre(broken));
  EXPECT_EQ(report.count(Severity::kError), 1U);
}

}  // namespace
}  // namespace holdfast::controller
