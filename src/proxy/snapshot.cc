#include "proxy/snapshot.h"

#include "base/ascii.h"
#include "model/field_rules.h"

namespace holdfast::proxy {

namespace {

constexpr std::string_view kEveryHost = "*";

template <class T>
void put(StringMap<std::shared_ptr<const T>>& map,
         const std::vector<std::pair<std::string, std::shared_ptr<const T>>>& changes) {
  for (const auto& [name, part] : changes) {
    if (part == nullptr) {
      map.erase(name);
    } else {
      map.insert_or_assign(name, part);
    }
  }
}

/// Exact, then `*.` and one label, then "*"; null: none of them.
template <class T>
const std::shared_ptr<const T>* find_by_host(const StringMap<std::shared_ptr<const T>>& map,
                                             std::string_view lower_case_host) {
  if (const auto exact = map.find(lower_case_host); exact != map.end()) return &exact->second;
  const auto wildcard = map.find(model::wildcard_of(lower_case_host));
  if (wildcard != map.end()) return &wildcard->second;
  const auto every = map.find(kEveryHost);
  return every == map.end() ? nullptr : &every->second;
}

}  // namespace

void Snapshot::apply(const Change& change) {
  put(hosts_, change.hosts);
  put(clusters_, change.clusters);
  put(identities_, change.identities);
  in_force_ = true;
}

IdentityPtr Snapshot::find_identity(std::string_view lower_case_host) const {
  const IdentityPtr* identity = find_by_host(identities_, lower_case_host);
  return identity == nullptr ? default_identity_ : *identity;
}

const std::vector<tls::CertificatePtr>& Snapshot::other_certificates(
    const tls::ServerIdentity& identity) const {
  for (const std::string& host : {model::wildcard_of(identity.host()), std::string(kEveryHost)}) {
    const auto other = identities_.find(host);
    if (other != identities_.end() && !other->second->certificates().empty()) {
      return other->second->certificates();
    }
  }
  return default_identity_->certificates();
}

RoutePtr Snapshot::find_route(std::string_view host, std::string_view path) const {
  if (const auto* virtual_host = find_by_host(hosts_, base::lower_case(host))) {
    if (const RoutePtr& route = (*virtual_host)->find(path)) return route;
    if ((*virtual_host)->fallback()) return (*virtual_host)->fallback();
  }
  const auto every = hosts_.find(kEveryHost);
  return every == hosts_.end() ? nullptr : every->second->fallback();
}

std::shared_ptr<const Cluster> Snapshot::find_cluster(std::string_view name) const {
  const auto cluster = clusters_.find(name);
  return cluster == clusters_.end() ? nullptr : cluster->second;
}

}  // namespace holdfast::proxy
