#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {

/// Objects of a small cluster in which everything meets everything: few names, so that Ingresses
/// share hosts, paths and Services, and every object comes, changes and goes. Deterministic by its
/// seed.
class RandomObjects {
 public:
  explicit RandomObjects(unsigned seed) : random_(seed) {}

  /// Of a hundred, how many Ingresses have routes of half a megabyte.
  int huge_per_cent = 0;

  /// 0 to `most` - 1.
  int below(int most) { return std::uniform_int_distribution<>(0, most - 1)(random_); }
  bool one_in(int n) { return below(n) == 0; }

  kube::Kind kind() {
    constexpr std::array kKinds{kube::Kind::kIngress,       kube::Kind::kIngress,
                                kube::Kind::kService,       kube::Kind::kEndpointSlice,
                                kube::Kind::kEndpointSlice, kube::Kind::kEndpoints,
                                kube::Kind::kIngressClass,  kube::Kind::kConfigMap,
                                kube::Kind::kSecret,        kube::Kind::kNamedSecret};
    return kKinds[static_cast<std::size_t>(below(kKinds.size()))];
  }

  kube::ObjectName name(kube::Kind kind) {
    switch (kind) {
      case kube::Kind::kIngress:
        return {name_space(), one_in(30) ? "Bad_Name" : "i" + number(6)};
      case kube::Kind::kIngressClass:
        return {"", one_in(2) ? "holdfast" : "other"};
      case kube::Kind::kEndpointSlice:
        return {name_space(), "slice" + number(6)};
      case kube::Kind::kService:
      case kube::Kind::kEndpoints:
        return {name_space(), service()};
      case kube::Kind::kConfigMap:
        return config_map_name();
      case kube::Kind::kSecret:
      case kube::Kind::kNamedSecret:
        return {name_space(), secret()};
    }
    return {};
  }

  kube::Object object(kube::Kind kind) {
    switch (kind) {
      case kube::Kind::kIngress:
        return ingress();
      case kube::Kind::kIngressClass:
        return ingress_class();
      case kube::Kind::kService:
        return service_object();
      case kube::Kind::kEndpointSlice:
        return slice();
      case kube::Kind::kEndpoints:
        return endpoints();
      case kube::Kind::kConfigMap:
        return config_map();
      case kube::Kind::kSecret:
        return secret_object();
      case kube::Kind::kNamedSecret:
        return named_secret();
    }
    return {};
  }

 private:
  static constexpr int kServices = 3;

