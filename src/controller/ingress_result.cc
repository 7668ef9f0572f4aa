#include "controller/ingress_result.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/url_path.h"
#include "controller/limits.h"
#include "controller/names.h"
#include "controller/quote.h"
#include "controller/service_port.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

/// Annotations with whose values something may be wrong that only a Secret, or another Ingress,
/// shows.
constexpr std::array<std::string_view, 4> kJudgedLater = {"backend-protocol", "client-ca-secret",
                                                          "health-path", "upstream-tls-secret"};

class IngressCompiler {
 public:
  IngressCompiler(const kube::Ingress& ingress, const World& world, const Options& options,
                  const Defaults& defaults, ProblemList& problems)
      : ingress_(ingress),
        world_(world),
        options_(options),
        defaults_(defaults),
        problems_(problems) {}

  IngressResult run();
  IngressResult run_default_backend();

 private:
  /// How a backend stands in its object: with fields of its own, or as one text.
  enum class Backend { kNested, kFlat };

  void add_settings();
  void add_rule(std::int32_t index);
  void add_path(const std::string& host, const Place& place);
  void add_tls(std::int32_t index);
  void add_tls_claim(TlsClaim claim);
  void add_client_certificates();
  /// Makes it a name of the Ingress's own namespace. `annotation`: where it stands.
  void resolve_secret(std::string_view annotation, std::string& secret);
  void add_default_backend(const std::string& field, Backend form);
  IngressResult take_result();
  std::optional<Match> match_of(const kube::IngressPath& path, const std::string& field);
  std::optional<std::uint32_t> cluster_of(const kube::IngressBackend& backend,
                                          const std::string& field,
                                          Backend form = Backend::kNested);
  std::string port_of(const kube::IngressBackend& backend, const std::string& service_field,
                      const std::string& port_field);

  void error(std::string field, const std::string& message) {
    problems_.add(Severity::kError, kind_, ingress_.metadata.name, std::move(field),
                  who_ + message);
  }
  void warn(std::string field, const std::string& message) {
    problems_.add(Severity::kWarning, kind_, ingress_.metadata.name, std::move(field),
                  who_ + message);
  }

  const char* kind_ = kIngressKind;
  const kube::Ingress& ingress_;
  const World& world_;
  const Options& options_;
  const Defaults& defaults_;
  ProblemList& problems_;
  bool service_upstream_ = false;
  /// As ValuePlace has it, while what is compiled is the value of an annotation.
  std::string who_;
  std::map<std::string, std::vector<Claim>> hosts_;
  std::map<std::string, std::uint32_t> clusters_;
  /// Hosts and Secrets.
  std::set<std::pair<std::string, std::string>> tls_claimed_;
  /// Secrets of entries without hosts.
  std::set<std::string> tls_for_all_;
  bool tls_is_full_ = false;
  IngressResult result_;
};

IngressResult IngressCompiler::run() {
  const kube::ObjectName& name = ingress_.metadata.name;
  if (!is_object_name(name.namespace_name) || !is_object_name(name.name)) {
    error("metadata.name", "the namespace or the name is malformed; nothing of it is served");
    return {};
  }
  add_settings();
  for (std::size_t i = 0; i < ingress_.rules.size(); ++i) add_rule(static_cast<std::int32_t>(i));
  for (std::size_t i = 0; i < ingress_.tls.size(); ++i) add_tls(static_cast<std::int32_t>(i));
  if (result_.client.asks()) add_client_certificates();
  if (ingress_.default_backend) {
    add_default_backend(Place().text(), Backend::kNested);
  } else if (ingress_.rules.empty()) {
    error("spec", "there is neither a rule nor a default backend; nothing is served");
  }
  return take_result();
}

IngressResult IngressCompiler::run_default_backend() {
  kind_ = kFlagKind;
  add_settings();
  add_default_backend("", Backend::kFlat);
  return take_result();
}

IngressResult IngressCompiler::take_result() {
  result_.hosts.reserve(hosts_.size());
  for (auto& [host, claims] : hosts_) {
    claims.shrink_to_fit();
    result_.hosts.push_back({host, std::move(claims)});
  }
  result_.clusters.resize(clusters_.size());
  for (const auto& [cluster, index] : clusters_) result_.clusters[index] = cluster;
  std::sort(result_.tls.begin(), result_.tls.end(), [](const TlsClaim& a, const TlsClaim& b) {
    return std::tie(a.host, a.entry) < std::tie(b.host, b.entry);
  });
  return std::move(result_);
}

