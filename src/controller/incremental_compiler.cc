#include "controller/incremental_compiler.h"

#include <algorithm>
#include <utility>

#include "controller/defaults.h"
#include "controller/endpoint_set.h"
#include "controller/problem_list.h"
#include "controller/quote.h"
#include "controller/server_name.h"
#include "model/field_rules.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

/// Puts what was made (null: nothing) in the place of what is held, and tells when it differs.
void serve(const model::ResourceKey& key, model::ResourcePtr made, model::ResourcePtr& held,
           model::Transaction& transaction) {
  if (made == nullptr) {
    if (held == nullptr) return;
    transaction.removals.push_back(key);
  } else {
    if (held != nullptr && held->version() == made->version()) return;
    transaction.upserts.push_back(made);
  }
  held = std::move(made);
}

IngressClassFilter without_classes(const Options& options) {
  ProblemList none;
  return {World(), options, none};
}

}  // namespace

IncrementalCompiler::IncrementalCompiler(Options options, IsAwaited is_awaited)
    : options_(std::move(options)),
      is_awaited_(std::move(is_awaited)),
      flag_name_{options_.default_backend.value_or(DefaultBackend()).namespace_name,
                 "--default-backend"},
      certificate_flag_name_{
          options_.default_certificate.value_or(kube::ObjectName()).namespace_name,
          "--default-certificate"},
      classes_(without_classes(options_)),
      quota_(options_.named_secrets_most) {
  std::set<kube::ObjectName> none;
  lay_defaults(World(), none);
}

Update IncrementalCompiler::update(const World& world, const Change& change) {
  Update update;
  Touched touched;
  std::set<kube::ObjectName> ingresses = change.ingresses;
  if (change.classes) classify(world, ingresses);
  if (change.classes || !change.config_maps.empty()) lay_defaults(world, ingresses);
  if (options_.default_backend && !claimants_.contains(flag_name_)) ingresses.insert(flag_name_);
  if (options_.default_certificate && !claimants_.contains(certificate_flag_name_)) {
    ingresses.insert(certificate_flag_name_);
  }
  for (const kube::ObjectName& service : change.services) {
    touch_service(service, ingresses, touched);
  }
  for (const kube::ObjectName& name : change.named_secrets) {
    if (const auto waiting = awaited_.find(name); waiting != awaited_.end()) {
      ingresses.insert(waiting->second.begin(), waiting->second.end());
    }
  }
  for (const kube::ObjectName& service : change.endpoints) touch_endpoints(service, touched);
  for (const kube::ObjectName& name : change.named_secrets) {
    if (named_secrets_.contains(name)) touched.named_secrets.insert(name);
  }
  compile_all(world, std::move(ingresses), touched, update);
  for (const kube::ObjectName& name : change.secrets) {
    if (secrets_.contains(name)) touched.secrets.insert(name);
  }
  for (const kube::ObjectName& name : touched.secrets) make_secret(world, name, touched, update);
  for (const std::string& name : touched.names) make_name(name, touched, update);
  for (const std::string& name : touched.hosts) make_host(name, update);
  for (const std::string& name : touched.clusters) make_cluster(world, name, update);
  for (const std::string& name : touched.endpoint_sets) make_endpoint_set(world, name, update);
  update.problems = ledger_.take_changes();
  return update;
}

void IncrementalCompiler::classify(const World& world, std::set<kube::ObjectName>& ingresses) {
  ProblemList problems;
  IngressClassFilter classes(world, options_, problems);
  ledger_.replace(class_problems_, problems.take());
  if (std::exchange(classes_, classes) == classes) return;
  for (const auto& [name, ingress] : world.ingresses) {
    ProblemList ignored;
    if (classes_.selects(*ingress, ignored) != claimants_.contains(name)) ingresses.insert(name);
  }
}

void IncrementalCompiler::lay_defaults(const World& world, std::set<kube::ObjectName>& ingresses) {
  ProblemList problems;
  auto layers = default_layers(world, options_, problems);
  Defaults defaults = built_in_defaults();
  for (const auto& layer : layers) lay_over(*layer, defaults, problems);
  ledger_.replace(default_problems_, problems.take());
  default_layers_.swap(layers);
  const bool same =
      std::equal(layers.begin(), layers.end(), default_layers_.begin(), default_layers_.end(),
                 [](const auto& a, const auto& b) { return *a == *b; });
  if (same) return;
  defaults_ = std::move(defaults);
  for (const auto& [name, claimant] : claimants_) ingresses.insert(name);
}