  std::string pick(const std::vector<std::string>& from) {
    return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))];
  }
  std::string number(int most) { return std::to_string(below(most)); }
  std::string name_space() { return one_in(4) ? "other" : "default"; }
  kube::ObjectName config_map_name() { return {"infra", "defaults" + number(3)}; }
  std::string service() { return "s" + number(kServices); }
  std::string secret() { return "c" + number(4); }
  std::string secret_reference() {
    return (one_in(3) ? name_space() + "/" : "") + (one_in(9) ? "Bad_Name" : secret());
  }

  template <class T>
  std::shared_ptr<T> made(kube::Kind kind) {
    auto object = std::make_shared<T>();
    object->metadata.name = name(kind);
    object->metadata.uid = number(3);
    object->metadata.resource_version = std::to_string(++version_);
    object->metadata.creation_timestamp =
        one_in(4) ? "" : "2026-01-0" + std::to_string(1 + below(3)) + "T00:00:00Z";
    return object;
  }

  kube::Object ingress() {
    auto object = made<kube::Ingress>(kube::Kind::kIngress);
    annotate(object->metadata.annotations);
    if (!one_in(4)) object->ingress_class_name = one_in(8) ? "other" : "holdfast";
    for (int i = below(3); i > 0; --i) {
      kube::IngressRule rule;
      rule.host = pick({"a.test", "B.test", "*.test", "", "*.test", "no host", "10.0.0.1"});
      for (int j = below(4); j > 0; --j) {
        rule.paths.push_back({.path = pick({"/", "/a", "/a/", "/b", "no path"}),
                              .path_type = pick({"Prefix", "Exact", "ImplementationSpecific", "X"}),
                              .backend = backend()});
      }
      object->rules.push_back(rule);
    }
    if (one_in(3)) object->default_backend = backend();
    for (int i = one_in(2) ? below(3) : 0; i > 0; --i) {
      kube::IngressTls entry;
      for (int j = below(3); j > 0; --j) {
        entry.hosts.push_back(pick({"a.test", "B.test", "*.test", "other.test", "", "no host"}));
      }
      if (!one_in(6)) entry.secret_name = one_in(9) ? "Bad_Name" : secret();
      object->tls.push_back(entry);
    }
    return object;
  }

  void annotate(std::map<std::string, std::string>& annotations) {
    const std::string prefix = "holdfast.dev/";
    if (one_in(6)) annotations[prefix + "idle-timeout"] = pick({"1h", "2h", "soon"});
    if (one_in(4)) annotations[prefix + "health-path"] = pick({"/a", "/b", "nowhere"});
    if (one_in(6)) annotations[prefix + "websocket-service"] = service() + ":" + pick({"80", "ws"});
    if (one_in(6)) annotations[prefix + "service-upstream"] = "true";
    if (one_in(9)) annotations[prefix + "allow-cidrs"] = pick({"10.1.0.0/16", "friends"});
    if (one_in(9)) annotations[prefix + "health-interval"] = "2s";
    if (one_in(6)) annotations[prefix + "ssl-redirect"] = "false";
    if (one_in(6)) annotations[prefix + "force-ssl-redirect"] = "true";
    if (one_in(6)) annotations[prefix + "hsts-max-age"] = pick({"0s", "1h"});
    if (one_in(6)) annotations[prefix + "backend-protocol"] = pick({"HTTP", "HTTPS", "GRPC"});
    if (one_in(6)) annotations[prefix + "upstream-tls-secret"] = secret_reference();
    if (one_in(6)) annotations[prefix + "client-ca-secret"] = secret_reference();
    if (one_in(6)) annotations[prefix + "client-certificate"] = "optional";
    if (one_in(9)) annotations[prefix + "no-such-thing"] = "1";
    if (one_in(9)) annotations["kubernetes.io/ingress.class"] = pick({"holdfast", "other"});
    if (below(100) < huge_per_cent) {
      std::string fields;
      for (int i = 0; i < 32; ++i) {
        fields += "X-" + std::to_string(i) + ": " + std::string(8170, 'x') +
                  std::to_string(below(1000)) + "\n";
      }
      annotations[prefix + "request-headers"] = fields;
      annotations[prefix + "response-headers"] = fields;
    }
  }

  kube::IngressBackend backend() {
    kube::IngressBackend backend;
    backend.has_service = !one_in(20);
    backend.service_name = one_in(20) ? "No Service" : service();
    if (one_in(2)) {
      backend.port.number = one_in(20) ? 0 : 80 + below(2);
    } else {
      backend.port.name = pick({"http", "ws"});
    }
    return backend;
  }

  kube::Object ingress_class() {
    auto object = made<kube::IngressClass>(kube::Kind::kIngressClass);
    object->controller = one_in(4) ? "example.com/other" : "holdfast.dev/ingress";
    if (one_in(2)) {
      object->metadata.annotations["ingressclass.kubernetes.io/is-default-class"] = "true";
    }
    if (one_in(2)) {
      const kube::ObjectName named = config_map_name();
      object->parameters = {.api_group = one_in(9) ? "example.com" : "",
                            .kind = "ConfigMap",
                            .name = one_in(9) ? "Bad_Name" : named.name,
                            .scope = one_in(9) ? "Cluster" : "Namespace",
                            .namespace_name = named.namespace_name};
    }
    return object;
  }

  kube::Object config_map() {
    auto object = made<kube::ConfigMap>(kube::Kind::kConfigMap);
    auto& data = object->data;
    if (one_in(2)) data["idle-timeout"] = pick({"1h", "3h", "later"});
    if (one_in(3)) data["health-path"] = pick({"/a", "/c", "none", "nowhere"});
    if (one_in(3)) data["health-interval"] = "5s";
    if (one_in(4)) data["allow-cidrs"] = pick({"10.0.0.0/8", "everybody"});
    if (one_in(4)) data["deny-cidrs"] = pick({"10.0.0.0/8", "somebody"});
    if (one_in(4)) data["websocket-service"] = service() + ":80";
    if (one_in(9)) data["no-such-thing"] = "1";
    return object;
  }

  /// One that can be served: what came before one that cannot is history, which a fresh
  /// compilation does not know.
  kube::Object secret_object() {
    auto object = made<kube::Secret>(kube::Kind::kSecret);
    fill(*object);
    return object;
  }
  kube::Object named_secret() {
    auto object = made<kube::NamedSecret>(kube::Kind::kNamedSecret);
    fill(*object);
    return std::shared_ptr<const kube::NamedSecret>(std::move(object));
  }
  void fill(kube::Secret& secret) {
    static tls::TestAuthority authority("Test Authority");
    static const std::array kTexts{
        authority.issue({.name = "a", .alternatives = "DNS:a.test"}),
        authority.issue({.name = "any", .alternatives = "DNS:*.test"}),
        authority.issue({.name = "rsa", .alternatives = "DNS:a.test,DNS:b.test", .key = "RSA"})};
    const auto& text = kTexts[static_cast<std::size_t>(below(kTexts.size()))];
    secret.type = kube::kTlsSecretType;
    secret.chain = text.chain;
    secret.private_key = text.key;
    secret.authorities = one_in(2) ? authority.chain() : kTexts[0].chain;
  }

  kube::Object service_object() {
    auto object = made<kube::Service>(kube::Kind::kService);
    object->type = one_in(4) ? "ExternalName" : "ClusterIP";
    object->cluster_ip = pick({"None", "10.96.0.1", "10.96.0.2", "fd00::1"});
    for (const char* name : {"http", "ws"}) {
      if (one_in(3)) continue;
      object->ports.push_back(service_port(name, 80 + below(2)));
      if (one_in(6)) object->ports.back().app_protocol = "https";
    }
    return object;
  }

  std::vector<kube::Endpoint> some_endpoints() {
    std::vector<kube::Endpoint> some;
    for (int i = below(3); i > 0; --i) {
      some.push_back(endpoint_at(one_in(9) ? "no address" : "10.0.0." + number(4)));
      some.back().conditions.ready = !one_in(4);
      some.back().conditions.terminating = one_in(4);
    }
    return some;
  }

  kube::Object slice() {
    auto object = made<kube::EndpointSlice>(kube::Kind::kEndpointSlice);
    object->service_name = one_in(9) ? "" : service();
    object->address_type = one_in(20) ? "FQDN" : "IPv4";
    object->endpoints = some_endpoints();
    object->ports = {endpoint_port("http", 8080), endpoint_port("ws", one_in(9) ? 0 : 8081)};
    object->from_dns = one_in(4);
    if (object->from_dns && one_in(2)) object->complaints = {"complaint " + number(2)};
    return object;
  }

  kube::Object endpoints() {
    auto object = made<kube::Endpoints>(kube::Kind::kEndpoints);
    object->subsets.resize(1);
    object->subsets[0].addresses = some_endpoints();
    object->subsets[0].ports = {endpoint_port("http", 8080)};
    return object;
  }

  std::mt19937 random_;
  int version_ = 0;
};

}  // namespace holdfast::controller
