#include "kube/object_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace holdfast::kube {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

template <typename T>
T parse(Kind kind, const char* text) {
  ParsedObject parsed = parse_object(kind, json::parse(text));
  EXPECT_TRUE(parsed.object.ok()) << parsed.object.status();
  return parsed.object.ok() ? *std::get<std::shared_ptr<const T>>(*parsed.object) : T();
}

std::string complaint(Kind kind, const char* text) {
  const ParsedObject parsed = parse_object(kind, json::parse(text));
  return std::string(parsed.object.status().message());
}

TEST(ParseObject, ReadsAnIngress) {
  const auto ingress = parse<Ingress>(Kind::kIngress, R"({
    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
    "metadata": {"name": "chat", "namespace": "shop", "uid": "u1", "resourceVersion": "7",
      "creationTimestamp": "2026-01-02T03:04:05Z",
      "annotations": {"holdfast.dev/idle-timeout": "5m",
        "kubectl.kubernetes.io/last-applied-configuration": "{...}"}},
    "spec": {"ingressClassName": "holdfast",
      "defaultBackend": {"resource": {"kind": "Bucket", "name": "b"}},
      "tls": [{"hosts": ["a.example", "b.example"], "secretName": "cert"}],
      "rules": [{"host": "a.example", "http": {"paths": [
          {"path": "/ws", "pathType": "Exact",
           "backend": {"service": {"name": "web", "port": {"name": "http"}}}},
          {"path": "/", "pathType": "Prefix",
           "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}},
        {"host": "c.example"}]},
    "status": {"loadBalancer": {}}})");
  EXPECT_EQ(ingress.metadata.name, (ObjectName{"shop", "chat"}));
  EXPECT_EQ(ingress.metadata.uid, "u1");
  EXPECT_EQ(ingress.metadata.resource_version, "7");
  EXPECT_EQ(ingress.metadata.creation_timestamp, "2026-01-02T03:04:05Z");
  EXPECT_EQ(ingress.metadata.annotations.size(), 1u);
  EXPECT_EQ(ingress.ingress_class_name, "holdfast");
  ASSERT_TRUE(ingress.default_backend);
  EXPECT_FALSE(ingress.default_backend->has_service);
  EXPECT_THAT(ingress.tls.at(0).hosts, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(ingress.tls[0].secret_name, "cert");
  ASSERT_EQ(ingress.rules.size(), 2u);
  ASSERT_EQ(ingress.rules[0].paths.size(), 2u);
  EXPECT_EQ(ingress.rules[0].paths[0].backend.port.name, "http");
  EXPECT_EQ(ingress.rules[0].paths[0].path_type, "Exact");
  EXPECT_TRUE(ingress.rules[0].paths[1].backend.has_service);
  EXPECT_EQ(ingress.rules[0].paths[1].backend.port.number, 80);
  EXPECT_TRUE(ingress.rules[0].has_http);
  EXPECT_FALSE(ingress.rules[1].has_http);
}

TEST(ParseObject, TakesNullForAbsentAndIgnoresWhatItDoesNotKnow) {
  const auto ingress = parse<Ingress>(Kind::kIngress, R"({"metadata": {"name": "x", "labels": null,
    "annotations": null, "finalizers": 3}, "spec": {"rules": null, "tls": null,
    "ingressClassName": null, "defaultBackend": null, "novelty": [{}]}})");
  EXPECT_FALSE(ingress.ingress_class_name);
  EXPECT_FALSE(ingress.default_backend);
  EXPECT_TRUE(ingress.rules.empty());
}

TEST(ParseObject, ReadsAService) {
  const auto service = parse<Service>(Kind::kService, R"({"metadata": {"name": "web"},
    "spec": {"type": "ExternalName", "externalName": "db.example", "clusterIP": "None", "ports": [
      {"name": "http", "port": 80, "targetPort": "web", "appProtocol": "kubernetes.io/ws"},
      {"port": 81, "targetPort": 8081, "protocol": "UDP"}, {"port": 82}]}})");
  EXPECT_EQ(service.type, "ExternalName");
  EXPECT_EQ(service.external_name, "db.example");
  EXPECT_EQ(service.cluster_ip, "None");
  ASSERT_EQ(service.ports.size(), 3u);
  EXPECT_EQ(service.ports[0].target_port, "web");
  EXPECT_EQ(service.ports[0].protocol, "TCP");
  EXPECT_EQ(service.ports[0].app_protocol, "kubernetes.io/ws");
  EXPECT_EQ(service.ports[1].target_port, "8081");
  EXPECT_EQ(service.ports[1].protocol, "UDP");
  EXPECT_EQ(service.ports[2].target_port, "82");
}

TEST(ParseObject, ReadsAnEndpointSliceWithItsNils) {
  const auto slice = parse<EndpointSlice>(Kind::kEndpointSlice, R"({
    "metadata": {"name": "web-abc", "namespace": "shop",
      "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "ports": [{"name": "http", "port": 8080}, {"name": null, "port": null}],
    "endpoints": [
      {"addresses": ["10.0.0.1"], "zone": "a", "hints": {"forZones": [{"name": "b"}]},
       "targetRef": {"kind": "Pod", "name": "p", "uid": "pod-1"}},
      {"addresses": ["10.0.0.2"], "conditions": {"ready": null, "serving": null},
       "targetRef": {"kind": "Node", "uid": "node-1"}},
      {"addresses": ["10.0.0.3"],
       "conditions": {"ready": false, "serving": true, "terminating": true}}]})");
  EXPECT_EQ(slice.service_name, "web");
  EXPECT_EQ(slice.address_type, "IPv4");
  EXPECT_EQ(slice.ports.at(0).port, 8080);
  EXPECT_EQ(slice.ports.at(1).port, std::nullopt);
  EXPECT_EQ(slice.ports[1].name, "");
  ASSERT_EQ(slice.endpoints.size(), 3u);
  EXPECT_EQ(slice.endpoints[0].pod_uid, "pod-1");
  EXPECT_EQ(slice.endpoints[0].zone, "a");
  EXPECT_EQ(slice.endpoints[0].hint_zones, std::vector<std::string>{"b"});
  EXPECT_TRUE(slice.endpoints[1].conditions.ready);
  EXPECT_TRUE(slice.endpoints[1].conditions.serving);
  EXPECT_FALSE(slice.endpoints[1].conditions.terminating);
  EXPECT_EQ(slice.endpoints[1].pod_uid, "");
  EXPECT_FALSE(slice.endpoints[2].conditions.ready);
  EXPECT_TRUE(slice.endpoints[2].conditions.terminating);
}

TEST(ParseObject, ReadsEndpoints) {
  const auto endpoints = parse<Endpoints>(Kind::kEndpoints, R"({"metadata": {"name": "web"},
    "subsets": [{"addresses": [{"ip": "10.0.0.1", "targetRef": {"kind": "Pod", "uid": "p"}}],
      "notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 8080}]}]})");
  ASSERT_EQ(endpoints.subsets.size(), 1u);
  EXPECT_THAT(endpoints.subsets[0].addresses.at(0).addresses, ElementsAre("10.0.0.1"));
  EXPECT_EQ(endpoints.subsets[0].addresses[0].pod_uid, "p");
  EXPECT_FALSE(endpoints.subsets[0].not_ready_addresses.at(0).conditions.ready);
  EXPECT_EQ(endpoints.subsets[0].ports.at(0).port, 8080);
}

TEST(ParseObject, ReadsAnIngressClassWithoutNamespace) {
  const ParsedObject parsed = parse_object(
      Kind::kIngressClass,
      json::parse(R"({"metadata": {"name": "c"}, "spec": {"controller": "holdfast.dev/ingress"}})"),
      "default");
  EXPECT_EQ(parsed.name, (ObjectName{"", "c"}));
  EXPECT_EQ(std::get<std::shared_ptr<const IngressClass>>(*parsed.object)->controller,
            "holdfast.dev/ingress");
}

TEST(ParseObject, ReadsTheParametersOfAnIngressClass) {
  const auto named = parse<IngressClass>(Kind::kIngressClass, R"({"metadata": {"name": "c"},
    "spec": {"controller": "x", "parameters": {"apiGroup": null, "kind": "ConfigMap",
      "name": "defaults", "namespace": "infra", "scope": "Namespace"}}})");
  ASSERT_TRUE(named.parameters);
  EXPECT_EQ(*named.parameters, (ClassParameters{.api_group = "",
                                                .kind = "ConfigMap",
                                                .name = "defaults",
                                                .scope = "Namespace",
                                                .namespace_name = "infra"}));
  const auto silent = parse<IngressClass>(Kind::kIngressClass, R"({"metadata": {"name": "c"},
    "spec": {"parameters": {"apiGroup": "example.com", "kind": "Thing", "name": "t"}}})");
  EXPECT_EQ(silent.parameters->scope, "Cluster");
  EXPECT_EQ(silent.parameters->api_group, "example.com");
}

TEST(ParseObject, Secret) {
  const auto secret = parse<Secret>(Kind::kSecret, R"({
    "metadata": {"name": "x", "namespace": "n", "annotations": {"a": "b"}},
    "type": "kubernetes.io/tls",
    "data": {"tls.crt": "Y2VydA==", "tls.key": "a2V5", "ca.crt": "Y2E=", "ca.crl": "Y3Js",
             "password": "c2VjcmV0"}})");
  EXPECT_EQ(secret.type, kTlsSecretType);
  EXPECT_EQ(secret.chain, "cert");
  EXPECT_EQ(secret.private_key, "key");
  EXPECT_EQ(secret.authorities, "ca");
  EXPECT_EQ(secret.revocation_lists, "crl");
  EXPECT_TRUE(secret.metadata.annotations.empty());
}

