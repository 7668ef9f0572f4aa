#pragma once

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

/// The one that a cluster's name means; null also where that gives the name of a port, which it
/// does only when the Service had no such port.
const kube::ServicePort* find_port(const kube::Service& service, const model::ClusterName& name);

/// "SERVICE:PORT", the port by number or by name, in forms that the API server takes.
std::optional<kube::IngressBackend> parse_backend(std::string_view text);

/// "NAMESPACE/SERVICE:PORT", the port likewise. The error is half a sentence.
base::StatusOr<DefaultBackend> parse_default_backend(std::string_view text);

/// core/v1: absent means TCP.
inline bool is_tcp(const std::string& protocol) { return protocol.empty() || protocol == "TCP"; }

}  // namespace holdfast::controller