void IncrementalCompiler::touch_service(const kube::ObjectName& service,
                                        std::set<kube::ObjectName>& ingresses,
                                        Touched& touched) const {
  const std::string prefix = cluster_prefix(service);
  for (auto place = clusters_.lower_bound(prefix);
       place != clusters_.end() && place->first.starts_with(prefix); ++place) {
    for (const Claimant* user : place->second.users) ingresses.insert(*user->name);
    touched.clusters.insert(place->first);
  }
  touch_endpoints(service, touched);
}

void IncrementalCompiler::touch_endpoints(const kube::ObjectName& service, Touched& touched) const {
  const std::string prefix = cluster_prefix(service);
  for (auto place = clusters_.lower_bound(prefix);
       place != clusters_.end() && place->first.starts_with(prefix); ++place) {
    touched.endpoint_sets.insert(place->first);
  }
}

std::optional<IngressResult> IncrementalCompiler::result_of(const World& world,
                                                            const kube::ObjectName& name,
                                                            ProblemList& problems) const {
  if (name == flag_name_ && options_.default_backend) {
    return compile_default_backend(options_, name, world, defaults_, problems);
  }
  if (name == certificate_flag_name_ && options_.default_certificate) {
    return compile_default_certificate(options_);
  }
  const auto found = world.ingresses.find(name);
  if (found == world.ingresses.end() || !classes_.selects(*found->second, problems)) return {};
  return compile_ingress(*found->second, world, options_, defaults_, problems);
}

void IncrementalCompiler::compile_all(const World& world, std::set<kube::ObjectName> ingresses,
                                      Touched& touched, Update& update) {
  do {
    for (const kube::ObjectName& name : ingresses) compile_one(world, name, touched, update);
    for (const kube::ObjectName& name : std::exchange(touched.named_secrets, {})) {
      make_named_secret(world, name, touched, update);
    }
    for (const kube::ObjectName& name : std::exchange(touched.unawaited, {})) {
      release_if_unused(name);
    }
    ingresses = quota_.take_readmitted();
  } while (!ingresses.empty());
}

void IncrementalCompiler::release_if_unused(const kube::ObjectName& secret) {
  if (!named_secrets_.contains(secret) && !awaited_.contains(secret)) quota_.release(secret);
}

void IncrementalCompiler::bound_secrets(const kube::ObjectName& ingress, IngressResult& result,
                                        ProblemList& problems) {
  const auto bound = [&](std::string_view annotation, std::string& secret) {
    if (secret.empty() || secret == kNoSecret) return;
    if (quota_.admit({ingress.namespace_name, secret}, ingress)) return;
    ValuePlace place = result.place_of(annotation);
    problems.add(Severity::kError, kIngressKind, ingress, std::move(place.field),
                 place.who + "Ingresses name more than " +
                     std::to_string(kNamedSecretsOfANamespace) + " Secrets in this namespace, or " +
                     std::to_string(options_.named_secrets_most) + " in all; Secret " +
                     quote(secret) + " is not read, and nobody is trusted in its place");
    secret = kNoSecret;
  };
  bound("upstream-tls-secret", result.upstream.secret);
  bound("client-ca-secret", result.client.secret);
}

void IncrementalCompiler::compile_one(const World& world, const kube::ObjectName& name,
                                      Touched& touched, Update& update) {
  ProblemList problems;
  std::optional<IngressResult> result = result_of(world, name, problems);
  quota_.forget(name);
  if (result) bound_secrets(name, *result, problems);
  for (auto waiting = awaited_.begin(); waiting != awaited_.end();) {
    waiting->second.erase(name);
    if (waiting->second.empty()) {
      touched.unawaited.insert(waiting->first);
      waiting = awaited_.erase(waiting);
      ++named_secrets_version_;
    } else {
      ++waiting;
    }
  }
  if (result && waits(name, *result)) return;
  const auto held = claimants_.find(name);
  if (!result) {
    if (held == claimants_.end()) return;
    leave(held->second, touched);
    ledger_.replace(held->second.problems, {});
    if (!held->second.is_flag) update.served.emplace_back(name, false);
    claimants_.erase(held);
    return;
  }
  ++update.work.ingresses;
  const bool fresh = held == claimants_.end();
  auto& [key, claimant] = fresh ? *claimants_.try_emplace(name).first : *held;
  ledger_.replace(claimant.problems, problems.take());
  const auto ingress = world.ingresses.find(name);
  const bool is_flag = ingress == world.ingresses.end();
  std::string created = is_flag ? "" : ingress->second->metadata.creation_timestamp;
  if (!fresh) {
    if (claimant.created == created && claimant.result == *result) return;
    leave(claimant, touched);
  }
  if (fresh && !is_flag) update.served.emplace_back(name, true);
  claimant.is_flag = is_flag;
  claimant.name = &key;
  claimant.created = std::move(created);
  claimant.result = *std::move(result);
  enter(claimant, touched);
}

