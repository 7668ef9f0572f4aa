#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "controller/compile.h"

namespace holdfast::controller {

/// The Service of that name, or null.
const kube::Service* find_service(const World& world, const kube::ObjectName& name);

/// The Service's port that an Ingress names by number or by name: a TCP port, since HTTP runs on
/// nothing else; null when there is none.
const kube::ServicePort* find_port(const kube::Service& service,
                                   const kube::ServiceBackendPort& port);

/// What the port in a cluster's name ends with where the Service's cluster IP is the only endpoint,
/// so that such a cluster and one of the Service's pods stand beside each other. No port's name has
/// such a sign.
inline constexpr std::string_view kClusterIpSuffix = "@cluster-ip";

/// Not so of a headless Service, and of one that is outside the cluster.
bool has_cluster_ip(const kube::Service& service);

/// The port's number in a cluster's name; absent where that gives the name of a port, which it does
/// only when the Service had no such port.
std::optional<std::int32_t> port_number_of(const model::ClusterName& name);

/// The one that a cluster's name means; null also where that gives no number.
const kube::ServicePort* find_port(const kube::Service& service, const model::ClusterName& name);

/// "SERVICE:PORT", the port by number or by name, in forms that the API server takes.
std::optional<kube::IngressBackend> parse_backend(std::string_view text);

/// "NAMESPACE/SERVICE:PORT", the port likewise. The error is half a sentence.
base::StatusOr<DefaultBackend> parse_default_backend(std::string_view text);

/// core/v1: absent means TCP.
inline bool is_tcp(const std::string& protocol) { return protocol.empty() || protocol == "TCP"; }

}  // namespace holdfast::controller
