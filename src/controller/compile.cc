#include "controller/compile.h"

#include <algorithm>
#include <optional>

#include "controller/annotations.h"
#include "controller/ingress_class.h"
#include "controller/limits.h"
#include "controller/names.h"
#include "controller/problem_list.h"
#include "controller/quote.h"
#include "controller/service_port.h"
#include "model/limits.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

constexpr const char* kIngress = "Ingress";
constexpr const char* kWebSocketServiceField =
    "metadata.annotations[\"holdfast.dev/websocket-service\"]";

std::string indexed(std::string_view list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

/// What makes two matches of one host the same. Ordered: the routes of a host are in this order.
struct Match {
  v1::PathMatch::MatchCase kind;
  std::string path;

  auto operator<=>(const Match&) const = default;

  [[nodiscard]] v1::PathMatch message() const {
    v1::PathMatch message;
    if (kind == v1::PathMatch::kExact) message.set_exact(path);
    if (kind == v1::PathMatch::kPrefix) message.set_prefix(path);
    if (kind == v1::PathMatch::kFallback) message.set_fallback(true);
    return message;
  }

  [[nodiscard]] std::string text() const {
    if (kind == v1::PathMatch::kExact) return "the exact path " + quote(path);
    if (kind == v1::PathMatch::kPrefix) return "the prefix " + quote(path);
    return "the default backend";
  }
};

class Compiler {
 public:
  Compiler(const World& world, const Options& options)
      : world_(world), classes_(world, options, problems_) {}

  Compiled run();

 private:
  struct Host {
    std::map<Match, v1::Route> routes;
    std::size_t bytes = 0;
  };
  /// Where an Ingress's routes go, and what holds for them.
  struct Owner {
    const kube::Ingress& ingress;
    const Settings& settings;
    /// Of handshakes; empty: as for plain requests.
    std::string websocket_cluster;
  };

  std::vector<const kube::Ingress*> by_age();
  void add_ingress(const kube::Ingress& ingress);
  void add_rule(const Owner& owner, const kube::IngressRule& rule, const std::string& field,
                std::set<std::string>& hosts);
  void add_path(const Owner& owner, const std::string& host, const kube::IngressPath& path,
                const std::string& field);
  std::optional<Match> match_of(const kube::Ingress& ingress, const kube::IngressPath& path,
                                const std::string& field);
  /// How a backend stands in its object: with fields of its own, or as one text.
  enum class Backend { kNested, kFlat };
  std::optional<std::string> cluster_of(const Owner& owner, const kube::IngressBackend& backend,
                                        const std::string& field, Backend form = Backend::kNested);
  void check_health(const Owner& owner, v1::Cluster& cluster);
  std::string port_of(const kube::Ingress& ingress, const kube::IngressBackend& backend,
                      const std::string& service_field, const std::string& port_field,
                      v1::Origin& service);
  void claim(const Owner& owner, const std::string& host, Match match, const std::string& cluster,
             const std::string& field);

  /// Leaves out of a VirtualHost the routes that the validator refuses: a mistake of ours, which
  /// costs those alone and not the other Ingresses of the host.
  void drop_invalid_routes(v1::Resource& host);
  void emit_hosts();
  void emit_clusters();
  /// A resource that the validator refuses is a mistake of ours; it costs that resource and is
  /// told, the rest is served.
  void emit(model::ResourcePtr resource, const v1::Origin& origin);
  /// One that is valid.
  void keep(model::ResourcePtr resource);

  void error(const kube::Ingress& ingress, std::string field, std::string message) {
    problems_.add(Severity::kError, kIngress, ingress.metadata.name, std::move(field),
                  std::move(message));
  }
  void warn(const kube::Ingress& ingress, std::string field, std::string message) {
    problems_.add(Severity::kWarning, kIngress, ingress.metadata.name, std::move(field),
                  std::move(message));
  }

  const World& world_;
  ProblemList problems_;
  const IngressClassFilter classes_;
  std::map<std::string, Host> hosts_;
  std::map<std::string, v1::Cluster> clusters_;
  Compiled out_;
};

/// Oldest first, then by namespace and name: who comes first owns what two of them claim.
std::vector<const kube::Ingress*> Compiler::by_age() {
  std::vector<const kube::Ingress*> ours;
  for (const auto& [name, ingress] : world_.ingresses) {
    if (classes_.selects(*ingress, problems_)) ours.push_back(ingress.get());
  }
  std::stable_sort(ours.begin(), ours.end(), [](const auto* a, const auto* b) {
    return a->metadata.creation_timestamp < b->metadata.creation_timestamp;
  });
  return ours;
}

void Compiler::add_ingress(const kube::Ingress& ingress) {
  const kube::ObjectName& name = ingress.metadata.name;
  if (!is_object_name(name.namespace_name) || !is_object_name(name.name)) {
    error(ingress, "metadata.name",
          "the namespace or the name is malformed; nothing of it is served");
    return;
  }
  const Settings settings = settings_of(ingress, problems_);
  Owner owner{ingress, settings, ""};
  if (settings.websocket_service) {
    const auto cluster =
        cluster_of(owner, *settings.websocket_service, kWebSocketServiceField, Backend::kFlat);
    owner.websocket_cluster = cluster.value_or("");
  }
  if (!ingress.tls.empty()) {
    warn(ingress, "spec.tls", "TLS is not terminated; the hosts are served over plain HTTP");
  }
  std::set<std::string> hosts;
  for (std::size_t i = 0; i < ingress.rules.size(); ++i) {
    add_rule(owner, ingress.rules[i], indexed("spec.rules", i), hosts);
  }
  if (!ingress.default_backend) {
    if (ingress.rules.empty()) {
      error(ingress, "spec", "there is neither a rule nor a default backend; nothing is served");
    }
    return;
  }
  if (ingress.rules.empty()) hosts.insert("*");
  const auto cluster = cluster_of(owner, *ingress.default_backend, "spec.defaultBackend");
  if (!cluster) return;
  for (const std::string& host : hosts) {
    claim(owner, host, {v1::PathMatch::kFallback, ""}, *cluster, "spec.defaultBackend");
  }
}

void Compiler::add_rule(const Owner& owner, const kube::IngressRule& rule, const std::string& field,
                        std::set<std::string>& hosts) {
  const auto host = parse_host(rule.host);
  if (!host.ok()) {
    error(owner.ingress, field + ".host",
          std::string(host.status().message()) + "; nothing of the rule is served");
    return;
  }
  hosts.insert(*host);
  // Even where no path of it is served: its requests are not for the Ingress that serves every
  // other host.
  hosts_[*host];
  if (rule.paths.empty() && !owner.ingress.default_backend) {
    error(owner.ingress, field + ".http",
          "there is neither a path nor a default backend; its requests are answered with 404");
  }
  for (std::size_t i = 0; i < rule.paths.size(); ++i) {
    add_path(owner, *host, rule.paths[i], indexed(field + ".http.paths", i));
  }
}

void Compiler::add_path(const Owner& owner, const std::string& host, const kube::IngressPath& path,
                        const std::string& field) {
  auto match = match_of(owner.ingress, path, field);
  const auto cluster = cluster_of(owner, path.backend, field + ".backend");
  if (match && cluster) claim(owner, host, *std::move(match), *cluster, field);
}

std::optional<Match> Compiler::match_of(const kube::Ingress& ingress, const kube::IngressPath& path,
                                        const std::string& field) {
  const bool exact = path.path_type == "Exact";
  const bool by_implementation = path.path_type == "ImplementationSpecific";
  if (!exact && !by_implementation && path.path_type != "Prefix") {
    error(ingress, field + ".pathType",
          quote(path.path_type) +
              " is not Exact, Prefix or ImplementationSpecific; the path is not served");
    return std::nullopt;
  }
  std::string text = by_implementation && path.path.empty() ? "/" : path.path;
  if (const base::Status status = check_path(text, !by_implementation); !status.ok()) {
    error(ingress, field + ".path", std::string(status.message()) + "; the path is not served");
    return std::nullopt;
  }
  if (by_implementation && text.find_first_of("()[]*^$|\\") != std::string::npos) {
    warn(ingress, field + ".path",
         quote(text) + " looks like a pattern; it is served as a prefix, byte for byte");
  }
  // Means nothing in a prefix, and "/a" and "/a/" must be seen to be the same.
  while (!exact && text.size() > 1 && text.ends_with('/')) text.pop_back();
  return Match{exact ? v1::PathMatch::kExact : v1::PathMatch::kPrefix, std::move(text)};
}

/// The name of the cluster that a backend means; the cluster exists from then on. A Service or port
/// that is missing is a problem, but the route stays: 503, and no other route's pods.
std::optional<std::string> Compiler::cluster_of(const Owner& owner,
                                                const kube::IngressBackend& backend,
                                                const std::string& field, Backend form) {
  const kube::Ingress& ingress = owner.ingress;
  const bool nested = form == Backend::kNested;
  const std::string service_field = nested ? field + ".service.name" : field;
  const std::string port_field = nested ? field + ".service.port" : field;
  if (!backend.has_service) {
    error(ingress, field + ".resource", "only Services are served as backends; it is left out");
    return std::nullopt;
  }
  if (!is_object_name(backend.service_name)) {
    error(ingress, service_field,
          quote(backend.service_name) + " is not the name of a Service; it is left out");
    return std::nullopt;
  }
  const kube::ServiceBackendPort& port = backend.port;
  const bool by_number = port.name.empty() && port.number >= 1 && port.number <= 65535;
  const bool by_name = port.number == 0 && is_port_name(port.name);
  if (!by_number && !by_name) {
    error(ingress, port_field,
          "it must have either a name or a number between 1 and 65535; the backend is left out");
    return std::nullopt;
  }
  v1::Cluster cluster;
  v1::Origin& origin = *cluster.mutable_origin();
  origin.set_kind("Service");
  origin.set_namespace_(ingress.metadata.name.namespace_name);
  origin.set_name(backend.service_name);
  cluster.set_port(port_of(ingress, backend, service_field, port_field, origin));
  std::string name = origin.namespace_() + "/" + backend.service_name + "/" + cluster.port();
  const auto place = clusters_.try_emplace(name, std::move(cluster)).first;
  check_health(owner, place->second);
  return name;
}

void Compiler::check_health(const Owner& owner, v1::Cluster& cluster) {
  if (!owner.settings.health_check) return;
  const v1::HealthCheck& check = *owner.settings.health_check;
  if (!cluster.has_health_check()) {
    *cluster.mutable_health_check() = check;
  } else if (cluster.health_check().SerializeAsString() != check.SerializeAsString()) {
    warn(owner.ingress, "metadata.annotations[\"holdfast.dev/health-path\"]",
         "Service " + quote(cluster.origin().name()) +
             " is checked as an older Ingress says, which is otherwise");
  }
}

/// The last part of the cluster's name; where it exists, `service` learns its field.
std::string Compiler::port_of(const kube::Ingress& ingress, const kube::IngressBackend& backend,
                              const std::string& service_field, const std::string& port_field,
                              v1::Origin& service) {
  const std::string written =
      backend.port.name.empty() ? std::to_string(backend.port.number) : backend.port.name;
  const kube::ObjectName name{service.namespace_(), service.name()};
  const kube::Service* found = find_service(world_, name);
  if (found == nullptr) {
    error(ingress, service_field,
          "there is no Service " + quote(backend.service_name) +
              " in the namespace; requests are answered with 503");
    return written;
  }
  const kube::ServicePort* port = find_port(*found, backend.port);
  if (port == nullptr) {
    error(ingress, port_field,
          "Service " + quote(backend.service_name) + " has no TCP port " + quote(written) +
              "; requests are answered with 503");
    return written;
  }
  if (found->type == "ExternalName") {
    error(ingress, service_field,
          "Service " + quote(backend.service_name) +
              " is of type ExternalName, which is not served; requests are answered with 503");
  }
  service.set_field(indexed("spec.ports", static_cast<std::size_t>(port - found->ports.data())));
  return std::to_string(port->port);
}

void Compiler::claim(const Owner& owner, const std::string& host, Match match,
                     const std::string& cluster, const std::string& field) {
  const kube::ObjectName& name = owner.ingress.metadata.name;
  v1::Route route;
  route.mutable_origin()->set_kind(kIngress);
  route.mutable_origin()->set_namespace_(name.namespace_name);
  route.mutable_origin()->set_name(name.name);
  route.mutable_origin()->set_field(field);
  *route.mutable_path() = match.message();
  route.set_cluster(cluster);
  route.set_websocket_cluster(owner.websocket_cluster);
  *route.mutable_policy() = owner.settings.policy;

  Host& claimed = hosts_[host];
  const std::size_t bytes = route.ByteSizeLong() + kRouteFramingBytes;
  if (claimed.bytes + bytes > model::kResourceBytes - kHostFieldBytes) {
    error(owner.ingress, field,
          "host " + quote(host) + " has more routes than fit into 1 MiB; this one is not served");
    return;
  }
  const auto [place, fresh] = claimed.routes.try_emplace(std::move(match), std::move(route));
  if (fresh) {
    claimed.bytes += bytes;
    return;
  }
  const v1::Origin& winner = place->second.origin();
  error(owner.ingress, field,
        place->first.text() + " of host " + quote(host) + " belongs to " + winner.field() +
            " of Ingress " + winner.namespace_() + "/" + winner.name() +
            ", which comes first; this one is not served there");
}

void Compiler::emit(model::ResourcePtr resource, const v1::Origin& origin) {
  if (const base::Status status = model::validate(*resource); !status.ok()) {
    problems_.add(Severity::kError, origin.kind().c_str(), {origin.namespace_(), origin.name()},
                  origin.field(), std::string(status.message()) + "; it is not served");
    return;
  }
  keep(std::move(resource));
}

void Compiler::keep(model::ResourcePtr resource) {
  model::ResourceKey key = model::key_of(*resource);
  out_.resources.emplace(std::move(key), std::move(resource));
}

void Compiler::drop_invalid_routes(v1::Resource& host) {
  v1::VirtualHost all;
  all.Swap(host.mutable_virtual_host());
  host.mutable_virtual_host()->set_host(all.host());
  for (v1::Route& route : *all.mutable_routes()) {
    v1::Resource alone;
    alone.set_name(host.name());
    alone.mutable_virtual_host()->set_host(all.host());
    *alone.mutable_virtual_host()->add_routes() = route;
    const base::Status status = model::validate(alone);
    if (status.ok()) {
      host.mutable_virtual_host()->mutable_routes()->Add()->Swap(&route);
      continue;
    }
    const v1::Origin& origin = route.origin();
    problems_.add(Severity::kError, kIngress, {origin.namespace_(), origin.name()}, origin.field(),
                  std::string(status.message()) + "; it is not served");
  }
}

void Compiler::emit_hosts() {
  for (auto& [name, host] : hosts_) {
    v1::Resource resource;
    resource.set_name(name);
    v1::VirtualHost& message = *resource.mutable_virtual_host();
    message.set_host(name);
    for (auto& [match, route] : host.routes) *message.add_routes() = std::move(route);
    if (model::validate(resource).ok()) {
      keep(model::seal(std::move(resource)));
      continue;
    }
    drop_invalid_routes(resource);
    const v1::Origin origin = message.routes().empty() ? v1::Origin() : message.routes(0).origin();
    emit(model::seal(std::move(resource)), origin);
  }
}

void Compiler::emit_clusters() {
  for (auto& [name, cluster] : clusters_) {
    const v1::Origin origin = cluster.origin();
    out_.endpoint_sets_of_service[{origin.namespace_(), origin.name()}].insert(name);
    v1::Resource resource;
    resource.set_name(name);
    *resource.mutable_cluster() = std::move(cluster);
    emit(model::seal(std::move(resource)), origin);

    std::vector<Problem> problems;
    emit(compile_endpoint_set(world_, name, problems), origin);
    if (!problems.empty()) out_.endpoint_problems.emplace(name, std::move(problems));
  }
}

Compiled Compiler::run() {
  for (const kube::Ingress* ingress : by_age()) add_ingress(*ingress);
  emit_hosts();
  emit_clusters();
  out_.problems = problems_.take();
  for (const auto& [set, problems] : out_.endpoint_problems) {
    out_.problems.insert(out_.problems.end(), problems.begin(), problems.end());
  }
  std::sort(out_.problems.begin(), out_.problems.end());
  out_.problems.erase(std::unique(out_.problems.begin(), out_.problems.end()), out_.problems.end());
  return std::move(out_);
}

}  // namespace

Compiled compile(const World& world, const Options& options) {
  return Compiler(world, options).run();
}

}  // namespace holdfast::controller
