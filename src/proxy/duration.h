#pragma once

#include <chrono>

#include "base/clock.h"
#include "holdfast/discovery/v1/discovery.pb.h"

namespace holdfast::proxy {

inline base::Duration duration_of(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

}  // namespace holdfast::proxy