TEST(ParseObject, ASecretOfAManifestMayBeWrittenPlainly) {
  const auto secret = parse<Secret>(Kind::kSecret, R"({
    "metadata": {"name": "x"}, "stringData": {"tls.crt": "cert"}})");
  EXPECT_EQ(secret.type, "Opaque");
  EXPECT_EQ(secret.chain, "cert");
  EXPECT_EQ(secret.private_key, "");
}

TEST(ParseObject, ReadsAConfigMapButNotItsAnnotations) {
  const auto map = parse<ConfigMap>(Kind::kConfigMap, R"({
    "metadata": {"name": "defaults", "namespace": "infra", "annotations": {"leader": "me"}},
    "data": {"idle-timeout": "2h"}, "binaryData": {"x": "AA=="}, "immutable": true})");
  EXPECT_EQ(map.metadata.name, (ObjectName{"infra", "defaults"}));
  EXPECT_TRUE(map.metadata.annotations.empty());
  EXPECT_EQ(map.data, (std::map<std::string, std::string>{{"idle-timeout", "2h"}}));
}

TEST(ParseObject, NamesTheFieldOfTheWrongType) {
  const struct {
    Kind kind;
    const char* text;
    const char* complaint;
  } cases[] = {
      {Kind::kIngress, R"({"metadata": {"name": "x"}, "spec": {"rules": [{}, {"host": 5}]}})",
       "spec.rules[1].host: expected a string, found a number"},
      {Kind::kIngress, R"({"metadata": {"name": "x"}, "spec": {"rules": {}}})",
       "spec.rules: expected a list, found an object"},
      {Kind::kIngress, R"({"metadata": {"name": "x"}, "spec": {"rules": [7]}})",
       "spec.rules[0]: expected an object, found a number"},
      {Kind::kIngress, R"({"metadata": {"name": "x"}, "spec": []})",
       "spec: expected an object, found a list"},
      {Kind::kIngress, R"({"metadata": {"name": "x", "annotations": {"a": true}}})",
       "metadata.annotations[a]: expected a string, found a boolean"},
      {Kind::kIngress, R"({"metadata": {"name": "x"}, "spec": {"tls": [{"hosts": ["a", 1]}]}})",
       "spec.tls[0].hosts[1]: expected a string, found a number"},
      {Kind::kService, R"({"metadata": {"name": "x"}, "spec": {"ports": [{"port": "80"}]}})",
       "spec.ports[0].port: expected an integer, found a string"},
      {Kind::kService, R"({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80.5}]}})",
       "spec.ports[0].port: expected an integer, found a number"},
      {Kind::kService, R"({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 4294967376}]}})",
       "spec.ports[0].port: out of range"},
      {Kind::kService,
       R"({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 18446744073709551615}]}})",
       "spec.ports[0].port: out of range"},
      {Kind::kService, R"({"metadata": {"name": "x"}, "spec": {"ports": [{"targetPort": []}]}})",
       "spec.ports[0].targetPort: expected a string or an integer, found a list"},
      {Kind::kEndpointSlice,
       R"({"metadata": {"name": "x"}, "endpoints": [{"conditions": {"ready": "yes"}}]})",
       "endpoints[0].conditions.ready: expected a boolean, found a string"},
      {Kind::kSecret, R"({"metadata": {"name": "x"}, "data": {"tls.key": "c2VjcmV0!"}})",
       "data.tls.key: not base64"},
      {Kind::kConfigMap, R"({"metadata": {"name": "x"}, "data": {"idle-timeout": 5}})",
       "data[idle-timeout]: expected a string, found a number"},
      {Kind::kService, R"({"metadata": {}})", "metadata.name: missing"},
      {Kind::kService, R"({})", "metadata.name: missing"},
      {Kind::kService, R"([])", "the object: expected an object, found a list"},
  };
  for (const auto& c : cases) EXPECT_EQ(complaint(c.kind, c.text), c.complaint) << c.text;
}

TEST(ParseObject, TellsTheNameOfWhatItCannotRead) {
  const ParsedObject parsed = parse_object(
      Kind::kService,
      json::parse(R"({"metadata": {"name": "x", "namespace": "n", "resourceVersion": "9"},
                      "spec": 1})"));
  EXPECT_FALSE(parsed.object.ok());
  EXPECT_EQ(parsed.name, (ObjectName{"n", "x"}));
  EXPECT_EQ(parsed.resource_version, "9");
}

}  // namespace
}  // namespace holdfast::kube
