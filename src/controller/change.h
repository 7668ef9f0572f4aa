#pragma once

#include <set>

#include "kube/objects.h"

namespace holdfast::controller {

/// Which objects of a World are not what they were: added, gone, or other in what Holdfast reads of
/// them.
struct Change {
  std::set<kube::ObjectName> ingresses;
  std::set<kube::ObjectName> services;
  /// Services of which endpoints changed.
  std::set<kube::ObjectName> endpoints;
  std::set<kube::ObjectName> config_maps;
  std::set<kube::ObjectName> secrets;
  std::set<kube::ObjectName> named_secrets;
  bool classes = false;
  /// A first list came, which is news even when it is empty.
  bool listed = false;

  [[nodiscard]] bool empty() const {
    return ingresses.empty() && services.empty() && endpoints.empty() && config_maps.empty() &&
           secrets.empty() && named_secrets.empty() && !classes && !listed;
  }

  /// Adds what `later` names.
  void merge(Change later) {
    ingresses.merge(later.ingresses);
    services.merge(later.services);
    endpoints.merge(later.endpoints);
    config_maps.merge(later.config_maps);
    secrets.merge(later.secrets);
    named_secrets.merge(later.named_secrets);
    classes |= later.classes;
    listed |= later.listed;
  }
};

}  // namespace holdfast::controller
