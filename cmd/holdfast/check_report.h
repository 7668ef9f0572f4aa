#pragma once

// What `holdfast check` prints. Pure.

#include <string>

#include "controller/check.h"

namespace holdfast {

/// For people: a block an Ingress, then the problems of other objects, then a line that counts.
std::string check_text(const controller::CheckReport& report);

/// The same as one JSON object.
std::string check_json(const controller::CheckReport& report);

}  // namespace holdfast
