#pragma once

// The defaults that annotations.h's table states. Private to the room.

#include "base/clock.h"
#include "controller/annotations.h"
#include "model/resource.h"

namespace holdfast::controller {

model::v1::Affinity default_affinity();
/// Without a path: no check.
model::v1::HealthCheck default_health_check();
ClientSettings default_client_settings();

}  // namespace holdfast::controller