void IngressCompiler::add_settings() {
  Settings settings = settings_of(ingress_, defaults_, problems_);
  service_upstream_ = settings.service_upstream;
  result_.forces_https = settings.forces_https;
  result_.policy = settings.policy.SerializeAsString();
  if (settings.health_check) result_.health_check = settings.health_check->SerializeAsString();
  result_.upstream = std::move(settings.upstream);
  resolve_secret("upstream-tls-secret", result_.upstream.secret);
  result_.client = std::move(settings.client);
  resolve_secret("client-ca-secret", result_.client.secret);
  // Who came without TLS has shown no certificate.
  result_.forces_https |= result_.client.asks();
  for (const std::string_view name : kJudgedLater) {
    ValuePlace place = place_of_value(ingress_, defaults_, name);
    if (!place.who.empty()) result_.said_elsewhere.emplace_back(name, std::move(place.who));
  }
  if (settings.websocket_service) {
    ValuePlace place = place_of_value(ingress_, defaults_, "websocket-service");
    who_ = std::move(place.who);
    result_.websocket_cluster =
        cluster_of(*settings.websocket_service, place.field, Backend::kFlat);
    who_.clear();
  }
}

void IngressCompiler::add_rule(std::int32_t index) {
  const kube::IngressRule& rule = ingress_.rules[static_cast<std::size_t>(index)];
  const std::string field = "spec.rules[" + std::to_string(index) + "]";
  const auto host = parse_host(rule.host);
  if (!host.ok()) {
    error(field + ".host",
          std::string(host.status().message()) + "; nothing of the rule is served");
    return;
  }
  // Even where no path of it is served: its requests are not for the Ingress that serves every
  // other host.
  hosts_[*host];
  if (rule.paths.empty() && !ingress_.default_backend) {
    error(field + ".http",
          "there is neither a path nor a default backend; its requests are answered with 404");
  }
  for (std::size_t i = 0; i < rule.paths.size(); ++i) {
    add_path(*host, {.rule = index, .path = static_cast<std::int32_t>(i)});
  }
}

void IngressCompiler::add_tls(std::int32_t index) {
  const kube::IngressTls& entry = ingress_.tls[static_cast<std::size_t>(index)];
  const std::string field = "spec.tls[" + std::to_string(index) + "]";
  std::string secret = entry.secret_name;
  if (!secret.empty() && !is_object_name(secret)) {
    error(field + ".secretName",
          quote(secret) + " is not the name of a Secret; the default certificate is served");
    secret.clear();
  }
  for (std::size_t i = 0; i < entry.hosts.size(); ++i) {
    const auto host = parse_host(entry.hosts[i]);
    if (host.ok() && *host != "*") {
      add_tls_claim({.host = *host, .secret = secret, .entry = index});
      continue;
    }
    const std::string reason = host.ok() ? "it is empty" : std::string(host.status().message());
    error(field + ".hosts[" + std::to_string(i) + "]", reason + "; it is left out");
  }
  // Those without hosts are for all of them: one for each Secret is enough.
  if (!entry.hosts.empty() || !tls_for_all_.insert(secret).second) return;
  for (const auto& [host, claims] : hosts_) {
    if (host == "*") continue;
    add_tls_claim({.host = host, .secret = secret, .entry = index, .if_covered = !secret.empty()});
  }
}

void IngressCompiler::add_tls_claim(TlsClaim claim) {
  if (!tls_claimed_.emplace(claim.host, claim.secret).second) return;
  if (result_.tls.size() < kTlsClaimsMost) {
    result_.tls.push_back(std::move(claim));
  } else if (!std::exchange(tls_is_full_, true)) {
    error(claim.field(), "there are more than " + std::to_string(kTlsClaimsMost) +
                             " hosts and Secrets; the rest is not served over TLS");
  }
}

void IngressCompiler::resolve_secret(std::string_view annotation, std::string& secret) {
  const std::size_t slash = secret.find('/');
  if (slash == std::string::npos) return;
  const std::string own = ingress_.metadata.name.namespace_name;
  if (secret.substr(0, slash) == own) {
    secret.erase(0, slash + 1);
    return;
  }
  ValuePlace place = place_of_value(ingress_, defaults_, annotation);
  who_ = std::move(place.who);
  error(std::move(place.field), quote(secret) +
                                    " is of another namespace, which an Ingress cannot "
                                    "name; nobody is trusted in its place");
  who_.clear();
  secret = kNoSecret;
}