bool IncrementalCompiler::waits(const kube::ObjectName& ingress, const IngressResult& result) {
  if (is_awaited_ == nullptr) return false;
  bool waits = false;
  for (const std::string& secret : result.named_secrets()) {
    const kube::ObjectName name{ingress.namespace_name, secret};
    if (!is_awaited_(name)) continue;
    awaited_[name].insert(ingress);
    ++named_secrets_version_;
    waits = true;
  }
  return waits;
}

void IncrementalCompiler::enter(const Claimant& claimant, Touched& touched) {
  for (const HostClaims& claims : claimant.result.hosts) {
    const auto [host, fresh] = hosts_.try_emplace(claims.host);
    host->second.claimants.insert(&claimant);
    touched.hosts.insert(claims.host);
    if (fresh) hosts_below_[model::wildcard_of(claims.host)].insert(claims.host);
  }
  for (const TlsClaim& claim : claimant.result.tls) {
    names_[claim.host].claimants.insert(&claimant);
    touched.names.insert(claim.host);
    if (claim.secret.empty()) continue;
    const kube::ObjectName secret{claimant.name->namespace_name, claim.secret};
    secrets_[secret].users.insert(&claimant);
    touched.secrets.insert(secret);
  }
  for (const std::string& secret : claimant.result.named_secrets()) {
    const kube::ObjectName name{claimant.name->namespace_name, secret};
    const auto [place, fresh] = named_secrets_.try_emplace(name);
    if (fresh) ++named_secrets_version_;
    place->second.users.insert(&claimant);
    touched.named_secrets.insert(name);
  }
  const bool chooses = claimant.result.chooses();
  for (const std::string& name : claimant.result.clusters) {
    const auto [place, fresh] = clusters_.try_emplace(name);
    place->second.users.insert(&claimant);
    if (fresh) touched.endpoint_sets.insert(name);
    if (fresh || chooses) touched.clusters.insert(name);
    if (chooses) place->second.choosers.insert(&claimant);
  }
}

void IncrementalCompiler::leave(const Claimant& claimant, Touched& touched) {
  for (const HostClaims& claims : claimant.result.hosts) {
    hosts_.at(claims.host).claimants.erase(&claimant);
    touched.hosts.insert(claims.host);
  }
  for (const TlsClaim& claim : claimant.result.tls) {
    names_.at(claim.host).claimants.erase(&claimant);
    touched.names.insert(claim.host);
    if (claim.secret.empty()) continue;
    const kube::ObjectName secret{claimant.name->namespace_name, claim.secret};
    secrets_.at(secret).users.erase(&claimant);
    touched.secrets.insert(secret);
  }
  for (const std::string& secret : claimant.result.named_secrets()) {
    const kube::ObjectName name{claimant.name->namespace_name, secret};
    named_secrets_.at(name).users.erase(&claimant);
    touched.named_secrets.insert(name);
  }
  for (const std::string& name : claimant.result.clusters) {
    Cluster& cluster = clusters_.at(name);
    cluster.users.erase(&claimant);
    if (cluster.choosers.erase(&claimant) > 0 || cluster.users.empty()) {
      touched.clusters.insert(name);
    }
    if (cluster.users.empty()) touched.endpoint_sets.insert(name);
  }
}

