#pragma once

// Which ConfigMaps say what holds where an Ingress says nothing: the one that the IngressClass
// names in spec.parameters, and the one of --defaults-configmap. Pure; one thread (control).

#include <memory>
#include <optional>
#include <vector>

#include "controller/compile.h"
#include "controller/problem_list.h"

namespace holdfast::controller {

/// The ConfigMap that a class names. Absent: none, or nothing that could be meant, which is a
/// problem of the class; or the class is another controller's, whose parameters are its own.
std::optional<kube::ObjectName> config_map_of(const kube::IngressClass& ingress_class,
                                              const Options& options, ProblemList& problems);

/// What of `world` lays its values over the built-in defaults, in this order (see lay_over()). A
/// ConfigMap that is not there is a problem: of the class that names it, or of itself where a flag
/// does.
std::vector<std::shared_ptr<const kube::ConfigMap>> default_layers(const World& world,
                                                                   const Options& options,
                                                                   ProblemList& problems);

}  // namespace holdfast::controller
