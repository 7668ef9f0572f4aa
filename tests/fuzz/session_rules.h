#pragma once

// What must hold of everything that has passed, once all of a World is over.

#include "tests/fuzz/session_world.h"

namespace holdfast::fuzz {

/// Ends the process when something does not.
void require_rules(const World& world);

}  // namespace holdfast::fuzz
