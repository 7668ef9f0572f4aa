#include "controller/endpoint_set.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/ip_address.h"
#include "controller/limits.h"
#include "controller/quote.h"
#include "controller/service_port.h"
#include "model/limits.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

/// UIDs and zones are opaque, but end up in every data plane: what Kubernetes would never write
/// counts as absent.
std::string label_or_empty(const std::string& text) {
  const bool sane =
      text.size() <= kEndpointLabelBytes &&
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return sane ? text : "";
}

/// What a set needs besides its endpoints, and an endpoint besides its fields: tags and lengths.
constexpr std::size_t kSetBytes = 1024;
constexpr std::size_t kEndpointFraming = 4;

class SetBuilder {
 public:
  SetBuilder(std::string port_name, ProblemList& problems)
      : port_name_(std::move(port_name)), problems_(problems) {}

  void add(const std::string& key, const kube::EndpointSlice& slice) {
    if (slice.from_dns) return;
    const char* kind = "EndpointSlice";
    kube::ObjectName object = slice.metadata.name;
    if (key.starts_with(kEndpointsSlicePrefix)) {
      kind = "Endpoints";
      object.name = slice.service_name;
    }
    if (slice.address_type == "FQDN") {
      problems_.add(Severity::kWarning, kind, object, "addressType",
                    "host names are not served as endpoints; this slice is ignored");
      return;
    }
    for (const kube::EndpointPort& port : slice.ports) {
      // No number means "all ports", which names none to connect to.
      if (port.name != port_name_ || !is_tcp(port.protocol) || !port.port) continue;
      if (*port.port < 1 || *port.port > 65535) {
        problems_.add(Severity::kError, kind, object, "ports",
                      std::to_string(*port.port) + " is not a port number; it is ignored");
        continue;
      }
      add_endpoints(slice, static_cast<std::uint32_t>(*port.port), kind, object);
    }
  }

  /// A slice of a Service of type ExternalName.
  void add_from_dns(const kube::EndpointSlice& slice, std::uint32_t port,
                    const kube::ObjectName& service) {
    if (!slice.from_dns) return;
    add_endpoints(slice, port, "Service", service);
    complaints_.insert(complaints_.end(), slice.complaints.begin(), slice.complaints.end());
  }

  /// Once all are added: how bad it is depends on whether anything is left.
  void complain(const kube::ObjectName& service) {
    const bool serves = best_[false] != kNone || best_[true] != kNone;
    for (const std::string& complaint : complaints_) {
      problems_.add(serves ? Severity::kWarning : Severity::kError, "Service", service,
                    "spec.externalName", complaint);
    }
  }

  v1::EndpointSet build(const kube::ObjectName& service) {
    // Both families of a dual-stack Service name the same pods; using both would double their
    // weight. So the set has one: IPv4, unless only IPv6 has a ready endpoint. Who comes back to a
    // pod finds it by its UID and port, which are the same in both.
    const bool ipv6 = best_[true] > best_[false];
    v1::EndpointSet set;
    std::size_t count = 0;
    std::size_t bytes = kSetBytes;
    for (bool terminating : {false, true}) {
      for (const auto& [place, endpoint] : endpoints_[ipv6]) {
        if (endpoint.terminating() != terminating) continue;
        ++count;
        bytes += endpoint.ByteSizeLong() + kEndpointFraming;
        if (set.endpoints_size() == static_cast<int>(kEndpointsPerSet)) continue;
        if (bytes <= model::kResourceBytes) *set.add_endpoints() = endpoint;
      }
    }
    const auto used = static_cast<std::size_t>(set.endpoints_size());
    if (count > used) {
      problems_.add(Severity::kError, "Service", service, "",
                    "there are " + std::to_string(count) + " endpoints; only " +
                        std::to_string(used) + " of them are used");
    }
    return set;
  }

 private:
  /// How well a family serves, in rising order.
  enum Best { kNone, kTerminating, kReady };

  void add_endpoints(const kube::EndpointSlice& slice, std::uint32_t port, const char* kind,
                     const kube::ObjectName& object) {
    for (std::size_t i = 0; i < slice.endpoints.size(); ++i) {
      const kube::Endpoint& from = slice.endpoints[i];
      const auto& is = from.conditions;
      // Never one that does not serve; terminating ones travel along, so that the data plane has
      // them at hand when no ready one is left.
      if (from.addresses.empty() || (!is.ready && !(is.serving && is.terminating))) continue;
      // discovery/v1: consumers use the first address only.
      const auto address = base::parse_ip(from.addresses[0]);
      if (!address) {
        problems_.add(Severity::kError, kind, object,
                      "endpoints[" + std::to_string(i) + "].addresses[0]",
                      quote(from.addresses[0]) + " is not an IP address; the endpoint is ignored");
        continue;
      }
      v1::Endpoint endpoint;
      endpoint.set_address(base::to_string(*address));
      endpoint.set_port(port);
      endpoint.set_uid(label_or_empty(from.pod_uid));
      endpoint.set_terminating(!is.ready);
      endpoint.set_zone(label_or_empty(from.zone));
      for (const std::string& zone : from.hint_zones) {
        if (endpoint.hint_zones_size() < model::kHintZonesMost) {
          endpoint.add_hint_zones(label_or_empty(zone));
        }
      }
      merge(address->ipv6, std::move(endpoint));
    }
  }

