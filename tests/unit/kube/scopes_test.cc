// Goal: one reflector a kind and namespace, a label selector for Ingresses alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/source_fixture.h"

namespace holdfast::kube {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class ScopesTest : public ApiServerSourceTest {};

TEST_F(ScopesTest, EachNamespaceIsListedAndWatchedByItself) {
  view.scopes = {Scope(Kind::kService, "n")};
  const std::string collection = "/api/v1/namespaces/n/services?";
  server.on_request(answer(200, list_of("10", service("a", "1"))));
  server.on_request(Reply{open_events({event("ADDED", service("b", "11"))}).bytes}.closing());
  server.on_request(not_found());
  start();
  run_script();
  EXPECT_THAT(server.targets,
              ElementsAre(collection + "limit=500", StartsWith(collection + "watch=1"),
                          "/api/v1/namespaces/n/services/holdfast-probe?resourceVersion=11",
                          StartsWith(collection + "watch=1")));
  EXPECT_THAT(recording.sink.calls,
              ElementsAre("replace Service in n: n/a@1", "upsert Service n/b@11"));
}

TEST_F(ScopesTest, MetricsAddNamespacesUp) {
  view.scopes = {Scope(Kind::kService, "m"), Scope(Kind::kService, "n")};
  const auto services = [](const std::string& space) {
    return "/api/v1/namespaces/" + space + "/services?";
  };
  server.on_request_for(services("m") + "limit", answer(200, list_of("10", service("a", "1"))));
  server.on_request_for(services("n") + "limit",
                        answer(200, list_of("10", service("b", "1") + "," + service("c", "2"))));
  server.on_request_for(services("m") + "watch", open_events({}));
  start();
  run_until([&] { return metric("holdfast_watch_objects") == 3; });
  run_until([&] { return server.targets.size() == 4; });
  // Of the two watches one is not answered.
  EXPECT_EQ(metric("holdfast_watch_connected"), 0);
  EXPECT_THAT(server.targets, Contains(StartsWith("/api/v1/namespaces/m/services?watch=1")));
  EXPECT_THAT(server.targets, Contains(StartsWith("/api/v1/namespaces/n/services?watch=1")));
}

TEST_F(ScopesTest, TheClustersOwnKindsHaveNoNamespace) {
  EXPECT_EQ(collection_path(Kind::kIngressClass, "n"), "/apis/networking.k8s.io/v1/ingressclasses");
  EXPECT_EQ(collection_path(Kind::kIngress, "n"),
            "/apis/networking.k8s.io/v1/namespaces/n/ingresses");
  EXPECT_EQ(object_path(Kind::kEndpointSlice, {"n", "x"}),
            "/apis/discovery.k8s.io/v1/namespaces/n/endpointslices/x");
  EXPECT_EQ(object_path(Kind::kIngressClass, {"n", "x"}),
            "/apis/networking.k8s.io/v1/ingressclasses/x");
}

TEST_F(ScopesTest, ASelectorIsForIngressesAlone) {
  view.scopes = {Kind::kService, Kind::kIngress};
  view.ingress_selector = "team in (a,b)";
  start();
  run_until([&] { return server.targets.size() == 2; });
  EXPECT_THAT(server.targets, UnorderedElementsAre("/api/v1/services?limit=500",
                                                   "/apis/networking.k8s.io/v1/ingresses?limit=500&"
                                                   "labelSelector=team%20in%20%28a%2Cb%29"));
}

TEST_F(ScopesTest, OnlySecretsWithCertificatesAreAskedFor) {
  view.scopes = {Kind::kSecret};
  server.on_request(answer(200, R"({"kind":"SecretList","apiVersion":"v1",)"
                                R"("metadata":{"resourceVersion":"10"},"items":[]})"));
  start();
  run_until([&] { return server.targets.size() == 2; });
  for (const std::string& target : server.targets) {
    EXPECT_THAT(target, AllOf(StartsWith("/api/v1/secrets?"),
                              EndsWith("&fieldSelector=type%3Dkubernetes.io%2Ftls")));
  }
}

TEST_F(ScopesTest, ASelectorIsPartOfEveryListAndWatch) {
  view.scopes = {Kind::kIngress};
  view.ingress_selector = "a=b";
  const std::string list = R"({"kind":"IngressList","apiVersion":"networking.k8s.io/v1",)"
                           R"("metadata":{"resourceVersion":"10"},"items":[]})";
  server.on_request(answer(200, list));
  server.on_request(answer(410, status_of(410, "Expired")));
  server.on_request(answer(200, list));
  start();
  run_script();
  for (const std::string& target : server.targets) {
    EXPECT_THAT(target, EndsWith("&labelSelector=a%3Db"));
  }
  EXPECT_THAT(server.targets[2], AllOf(HasSubstr("resourceVersion=10"), Not(HasSubstr("watch"))));
}

}  // namespace
}  // namespace holdfast::kube
