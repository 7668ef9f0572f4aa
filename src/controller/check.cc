#include "controller/check.h"

#include <algorithm>
#include <set>

#include "controller/annotations.h"
#include "controller/defaults.h"
#include "controller/ingress_class.h"
#include "controller/names.h"
#include "controller/nginx_annotations.h"
#include "controller/quote.h"
#include "controller/service_port.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

/// One that no Service has (RFC 5737).
constexpr const char* kAssumedClusterIp = "192.0.2.1";

constexpr const char* kClientCaSecretKey = "holdfast.dev/client-ca-secret";
constexpr const char* kClientCertificatePrefix = "holdfast.dev/client-certificate";
constexpr const char* kUpstreamTlsSecretKey = "holdfast.dev/upstream-tls-secret";

std::string annotation_field(const std::string& key) {
  return "metadata.annotations[" + quote(key) + "]";
}

/// Services that nobody has shown, with the ports that are asked of them.
class AssumedServices {
 public:
  void add(const kube::ObjectName& name, const kube::ServiceBackendPort& port) {
    kube::Service& service = services_[name];
    service.metadata.name = name;
    const bool known =
        std::any_of(service.ports.begin(), service.ports.end(), [&](const kube::ServicePort& p) {
          return port.name.empty() ? p.port == port.number : p.name == port.name;
        });
    if (known) return;
    kube::ServicePort assumed;
    assumed.name = port.name;
    assumed.port = port.number;
    assumed.protocol = "TCP";
    service.ports.push_back(std::move(assumed));
  }

  /// Ports that were asked for by name get numbers that no other port of the Service has.
  void add_to(World& world) {
    for (auto& [name, service] : services_) {
      std::set<std::int32_t> taken;
      for (const kube::ServicePort& port : service.ports) taken.insert(port.port);
      std::int32_t free = 65535;
      for (kube::ServicePort& port : service.ports) {
        if (port.name.empty()) continue;
        while (taken.count(free) > 0) --free;
        taken.insert(port.port = free);
        port_names_[name.namespace_name + "/" + name.name + "/" + std::to_string(free)] = port.name;
      }
      world.services[name] = std::make_shared<const kube::Service>(service);
    }
  }

  /// "NAME:PORT" of a cluster; empty of none.
  [[nodiscard]] std::string text_of(std::string cluster) const {
    if (cluster.ends_with(kClusterIpSuffix))
      cluster.resize(cluster.size() - kClusterIpSuffix.size());
    const auto parts = model::parse_cluster_name(cluster);
    if (!parts) return "";
    const auto name = port_names_.find(cluster);
    return parts->service + ":" + (name == port_names_.end() ? parts->port : name->second);
  }

 private:
  std::map<kube::ObjectName, kube::Service> services_;
  /// By cluster.
  std::map<std::string, std::string> port_names_;
};

CheckedRoute route_of(const std::string& host, const v1::Route& route,
                      const AssumedServices& assumed) {
  CheckedRoute checked{.host = host,
                       .match = "fallback",
                       .path = {},
                       .service = assumed.text_of(route.cluster()),
                       .websocket_service = assumed.text_of(route.websocket_cluster())};
  if (route.path().has_exact()) {
    checked.match = "exact";
    checked.path = route.path().exact();
  } else if (route.path().has_prefix()) {
    checked.match = "prefix";
    checked.path = route.path().prefix();
  }
  return checked;
}

class Checker {
 public:
  Checker(World world, Options options) : world_(std::move(world)), options_(std::move(options)) {}

  CheckReport run(std::vector<Problem> unreadable) {
    for (const auto& [name, ingress] : world_.ingresses) report_[name].name = name;
    assume_class();
    for (const auto& [name, ingress] : world_.ingresses) compare_class(*ingress);
    assume_defaults();
    assume_services();
    take_compiled();
    if (report_.empty() && unreadable.empty()) {
      add({"Ingress",
           {"", "*"},
           "",
           Severity::kWarning,
           "there is none among the files; nothing is checked"});
    }
    for (Problem& problem : unreadable) add(std::move(problem));
    for (const auto& [name, ingress] : world_.ingresses) {
      if (!ours_.contains(name)) continue;
      point_out_nginx(*ingress);
      list_annotations(*ingress);
    }
    for (auto& [name, checked] : report_) {
      std::sort(checked.problems.begin(), checked.problems.end());
      result_.ingresses.push_back(std::move(checked));
    }
    std::sort(result_.others.begin(), result_.others.end());
    return std::move(result_);
  }

