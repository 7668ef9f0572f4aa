#include "controller/virtual_host.h"

#include <map>
#include <utility>

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
  void claim(const Claimant& claimant, const Claim& claim, const v1::Route& route);
  [[nodiscard]] v1::Resource empty_host() const;
  model::ResourcePtr without_invalid_routes(v1::Resource all);
  void report(const v1::Origin& origin, const base::Status& status) {
    problems_.add(Severity::kError, origin.kind().c_str(), {origin.namespace_(), origin.name()},
                  origin.field(), std::string(status.message()) + "; it is not served");
  }

  const std::string& host_;
  const bool has_tls_;
  ProblemList& problems_;
  std::map<Match, v1::Route> routes_;
  std::size_t bytes_ = 0;
};

void HostCompiler::add(const Claimant& claimant) {
  const IngressResult& result = claimant.result;
  const HostClaims* claims = result.claims_of(host_);
  if (claims == nullptr) return;
  v1::Route route;
  route.mutable_origin()->set_kind(claimant.kind());
  route.mutable_origin()->set_namespace_(claimant.name->namespace_name);
  route.mutable_origin()->set_name(claimant.name->name);
  // What we have serialised ourselves.
  route.mutable_policy()->ParseFromString(result.policy);
  const bool redirects = has_tls_ && route.policy().https_redirect();
  route.mutable_policy()->set_https_redirect(redirects || result.forces_https);
  if (result.websocket_cluster) {
    route.set_websocket_cluster(result.clusters[*result.websocket_cluster]);
  }
  for (const Claim& wanted : claims->claims) {
    route.mutable_origin()->set_field(claimant.field_of(wanted));
    *route.mutable_path() = wanted.match.message();
    route.set_cluster(result.clusters[wanted.cluster]);
    claim(claimant, wanted, route);
  }
}

void HostCompiler::claim(const Claimant& claimant, const Claim& claim, const v1::Route& route) {
  const std::size_t bytes = route.ByteSizeLong() + kRouteFramingBytes;
  if (bytes_ + bytes > model::kResourceBytes - kHostFieldBytes) {
    problems_.add(
        Severity::kError, claimant.kind(), *claimant.name, claimant.field_of(claim),
        "host " + quote(host_) + " has more routes than fit into 1 MiB; this one is not served");
    return;
  }
  const auto [place, fresh] = routes_.try_emplace(claim.match, route);
  if (fresh) {
    bytes_ += bytes;
    return;
  }
  if (claimant.is_flag) return;
  const v1::Origin& winner = place->second.origin();
  problems_.add(Severity::kError, claimant.kind(), *claimant.name, claimant.field_of(claim),
                claim.match.text() + " of host " + quote(host_) + " belongs to " + winner.field() +
                    " of Ingress " + winner.namespace_() + "/" + winner.name() +
                    ", which comes first; this one is not served there");
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
  if (model::validate(resource).ok()) return model::seal(std::move(resource));
  return without_invalid_routes(std::move(resource));
}

model::ResourcePtr HostCompiler::without_invalid_routes(v1::Resource all) {
  v1::Resource kept = empty_host();
  for (v1::Route& route : *all.mutable_virtual_host()->mutable_routes()) {
    v1::Resource alone = empty_host();
    *alone.mutable_virtual_host()->add_routes() = route;
    if (const base::Status status = model::validate(alone); status.ok()) {
      kept.mutable_virtual_host()->mutable_routes()->Add()->Swap(&route);
    } else {
      report(route.origin(), status);
    }
  }
  const base::Status status = model::validate(kept);
  if (status.ok()) return model::seal(std::move(kept));
  const v1::VirtualHost& host = kept.virtual_host();
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
