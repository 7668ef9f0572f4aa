#pragma once

// What the Ingresses that name one host in spec.tls make of it together.

#include <functional>
#include <string>

#include "controller/held_named_secret.h"
#include "controller/held_secret.h"
#include "controller/virtual_host.h"

namespace holdfast::controller {

/// The Secret of that name, which some claimant names; never null.
using FindSecret = std::function<const HeldSecret*(const kube::ObjectName& name)>;
/// The same of one that is followed by its name; null: it cannot be named.
using FindNamedSecret = std::function<const HeldNamedSecret*(const kube::ObjectName& name)>;

/// The ServerName, sealed and valid; null: nobody serves the host over TLS by name. Of each kind of
/// key the first comer's certificate is served, and the first who asks for clients' certificates
/// says which; whoever loses, and whatever is wrong with Secrets, are problems of the Ingresses.
/// Pure.
model::ResourcePtr compile_server_name(const std::string& host, const Claimants& claimants,
                                       const FindSecret& find_secret,
                                       const FindNamedSecret& find_named, ProblemList& problems);

}  // namespace holdfast::controller
