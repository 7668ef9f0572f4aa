#pragma once

// The validator's rules of a route's policy and a cluster's health check; part of validate(). Pure.

#include <string>

#include "base/status.h"
#include "holdfast/discovery/v1/discovery.pb.h"

namespace holdfast::model {

/// An error of `pieces` put together.
template <class... Pieces>
base::Status wrong(const Pieces&... pieces) {
  std::string sentence;
  (sentence.append(pieces), ...);
  return absl::InvalidArgumentError(sentence);
}

/// The error begins with the name of a field.
base::Status check_policy(const discovery::v1::RoutePolicy& policy);
base::Status check_health(const discovery::v1::HealthCheck& check);

}  // namespace holdfast::model
