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
  return info.number < before && accepts(filter.kind, info.kind) &&
         accepts(filter.ingress_namespace, info.ingress_namespace) &&
         accepts(filter.ingress, info.ingress) && accepts(filter.service, info.service) &&
         accepts(filter.endpoint, info.endpoint) && accepts(filter.client, info.client);
}

}  // namespace holdfast::proxy