void IncrementalCompiler::make_secret(const World& world, const kube::ObjectName& name,
                                      Touched& touched, Update& update) {
  const auto place = secrets_.find(name);
  HeldSecret& secret = place->second;
  const model::ResourceKey key{v1::KIND_CERTIFICATE, name.namespace_name + "/" + name.name};
  if (secret.users.empty()) {
    serve(key, nullptr, secret.resource, update.transaction);
    secrets_.erase(place);
    return;
  }
  ++update.work.secrets;
  // Who has come or gone has touched its names itself.
  if (!secret.take(world, name)) return;
  serve(key, secret.made, secret.resource, update.transaction);
  for (const Claimant* user : secret.users) {
    for (const TlsClaim& claim : user->result.tls) {
      if (claim.secret == name.name) touched.names.insert(claim.host);
    }
  }
}

void IncrementalCompiler::make_named_secret(const World& world, const kube::ObjectName& name,
                                            Touched& touched, Update& update) {
  const auto place = named_secrets_.find(name);
  HeldNamedSecret& secret = place->second;
  const std::string resource = resource_name_of(name);
  const model::ResourceKey bundle{v1::KIND_TRUST_BUNDLE, resource};
  const model::ResourceKey certificate{v1::KIND_CERTIFICATE, resource + kClientSuffix};
  if (secret.users.empty()) {
    serve(bundle, nullptr, secret.bundle, update.transaction);
    serve(certificate, nullptr, secret.certificate, update.transaction);
    named_secrets_.erase(place);
    ++named_secrets_version_;
    release_if_unused(name);
    return;
  }
  ++update.work.secrets;
  const bool is_other = secret.take(world, name);
  bool for_pods = false;
  for (const Claimant* user : secret.users) {
    for_pods |= user->result.upstream.secret == name.name;
    if (!is_other) continue;
    if (user->result.client.secret == name.name) {
      for (const TlsClaim& claim : user->result.tls) touched.names.insert(claim.host);
    }
    if (user->result.upstream.secret != name.name) continue;
    touched.clusters.insert(user->result.clusters.begin(), user->result.clusters.end());
  }
  serve(bundle, secret.bundle_made, secret.bundle, update.transaction);
  serve(certificate, for_pods ? secret.certificate_made : nullptr, secret.certificate,
        update.transaction);
}

void IncrementalCompiler::make_name(const std::string& name, Touched& touched, Update& update) {
  const auto place = names_.find(name);
  Name& server = place->second;
  ProblemList problems;
  model::ResourcePtr made;
  if (!server.claimants.empty()) {
    ++update.work.names;
    made = compile_server_name(
        name, server.claimants,
        [this](const kube::ObjectName& secret) { return &secrets_.at(secret); }, find_named_,
        problems);
  }
  ledger_.replace(server.problems, problems.take());
  if ((made == nullptr) != (server.resource == nullptr)) touch_hosts_of(name, touched);
  serve({v1::KIND_SERVER_NAME, name}, std::move(made), server.resource, update.transaction);
  if (server.claimants.empty()) names_.erase(place);
}

void IncrementalCompiler::touch_hosts_of(const std::string& name, Touched& touched) const {
  if (hosts_.contains(name)) touched.hosts.insert(name);
  if (!name.starts_with("*.")) return;
  if (const auto below = hosts_below_.find(name); below != hosts_below_.end()) {
    touched.hosts.insert(below->second.begin(), below->second.end());
  }
}

bool IncrementalCompiler::has_tls(const std::string& host) const {
  const auto served = [this](const std::string& name) {
    const auto found = names_.find(name);
    return found != names_.end() && found->second.resource != nullptr;
  };
  // What "*" shows says nothing of a host.
  return host != "*" && (served(host) || served(model::wildcard_of(host)));
}

void IncrementalCompiler::make_host(const std::string& name, Update& update) {
  const auto place = hosts_.find(name);
  Host& host = place->second;
  ProblemList problems;
  model::ResourcePtr made;
  if (!host.claimants.empty()) {
    ++update.work.hosts;
    made = compile_virtual_host(name, host.claimants, has_tls(name), problems);
  }
  ledger_.replace(host.problems, problems.take());
  serve({v1::KIND_VIRTUAL_HOST, name}, std::move(made), host.resource, update.transaction);
  if (!host.claimants.empty()) return;
  hosts_.erase(place);
  const auto below = hosts_below_.find(model::wildcard_of(name));
  below->second.erase(name);
  if (below->second.empty()) hosts_below_.erase(below);
}

