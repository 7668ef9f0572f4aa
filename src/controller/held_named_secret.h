#pragma once

// What is made of one Secret that Ingresses name for TLS towards pods or for clients' certificates:
// a TrustBundle of its authorities, and our own certificate towards pods. A part that stops making
// sense, or goes, leaves what it was before in its place.

#include <string>

#include "controller/compile.h"
#include "controller/virtual_host.h"
#include "model/resource.h"

namespace holdfast::controller {

/// What the name of a Certificate resource ends with that is ours towards pods: the same Secret may
/// be a host's too, and be followed there in another way. No object's name has such a sign.
inline constexpr char kClientSuffix[] = "@client";

/// One thread (control).
struct HeldNamedSecret {
  /// Those whose Ingress names it.
  Claimants users;
  /// What is to be served; null: there was never any.
  model::ResourcePtr bundle_made;
  model::ResourcePtr certificate_made;
  /// What is in force.
  model::ResourcePtr bundle;
  model::ResourcePtr certificate;
  /// What is wrong with either part of the Secret as it is now, half a sentence; empty: nothing.
  std::string bundle_complaint;
  std::string certificate_complaint;

  /// As HeldSecret::take().
  bool take(const World& world, const kube::ObjectName& name);

 private:
  void look(const kube::ObjectName& name);
  base::Status make_bundle(const kube::Secret& secret);
  base::Status make_certificate(const kube::Secret& secret);

  /// What was looked at last.
  std::shared_ptr<const kube::NamedSecret> looked_at_;
  bool looked_ = false;
};

}  // namespace holdfast::controller
