#include "kube/object_parser.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/base64.h"
#include "kube/json.h"

namespace holdfast::kube {
namespace {

constexpr char kServiceNameLabel[] = "kubernetes.io/service-name";
constexpr char kLastApplied[] = "kubectl.kubernetes.io/last-applied-configuration";

Metadata read_metadata(const Fields& object) {
  const Fields fields = object.object("metadata");
  Metadata result;
  result.name.namespace_name = fields.text("namespace");
  result.name.name = fields.text("name");
  result.uid = fields.text("uid");
  result.resource_version = fields.text("resourceVersion");
  result.creation_timestamp = fields.text("creationTimestamp");
  result.annotations = fields.text_map("annotations");
  result.annotations.erase(kLastApplied);
  if (result.name.name.empty()) object.complain("metadata.name", "missing");
  return result;
}

IngressBackend read_ingress_backend(const Fields& fields) {
  IngressBackend result;
  const Fields service = fields.object("service");
  result.has_service = service.present();
  result.service_name = service.text("name");
  const Fields port = service.object("port");
  result.port.name = port.text("name");
  result.port.number = port.number("number").value_or(0);
  return result;
}

IngressRule read_ingress_rule(const Fields& fields) {
  IngressRule result;
  result.host = fields.text("host");
  const Fields http = fields.object("http");
  result.has_http = http.present();
  for (const Fields& path : http.objects("paths")) {
    result.paths.push_back({.path = path.text("path"),
                            .path_type = path.text("pathType"),
                            .backend = read_ingress_backend(path.object("backend"))});
  }
  return result;
}

std::vector<PublishedAddress> read_published(const Fields& fields) {
  std::vector<PublishedAddress> result;
  for (const Fields& address : fields.object("status").object("loadBalancer").objects("ingress")) {
    result.push_back({.ip = address.text("ip"), .hostname = address.text("hostname")});
  }
  return result;
}

void read(const Fields& fields, Ingress& result) {
  const Fields spec = fields.object("spec");
  result.ingress_class_name = spec.optional_text("ingressClassName");
  const Fields default_backend = spec.object("defaultBackend");
  if (default_backend.present()) result.default_backend = read_ingress_backend(default_backend);
  for (const Fields& rule : spec.objects("rules")) result.rules.push_back(read_ingress_rule(rule));
  for (const Fields& tls : spec.objects("tls")) {
    result.tls.push_back({.hosts = tls.texts("hosts"), .secret_name = tls.text("secretName")});
  }
  result.published = read_published(fields);
}

void read(const Fields& fields, IngressClass& result) {
  const Fields spec = fields.object("spec");
  result.controller = spec.text("controller");
  const Fields parameters = spec.object("parameters");
  if (!parameters.present()) return;
  result.parameters = {.api_group = parameters.text("apiGroup"),
                       .kind = parameters.text("kind"),
                       .name = parameters.text("name"),
                       .scope = parameters.optional_text("scope").value_or("Cluster"),
                       .namespace_name = parameters.text("namespace")};
}

std::string protocol_of(const Fields& port) {
  return port.optional_text("protocol").value_or("TCP");
}

void read(const Fields& fields, Service& result) {
  const Fields spec = fields.object("spec");
  result.type = spec.optional_text("type").value_or("ClusterIP");
  result.cluster_ip = spec.text("clusterIP");
  result.external_name = spec.text("externalName");
  for (const Fields& port : spec.objects("ports")) {
    ServicePort read_port{.name = port.text("name"),
                          .port = port.number("port").value_or(0),
                          .target_port = port.text_or_number("targetPort"),
                          .protocol = protocol_of(port),
                          .app_protocol = port.text("appProtocol")};
    // The API server fills targetPort in with port; a manifest may leave it out.
    if (read_port.target_port.empty()) read_port.target_port = std::to_string(read_port.port);
    result.ports.push_back(std::move(read_port));
  }
  result.external_ips = spec.texts("externalIPs");
  result.published = read_published(fields);
}

std::string pod_uid_of(const Fields& endpoint) {
  const Fields target = endpoint.object("targetRef");
  return target.text("kind") == "Pod" ? target.text("uid") : std::string();
}

std::vector<EndpointPort> read_endpoint_ports(const Fields& fields) {
  std::vector<EndpointPort> result;
  for (const Fields& port : fields.objects("ports")) {
    result.push_back({.name = port.text("name"),
                      .port = port.number("port"),
                      .protocol = protocol_of(port),
                      .app_protocol = port.text("appProtocol")});
  }
  return result;
}

std::vector<std::string> read_hint_zones(const Fields& endpoint) {
  std::vector<std::string> result;
  for (const Fields& zone : endpoint.object("hints").objects("forZones")) {
    result.push_back(zone.text("name"));
  }
  return result;
}

void read(const Fields& fields, EndpointSlice& result) {
  const auto labels = fields.object("metadata").text_map("labels");
  const auto label = labels.find(kServiceNameLabel);
  if (label != labels.end()) result.service_name = label->second;
  result.address_type = fields.text("addressType");
  result.ports = read_endpoint_ports(fields);
  for (const Fields& endpoint : fields.objects("endpoints")) {
    const Fields conditions = endpoint.object("conditions");
    result.endpoints.push_back(
        {.addresses = endpoint.texts("addresses"),
         .conditions = {.ready = conditions.flag("ready").value_or(true),
                        .serving = conditions.flag("serving").value_or(true),
                        .terminating = conditions.flag("terminating").value_or(false)},
         .pod_uid = pod_uid_of(endpoint),
         .zone = endpoint.text("zone"),
         .hint_zones = read_hint_zones(endpoint)});
  }
}

std::vector<Endpoint> read_subset_addresses(const Fields& subset, const char* key, bool ready) {
  std::vector<Endpoint> result;
  for (const Fields& address : subset.objects(key)) {
    result.push_back({.addresses = {address.text("ip")},
                      .conditions = {.ready = ready, .serving = ready, .terminating = false},
                      .pod_uid = pod_uid_of(address),
                      .zone = "",
                      .hint_zones = {}});
  }
  return result;
}

void read(const Fields& fields, Endpoints& result) {
  for (const Fields& subset : fields.objects("subsets")) {
    result.subsets.push_back(
        {.addresses = read_subset_addresses(subset, "addresses", true),
         .not_ready_addresses = read_subset_addresses(subset, "notReadyAddresses", false),
         .ports = read_endpoint_ports(subset)});
  }
}

void read(const Fields& fields, ConfigMap& result) {
  result.metadata.annotations.clear();
  result.data = fields.text_map("data");
}

/// Of `data`, decoded, or of `stringData`, which a manifest may have.
std::string read_secret_value(const Fields& fields, const char* key) {
  const std::optional<std::string> plain = fields.object("stringData").optional_text(key);
  if (plain) return *plain;
  const Fields data = fields.object("data");
  const std::string encoded = data.text(key);
  if (encoded.empty()) return encoded;
  base::StatusOr<std::string> decoded = decode_base64(encoded);
  if (decoded.ok()) return *std::move(decoded);
  data.complain(key, std::string(decoded.status().message()));
  return "";
}

void read(const Fields& fields, Secret& result) {
  result.metadata.annotations.clear();
  result.type = fields.optional_text("type").value_or("Opaque");
  result.chain = read_secret_value(fields, "tls.crt");
  result.private_key = read_secret_value(fields, "tls.key");
  result.authorities = read_secret_value(fields, "ca.crt");
  result.revocation_lists = read_secret_value(fields, "ca.crl");
}

template <typename T>
ParsedObject parse_as(const Json& value, const std::string& default_namespace) {
  base::Status complaint;
  const Fields fields(value, complaint);
  auto result = std::make_shared<T>();
  result->metadata = read_metadata(fields);
  ObjectName& name = result->metadata.name;
  if (std::is_same_v<T, IngressClass>) {
    name.namespace_name.clear();
  } else if (name.namespace_name.empty()) {
    name.namespace_name = default_namespace;
  }
  read(fields, *result);
  ParsedObject parsed;
  parsed.name = name;
  parsed.resource_version = result->metadata.resource_version;
  if (complaint.ok()) {
    parsed.object = Object(std::shared_ptr<const T>(std::move(result)));
  } else {
    parsed.object = complaint;
  }
  return parsed;
}

/// As in the API server's paths.
std::string plural_of(Kind kind) {
  switch (kind) {
    case Kind::kIngress:
      return "ingresses";
    case Kind::kIngressClass:
      return "ingressclasses";
    case Kind::kService:
      return "services";
    case Kind::kEndpointSlice:
      return "endpointslices";
    case Kind::kEndpoints:
      return "endpoints";
    case Kind::kConfigMap:
      return "configmaps";
    case Kind::kSecret:
    case Kind::kNamedSecret:
      return "secrets";
  }
  return "";
}

}  // namespace

ParsedObject parse_object(Kind kind, const Json& value, const std::string& default_namespace) {
  switch (kind) {
    case Kind::kIngress:
      return parse_as<Ingress>(value, default_namespace);
    case Kind::kIngressClass:
      return parse_as<IngressClass>(value, default_namespace);
    case Kind::kService:
      return parse_as<Service>(value, default_namespace);
    case Kind::kEndpointSlice:
      return parse_as<EndpointSlice>(value, default_namespace);
    case Kind::kEndpoints:
      return parse_as<Endpoints>(value, default_namespace);
    case Kind::kConfigMap:
      return parse_as<ConfigMap>(value, default_namespace);
    case Kind::kSecret:
      return parse_as<Secret>(value, default_namespace);
    case Kind::kNamedSecret:
      return parse_as<NamedSecret>(value, default_namespace);
  }
  return {};
}

bool is_namespaced(Kind kind) { return kind != Kind::kIngressClass; }

const char* api_version_of(Kind kind) {
  switch (kind) {
    case Kind::kIngress:
    case Kind::kIngressClass:
      return "networking.k8s.io/v1";
    case Kind::kEndpointSlice:
      return "discovery.k8s.io/v1";
    case Kind::kService:
    case Kind::kEndpoints:
    case Kind::kConfigMap:
    case Kind::kSecret:
    case Kind::kNamedSecret:
      return "v1";
  }
  return "";
}

std::string collection_path(Kind kind, const std::string& namespace_name) {
  const std::string version = api_version_of(kind);
  std::string path = (version == "v1" ? "/api/" : "/apis/") + version + "/";
  if (!namespace_name.empty() && is_namespaced(kind)) path += "namespaces/" + namespace_name + "/";
  return path + plural_of(kind);
}

std::string object_path(Kind kind, const ObjectName& name) {
  return collection_path(kind, name.namespace_name) + "/" + name.name;
}

}  // namespace holdfast::kube
