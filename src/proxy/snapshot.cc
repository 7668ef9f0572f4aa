#include "proxy/snapshot.h"

#include "base/ascii.h"

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

}  // namespace

void Snapshot::apply(const Change& change) {
  put(hosts_, change.hosts);
  put(clusters_, change.clusters);
  in_force_ = true;
}

const VirtualHost* Snapshot::find_host(std::string_view lower_case_host) const {
  if (const auto exact = hosts_.find(lower_case_host); exact != hosts_.end()) {
    return exact->second.get();
  }
  const std::size_t dot = lower_case_host.find('.');
  if (dot != std::string_view::npos && dot > 0) {
    const auto wildcard = hosts_.find("*" + std::string(lower_case_host.substr(dot)));
    if (wildcard != hosts_.end()) return wildcard->second.get();
  }
  const auto every = hosts_.find(kEveryHost);
  return every == hosts_.end() ? nullptr : every->second.get();
}

RoutePtr Snapshot::find_route(std::string_view host, std::string_view path) const {
  if (const VirtualHost* virtual_host = find_host(base::lower_case(host))) {
    if (const RoutePtr& route = virtual_host->find(path)) return route;
    if (virtual_host->fallback()) return virtual_host->fallback();
  }
  const auto every = hosts_.find(kEveryHost);
  return every == hosts_.end() ? nullptr : every->second->fallback();
}

std::shared_ptr<const Cluster> Snapshot::find_cluster(std::string_view name) const {
  const auto cluster = clusters_.find(name);
  return cluster == clusters_.end() ? nullptr : cluster->second;
}

}  // namespace holdfast::proxy
