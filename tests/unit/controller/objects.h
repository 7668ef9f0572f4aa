#pragma once

#include <string>

#include "kube/objects.h"

namespace holdfast::controller {

inline kube::ServicePort service_port(const std::string& name, std::int32_t port) {
  kube::ServicePort made;
  made.name = name;
  made.port = port;
  made.protocol = "TCP";
  return made;
}

inline kube::EndpointPort endpoint_port(const std::string& name, std::int32_t port) {
  kube::EndpointPort made;
  made.name = name;
  made.port = port;
  made.protocol = "TCP";
  return made;
}

inline kube::Endpoint endpoint_at(const std::string& address) {
  kube::Endpoint made;
  made.addresses = {address};
  return made;
}

/// A rule with one Prefix path to port 80 of a Service.
inline kube::IngressRule rule(const std::string& host, const std::string& path,
                              const std::string& service) {
  kube::IngressPath made;
  made.path = path;
  made.path_type = "Prefix";
  made.backend.has_service = true;
  made.backend.service_name = service;
  made.backend.port.number = 80;
  kube::IngressRule result;
  result.host = host;
  result.has_http = true;
  result.paths = {made};
  return result;
}

}  // namespace holdfast::controller