void IncrementalCompiler::make_cluster(const World& world, const std::string& name,
                                       Update& update) {
  Cluster& cluster = clusters_.at(name);
  ProblemList problems;
  model::ResourcePtr made;
  if (!cluster.users.empty()) {
    ++update.work.clusters;
    made = compile_cluster(world, name, cluster.choosers, find_named_, problems);
  }
  ledger_.replace(cluster.problems, problems.take());
  serve({v1::KIND_CLUSTER, name}, std::move(made), cluster.resource, update.transaction);
}

/// Comes last of what is made of a cluster: without users it goes.
void IncrementalCompiler::make_endpoint_set(const World& world, const std::string& name,
                                            Update& update) {
  const auto place = clusters_.find(name);
  Cluster& cluster = place->second;
  ProblemList problems;
  model::ResourcePtr made;
  if (!cluster.users.empty()) {
    ++update.work.endpoint_sets;
    made = compile_valid_endpoint_set(world, name, problems);
  }
  ledger_.replace(cluster.endpoint_problems, problems.take());
  serve({v1::KIND_ENDPOINT_SET, name}, std::move(made), cluster.endpoint_set, update.transaction);
  if (cluster.users.empty()) clusters_.erase(place);
}

model::ResourcePtr IncrementalCompiler::find(const model::ResourceKey& key) const {
  if (key.kind == v1::KIND_VIRTUAL_HOST) {
    const auto host = hosts_.find(key.name);
    return host == hosts_.end() ? nullptr : host->second.resource;
  }
  if (key.kind == v1::KIND_SERVER_NAME) {
    const auto name = names_.find(key.name);
    return name == names_.end() ? nullptr : name->second.resource;
  }
  if (key.kind == v1::KIND_CERTIFICATE || key.kind == v1::KIND_TRUST_BUNDLE) {
    return find_secret(key);
  }
  const auto cluster = clusters_.find(key.name);
  if (cluster == clusters_.end()) return nullptr;
  return key.kind == v1::KIND_CLUSTER ? cluster->second.resource : cluster->second.endpoint_set;
}

model::ResourcePtr IncrementalCompiler::find_secret(const model::ResourceKey& key) const {
  const std::size_t slash = key.name.find('/');
  kube::ObjectName name{key.name.substr(0, slash), key.name.substr(slash + 1)};
  const bool is_bundle = key.kind == v1::KIND_TRUST_BUNDLE;
  const bool is_client = name.name.ends_with(kClientSuffix);
  if (is_bundle || is_client) {
    if (is_client) name.name.resize(name.name.size() - std::string_view(kClientSuffix).size());
    const HeldNamedSecret* secret = find_named_(name);
    if (secret == nullptr) return nullptr;
    return is_bundle ? secret->bundle : secret->certificate;
  }
  const auto secret = secrets_.find(name);
  return secret == secrets_.end() ? nullptr : secret->second.resource;
}

std::vector<kube::ObjectName> IncrementalCompiler::named_secrets() const {
  std::vector<kube::ObjectName> names;
  names.reserve(named_secrets_.size() + awaited_.size());
  for (const auto& [name, secret] : named_secrets_) names.push_back(name);
  for (const auto& [name, waiting] : awaited_) names.push_back(name);
  return names;
}

std::vector<model::ResourcePtr> IncrementalCompiler::resources() const {
  std::vector<model::ResourcePtr> all;
  all.reserve(hosts_.size() + 2 * clusters_.size());
  const auto add = [&all](const model::ResourcePtr& resource) {
    if (resource != nullptr) all.push_back(resource);
  };
  for (const auto& [name, host] : hosts_) add(host.resource);
  for (const auto& [name, cluster] : clusters_) add(cluster.resource);
  for (const auto& [name, cluster] : clusters_) add(cluster.endpoint_set);
  for (const auto& [name, server] : names_) add(server.resource);
  // A slash comes after a dash: "a/x" and "a-b/x" are in another order than their parts.
  const auto sort_from = [&all](std::size_t first) {
    std::sort(all.begin() + static_cast<std::ptrdiff_t>(first), all.end(),
              [](const auto& a, const auto& b) { return a->name() < b->name(); });
  };
  const std::size_t first_certificate = all.size();
  for (const auto& [name, secret] : secrets_) add(secret.resource);
  for (const auto& [name, secret] : named_secrets_) add(secret.certificate);
  sort_from(first_certificate);
  const std::size_t first_bundle = all.size();
  for (const auto& [name, secret] : named_secrets_) add(secret.bundle);
  sort_from(first_bundle);
  return all;
}

}  // namespace holdfast::controller
