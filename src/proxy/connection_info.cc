#include "proxy/connection_info.h"

namespace holdfast::proxy {

void ConnectionInfo::set_route(const RoutePolicy& policy, const Endpoint* chosen) {
  ingress_namespace = policy.names.ingress_namespace;
  ingress = policy.names.ingress;
  service = policy.names.service;
  endpoint = chosen == nullptr ? "" : chosen->text;
}

bool ConnectionQuery::matches(const ConnectionInfo& info) const {
  const auto accepts = [](const std::string& wanted, const std::string& text) {
    return wanted.empty() || wanted == text;
  };
  return info.number < before && accepts(kind, info.kind) &&
         accepts(ingress_namespace, info.ingress_namespace) && accepts(ingress, info.ingress) &&
         accepts(service, info.service) && accepts(endpoint, info.endpoint) &&
         accepts(client, info.client);
}

}  // namespace holdfast::proxy
