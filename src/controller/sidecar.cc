#include "controller/sidecar.h"

#include <array>

#include "base/host_port.h"
#include "controller/annotations.h"
#include "controller/quote.h"
#include "model/limits.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

// What metrics and logs call them.
constexpr const char* kNamespace = "sidecar";
constexpr const char* kSidecarOrigin = "sidecar";
constexpr const char* kService = "upstream";

base::Status wrong(std::string_view flag, const std::string& reason) {
  return absl::InvalidArgumentError("--" + std::string(flag) + ": " + reason);
}

v1::Origin origin_of(std::string_view flag) {
  v1::Origin origin;
  origin.set_kind("Flag");
  origin.set_namespace_(kNamespace);
  origin.set_name(kSidecarOrigin);
  origin.set_field("--" + std::string(flag));
  return origin;
}

base::StatusOr<v1::Endpoint> parse_upstream(const std::string& text) {
  v1::Endpoint endpoint;
  if (text.starts_with(model::kUnixPrefix)) {
    endpoint.set_address(text);
    return endpoint;
  }
  const auto address = base::parse_host_port(text);
  if (!address.ok()) return address.status();
  endpoint.set_address(address->host);
  endpoint.set_port(address->port);
  return endpoint;
}

v1::Resource endpoint_set(const std::string& cluster, const v1::Endpoint& endpoint) {
  v1::Resource resource;
  resource.set_name(cluster);
  *resource.mutable_endpoint_set()->add_endpoints() = endpoint;
  return resource;
}

v1::Resource cluster_of(const std::string& name, const std::string& port) {
  v1::Resource resource;
  resource.set_name(name);
  *resource.mutable_cluster()->mutable_origin() = origin_of("upstream");
  resource.mutable_cluster()->set_port(port);
  return resource;
}

v1::Resource every_host(const std::string& cluster, v1::RoutePolicy policy) {
  v1::Resource resource;
  resource.set_name("*");
  resource.mutable_virtual_host()->set_host("*");
  v1::Route& route = *resource.mutable_virtual_host()->add_routes();
  *route.mutable_origin() = origin_of("upstream");
  route.mutable_path()->set_fallback(true);
  route.set_cluster(cluster);
  *resource.mutable_virtual_host()->add_policies() = std::move(policy);
  return resource;
}

}  // namespace

base::StatusOr<SidecarConfiguration> sidecar_configuration(
    const std::string& upstream,
    std::span<const std::pair<std::string_view, std::string_view>> settings) {
  base::Status status;
  SidecarConfiguration result;
  v1::RoutePolicy policy = settings_of(settings, built_in_defaults(),
                                       [&](Severity severity, std::string_view name,
                                           const std::string& reason, const std::string&) {
                                         const base::Status found = wrong(name, reason);
                                         if (severity == Severity::kError) {
                                           status.Update(found);
                                         } else {
                                           result.warnings.emplace_back(found.message());
                                         }
                                       })
                               .policy;
  if (!status.ok()) return status;
  // There is nothing to choose from.
  policy.clear_slow_start();
  policy.clear_eject_after();
  policy.clear_eject_for();
  // TLS is not spoken here.
  policy.clear_https_redirect();

  const base::StatusOr<v1::Endpoint> endpoint = parse_upstream(upstream);
  const std::string port =
      endpoint.ok() && endpoint->port() > 0 ? std::to_string(endpoint->port()) : "unix";
  const std::string cluster = std::string(kNamespace) + "/" + kService + "/" + port;
  if (!endpoint.ok() || !model::validate(endpoint_set(cluster, *endpoint)).ok()) {
    return wrong("upstream", quote(upstream) + " is neither ADDR:PORT nor unix:/PATH");
  }
  for (v1::Resource& resource :
       std::array{every_host(cluster, std::move(policy)), cluster_of(cluster, port),
                  endpoint_set(cluster, *endpoint)}) {
    status.Update(model::validate(resource));
    result.transaction.upserts.push_back(model::seal(std::move(resource)));
  }
  if (!status.ok()) return status;
  return result;
}

}  // namespace holdfast::controller
