#pragma once

// What becomes of one port of a Service that Ingresses name.

#include <string>

#include "controller/server_name.h"
#include "controller/virtual_host.h"

namespace holdfast::controller {

/// The Cluster called `name`; null where the validator refuses it, which is a mistake of ours and a
/// problem of the Service. `choosers`: its users that want a health check, or say how pods are
/// spoken to; of each the oldest decides, and that is a problem of those that want otherwise. Pure.
model::ResourcePtr compile_cluster(const World& world, const std::string& name,
                                   const Claimants& choosers, const FindNamedSecret& find_named,
                                   ProblemList& problems);

/// compile_endpoint_set(), validated in the same way.
model::ResourcePtr compile_valid_endpoint_set(const World& world, const std::string& name,
                                              ProblemList& problems);

/// What the names of all clusters of a Service begin with.
std::string cluster_prefix(const kube::ObjectName& service);

}  // namespace holdfast::controller
