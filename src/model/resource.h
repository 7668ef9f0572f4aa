#pragma once

// Names, versions and transactions of discovery resources: what the controller, the discovery
// stream and the proxy share. Pure values; no transport.

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "holdfast/discovery/v1/discovery.pb.h"

namespace holdfast::model {

namespace v1 = ::holdfast::discovery::v1;

/// Kind and name: the key of a resource. Ordered, so that everything made of them is deterministic.
struct ResourceKey {
  v1::Kind kind = v1::KIND_UNSPECIFIED;
  std::string name;

  auto operator<=>(const ResourceKey&) const = default;
};

using ResourcePtr = std::shared_ptr<const v1::Resource>;

/// A change of the configuration: applied whole or not at all.
struct Transaction {
  std::vector<ResourcePtr> upserts;
  std::vector<ResourceKey> removals;
};

/// One resource that a data plane does not accept, and why (one sentence).
struct Refusal {
  ResourceKey key;
  std::string reason;
};

/// The data plane's side of a transaction. apply() is called by one thread at a time, validates
/// each resource (they come from another process) and answers with what it refuses; when that is
/// not empty nothing was applied.
class TransactionHandler {
 public:
  virtual ~TransactionHandler() = default;
  virtual std::vector<Refusal> apply(const Transaction& transaction) = 0;
};

ResourceKey key_of(const v1::Resource& resource);
ResourceKey key_of(const v1::ResourceName& name);
v1::ResourceName name_of(const ResourceKey& key);

/// The parts of a Cluster's and an EndpointSet's name, "NAMESPACE/SERVICE/PORT"; none is empty.
struct ClusterName {
  std::string service_namespace;
  std::string service;
  /// Its number in the Service; the name that the Ingress gives where the Service has none such.
  std::string port;
};
std::optional<ClusterName> parse_cluster_name(std::string_view name);

/// What holds for a route. REQUIRES: validate() has found nothing wrong with the host.
inline const v1::RoutePolicy& policy_of(const v1::VirtualHost& host, const v1::Route& route) {
  return host.policies(static_cast<int>(route.policy()));
}

/// "VirtualHost chat.example.com", for logs.
std::string to_string(const ResourceKey& key);

/// Overwrites the private key that it holds, if any.
void wipe_key(v1::Resource& resource);

/// As shared; a private key is overwritten before its memory is given back.
ResourcePtr share(v1::Resource resource);

/// Sets resource.version to the hash of the rest (FNV-1a, 64 bits, over the deterministic
/// serialisation) and returns it as share() does.
ResourcePtr seal(v1::Resource resource);

/// The one validator of both sides: every rule that discovery.proto states of a single resource.
/// The error is one sentence naming the field.
base::Status validate(const v1::Resource& resource);

/// Whether an endpoint of an EndpointSet is a Unix socket: right for a sidecar's own flags, and for
/// nobody else, since it is a file of the data plane's machine.
bool has_unix_socket(const v1::Resource& resource);

/// One JSON object, for debug pages: without the private key of a Certificate.
std::string to_json(const v1::Resource& resource);

}  // namespace holdfast::model