 private:
  void note(const kube::Ingress& ingress, std::string sentence) {
    report_[ingress.metadata.name].notes.push_back(std::move(sentence));
  }

  void add(Problem problem) {
    const auto found = report_.find(problem.object);
    const bool is_ingress = problem.kind == "Ingress" && found != report_.end();
    (is_ingress ? found->second.problems : result_.others).push_back(std::move(problem));
  }

  /// Whether the default class is ours only a cluster knows.
  void assume_class() {
    if (!world_.classes.empty() || options_.watch_without_class) return;
    for (auto& [name, ingress] : world_.ingresses) {
      if (!class_named_by(*ingress).empty()) continue;
      note(*ingress, "It names no class: it is served where " + quote(options_.ingress_class) +
                         " is the cluster's default IngressClass.");
      auto named = std::make_shared<kube::Ingress>(*ingress);
      named->ingress_class_name = options_.ingress_class;
      ingress = std::move(named);
    }
  }

  void compare_class(const kube::Ingress& ingress) {
    ProblemList said_by_compile;
    if (IngressClassFilter(world_, options_, said_by_compile).selects(ingress, said_by_compile)) {
      ours_.insert(ingress.metadata.name);
      return;
    }
    const std::string named = class_named_by(ingress);
    note(ingress, named.empty() ? "It names no class, and the default IngressClass is not ours; it "
                                  "is not served."
                                : "It is of class " + quote(named) + "; it is not served.");
  }

  /// What a ConfigMap says that is not among the files only a cluster knows.
  void assume_defaults() {
    const auto missing = [this](const kube::ObjectName& name) {
      if (world_.config_maps.contains(name)) return false;
      for (const kube::ObjectName& ours : ours_) {
        report_[ours].notes.push_back("ConfigMap " + quote(name.namespace_name + "/" + name.name) +
                                      " is not among the files: what it says is not known.");
      }
      return true;
    };
    auto& global = options_.defaults_config_map;
    if (global && missing(*global)) global.reset();
    const auto found = world_.classes.find(options_.ingress_class);
    if (found == world_.classes.end()) return;
    ProblemList said_by_compile;
    const auto named = config_map_of(*found->second, options_, said_by_compile);
    if (!named || !missing(*named)) return;
    auto silent = std::make_shared<kube::IngressClass>(*found->second);
    silent->parameters.reset();
    found->second = std::move(silent);
  }

  void assume_services() {
    ProblemList said_by_compile;
    Defaults defaults = built_in_defaults();
    for (const auto& layer : default_layers(world_, options_, said_by_compile)) {
      lay_over(*layer, defaults, said_by_compile);
    }
    std::set<std::string> shown;
    for (const auto& [name, service] : world_.services) shown.insert(name.namespace_name);
    for (const kube::ObjectName& name : ours_) {
      if (shown.contains(name.namespace_name)) continue;
      const auto& ingress = world_.ingresses.at(name);
      bool any = false;
      const auto assume = [&](const kube::IngressBackend& backend) {
        if (!backend.has_service) return;
        any = true;
        assumed_.add({name.namespace_name, backend.service_name}, backend.port);
      };
      if (ingress->default_backend) assume(*ingress->default_backend);
      for (const kube::IngressRule& rule : ingress->rules) {
        for (const kube::IngressPath& path : rule.paths) assume(path.backend);
      }
      const Settings settings = settings_of(*ingress, defaults, said_by_compile);
      if (settings.websocket_service) assume(*settings.websocket_service);
      if (any) {
        note(*ingress, "No Service of namespace " + quote(name.namespace_name) +
                           " is among the files: whether those that it names exist, and have these "
                           "ports, is not checked.");
      }
    }
    assumed_.add_to(world_);
    assume_cluster_ips();
  }

  /// Files leave them to the API server.
  void assume_cluster_ips() {
    for (auto& [name, service] : world_.services) {
      if (!service->cluster_ip.empty() || service->type == "ExternalName") continue;
      auto with_ip = std::make_shared<kube::Service>(*service);
      with_ip->cluster_ip = kAssumedClusterIp;
      service = std::move(with_ip);
    }
  }

