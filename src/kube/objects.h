#pragma once

// The Kubernetes objects that Holdfast reads, as plain values with only the fields that it uses.
// They come from the API server or from a folder of manifests; nobody downstream can tell which.
// Immutable once shared: one thread builds an object, any thread may read it.
// Field names and meanings are those of k8s.io/api (networking/v1, core/v1, discovery/v1).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::kube {

/// What is followed in one way. Secrets are followed in two: those that hold a certificate and its
/// key all together, and whichever an Ingress names one at a time.
enum class Kind {
  kIngress,
  kIngressClass,
  kService,
  kEndpointSlice,
  kEndpoints,
  kConfigMap,
  kSecret,
  kNamedSecret,
};
inline constexpr std::size_t kKindCount = static_cast<std::size_t>(Kind::kNamedSecret) + 1;

/// Namespace and name. The namespace of a cluster-scoped object is empty.
struct ObjectName {
  std::string namespace_name;
  std::string name;

  auto operator<=>(const ObjectName&) const = default;
};

/// Whose objects a full list is about: those of one kind, in one namespace or in all, or a single
/// one, whether it exists or not.
struct Scope {
  /// A kind alone means every namespace; of a cluster-scoped kind that is all there is.
  Scope(Kind kind_in_all, std::string namespace_in = "")
      : kind(kind_in_all), namespace_name(std::move(namespace_in)) {}
  /// One object of a namespaced kind.
  Scope(Kind kind_of_one, const ObjectName& one)
      : kind(kind_of_one), namespace_name(one.namespace_name), name(one.name) {}

  Kind kind;
  std::string namespace_name;
  /// Empty: every name.
  std::string name;

  [[nodiscard]] bool is_single() const { return !name.empty(); }
  /// Of an object of this kind.
  [[nodiscard]] bool covers(const ObjectName& object) const {
    return (namespace_name.empty() || object.namespace_name == namespace_name) &&
           (name.empty() || object.name == name);
  }
  auto operator<=>(const Scope&) const = default;
};

/// metadata
struct Metadata {
  ObjectName name;
  std::string uid;
  /// Opaque; compared for equality only.
  std::string resource_version;
  /// RFC 3339 in UTC as the API server writes it, so that text order is time order; may be empty.
  std::string creation_timestamp;
  std::map<std::string, std::string> annotations;

  /// Whatever the resource version: that changes also when nothing of what is kept here does.
  bool operator==(const Metadata& other) const {
    return name == other.name && uid == other.uid &&
           creation_timestamp == other.creation_timestamp && annotations == other.annotations;
  }
};

/// A Service port by number or by name (networking/v1 ServiceBackendPort; exactly one is set).
struct ServiceBackendPort {
  std::string name;
  std::int32_t number = 0;

  bool operator==(const ServiceBackendPort&) const = default;
};

/// networking/v1 IngressBackend. Absent service: a resource backend, which Holdfast does not serve.
struct IngressBackend {
  bool has_service = false;
  std::string service_name;
  ServiceBackendPort port;

  bool operator==(const IngressBackend&) const = default;
};

/// networking/v1 HTTPIngressPath. path_type is as written: Exact, Prefix, ImplementationSpecific,
/// or anything else.
struct IngressPath {
  std::string path;
  std::string path_type;
  IngressBackend backend;

  bool operator==(const IngressPath&) const = default;
};

/// networking/v1 IngressRule. An empty host means every host. Without http, has_http is false: all
/// traffic of the host goes to the default backend.
struct IngressRule {
  std::string host;
  bool has_http = false;
  std::vector<IngressPath> paths;

  bool operator==(const IngressRule&) const = default;
};

/// networking/v1 IngressTLS
struct IngressTls {
  std::vector<std::string> hosts;
  std::string secret_name;

  bool operator==(const IngressTls&) const = default;
};

/// Where traffic is to go (networking/v1 IngressLoadBalancerIngress, core/v1 LoadBalancerIngress):
/// usually one of the two.
struct PublishedAddress {
  std::string ip;
  std::string hostname;

  auto operator<=>(const PublishedAddress&) const = default;
};

/// networking/v1 Ingress
struct Ingress {
  Metadata metadata;
  std::optional<std::string> ingress_class_name;
  std::optional<IngressBackend> default_backend;
  std::vector<IngressRule> rules;
  std::vector<IngressTls> tls;
  /// status.loadBalancer.ingress: written by controllers, read by none of their decisions, so two
  /// that differ in it alone are the same.
  std::vector<PublishedAddress> published = {};

  bool operator==(const Ingress& other) const {
    return metadata == other.metadata && ingress_class_name == other.ingress_class_name &&
           default_backend == other.default_backend && rules == other.rules && tls == other.tls;
  }
};

/// networking/v1 IngressClassParametersReference. `scope` is as written, Cluster where nothing is.
struct ClassParameters {
  std::string api_group;
  std::string kind;
  std::string name;
  std::string scope;
  std::string namespace_name;

  bool operator==(const ClassParameters&) const = default;
};

/// networking/v1 IngressClass. The default class carries the annotation
/// ingressclass.kubernetes.io/is-default-class: "true".
struct IngressClass {
  Metadata metadata;
  std::string controller;
  std::optional<ClassParameters> parameters;

  bool operator==(const IngressClass&) const = default;
};

/// core/v1 ServicePort. target_port is a number or a name of a container port, in text.
struct ServicePort {
  std::string name;
  std::int32_t port = 0;
  std::string target_port;
  /// TCP (the default), UDP or SCTP.
  std::string protocol;
  std::string app_protocol;

  bool operator==(const ServicePort&) const = default;
};

