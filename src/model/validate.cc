#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/ip_address.h"
#include "model/limits.h"
#include "model/resource.h"

namespace holdfast::model {

namespace {

using base::Status;

template <class... Pieces>
Status wrong(const Pieces&... pieces) {
  std::string sentence;
  (sentence.append(pieces), ...);
  return absl::InvalidArgumentError(sentence);
}

/// What may stand in a name, a path or a UID. Neither a request's path nor anything that Kubernetes
/// names has other bytes, and protobuf would not even parse those that are not UTF-8.
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_label(std::string_view label) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), ok);
}

bool is_host(std::string_view host) {
  if (host == "*") return true;
  if (host.size() > kHostBytes) return false;
  if (host.starts_with("*.")) host.remove_prefix(2);
  while (true) {
    const std::size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_cluster_name(std::string_view name) {
  return is_printable(name) && parse_cluster_name(name).has_value();
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
  std::string_view text = path.has_exact() ? path.exact() : path.prefix();
  if (!text.starts_with('/')) return wrong(field, ".path does not start with /");
  if (!is_printable(text)) return wrong(field, ".path has a byte outside printable ASCII");
  while (path.has_prefix() && text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  return MatchKey{path.match_case(), std::string(text)};
}

struct TimeoutField {
  std::string_view name;
  bool present;
  const google::protobuf::Duration& value;
  DurationRange range;
};

Status check_timeout(const TimeoutField& field, std::string_view route) {
  if (!field.present) return wrong(route, ".policy.", field.name, " is not set");
  const auto& value = field.value;
  // Seconds first: more of them than the range has could overflow nanoseconds.
  const auto most = std::chrono::ceil<std::chrono::seconds>(field.range.most).count();
  const bool sane = value.seconds() >= 0 && value.seconds() <= most && value.nanos() >= 0 &&
                    value.nanos() < 1'000'000'000;
  const base::Duration duration =
      sane ? std::chrono::seconds(value.seconds()) + std::chrono::nanoseconds(value.nanos())
           : base::Duration::max();
  if (duration < field.range.least || duration > field.range.most) {
    return wrong(route, ".policy.", field.name, " is out of range");
  }
  return absl::OkStatus();
}

Status check_policy(const v1::RoutePolicy& policy, std::string_view route) {
  if (policy.load_balance() != v1::LOAD_BALANCE_LEAST_CONNECTIONS &&
      policy.load_balance() != v1::LOAD_BALANCE_ROUND_ROBIN) {
    return wrong(route, ".policy.load_balance is not known");
  }
  const std::array<TimeoutField, 4> timeouts{{
      {"connect_timeout", policy.has_connect_timeout(), policy.connect_timeout(),
       kConnectTimeoutRange},
      {"idle_timeout", policy.has_idle_timeout(), policy.idle_timeout(), kIdleTimeoutRange},
      {"request_timeout", policy.has_request_timeout(), policy.request_timeout(),
       kRequestTimeoutRange},
      {"upgrade_timeout", policy.has_upgrade_timeout(), policy.upgrade_timeout(),
       kRequestTimeoutRange},
  }};
  for (const TimeoutField& timeout : timeouts) {
    if (Status status = check_timeout(timeout, route); !status.ok()) return status;
  }
  if (policy.max_body_bytes() > kMaxBodyBytesRange.most) {
    return wrong(route, ".policy.max_body_bytes is out of range");
  }
  return absl::OkStatus();
}

Status check(const v1::VirtualHost& host, const std::string& name) {
  if (!is_host(host.host())) return wrong("virtual_host.host is not a host name in lower case");
  if (host.host() != name) return wrong("virtual_host.host is not the resource's name");
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
    if (Status status = check_policy(route.policy(), field); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Status check(const v1::Cluster& cluster, const std::string& name) {
  if (!is_cluster_name(name)) return wrong("name is not of the form NAMESPACE/SERVICE/PORT");
  if (Status status = check_origin(cluster.origin(), "cluster"); !status.ok()) return status;
  if (cluster.port().empty() || !name.ends_with("/" + cluster.port())) {
    return wrong("cluster.port is not the last part of the resource's name");
  }
  return absl::OkStatus();
}

Status check(const v1::EndpointSet& set, const std::string& name) {
  if (!is_cluster_name(name)) return wrong("name is not of the form NAMESPACE/SERVICE/PORT");
  std::set<std::pair<base::IpAddress, std::uint32_t>> seen;
  for (int i = 0; i < set.endpoints_size(); ++i) {
    const v1::Endpoint& endpoint = set.endpoints(i);
    const std::string field = "endpoint_set.endpoints[" + std::to_string(i) + "]";
    const auto address = base::parse_ip(endpoint.address());
    if (!address) return wrong(field, ".address is not an IP address");
    if (endpoint.port() < 1 || endpoint.port() > 65535) {
      return wrong(field, ".port is not between 1 and 65535");
    }
    if (!is_printable(endpoint.uid()) || !is_printable(endpoint.zone())) {
      return wrong(field, " has a byte outside printable ASCII");
    }
    if (!seen.emplace(*address, endpoint.port()).second) {
      return wrong(field, " has the same address and port as an earlier endpoint");
    }
  }
  return absl::OkStatus();
}

}  // namespace

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
    case v1::Resource::BODY_NOT_SET:
      break;
  }
  return wrong("the resource has no body, or one that this version does not know");
}

}  // namespace holdfast::model
