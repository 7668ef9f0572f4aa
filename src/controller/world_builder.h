#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/change.h"
#include "controller/compile.h"

namespace holdfast::controller {

/// Keeps a World up to date. An object that comes again without a difference in what Holdfast reads
/// of it takes the place of the older one, but is no change: neither a full list after a lost watch
/// nor a write of an object's status costs a compilation. One thread (control). Never fails;
/// unknown objects are removed without effect.
class WorldBuilder {
 public:
  Change replace(const kube::Scope& scope, const std::vector<kube::Object>& objects);
  Change upsert(const kube::Object& object);
  Change remove(kube::Kind kind, const kube::ObjectName& name);

  [[nodiscard]] const World& world() const { return world_; }

 private:
  void put(const std::shared_ptr<const kube::Ingress>& ingress, Change& change);
  void put(const std::shared_ptr<const kube::IngressClass>& ingress_class, Change& change);
  void put(const std::shared_ptr<const kube::Service>& service, Change& change);
  void put(const std::shared_ptr<const kube::EndpointSlice>& slice, Change& change);
  void put(const std::shared_ptr<const kube::Endpoints>& endpoints, Change& change);
  void put(const std::shared_ptr<const kube::ConfigMap>& config_map, Change& change);
  void put(const std::shared_ptr<const kube::Secret>& secret, Change& change);
  void put(const std::shared_ptr<const kube::NamedSecret>& secret, Change& change);
  void erase(kube::Kind kind, const kube::ObjectName& name, Change& change);
  void erase_slice(const kube::ObjectName& service, const std::string& key);
  [[nodiscard]] std::vector<kube::ObjectName> names_of(kube::Kind kind) const;

  World world_;
  /// A slice's Service is a label of it, and may change.
  std::map<kube::ObjectName, std::shared_ptr<const kube::EndpointSlice>> slices_;
  /// With the keys of the slices made of each.
  struct KnownEndpoints {
    std::shared_ptr<const kube::Endpoints> object;
    std::vector<std::string> keys;
  };
  std::map<kube::ObjectName, KnownEndpoints> endpoints_;
};

}  // namespace holdfast::controller
