#include "controller/service_port.h"

#include <algorithm>
#include <charconv>

#include "base/ip_address.h"
#include "controller/names.h"
#include "controller/quote.h"

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

std::optional<std::int32_t> port_number_of(const model::ClusterName& name) {
  std::string_view port = name.port;
  if (port.ends_with(kClusterIpSuffix)) port.remove_suffix(kClusterIpSuffix.size());
  std::int32_t number = 0;
  const char* end = port.data() + port.size();
  const auto read = std::from_chars(port.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

const kube::ServicePort* find_port(const kube::Service& service, const model::ClusterName& name) {
  const auto number = port_number_of(name);
  if (!number) return nullptr;
  return find_port(service, kube::ServiceBackendPort{.name = "", .number = *number});
}

bool has_cluster_ip(const kube::Service& service) {
  return !service.is_external_name() && base::parse_ip(service.cluster_ip).has_value();
}

std::optional<kube::IngressBackend> parse_backend(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  kube::IngressBackend backend;
  backend.has_service = true;
  backend.service_name = std::string(text.substr(0, std::min(colon, text.size())));
  const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto read = std::from_chars(port.data(), end, backend.port.number);
  const bool by_number = read.ec == std::errc() && read.ptr == end;
  if (!by_number) {
    backend.port.number = 0;
    backend.port.name = std::string(port);
  }
  const bool port_ok =
      by_number ? backend.port.number >= 1 && backend.port.number <= 65535 : is_port_name(port);
  if (!is_object_name(backend.service_name) || !port_ok) return std::nullopt;
  return backend;
}

base::StatusOr<DefaultBackend> parse_default_backend(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view name_space = text.substr(0, std::min(slash, text.size()));
  const auto backend =
      slash == std::string_view::npos ? std::nullopt : parse_backend(text.substr(slash + 1));
  if (!is_object_name(name_space) || !backend) {
    return absl::InvalidArgumentError(
        quote(text) + " is not NAMESPACE/SERVICE:PORT, with the port's number or name");
  }
  return DefaultBackend{std::string(name_space), *backend};
}

}  // namespace holdfast::controller