void IngressCompiler::add_client_certificates() {
  std::set<std::string> known;
  for (const TlsClaim& claim : result_.tls) {
    if (!claim.if_covered) known.insert(claim.host);
  }
  for (const auto& [host, claims] : hosts_) {
    if (!known.contains(host)) {
      add_tls_claim({.host = host, .secret = "", .entry = TlsClaim::kNoEntry});
    }
  }
}

void IngressCompiler::add_path(const std::string& host, const Place& place) {
  const kube::IngressPath& path = ingress_.rules[static_cast<std::size_t>(place.rule)]
                                      .paths[static_cast<std::size_t>(place.path)];
  const std::string field = place.text();
  auto match = match_of(path, field);
  const auto cluster = cluster_of(path.backend, field + ".backend");
  if (match && cluster) hosts_[host].push_back({*std::move(match), *cluster, place});
}

void IngressCompiler::add_default_backend(const std::string& field, Backend form) {
  const auto cluster = cluster_of(*ingress_.default_backend, field, form);
  if (!cluster) return;
  if (ingress_.rules.empty()) {
    hosts_["*"];
    if (result_.client.asks()) add_client_certificates();
  }
  for (auto& [host, claims] : hosts_) claims.push_back({Match(), *cluster, Place()});
}

std::optional<Match> IngressCompiler::match_of(const kube::IngressPath& path,
                                               const std::string& field) {
  const bool exact = path.path_type == "Exact";
  const bool by_implementation = path.path_type == "ImplementationSpecific";
  if (!exact && !by_implementation && path.path_type != "Prefix") {
    error(field + ".pathType",
          quote(path.path_type) +
              " is not Exact, Prefix or ImplementationSpecific; the path is not served");
    return std::nullopt;
  }
  std::string text = by_implementation && path.path.empty() ? "/" : path.path;
  if (const base::Status status = check_path(text, !by_implementation); !status.ok()) {
    error(field + ".path", std::string(status.message()) + "; the path is not served");
    return std::nullopt;
  }
  if (by_implementation && text.find_first_of("()[]*^$|\\") != std::string::npos) {
    warn(field + ".path",
         quote(text) + " looks like a pattern; it is served as a prefix, as it stands");
  }
  // Two that match the same must be seen to be the same: "/a" and "/%61", of prefixes "/a/" too.
  text = base::canonical_path(text);
  while (!exact && text.size() > 1 && text.ends_with('/')) text.pop_back();
  return Match{exact ? v1::PathMatch::kExact : v1::PathMatch::kPrefix, std::move(text)};
}

/// The cluster that a backend means. A Service or port that is missing is a problem, but the route
/// stays: 503, and no other route's pods.
std::optional<std::uint32_t> IngressCompiler::cluster_of(const kube::IngressBackend& backend,
                                                         const std::string& field, Backend form) {
  const bool nested = form == Backend::kNested;
  const std::string service_field = nested ? field + ".service.name" : field;
  const std::string port_field = nested ? field + ".service.port" : field;
  if (!backend.has_service) {
    error(field + ".resource", "only Services are served as backends; it is left out");
    return std::nullopt;
  }
  if (!is_object_name(backend.service_name)) {
    error(service_field,
          quote(backend.service_name) + " is not the name of a Service; it is left out");
    return std::nullopt;
  }
  const kube::ServiceBackendPort& port = backend.port;
  const bool by_number = port.name.empty() && port.number >= 1 && port.number <= 65535;
  const bool by_name = port.number == 0 && is_port_name(port.name);
  if (!by_number && !by_name) {
    error(port_field,
          "it must have either a name or a number between 1 and 65535; the backend is left out");
    return std::nullopt;
  }
  std::string name = ingress_.metadata.name.namespace_name + "/" + backend.service_name + "/" +
                     port_of(backend, service_field, port_field);
  const auto index = static_cast<std::uint32_t>(clusters_.size());
  return clusters_.try_emplace(std::move(name), index).first->second;
}

