#pragma once

#include <string>

#include "controller/compile.h"
#include "controller/problem_list.h"

namespace holdfast::controller {

/// The EndpointSet called `name` ("NAMESPACE/SERVICE/PORT"): the slices of the Service merged into
/// one set for one of its ports, sealed. Empty where the Service or the port does not exist. Pure.
model::ResourcePtr compile_endpoint_set(const World& world, const std::string& name,
                                        ProblemList& problems);

}  // namespace holdfast::controller