  /// The same endpoint may stand in two slices for a moment: the better condition wins, then the
  /// one that says more; what is left is decided by content, so that order never matters.
  void merge(bool ipv6, v1::Endpoint endpoint) {
    best_[ipv6] = std::max(best_[ipv6], endpoint.terminating() ? kTerminating : kReady);
    const auto [place, fresh] =
        endpoints_[ipv6].try_emplace({endpoint.address(), endpoint.port()}, endpoint);
    const auto rank = [](const v1::Endpoint& e) {
      return std::tuple(e.terminating(), e.uid().empty(), e.zone().empty(),
                        std::string_view(e.uid()), std::string_view(e.zone()));
    };
    if (!fresh && rank(endpoint) < rank(place->second)) place->second = std::move(endpoint);
  }

  const std::string port_name_;
  ProblemList& problems_;
  std::array<std::map<std::pair<std::string, std::uint32_t>, v1::Endpoint>, 2> endpoints_;
  std::array<Best, 2> best_{kNone, kNone};
  std::vector<std::string> complaints_;
};

using Slices = std::map<std::string, std::shared_ptr<const kube::EndpointSlice>>;

/// Of a Service of type ExternalName: the port is the one that the Ingress names, and what the
/// Service had of endpoints while it was of another type does not count.
v1::EndpointSet external_set(const Slices& slices, std::int32_t port,
                             const kube::ObjectName& service, ProblemList& problems) {
  SetBuilder builder("", problems);
  for (const auto& [key, slice] : slices) {
    builder.add_from_dns(*slice, static_cast<std::uint32_t>(port), service);
  }
  builder.complain(service);
  return builder.build(service);
}

v1::EndpointSet set_of_pods(const Slices& slices, const std::string& port_name,
                            const kube::ObjectName& service, ProblemList& problems) {
  SetBuilder builder(port_name, problems);
  for (const auto& [key, slice] : slices) builder.add(key, *slice);
  return builder.build(service);
}

/// The address of the Service itself.
v1::EndpointSet cluster_ip_set(const kube::Service& service, const kube::ServicePort& port) {
  v1::EndpointSet set;
  v1::Endpoint& endpoint = *set.add_endpoints();
  endpoint.set_address(service.cluster_ip);
  endpoint.set_port(static_cast<std::uint32_t>(port.port));
  // Another Service with the address of one that is gone is another endpoint.
  endpoint.set_uid(label_or_empty(service.metadata.uid));
  return set;
}

/// Absent where the Service has no such port.
std::optional<v1::EndpointSet> set_of(const kube::Service& service,
                                      const model::ClusterName& cluster, const Slices& slices,
                                      ProblemList& problems) {
  const kube::ObjectName name{cluster.service_namespace, cluster.service};
  if (service.is_external_name()) {
    const auto port = port_number_of(cluster);
    if (!port) return std::nullopt;
    return external_set(slices, *port, name, problems);
  }
  const kube::ServicePort* port = find_port(service, cluster);
  if (port == nullptr) return std::nullopt;
  if (cluster.port.ends_with(kClusterIpSuffix)) return cluster_ip_set(service, *port);
  return set_of_pods(slices, port->name, name, problems);
}

}  // namespace

model::ResourcePtr compile_endpoint_set(const World& world, const std::string& name,
                                        ProblemList& problems) {
  v1::Resource resource;
  resource.set_name(name);
  v1::EndpointSet& set = *resource.mutable_endpoint_set();
  const auto parts = model::parse_cluster_name(name);
  if (!parts) return model::seal(std::move(resource));
  const kube::ObjectName service_name{parts->service_namespace, parts->service};
  const kube::Service* service = find_service(world, service_name);
  if (service == nullptr) return model::seal(std::move(resource));
  static const Slices none;
  const auto slices = world.slices.find(service_name);
  auto made =
      set_of(*service, *parts, slices == world.slices.end() ? none : slices->second, problems);
  if (made) {
    set = *std::move(made);
    set.set_salt(label_or_empty(service->metadata.uid));
  }
  return model::seal(std::move(resource));
}

}  // namespace holdfast::controller
