#include "controller/virtual_host.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/limits.h"
#include "controller/quote.h"
#include "model/limits.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

class HostCompiler {
 public:
  HostCompiler(const std::string& host, bool has_tls, ProblemList& problems)
      : host_(host), has_tls_(has_tls), problems_(problems) {}

  void add(const Claimant& claimant);
  model::ResourcePtr build();

 private:
  struct Policy {
    v1::RoutePolicy message;
    /// How two of them are compared.
    std::string text;
  };

  [[nodiscard]] Policy policy_of(const IngressResult& result) const;
  void claim(const Claimant& claimant, const Claim& claim, v1::Route& route, const Policy& policy);
  [[nodiscard]] v1::Resource empty_host() const;
  model::ResourcePtr without_invalid_routes(const v1::VirtualHost& all);
  void report(const v1::Origin& origin, const base::Status& status) {
    problems_.add(Severity::kError, origin.kind().c_str(), {origin.namespace_(), origin.name()},
                  origin.field(), std::string(status.message()) + "; it is not served");
  }

  const std::string& host_;
  const bool has_tls_;
  ProblemList& problems_;
  std::map<Match, v1::Route> routes_;
  std::vector<v1::RoutePolicy> policies_;
  /// Their places, by their texts.
  std::map<std::string, std::size_t> places_;
  std::size_t bytes_ = 0;
};

HostCompiler::Policy HostCompiler::policy_of(const IngressResult& result) const {
  Policy policy;
  // What we have serialised ourselves.
  policy.message.ParseFromString(result.policy);
  const bool redirects = has_tls_ && policy.message.https_redirect();
  policy.message.set_https_redirect(redirects || result.forces_https);
  policy.text = policy.message.SerializeAsString();
  return policy;
}

void HostCompiler::add(const Claimant& claimant) {
  const IngressResult& result = claimant.result;
  const HostClaims* claims = result.claims_of(host_);
  if (claims == nullptr) return;
  v1::Route route;
  route.mutable_origin()->set_kind(claimant.kind());
  route.mutable_origin()->set_namespace_(claimant.name->namespace_name);
  route.mutable_origin()->set_name(claimant.name->name);
  if (result.websocket_cluster) {
    route.set_websocket_cluster(result.clusters[*result.websocket_cluster]);
  }
  const Policy policy = policy_of(result);
  for (const Claim& wanted : claims->claims) {
    route.mutable_origin()->set_field(claimant.field_of(wanted));
    *route.mutable_path() = wanted.match.message();
    route.set_cluster(result.clusters[wanted.cluster]);
    claim(claimant, wanted, route, policy);
  }
}

void HostCompiler::claim(const Claimant& claimant, const Claim& claim, v1::Route& route,
                         const Policy& policy) {
  if (const auto taken = routes_.find(claim.match); taken != routes_.end()) {
    if (claimant.is_flag) return;
    const v1::Origin& winner = taken->second.origin();
    problems_.add(Severity::kError, claimant.kind(), *claimant.name, claimant.field_of(claim),
                  claim.match.text() + " of host " + quote(host_) + " belongs to " +
                      winner.field() + " of Ingress " + winner.namespace_() + "/" + winner.name() +
                      ", which comes first; this one is not served there");
    return;
  }
  const auto known = places_.find(policy.text);
  const bool is_new = known == places_.end();
  const std::size_t place = is_new ? policies_.size() : known->second;
  route.set_policy(static_cast<std::uint32_t>(place));
  const std::size_t bytes =
      route.ByteSizeLong() + kListEntryBytes + (is_new ? policy.text.size() + kListEntryBytes : 0);
  if (bytes_ + bytes > model::kResourceBytes - kHostFieldBytes) {
    problems_.add(
        Severity::kError, claimant.kind(), *claimant.name, claimant.field_of(claim),
        "host " + quote(host_) + " has more routes than fit into 1 MiB; this one is not served");
    return;
  }
  bytes_ += bytes;
  routes_.emplace(claim.match, route);
  if (!is_new) return;
  policies_.push_back(policy.message);
  places_.emplace(policy.text, place);
}

v1::Resource HostCompiler::empty_host() const {
  v1::Resource resource;
  resource.set_name(host_);
  resource.mutable_virtual_host()->set_host(host_);
  return resource;
}

model::ResourcePtr HostCompiler::build() {
  v1::Resource resource = empty_host();
  v1::VirtualHost& message = *resource.mutable_virtual_host();
  message.mutable_routes()->Reserve(static_cast<int>(routes_.size()));
  for (auto& [match, route] : routes_) *message.add_routes() = std::move(route);
  for (v1::RoutePolicy& policy : policies_) *message.add_policies() = std::move(policy);
  if (model::validate(resource).ok()) return model::seal(std::move(resource));
  return without_invalid_routes(message);
}

model::ResourcePtr HostCompiler::without_invalid_routes(const v1::VirtualHost& all) {
  v1::Resource kept = empty_host();
  v1::VirtualHost& host = *kept.mutable_virtual_host();
  std::map<std::uint32_t, int> places;
  for (v1::Route route : all.routes()) {
    const v1::RoutePolicy& policy = model::policy_of(all, route);
    const std::uint32_t before = route.policy();
    route.set_policy(0);
    v1::Resource alone = empty_host();
    *alone.mutable_virtual_host()->add_routes() = route;
    *alone.mutable_virtual_host()->add_policies() = policy;
    if (const base::Status status = model::validate(alone); !status.ok()) {
      report(route.origin(), status);
      continue;
    }
    const auto [place, is_new] = places.try_emplace(before, host.policies_size());
    if (is_new) *host.add_policies() = policy;
    route.set_policy(static_cast<std::uint32_t>(place->second));
    host.mutable_routes()->Add()->Swap(&route);
  }
  const base::Status status = model::validate(kept);
  if (status.ok()) return model::seal(std::move(kept));
  report(host.routes().empty() ? v1::Origin() : host.routes(0).origin(), status);
  return nullptr;
}

}  // namespace

model::ResourcePtr compile_virtual_host(const std::string& host, const Claimants& claimants,
                                        bool has_tls, ProblemList& problems) {
  HostCompiler compiler(host, has_tls, problems);
  for (const Claimant* claimant : claimants) compiler.add(*claimant);
  return compiler.build();
}

}  // namespace holdfast::controller