/// core/v1 Service
struct Service {
  Metadata metadata;
  /// ClusterIP, NodePort, LoadBalancer or ExternalName.
  std::string type;
  std::string cluster_ip;
  std::string external_name;
  std::vector<ServicePort> ports;
  /// spec.externalIPs and status.loadBalancer.ingress: of the Service that is published. Two that
  /// differ in these alone are the same.
  std::vector<std::string> external_ips = {};
  std::vector<PublishedAddress> published = {};

  /// It stands for a DNS name, and has neither a selector nor endpoints.
  [[nodiscard]] bool is_external_name() const { return type == "ExternalName"; }
  bool operator==(const Service& other) const {
    return metadata == other.metadata && type == other.type && cluster_ip == other.cluster_ip &&
           external_name == other.external_name && ports == other.ports;
  }
};

/// discovery/v1 EndpointConditions; nil values resolved as k8s.io/api says: ready and serving true,
/// terminating false.
struct EndpointConditions {
  bool ready = true;
  bool serving = true;
  bool terminating = false;

  bool operator==(const EndpointConditions&) const = default;
};

/// discovery/v1 Endpoint
struct Endpoint {
  std::vector<std::string> addresses;
  EndpointConditions conditions;
  /// targetRef.uid when targetRef is a Pod.
  std::string pod_uid;
  std::string zone;
  /// hints.forZones[].name
  std::vector<std::string> hint_zones;

  bool operator==(const Endpoint&) const = default;
};

/// discovery/v1 EndpointPort. nil port ("all ports") is kept as absent.
struct EndpointPort {
  std::string name;
  std::optional<std::int32_t> port;
  std::string protocol;
  std::string app_protocol;

  bool operator==(const EndpointPort&) const = default;
};

/// discovery/v1 EndpointSlice. Core/v1 Endpoints are read as slices too, one for each subset, by
/// slices_of().
struct EndpointSlice {
  Metadata metadata;
  /// The Service, from the label kubernetes.io/service-name, in the slice's own namespace.
  std::string service_name;
  /// IPv4, IPv6 or FQDN.
  std::string address_type;
  std::vector<Endpoint> endpoints;
  std::vector<EndpointPort> ports;
  /// Never of an object: what DNS says of the name behind a Service of type ExternalName. It has no
  /// port; that is the Ingress's to say.
  bool from_dns = false;
  /// Of such a one: what is wrong with the name and what is served instead, a sentence each.
  std::vector<std::string> complaints = {};

  bool operator==(const EndpointSlice&) const = default;
};

/// core/v1 EndpointSubset
struct EndpointSubset {
  std::vector<Endpoint> addresses;
  std::vector<Endpoint> not_ready_addresses;
  std::vector<EndpointPort> ports;

  bool operator==(const EndpointSubset&) const = default;
};

/// core/v1 Endpoints; carries the name of its Service.
struct Endpoints {
  Metadata metadata;
  std::vector<EndpointSubset> subsets;

  bool operator==(const Endpoints&) const = default;
};

/// core/v1 ConfigMap. Of its metadata no annotations are kept: nothing is read from them, and a
/// ConfigMap that serves as a lock changes them every few seconds.
struct ConfigMap {
  Metadata metadata;
  std::map<std::string, std::string> data;

  bool operator==(const ConfigMap&) const = default;
};

/// Secret.type of those that hold a certificate and its key.
inline constexpr char kTlsSecretType[] = "kubernetes.io/tls";

/// core/v1 Secret: of its data only what TLS is made of, decoded; empty where it is not there. No
/// annotations are kept. The private key here is wiped when the object goes.
struct Secret {
  Secret() = default;
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();

  Metadata metadata;
  std::string type;
  /// tls.crt
  std::string chain;
  /// tls.key
  std::string private_key;
  /// ca.crt
  std::string authorities;
  /// ca.crl
  std::string revocation_lists;

  bool operator==(const Secret& other) const {
    return metadata == other.metadata && type == other.type && chain == other.chain &&
           private_key == other.private_key && authorities == other.authorities &&
           revocation_lists == other.revocation_lists;
  }
};

/// A Secret of whatever type that is followed by its name (Scope::is_single).
struct NamedSecret : Secret {
  NamedSecret() = default;
  explicit NamedSecret(const Secret& secret) : Secret(secret) {}
};

using Object = std::variant<std::shared_ptr<const Ingress>, std::shared_ptr<const IngressClass>,
                            std::shared_ptr<const Service>, std::shared_ptr<const EndpointSlice>,
                            std::shared_ptr<const Endpoints>, std::shared_ptr<const ConfigMap>,
                            std::shared_ptr<const Secret>, std::shared_ptr<const NamedSecret>>;

Kind kind_of(const Object& object);
const Metadata& metadata_of(const Object& object);
/// "Ingress", "IngressClass", ... as in `kind:`.
const char* to_string(Kind kind);

/// The slices that the EndpointSlice mirroring controller would make of `endpoints`: not-ready
/// addresses become endpoints with ready = false.
std::vector<EndpointSlice> slices_of(const Endpoints& endpoints);

/// Who wants to know. Called on the control thread only.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  /// The complete state of one scope: what is missing of it is gone. The first call for a scope
  /// says that its first full list is in.
  virtual void replace(const Scope& scope, std::vector<Object> objects) = 0;
  /// Added or changed.
  virtual void upsert(Object object) = 0;
  /// Gone. Unknown objects are ignored.
  virtual void remove(Kind kind, const ObjectName& name) = 0;
  /// An object that could not be read, may not be, or, with the kind "Manifest", a file of the
  /// manifest folder; its last good state, if any, stays. `kind` is as in `kind:`, `reason` one
  /// sentence; an empty reason: it reads well again.
  virtual void report_unreadable(const std::string& kind, const ObjectName& name,
                                 const std::string& reason) = 0;
};

}  // namespace holdfast::kube
