#include "controller/cluster.h"

#include <utility>

#include "base/ascii.h"
#include "controller/endpoint_set.h"
#include "controller/quote.h"
#include "controller/service_port.h"
#include "model/field_rules.h"

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

class ClusterCompiler {
 public:
  ClusterCompiler(const World& world, const model::ClusterName& name, const Claimants& choosers,
                  const FindNamedSecret& find_named, ProblemList& problems)
      : name_(name),
        service_(find_service(world, {name.service_namespace, name.service})),
        choosers_(choosers),
        find_named_(find_named),
        problems_(problems) {}

  void add_health_check(v1::Cluster& cluster);
  void add_tls(v1::Cluster& cluster);

 private:
  [[nodiscard]] bool speaks_tls() const;
  [[nodiscard]] std::string dns_name() const;
  void add_secret(const Claimant& chooser, v1::UpstreamTls& tls);
  void report(Severity severity, const Claimant& chooser, const char* annotation,
              const std::string& message) {
    ValuePlace place = chooser.result.place_of(annotation);
    problems_.add(severity, chooser.kind(), *chooser.name, std::move(place.field),
                  place.who + message);
  }

  const model::ClusterName& name_;
  const kube::Service* service_;
  const Claimants& choosers_;
  const FindNamedSecret& find_named_;
  ProblemList& problems_;
};

void ClusterCompiler::add_health_check(v1::Cluster& cluster) {
  const std::string* decided = nullptr;
  for (const Claimant* chooser : choosers_) {
    const std::string& check = chooser->result.health_check;
    if (check.empty()) continue;
    if (decided == nullptr) {
      decided = &check;
      // What we have serialised ourselves.
      cluster.mutable_health_check()->ParseFromString(check);
    } else if (*decided != check) {
      report(Severity::kWarning, *chooser, "health-path",
             "Service " + quote(name_.service) +
                 " is checked as an older Ingress says, which is otherwise");
    }
  }
}

void ClusterCompiler::add_tls(v1::Cluster& cluster) {
  const Claimant* decided = nullptr;
  for (const Claimant* chooser : choosers_) {
    if (!chooser->result.upstream.says_something()) continue;
    if (decided == nullptr) {
      decided = chooser;
    } else if (decided->result.upstream != chooser->result.upstream) {
      report(Severity::kError, *chooser, "backend-protocol",
             "the pods of Service " + quote(name_.service) +
                 " are spoken to as an older Ingress says, which is otherwise");
    }
  }
  const UpstreamSettings said = decided == nullptr ? UpstreamSettings() : decided->result.upstream;
  if (!said.tls.value_or(speaks_tls())) return;
  v1::UpstreamTls& tls = *cluster.mutable_tls();
  tls.set_server_name(said.server_name.empty() ? dns_name() : said.server_name);
  tls.set_unverified(said.unverified);
  if (!said.secret.empty()) add_secret(*decided, tls);
}

void ClusterCompiler::add_secret(const Claimant& chooser, v1::UpstreamTls& tls) {
  const kube::ObjectName name{chooser.name->namespace_name, chooser.result.upstream.secret};
  const HeldNamedSecret* secret = find_named_(name);
  const bool has_bundle = secret != nullptr && secret->bundle_made != nullptr;
  const bool has_certificate = secret != nullptr && secret->certificate_made != nullptr;
  // Without anything that it ever held, what it was to hold is waited for: nobody is trusted.
  if (!tls.unverified() && (has_bundle || !has_certificate)) {
    tls.set_trust_bundle(resource_name_of(name));
  }
  if (has_certificate) tls.set_certificate(resource_name_of(name) + kClientSuffix);
  if (secret == nullptr) return;
  const auto complain = [&](const std::string& complaint, const std::string& instead) {
    if (complaint.empty()) return;
    report(Severity::kError, chooser, "upstream-tls-secret", complaint + "; " + instead);
  };
  if (!tls.unverified()) {
    complain(secret->bundle_complaint,
             has_bundle ? "what it held before is used"
                        : "no pod of Service " + quote(name_.service) + " is trusted");
  }
  if (tls.unverified() || secret->certificate_complaint != secret->bundle_complaint) {
    complain(secret->certificate_complaint, has_certificate ? "what it held before is shown to pods"
                                                            : "pods are shown no certificate");
  }
}

bool ClusterCompiler::speaks_tls() const {
  const kube::ServicePort* port = service_ == nullptr ? nullptr : find_port(*service_, name_);
  return port != nullptr &&
         (port->app_protocol == "https" || port->app_protocol == "kubernetes.io/wss");
}

std::string ClusterCompiler::dns_name() const {
  if (service_ != nullptr && service_->is_external_name()) {
    std::string name = base::lower_case(service_->external_name);
    while (name.ends_with('.')) name.pop_back();
    // What is no name has no endpoint either.
    if (model::is_dns_name(name)) return name;
  }
  return name_.service + "." + name_.service_namespace + ".svc";
}

}  // namespace

model::ResourcePtr compile_cluster(const World& world, const std::string& name,
                                   const Claimants& choosers, const FindNamedSecret& find_named,
                                   ProblemList& problems) {
  const auto parts = model::parse_cluster_name(name);
  if (!parts) return nullptr;
  const v1::Origin origin = origin_of(world, *parts);
  v1::Resource resource;
  resource.set_name(name);
  v1::Cluster& cluster = *resource.mutable_cluster();
  *cluster.mutable_origin() = origin;
  cluster.set_port(parts->port);
  ClusterCompiler compiler(world, *parts, choosers, find_named, problems);
  compiler.add_health_check(cluster);
  compiler.add_tls(cluster);
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
