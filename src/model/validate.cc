#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/ip_address.h"
#include "base/url_path.h"
#include "model/check_policy.h"
#include "model/field_rules.h"
#include "model/limits.h"
#include "model/resource.h"

namespace holdfast::model {

namespace {

using base::Status;

bool is_host(std::string_view host) { return host == "*" || is_dns_name(host); }

bool is_cluster_name(std::string_view name) {
  return is_printable(name) && parse_cluster_name(name).has_value();
}

bool is_secret_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  return is_printable(name) && slash != 0 && slash < name.size() - 1 &&
         name.find('/', slash + 1) == std::string_view::npos;
}

Status check_origin(const v1::Origin& origin, std::string_view field) {
  for (const std::string& text :
       {origin.kind(), origin.namespace_(), origin.name(), origin.field()}) {
    if (!is_printable(text)) return wrong(field, ".origin has a byte outside printable ASCII");
  }
  if (origin.kind().empty() || origin.name().empty()) {
    return wrong(field, ".origin does not name an object");
  }
  return absl::OkStatus();
}

/// The kind of match and its path, in the form in which two equal matches are equal.
using MatchKey = std::pair<v1::PathMatch::MatchCase, std::string>;

base::StatusOr<MatchKey> check_path(const v1::PathMatch& path, std::string_view field) {
  if (path.has_fallback()) {
    if (!path.fallback()) return wrong(field, ".path.fallback is false");
    return MatchKey{path.match_case(), ""};
  }
  if (!path.has_exact() && !path.has_prefix()) return wrong(field, ".path has no match");
  const std::string_view text = path.has_exact() ? path.exact() : path.prefix();
  if (!text.starts_with('/')) return wrong(field, ".path does not start with /");
  if (!is_printable(text)) return wrong(field, ".path has a byte outside printable ASCII");
  std::string canonical = base::canonical_path(text);
  while (path.has_prefix() && canonical.size() > 1 && canonical.ends_with('/')) {
    canonical.pop_back();
  }
  return MatchKey{path.match_case(), std::move(canonical)};
}

Status check(const v1::VirtualHost& host, const std::string& name) {
  if (!is_host(host.host())) return wrong("virtual_host.host is not a host name in lower case");
  if (host.host() != name) return wrong("virtual_host.host is not the resource's name");
  for (int i = 0; i < host.policies_size(); ++i) {
    if (Status status = check_policy(host.policies(i)); !status.ok()) {
      return wrong("virtual_host.policies[" + std::to_string(i) + "].",
                   std::string(status.message()));
    }
  }
  std::set<MatchKey> matches;
  for (int i = 0; i < host.routes_size(); ++i) {
    const v1::Route& route = host.routes(i);
    const std::string field = "virtual_host.routes[" + std::to_string(i) + "]";
    if (Status status = check_origin(route.origin(), field); !status.ok()) return status;
    auto match = check_path(route.path(), field);
    if (!match.ok()) return match.status();
    if (!matches.insert(*std::move(match)).second) {
      return wrong(field, ".path is the same match as an earlier route's");
    }
    if (!is_cluster_name(route.cluster())) {
      return wrong(field, ".cluster is not of the form NAMESPACE/SERVICE/PORT");
    }
    if (!route.websocket_cluster().empty() && !is_cluster_name(route.websocket_cluster())) {
      return wrong(field, ".websocket_cluster is not of the form NAMESPACE/SERVICE/PORT");
    }
    if (route.policy() >= static_cast<std::uint32_t>(host.policies_size())) {
      return wrong(field, ".policy is none of virtual_host.policies");
    }
  }
  return absl::OkStatus();
}

Status check(const v1::UpstreamTls& tls) {
  if (tls.server_name().empty() || tls.server_name().front() == '*' ||
      (!is_dns_name(tls.server_name()) && !base::parse_ip(tls.server_name()))) {
    return wrong("cluster.tls.server_name is neither a name in lower case nor an address");
  }
  for (const std::string& secret : {tls.trust_bundle(), tls.certificate()}) {
    if (!secret.empty() && !is_secret_name(secret)) {
      return wrong("cluster.tls names a Secret that is not of the form NAMESPACE/NAME");
    }
  }
  return absl::OkStatus();
}

Status check(const v1::Cluster& cluster, const std::string& name) {
  if (!is_cluster_name(name)) return wrong("name is not of the form NAMESPACE/SERVICE/PORT");
  if (Status status = check_origin(cluster.origin(), "cluster"); !status.ok()) return status;
  if (cluster.port().empty() || !name.ends_with("/" + cluster.port())) {
    return wrong("cluster.port is not the last part of the resource's name");
  }
  if (cluster.has_tls()) {
    if (Status status = check(cluster.tls()); !status.ok()) return status;
  }
  if (!cluster.has_health_check()) return absl::OkStatus();
  const Status status = check_health(cluster.health_check());
  return status.ok() ? status : wrong("cluster.health_check.", std::string(status.message()));
}

Status check_place(const v1::Endpoint& endpoint, const std::string& field,
                   std::set<std::pair<std::string, std::uint32_t>>& seen) {
  std::string place = endpoint.address();
  if (place.starts_with(kUnixPrefix)) {
    if (place.size() > kUnixPrefix.size() + kUnixPathBytes || !is_printable(place) ||
        place[kUnixPrefix.size()] != '/' || endpoint.port() != 0) {
      return wrong(field, ".address is not unix:/PATH without a port");
    }
  } else {
    const auto address = base::parse_ip(place);
    if (!address) return wrong(field, ".address is not an IP address");
    if (endpoint.port() < 1 || endpoint.port() > 65535) {
      return wrong(field, ".port is not between 1 and 65535");
    }
    place = base::to_string(base::unmapped(*address));
  }
  if (!seen.emplace(std::move(place), endpoint.port()).second) {
    return wrong(field, " has the same address and port as an earlier endpoint");
  }
  return absl::OkStatus();
}

Status check(const v1::EndpointSet& set, const std::string& name) {
  if (!is_cluster_name(name)) return wrong("name is not of the form NAMESPACE/SERVICE/PORT");
  if (!is_printable(set.salt())) return wrong("endpoint_set.salt is not printable ASCII");
  std::set<std::pair<std::string, std::uint32_t>> seen;
  for (int i = 0; i < set.endpoints_size(); ++i) {
    const v1::Endpoint& endpoint = set.endpoints(i);
    const std::string field = "endpoint_set.endpoints[" + std::to_string(i) + "]";
    if (Status status = check_place(endpoint, field, seen); !status.ok()) return status;
    const auto& zones = endpoint.hint_zones();
    if (zones.size() > kHintZonesMost) return wrong(field, ".hint_zones are too many");
    if (!is_printable(endpoint.uid()) || !is_printable(endpoint.zone()) ||
        !std::all_of(zones.begin(), zones.end(),
                     [](const std::string& zone) { return is_printable(zone); })) {
      return wrong(field, " has a byte outside printable ASCII");
    }
  }
  return absl::OkStatus();
}

Status check(const v1::ServerName& server, const std::string& name) {
  if (!is_host(server.host())) return wrong("server_name.host is not a host name in lower case");
  if (server.host() != name) return wrong("server_name.host is not the resource's name");
  if (Status status = check_origin(server.origin(), "server_name"); !status.ok()) return status;
  const auto& certificates = server.certificates();
  if (certificates.size() > kCertificatesOfAName) {
    return wrong("server_name.certificates are too many");
  }
  if (!std::all_of(certificates.begin(), certificates.end(), is_secret_name)) {
    return wrong("server_name.certificates has one that is not of the form NAMESPACE/NAME");
  }
  if (!server.has_client_certificates()) return absl::OkStatus();
  const v1::ClientCertificates& client = server.client_certificates();
  if (!is_secret_name(client.trust_bundle())) {
    return wrong("server_name.client_certificates.trust_bundle is not of the form NAMESPACE/NAME");
  }
  const auto [least, most] = kClientCertificateDepthRange;
  if (client.depth() < least || client.depth() > most) {
    return wrong("server_name.client_certificates.depth is not between 1 and 10");
  }
  return absl::OkStatus();
}

Status check(const v1::Certificate& certificate, const std::string& name) {
  if (!is_secret_name(name)) return wrong("name is not of the form NAMESPACE/NAME");
  if (certificate.chain().empty()) return wrong("certificate.chain is empty");
  if (certificate.private_key().empty()) return wrong("certificate.private_key is empty");
  return check_origin(certificate.origin(), "certificate");
}

Status check(const v1::TrustBundle& bundle, const std::string& name) {
  if (!is_secret_name(name)) return wrong("name is not of the form NAMESPACE/NAME");
  if (bundle.authorities().empty()) return wrong("trust_bundle.authorities is empty");
  return check_origin(bundle.origin(), "trust_bundle");
}

}  // namespace

bool has_unix_socket(const v1::Resource& resource) {
  const auto& endpoints = resource.endpoint_set().endpoints();
  return std::any_of(endpoints.begin(), endpoints.end(), [](const v1::Endpoint& endpoint) {
    return endpoint.address().starts_with(kUnixPrefix);
  });
}

Status validate(const v1::Resource& resource) {
  if (resource.ByteSizeLong() > kResourceBytes) {
    return wrong("the resource has more than ", std::to_string(kResourceBytes), " bytes");
  }
  switch (resource.body_case()) {
    case v1::Resource::kVirtualHost:
      return check(resource.virtual_host(), resource.name());
    case v1::Resource::kCluster:
      return check(resource.cluster(), resource.name());
    case v1::Resource::kEndpointSet:
      return check(resource.endpoint_set(), resource.name());
    case v1::Resource::kServerName:
      return check(resource.server_name(), resource.name());
    case v1::Resource::kCertificate:
      return check(resource.certificate(), resource.name());
    case v1::Resource::kTrustBundle:
      return check(resource.trust_bundle(), resource.name());
    case v1::Resource::BODY_NOT_SET:
      break;
  }
  return wrong("the resource has no body, or one that this version does not know");
}

}  // namespace holdfast::model
