#pragma once

// The defaults that annotations.h's table states. Private to the room.

#include "base/clock.h"
#include "model/resource.h"

namespace holdfast::controller {

model::v1::Affinity default_affinity();
/// Without a path: no check.
model::v1::HealthCheck default_health_check();

}  // namespace holdfast::controller
