#pragma once

// What is made of one Secret that Ingresses name in spec.tls: its Certificate, and what is wrong
// with it. A Secret that stops making sense leaves what it was before in its place.

#include <memory>
#include <string>

#include "controller/compile.h"
#include "controller/virtual_host.h"
#include "model/resource.h"
#include "tls/certificate.h"

namespace holdfast::controller {

/// "NAMESPACE/NAME"
std::string resource_name_of(const kube::ObjectName& secret);
model::v1::Origin origin_of(const kube::Secret& secret);
/// Its Certificate, sealed and perhaps not valid; `suffix` ends the resource's name.
model::ResourcePtr certificate_of(const kube::Secret& secret, const char* suffix);

/// One thread (control).
struct HeldSecret {
  /// Those whose Ingress names it.
  Claimants users;
  /// Null: there was never one that could be served.
  std::shared_ptr<const tls::Certificate> certificate;
  /// The Certificate that is to be served; null: none.
  model::ResourcePtr made;
  /// The Certificate that is in force.
  model::ResourcePtr resource;
  /// What is wrong with the Secret as it is now, half a sentence; empty: nothing.
  std::string complaint;

  /// Makes of the Secret what can be made; false: it is what it was at the last call. REQUIRES:
  /// `name` is the same at every call.
  bool take(const World& world, const kube::ObjectName& name);

 private:
  void look(const kube::ObjectName& name);

  /// What was looked at last.
  std::shared_ptr<const kube::Secret> looked_at_;
  bool looked_ = false;
};

}  // namespace holdfast::controller
