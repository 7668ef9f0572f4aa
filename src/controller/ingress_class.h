#pragma once

#include <string>

#include "controller/compile.h"
#include "controller/problem_list.h"

namespace holdfast::controller {

/// Which Ingresses are ours. The order of what decides: spec.ingressClassName; where there is none,
/// the legacy annotation kubernetes.io/ingress.class; where there is neither, the default
/// IngressClass (of several the newest, as the API server's admission plugin does it), or
/// Options::watch_without_class. An empty name counts as none. A value: two that are equal select
/// the same. Pure.
class IngressClassFilter {
 public:
  /// A class of our name that belongs to another controller is a problem on that class.
  IngressClassFilter(const World& world, const Options& options, ProblemList& problems);

  /// Says nothing about Ingresses that are not ours: they are another controller's business.
  [[nodiscard]] bool selects(const kube::Ingress& ingress, ProblemList& problems) const;

  bool operator==(const IngressClassFilter&) const = default;

 private:
  std::string ours_;
  bool foreign_ = false;
  bool without_class_is_ours_ = false;
};

/// The class that an Ingress names, in either place; empty: none, so that the default class counts.
std::string class_named_by(const kube::Ingress& ingress);

}  // namespace holdfast::controller
