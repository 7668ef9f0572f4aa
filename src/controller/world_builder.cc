#include "controller/world_builder.h"

#include <set>
#include <utility>

namespace holdfast::controller {

namespace {

/// Returns whether that is a change.
template <class Map, class Key, class Pointer>
bool put_into(Map& map, const Key& key, const Pointer& object) {
  const auto [place, fresh] = map.try_emplace(key, object);
  if (fresh) return true;
  // Also where they mean the same: the older one would be kept alive for us alone.
  return *std::exchange(place->second, object) != *object;
}

kube::ObjectName service_of(const kube::EndpointSlice& slice) {
  return {slice.metadata.name.namespace_name, slice.service_name};
}

template <class Map>
std::vector<kube::ObjectName> keys_of(const Map& map) {
  std::vector<kube::ObjectName> keys;
  keys.reserve(map.size());
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

}  // namespace

Change WorldBuilder::replace(const kube::Scope& scope, const std::vector<kube::Object>& objects) {
  Change change;
  std::set<kube::ObjectName> listed;
  for (const kube::Object& object : objects) listed.insert(kube::metadata_of(object).name);
  if (scope.is_single()) {
    const kube::ObjectName name{scope.namespace_name, scope.name};
    if (!listed.contains(name)) erase(scope.kind, name, change);
  } else {
    for (const kube::ObjectName& name : names_of(scope.kind)) {
      if (scope.covers(name) && !listed.contains(name)) erase(scope.kind, name, change);
    }
  }
  for (const kube::Object& object : objects) {
    std::visit([&](const auto& value) { put(value, change); }, object);
  }
  return change;
}

Change WorldBuilder::upsert(const kube::Object& object) {
  Change change;
  std::visit([&](const auto& value) { put(value, change); }, object);
  return change;
}

Change WorldBuilder::remove(kube::Kind kind, const kube::ObjectName& name) {
  Change change;
  erase(kind, name, change);
  return change;
}

void WorldBuilder::put(const std::shared_ptr<const kube::Ingress>& ingress, Change& change) {
  const kube::ObjectName& name = ingress->metadata.name;
  if (put_into(world_.ingresses, name, ingress)) change.ingresses.insert(name);
}

void WorldBuilder::put(const std::shared_ptr<const kube::IngressClass>& ingress_class,
                       Change& change) {
  change.classes |= put_into(world_.classes, ingress_class->metadata.name.name, ingress_class);
}

void WorldBuilder::put(const std::shared_ptr<const kube::Service>& service, Change& change) {
  const kube::ObjectName& name = service->metadata.name;
  if (put_into(world_.services, name, service)) change.services.insert(name);
}

void WorldBuilder::put(const std::shared_ptr<const kube::EndpointSlice>& slice, Change& change) {
  const kube::ObjectName& name = slice->metadata.name;
  const kube::ObjectName service = service_of(*slice);
  auto& known = slices_[name];
  const auto before = std::exchange(known, slice);
  if (before != nullptr && service_of(*before) != service) {
    erase_slice(service_of(*before), name.name);
    change.endpoints.insert(service_of(*before));
  }
  // Without the label it belongs to no Service.
  if (slice->service_name.empty()) return;
  world_.slices[service].insert_or_assign(name.name, slice);
  if (before == nullptr || *before != *slice) change.endpoints.insert(service);
}

void WorldBuilder::put(const std::shared_ptr<const kube::Endpoints>& endpoints, Change& change) {
  const kube::ObjectName& service = endpoints->metadata.name;
  KnownEndpoints& known = endpoints_[service];
  const auto before = std::exchange(known.object, endpoints);
  if (before != nullptr && *before == *endpoints) return;
  for (const std::string& key : std::exchange(known.keys, {})) erase_slice(service, key);
  for (kube::EndpointSlice& slice : kube::slices_of(*endpoints)) {
    known.keys.push_back(std::string(kEndpointsSlicePrefix) + slice.metadata.name.name);
    world_.slices[service].insert_or_assign(
        known.keys.back(), std::make_shared<const kube::EndpointSlice>(std::move(slice)));
  }
  change.endpoints.insert(service);
}

void WorldBuilder::put(const std::shared_ptr<const kube::ConfigMap>& config_map, Change& change) {
  const kube::ObjectName& name = config_map->metadata.name;
  if (put_into(world_.config_maps, name, config_map)) change.config_maps.insert(name);
}

void WorldBuilder::put(const std::shared_ptr<const kube::Secret>& secret, Change& change) {
  const kube::ObjectName& name = secret->metadata.name;
  if (put_into(world_.secrets, name, secret)) change.secrets.insert(name);
}

void WorldBuilder::put(const std::shared_ptr<const kube::NamedSecret>& secret, Change& change) {
  const kube::ObjectName& name = secret->metadata.name;
  if (put_into(world_.named_secrets, name, secret)) change.named_secrets.insert(name);
}

void WorldBuilder::erase(kube::Kind kind, const kube::ObjectName& name, Change& change) {
  switch (kind) {
    case kube::Kind::kIngress:
      if (world_.ingresses.erase(name) > 0) change.ingresses.insert(name);
      return;
    case kube::Kind::kIngressClass:
      change.classes |= world_.classes.erase(name.name) > 0;
      return;
    case kube::Kind::kService:
      if (world_.services.erase(name) > 0) change.services.insert(name);
      return;
    case kube::Kind::kEndpointSlice:
      if (const auto known = slices_.find(name); known != slices_.end()) {
        erase_slice(service_of(*known->second), name.name);
        change.endpoints.insert(service_of(*known->second));
        slices_.erase(known);
      }
      return;
    case kube::Kind::kEndpoints:
      if (const auto known = endpoints_.find(name); known != endpoints_.end()) {
        for (const std::string& key : known->second.keys) erase_slice(name, key);
        change.endpoints.insert(name);
        endpoints_.erase(known);
      }
      return;
    case kube::Kind::kConfigMap:
      if (world_.config_maps.erase(name) > 0) change.config_maps.insert(name);
      return;
    case kube::Kind::kSecret:
      if (world_.secrets.erase(name) > 0) change.secrets.insert(name);
      return;
    case kube::Kind::kNamedSecret:
      if (world_.named_secrets.erase(name) > 0) change.named_secrets.insert(name);
      return;
  }
}

void WorldBuilder::erase_slice(const kube::ObjectName& service, const std::string& key) {
  const auto found = world_.slices.find(service);
  if (found == world_.slices.end()) return;
  found->second.erase(key);
  if (found->second.empty()) world_.slices.erase(found);
}

std::vector<kube::ObjectName> WorldBuilder::names_of(kube::Kind kind) const {
  switch (kind) {
    case kube::Kind::kIngress:
      return keys_of(world_.ingresses);
    case kube::Kind::kIngressClass: {
      std::vector<kube::ObjectName> names;
      for (const auto& [name, value] : world_.classes) names.push_back({"", name});
      return names;
    }
    case kube::Kind::kService:
      return keys_of(world_.services);
    case kube::Kind::kEndpointSlice:
      return keys_of(slices_);
    case kube::Kind::kEndpoints:
      return keys_of(endpoints_);
    case kube::Kind::kConfigMap:
      return keys_of(world_.config_maps);
    case kube::Kind::kSecret:
      return keys_of(world_.secrets);
    case kube::Kind::kNamedSecret:
      return keys_of(world_.named_secrets);
  }
  return {};
}

}  // namespace holdfast::controller
