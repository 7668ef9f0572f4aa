#include "controller/service_port.h"

#include <algorithm>
#include <charconv>

namespace holdfast::controller {

const kube::Service* find_service(const World& world, const kube::ObjectName& name) {
  const auto found = world.services.find(name);
  return found == world.services.end() ? nullptr : found->second.get();
}

const kube::ServicePort* find_port(const kube::Service& service,
                                   const kube::ServiceBackendPort& port) {
  const auto found =
      std::find_if(service.ports.begin(), service.ports.end(), [&](const kube::ServicePort& p) {
        return is_tcp(p.protocol) &&
               (port.name.empty() ? p.port == port.number : p.name == port.name);
      });
  return found == service.ports.end() ? nullptr : &*found;
}

const kube::ServicePort* find_port(const kube::Service& service, const model::ClusterName& name) {
  std::int32_t number = 0;
  const char* end = name.port.data() + name.port.size();
  const auto read = std::from_chars(name.port.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return nullptr;
  return find_port(service, kube::ServiceBackendPort{.name = "", .number = number});
}

}  // namespace holdfast::controller
