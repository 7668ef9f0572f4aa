#include "discovery/grant.h"

#include <algorithm>

#include "base/text_list.h"

namespace holdfast::discovery {

namespace {

/// Of "NAMESPACE/...".
std::string namespace_of(const std::string& name) { return name.substr(0, name.find('/')); }

}  // namespace

bool Grant::covers(const v1::Resource& resource) const {
  if (namespaces.empty()) return true;
  if (resource.has_virtual_host()) {
    const auto& routes = resource.virtual_host().routes();
    return !routes.empty() &&
           std::all_of(routes.begin(), routes.end(), [this](const v1::Route& route) {
             return namespaces.contains(route.origin().namespace_());
           });
  }
  if (!resource.has_server_name()) return namespaces.contains(namespace_of(resource.name()));
  const auto& certificates = resource.server_name().certificates();
  return namespaces.contains(resource.server_name().origin().namespace_()) &&
         std::all_of(certificates.begin(), certificates.end(), [this](const std::string& name) {
           return namespaces.contains(namespace_of(name));
         });
}

base::StatusOr<Grant> parse_grant(std::string_view text) {
  const std::size_t end = text.find('=');
  Grant grant;
  grant.identity = base::trim(text.substr(0, end));
  if (grant.identity.empty()) return absl::InvalidArgumentError("it names no identity");
  if (end == std::string_view::npos) return grant;
  for (const std::string_view name : base::split_list(text.substr(end + 1), ',')) {
    grant.namespaces.emplace(name);
  }
  if (grant.namespaces.empty()) {
    return absl::InvalidArgumentError("it names no namespace behind the \"=\"");
  }
  return grant;
}

}  // namespace holdfast::discovery
