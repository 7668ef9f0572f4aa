#pragma once

// What Ingresses name: hosts, paths, objects, ports, and which forms of them are served. The rules
// are the API server's own (k8s.io/kubernetes, pkg/apis/networking/validation), since objects from
// a folder of manifests have passed no API server. Pure; errors are half a sentence.

#include <string>
#include <string_view>

#include "base/status.h"
#include "kube/objects.h"

namespace holdfast::controller {

/// Ingress spec.rules[].host: a DNS-1123 subdomain, or one with "*." in front; not an IP address,
/// no port. Returns it in lower case; empty becomes "*".
base::StatusOr<std::string> parse_host(std::string_view host);

/// Ingress spec.rules[].http.paths[].path of pathType Exact or Prefix (`strict`) or
/// ImplementationSpecific, of which the API server asks no more than the leading slash. A path that
/// no request can have, since the edge refuses its bytes or dot segments, is an error in both.
base::Status check_path(std::string_view path, bool strict);

/// A namespace, or the name of an Ingress or a Service: a DNS-1123 subdomain of at most 253 bytes.
bool is_object_name(std::string_view name);

/// "NAMESPACE/NAME", as flags name an object. The error is half a sentence.
base::StatusOr<kube::ObjectName> parse_object_name(std::string_view text);

/// core/v1 ServicePort.name: an IANA service name with at least one letter, so never a number.
bool is_port_name(std::string_view name);

}  // namespace holdfast::controller
