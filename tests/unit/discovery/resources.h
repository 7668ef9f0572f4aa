#pragma once

// Valid resources for discovery's tests.

#include <map>
#include <string>

#include "model/resource.h"

namespace holdfast::discovery {

inline model::ResourceKey set_key(int number) {
  return {v1::KIND_ENDPOINT_SET, "demo/service-" + std::to_string(number) + "/80"};
}

/// An EndpointSet of `endpoints` endpoints; another `generation` is another content.
inline model::ResourcePtr endpoint_set(int number, int generation = 0, int endpoints = 1,
                                       const std::string& zone = {}) {
  v1::Resource resource;
  resource.set_name(set_key(number).name);
  for (int i = 0; i < endpoints; ++i) {
    v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
    endpoint.set_address("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1));
    endpoint.set_port(8080);
    endpoint.set_zone(zone);
    endpoint.set_uid("generation-" + std::to_string(generation));
  }
  return model::seal(std::move(resource));
}

/// One of about 450 KB.
inline model::ResourcePtr large_set(int number) {
  return endpoint_set(number, 0, 450, std::string(950, 'z'));
}

/// One that model::validate() refuses.
inline model::ResourcePtr invalid_set(int number) {
  v1::Resource resource;
  resource.set_name(set_key(number).name);
  resource.mutable_endpoint_set()->add_endpoints()->set_address("nowhere");
  return model::seal(std::move(resource));
}

/// What a data plane has after some transactions, as key and version.
inline void put(std::map<model::ResourceKey, std::uint64_t>& state,
                const model::Transaction& transaction) {
  for (const auto& resource : transaction.upserts) {
    state[model::key_of(*resource)] = resource->version();
  }
  for (const auto& key : transaction.removals) state.erase(key);
}

}  // namespace holdfast::discovery
