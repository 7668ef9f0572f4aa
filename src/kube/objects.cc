#include "kube/objects.h"

#include <openssl/crypto.h>

#include <utility>

namespace holdfast::kube {

Secret::~Secret() { OPENSSL_cleanse(private_key.data(), private_key.size()); }

Kind kind_of(const Object& object) {
  // The variant's order is the enumeration's.
  static_assert(std::variant_size_v<Object> == kKindCount);
  return static_cast<Kind>(object.index());
}

const Metadata& metadata_of(const Object& object) {
  return std::visit([](const auto& value) -> const Metadata& { return value->metadata; }, object);
}

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::kIngress:
      return "Ingress";
    case Kind::kIngressClass:
      return "IngressClass";
    case Kind::kService:
      return "Service";
    case Kind::kEndpointSlice:
      return "EndpointSlice";
    case Kind::kEndpoints:
      return "Endpoints";
    case Kind::kConfigMap:
      return "ConfigMap";
    case Kind::kSecret:
    case Kind::kNamedSecret:
      return "Secret";
  }
  return "?";
}

namespace {

bool is_ipv6(const Endpoint& endpoint) {
  return !endpoint.addresses.empty() && endpoint.addresses[0].find(':') != std::string::npos;
}

void copy_family(const std::vector<Endpoint>& from, bool ipv6, bool ready, EndpointSlice& to) {
  for (const Endpoint& endpoint : from) {
    if (is_ipv6(endpoint) != ipv6) continue;
    to.endpoints.push_back(endpoint);
    to.endpoints.back().conditions = {.ready = ready, .serving = ready, .terminating = false};
  }
}

}  // namespace

std::vector<EndpointSlice> slices_of(const Endpoints& endpoints) {
  std::vector<EndpointSlice> slices;
  for (std::size_t i = 0; i < endpoints.subsets.size(); ++i) {
    const EndpointSubset& subset = endpoints.subsets[i];
    for (const bool ipv6 : {false, true}) {
      EndpointSlice slice;
      copy_family(subset.addresses, ipv6, true, slice);
      copy_family(subset.not_ready_addresses, ipv6, false, slice);
      if (slice.endpoints.empty()) continue;
      slice.metadata = endpoints.metadata;
      slice.metadata.name.name += "-" + std::to_string(i) + (ipv6 ? "-ipv6" : "-ipv4");
      slice.service_name = endpoints.metadata.name.name;
      slice.address_type = ipv6 ? "IPv6" : "IPv4";
      slice.ports = subset.ports;
      slices.push_back(std::move(slice));
    }
  }
  return slices;
}

}  // namespace holdfast::kube