  /// Certificates and authorities are seldom among the files. An Ingress that names one that is not
  /// is compiled as if it named none.
  World without_missing_secrets() {
    World world = world_;
    for (const kube::ObjectName& name : ours_) {
      const std::string& in = name.namespace_name;
      auto edited = std::make_shared<kube::Ingress>(*world.ingresses.at(name));
      const auto missing = [&](const std::string& secret, const auto& known) {
        if (!is_object_name(secret) || known.contains({in, secret})) return false;
        note(*edited,
             "Secret " + quote(secret) + " is not among the files: what it holds is not checked.");
        return true;
      };
      for (kube::IngressTls& entry : edited->tls) {
        if (missing(entry.secret_name, world.secrets)) entry.secret_name.clear();
      }
      auto& annotations = edited->metadata.annotations;
      const auto erase_missing = [&](const char* key) {
        const auto found = annotations.find(key);
        if (found == annotations.end() || found->second == "none") return false;
        const std::string& text = found->second;
        const bool is_own = text.starts_with(in + "/");
        if (!missing(is_own ? text.substr(in.size() + 1) : text, world.named_secrets)) return false;
        annotations.erase(found);
        return true;
      };
      erase_missing(kUpstreamTlsSecretKey);
      if (erase_missing(kClientCaSecretKey)) {
        // Which do nothing without it.
        std::erase_if(annotations, [](const auto& annotation) {
          return annotation.first.starts_with(kClientCertificatePrefix);
        });
      }
      world.ingresses[name] = std::move(edited);
    }
    return world;
  }

  void take_compiled() {
    const Compiled compiled = compile(without_missing_secrets(), options_);
    for (const auto& [key, resource] : compiled.resources) {
      for (const v1::Route& route : resource->virtual_host().routes()) {
        const auto found = report_.find({route.origin().namespace_(), route.origin().name()});
        if (found == report_.end()) continue;
        found->second.routes.push_back(route_of(resource->virtual_host().host(), route, assumed_));
      }
    }
    for (const Problem& problem : compiled.problems) add(problem);
  }

  void point_out_nginx(const kube::Ingress& ingress) {
    for (const auto& [key, text] : ingress.metadata.annotations) {
      if (!key.starts_with(kNginxAnnotationPrefix)) continue;
      const auto known = find_nginx_annotation(key.substr(kNginxAnnotationPrefix.size()));
      using Likeness = NginxAnnotation::Likeness;
      if (known && known->likeness == Likeness::kNotNeeded) continue;
      const std::string instead =
          !known ? "there is nothing in its place"
                 : std::string(kAnnotationPrefix)
                       .append(known->ours)
                       .append(known->likeness == Likeness::kSame
                                   ? " says the same"
                                   : " is the nearest, with values of its own");
      add({"Ingress", ingress.metadata.name, annotation_field(key), Severity::kWarning,
           "an annotation of ingress-nginx, which is not read; " + instead});
    }
  }

  void list_annotations(const kube::Ingress& ingress) {
    CheckedIngress& checked = report_[ingress.metadata.name];
    for (const Annotation& annotation : annotations()) {
      const std::string key = std::string(kAnnotationPrefix) + std::string(annotation.name);
      const auto found = ingress.metadata.annotations.find(key);
      if (found == ingress.metadata.annotations.end()) continue;
      if (found->second == annotation.default_text) continue;
      const bool wrong =
          std::any_of(checked.problems.begin(), checked.problems.end(), [&](const Problem& p) {
            return p.severity == Severity::kError && p.field == annotation_field(key);
          });
      if (!wrong) checked.annotations.emplace_back(annotation.name, found->second);
    }
  }

  World world_;
  Options options_;
  AssumedServices assumed_;
  std::set<kube::ObjectName> ours_;
  std::map<kube::ObjectName, CheckedIngress> report_;
  CheckReport result_;
};

std::size_t count_in(const std::vector<Problem>& problems, Severity severity) {
  return static_cast<std::size_t>(
      std::count_if(problems.begin(), problems.end(),
                    [&](const Problem& problem) { return problem.severity == severity; }));
}

}  // namespace

std::size_t CheckReport::count(Severity severity) const {
  std::size_t count = count_in(others, severity);
  for (const CheckedIngress& ingress : ingresses) count += count_in(ingress.problems, severity);
  return count;
}

CheckReport check(World world, const Options& options, std::vector<Problem> unreadable) {
  return Checker(std::move(world), options).run(std::move(unreadable));
}

}  // namespace holdfast::controller