/// The last part of the cluster's name.
std::string IngressCompiler::port_of(const kube::IngressBackend& backend,
                                     const std::string& service_field,
                                     const std::string& port_field) {
  const std::string written =
      backend.port.name.empty() ? std::to_string(backend.port.number) : backend.port.name;
  const kube::Service* found =
      find_service(world_, {ingress_.metadata.name.namespace_name, backend.service_name});
  if (found == nullptr) {
    error(service_field, "there is no Service " + quote(backend.service_name) +
                             " in the namespace; requests are answered with 503");
    return written;
  }
  const bool external = found->is_external_name();
  if (external && !options_.allow_external_name) {
    error(service_field, "Service " + quote(backend.service_name) +
                             " is of type ExternalName, which is served only with "
                             "--allow-external-name; requests are answered with 503");
  }
  std::string number = written;
  // An external name need not list its ports.
  if (!external || !backend.port.name.empty()) {
    const kube::ServicePort* port = find_port(*found, backend.port);
    if (port == nullptr) {
      error(port_field, "Service " + quote(backend.service_name) + " has no TCP port " +
                            quote(written) + "; requests are answered with 503");
      return written;
    }
    number = std::to_string(port->port);
  }
  if (!service_upstream_) return number;
  if (has_cluster_ip(*found)) return number.append(kClusterIpSuffix);
  warn(service_field, "Service " + quote(backend.service_name) +
                          " has no cluster IP, which holdfast.dev/service-upstream asks for; its "
                          "endpoints are connected to");
  return number;
}

}  // namespace

v1::PathMatch Match::message() const {
  v1::PathMatch message;
  if (kind == v1::PathMatch::kExact) message.set_exact(path);
  if (kind == v1::PathMatch::kPrefix) message.set_prefix(path);
  if (kind == v1::PathMatch::kFallback) message.set_fallback(true);
  return message;
}

std::string Match::text() const {
  if (kind == v1::PathMatch::kExact) return "the exact path " + quote(path);
  if (kind == v1::PathMatch::kPrefix) return "the prefix " + quote(path);
  return "the default backend";
}

std::string Place::text() const {
  if (rule == kDefaultBackend) return "spec.defaultBackend";
  return "spec.rules[" + std::to_string(rule) + "].http.paths[" + std::to_string(path) + "]";
}

std::string TlsClaim::field() const {
  return entry == kNoEntry ? field_of_annotation("client-ca-secret")
                           : "spec.tls[" + std::to_string(entry) + "]";
}

ValuePlace IngressResult::place_of(std::string_view annotation) const {
  assert(std::find(kJudgedLater.begin(), kJudgedLater.end(), annotation) != kJudgedLater.end());
  for (const auto& [name, who] : said_elsewhere) {
    if (name == annotation) return {.field = "", .who = who};
  }
  return {.field = field_of_annotation(annotation), .who = ""};
}

std::set<std::string> IngressResult::named_secrets() const {
  std::set<std::string> names;
  for (const std::string& name : {upstream.secret, client.secret}) {
    if (!name.empty() && name != kNoSecret) names.insert(name);
  }
  return names;
}

std::span<const TlsClaim> IngressResult::tls_of(const std::string& host) const {
  const auto by_host = [](const TlsClaim& claim, const std::string& key) {
    return claim.host < key;
  };
  const auto first = std::lower_bound(tls.begin(), tls.end(), host, by_host);
  const auto last = std::find_if(first, tls.end(), [&](const auto& c) { return c.host != host; });
  return {first, last};
}

const HostClaims* IngressResult::claims_of(const std::string& host) const {
  const auto found = std::lower_bound(
      hosts.begin(), hosts.end(), host,
      [](const HostClaims& claims, const std::string& key) { return claims.host < key; });
  return found != hosts.end() && found->host == host ? &*found : nullptr;
}

IngressResult compile_ingress(const kube::Ingress& ingress, const World& world,
                              const Options& options, const Defaults& defaults,
                              ProblemList& problems) {
  return IngressCompiler(ingress, world, options, defaults, problems).run();
}

IngressResult compile_default_backend(const Options& options, const kube::ObjectName& name,
                                      const World& world, const Defaults& defaults,
                                      ProblemList& problems) {
  // It is an Ingress that somebody wrote as a flag.
  kube::Ingress ingress;
  ingress.metadata.name = name;
  ingress.default_backend = options.default_backend->backend;
  return IngressCompiler(ingress, world, options, defaults, problems).run_default_backend();
}

IngressResult compile_default_certificate(const Options& options) {
  IngressResult result;
  result.tls.push_back({.host = "*", .secret = options.default_certificate->name});
  return result;
}

}  // namespace holdfast::controller
