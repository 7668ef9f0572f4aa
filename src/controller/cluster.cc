#include "controller/cluster.h"

#include <utility>

#include "controller/endpoint_set.h"
#include "controller/quote.h"
#include "controller/service_port.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

/// With the port's field, where it exists.
v1::Origin origin_of(const World& world, const model::ClusterName& name) {
  v1::Origin origin;
  origin.set_kind("Service");
  origin.set_namespace_(name.service_namespace);
  origin.set_name(name.service);
  const kube::Service* service = find_service(world, {name.service_namespace, name.service});
  const kube::ServicePort* port = service == nullptr ? nullptr : find_port(*service, name);
  if (port != nullptr) {
    origin.set_field("spec.ports[" + std::to_string(port - service->ports.data()) + "]");
  }
  return origin;
}

model::ResourcePtr valid_or_null(model::ResourcePtr resource, const v1::Origin& origin,
                                 ProblemList& problems) {
  const base::Status status = model::validate(*resource);
  if (status.ok()) return resource;
  problems.add(Severity::kError, "Service", {origin.namespace_(), origin.name()}, origin.field(),
               std::string(status.message()) + "; it is not served");
  return nullptr;
}

}  // namespace

model::ResourcePtr compile_cluster(const World& world, const std::string& name,
                                   const Claimants& choosers, ProblemList& problems) {
  const auto parts = model::parse_cluster_name(name);
  if (!parts) return nullptr;
  const v1::Origin origin = origin_of(world, *parts);
  v1::Resource resource;
  resource.set_name(name);
  v1::Cluster& cluster = *resource.mutable_cluster();
  *cluster.mutable_origin() = origin;
  cluster.set_port(parts->port);
  if (!choosers.empty()) {
    const std::string& check = (*choosers.begin())->result.health_check;
    // What we have serialised ourselves.
    cluster.mutable_health_check()->ParseFromString(check);
    for (const Claimant* chooser : choosers) {
      if (chooser->result.health_check == check) continue;
      problems.add(Severity::kWarning, "Ingress", *chooser->name,
                   "metadata.annotations[\"holdfast.dev/health-path\"]",
                   "Service " + quote(parts->service) +
                       " is checked as an older Ingress says, which is otherwise");
    }
  }
  return valid_or_null(model::seal(std::move(resource)), origin, problems);
}

model::ResourcePtr compile_valid_endpoint_set(const World& world, const std::string& name,
                                              ProblemList& problems) {
  const auto parts = model::parse_cluster_name(name);
  if (!parts) return nullptr;
  return valid_or_null(compile_endpoint_set(world, name, problems), origin_of(world, *parts),
                       problems);
}

std::string cluster_prefix(const kube::ObjectName& service) {
  return service.namespace_name + "/" + service.name + "/";
}

}  // namespace holdfast::controller
